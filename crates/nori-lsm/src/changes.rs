//! The change feed: committed batches and changes of keyspaces, in order, as they happened.
//!
//! 1. A change is shown when it is durable and visible, never before: who follows is never ahead
//!    of a store that lost power.
//! 2. Every sequence number up to the visible one is a batch's or a change of keyspaces'. One that
//!    is neither found in the log nor in the catalog means that its part of the log is gone:
//!    `SeqNoTooOld`, never a gap.
//! 3. Between two calls nothing is held but a position: a slow follower keeps no segment.

use crate::error::{Error, Result};
use crate::store::{Store, Watch};
use bytes::Bytes;
use nori_env::sync::Arc;
use std::collections::VecDeque;
use std::time::Duration;

/// One write of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChangedKey {
    /// The keyspace's name.
    pub keyspace: Arc<str>,
    /// The key, as it was written.
    pub key: Bytes,
    /// Its new value; `None`: it was deleted.
    pub value: Option<Bytes>,
}

/// Something that was committed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// A batch took effect, all of it.
    Batch {
        /// The sequence number of its last write.
        sequence: u64,
        /// Its writes, in order. Of several to one key the last counts.
        writes: Vec<ChangedKey>,
    },
    /// A keyspace was made.
    KeyspaceCreated {
        /// The sequence number of that.
        sequence: u64,
        /// Its name.
        name: Arc<str>,
    },
    /// A keyspace was dropped with all its keys.
    KeyspaceDropped {
        /// The sequence number of that.
        sequence: u64,
        /// Its name.
        name: Arc<str>,
    },
}

impl Change {
    /// What to ask [`crate::Lsm::changes`] for to go on behind this change.
    pub fn sequence(&self) -> u64 {
        match self {
            Change::Batch { sequence, .. }
            | Change::KeyspaceCreated { sequence, .. }
            | Change::KeyspaceDropped { sequence, .. } => *sequence,
        }
    }
}

/// The changes of a store behind a sequence number. As an iterator it waits for the next change
/// and ends when the store is closed, or after an error. It does not keep the store open.
///
/// ```
/// # fn main() -> nori_lsm::Result<()> {
/// # let dir = nori_lsm::example_dir("changes");
/// use nori_lsm::{Change, Lsm};
///
/// let store = Lsm::open(&dir)?;
/// let seen = store.snapshot().sequence();
/// let mut changes = store.changes(seen)?;
/// store.put("plum", "purple")?;
/// let Some(Change::Batch { sequence, writes }) = changes.try_next()? else { panic!("one batch") };
/// assert_eq!((sequence, writes.len()), (seen + 1, 1));
/// assert_eq!(changes.try_next()?, None);
/// # store.close()?;
/// # Lsm::destroy(&dir)
/// # }
/// ```
pub struct Changes {
    store: Arc<Store>,
    feed: crate::store::Feed,
    ready: VecDeque<Change>,
    _watch: Watch,
    ended: bool,
}

impl Changes {
    pub(crate) fn new(store: Arc<Store>, from: u64) -> Result<Changes> {
        let watch = Store::watch(&store);
        let mut changes = Changes {
            feed: store.feed(from)?,
            store,
            ready: VecDeque::new(),
            _watch: watch,
            ended: false,
        };
        // Whoever comes too late hears it now.
        changes.fill()?;
        Ok(changes)
    }

    /// The next change that is durable; `None` if there is none yet.
    ///
    /// # Errors
    /// `SeqNoTooOld` if the log that holds it is gone: begin again from a checkpoint. `Closed`,
    /// `Poisoned`, `Io`, `Corruption`. The feed has ended then.
    pub fn try_next(&mut self) -> Result<Option<Change>> {
        if self.ready.is_empty() {
            self.fill()?;
        }
        Ok(self.ready.pop_front())
    }

    /// As [`Changes::try_next`], and waits for a change for as long as `limit`.
    ///
    /// # Errors
    /// As [`Changes::try_next`].
    pub fn next_within(&mut self, limit: Duration) -> Result<Option<Change>> {
        let until = self.store.now() + limit;
        loop {
            let seen = self.store.watched();
            if let Some(change) = self.try_next()? {
                return Ok(Some(change));
            }
            let left = until.saturating_sub(self.store.now());
            if left.is_zero() {
                return Ok(None);
            }
            self.store.wait_watched(seen, left);
        }
    }

    fn fill(&mut self) -> Result<()> {
        if self.ended {
            return Err(Error::Closed);
        }
        let filled = self.store.read_changes(&mut self.feed, &mut self.ready);
        self.ended = filled.is_err();
        filled
    }
}

impl Iterator for Changes {
    type Item = Result<Change>;

    fn next(&mut self) -> Option<Result<Change>> {
        if self.ended && self.ready.is_empty() {
            return None;
        }
        loop {
            match self.next_within(Duration::from_secs(1)) {
                Ok(Some(change)) => return Some(Ok(change)),
                Ok(None) => {}
                Err(Error::Closed) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl std::fmt::Debug for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Changes").field("feed", &self.feed).finish_non_exhaustive()
    }
}
