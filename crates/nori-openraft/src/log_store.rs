//! The log as openraft wants it.
//!
//! 1. All that writes goes through one thread, in order, so a call that nobody waits for any more
//!    is still done before the next. Reads have another thread and never wait for a sync.
//! 2. A purge waits for the state: what is not applied, or in a snapshot that is installed, is not
//!    purged. Since the purge is synced behind it, it is durable then.
//! 3. The callback of an append is called when the entries are durable, or with the error; the call
//!    returns then too, since openraft waits for the callback before it goes on.

use crate::error::Error;
use crate::log::Log;
use crate::records::LogIdOf;
use crate::store::Shared;
use nori_env::sync::Arc;
use openraft::storage::{LogFlushed, LogState, RaftLogStorage};
use openraft::{
    ErrorSubject, ErrorVerb, OptionalSend, RaftLogReader, RaftTypeConfig, StorageError, Vote,
};
use std::fmt::{self, Debug};
use std::ops::{Bound, RangeBounds};

type Stored<C, T> = Result<T, StorageError<<C as RaftTypeConfig>::NodeId>>;

/// The log, the vote and what was committed: openraft's [`RaftLogStorage`] and [`RaftLogReader`].
/// Cloning is cheap.
pub struct LogStore<C: RaftTypeConfig> {
    shared: Arc<Shared<C>>,
}

impl<C: RaftTypeConfig> LogStore<C> {
    pub(crate) fn new(shared: Arc<Shared<C>>) -> LogStore<C> {
        LogStore { shared }
    }

    async fn write(
        &self,
        subject: ErrorSubject<C::NodeId>,
        job: impl FnOnce(&Log<C>) -> Result<(), Error> + Send + 'static,
    ) -> Stored<C, ()> {
        let shared = Arc::clone(&self.shared);
        let done = self.shared.log_thread.run(move || job(&shared.log)).await;
        done.map_err(|e| e.to_storage(subject, ErrorVerb::Write))
    }

    /// Waits for the snapshot that brings the state to where the log is to be purged, if one is on
    /// its way. A state that nothing was ever applied to is no reason to keep the log, unless a
    /// snapshot was to come to it.
    async fn reach(&self, upto: &LogIdOf<C>) -> Result<(), Error> {
        let mut watch = self.shared.arrivals.watch();
        loop {
            let arriving = *watch.borrow_and_update();
            let applied = self.shared.state.applied();
            let is_reached = applied.as_ref().is_some_and(|applied| applied.index >= upto.index);
            if is_reached || (applied.is_none() && arriving.ever == 0) {
                return Ok(());
            }
            if arriving.now == 0 || watch.changed().await.is_err() {
                let what = format!("the log cannot be purged up to {upto}: {applied:?} is applied");
                return Err(Error::out_of_order(what));
            }
        }
    }

    async fn read<T: Send + 'static>(
        &self,
        subject: ErrorSubject<C::NodeId>,
        job: impl FnOnce(&Log<C>) -> Result<T, Error> + Send + 'static,
    ) -> Stored<C, T> {
        let shared = Arc::clone(&self.shared);
        let done = self.shared.read_thread.run(move || job(&shared.log)).await;
        done.map_err(|e| e.to_storage(subject, ErrorVerb::Read))
    }
}

impl<C: RaftTypeConfig> Clone for LogStore<C> {
    fn clone(&self) -> LogStore<C> {
        LogStore { shared: Arc::clone(&self.shared) }
    }
}

impl<C: RaftTypeConfig> Debug for LogStore<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogStore").field("store", &self.shared.store).finish()
    }
}

impl<C: RaftTypeConfig> RaftLogReader<C> for LogStore<C> {
    async fn try_get_log_entries<R: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: R,
    ) -> Stored<C, Vec<C::Entry>> {
        let first = match range.start_bound() {
            Bound::Included(first) => Some(*first),
            Bound::Excluded(before) => before.checked_add(1),
            Bound::Unbounded => Some(0),
        };
        let end = match range.end_bound() {
            // No entry has the highest index.
            Bound::Included(last) => last.checked_add(1),
            Bound::Excluded(end) => Some(*end),
            Bound::Unbounded => None,
        };
        let Some(first) = first else { return Ok(Vec::new()) };
        self.read(ErrorSubject::Logs, move |log| log.read(first, end, usize::MAX)).await
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Stored<C, Vec<C::Entry>> {
        let bytes_max = self.shared.options.read_bytes;
        self.read(ErrorSubject::Logs, move |log| log.read(start, Some(end), bytes_max)).await
    }
}

impl<C: RaftTypeConfig> RaftLogStorage<C> for LogStore<C> {
    type LogReader = LogStore<C>;

    async fn get_log_state(&mut self) -> Stored<C, LogState<C>> {
        let extent = self.shared.log.extent();
        Ok(LogState { last_purged_log_id: extent.purged, last_log_id: extent.last })
    }

    async fn get_log_reader(&mut self) -> LogStore<C> {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote<C::NodeId>) -> Stored<C, ()> {
        let vote = vote.clone();
        self.write(ErrorSubject::Vote, move |log| log.save_vote(&vote)).await
    }

    async fn read_vote(&mut self) -> Stored<C, Option<Vote<C::NodeId>>> {
        self.read(ErrorSubject::Vote, Log::vote).await
    }

    async fn save_committed(&mut self, committed: Option<LogIdOf<C>>) -> Stored<C, ()> {
        self.write(ErrorSubject::Store, move |log| log.save_committed(committed.as_ref())).await
    }

    async fn read_committed(&mut self) -> Stored<C, Option<LogIdOf<C>>> {
        self.read(ErrorSubject::Store, Log::committed).await
    }

    async fn append<I>(&mut self, entries: I, callback: LogFlushed<C>) -> Stored<C, ()>
    where
        I: IntoIterator<Item = C::Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<C::Entry> = entries.into_iter().collect();
        let shared = Arc::clone(&self.shared);
        // The job calls back itself: entries that became durable are told even if this future is
        // dropped before it has heard of it.
        let job = move || {
            let result = shared.log.append(&entries);
            callback.log_io_completed(result.as_ref().copied().map_err(Error::to_io));
            result
        };
        let done = self.shared.log_thread.run(job).await;
        done.map_err(|e| e.to_storage(ErrorSubject::Logs, ErrorVerb::Write))
    }

    async fn truncate(&mut self, log_id: LogIdOf<C>) -> Stored<C, ()> {
        self.write(ErrorSubject::Logs, move |log| log.truncate(log_id.index)).await
    }

    async fn purge(&mut self, log_id: LogIdOf<C>) -> Stored<C, ()> {
        self.reach(&log_id)
            .await
            .map_err(|e| e.to_storage(ErrorSubject::Logs, ErrorVerb::Delete))?;
        self.write(ErrorSubject::Logs, move |log| log.purge(&log_id)).await
    }
}
