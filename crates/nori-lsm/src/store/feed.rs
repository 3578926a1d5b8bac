//! Reading committed batches back from the log, for the change feed.
//!
//! 1. The visible number is read first, then the log is synced, then the catalog and the log are
//!    read: all up to that number must be found.
//! 2. A drop of a keyspace is visible a moment before the catalog has it; nothing commits in
//!    between. So what seems to be missing at the end is looked for once more behind a turn of the
//!    commit queue.

use crate::batch::{BadPayload, Operations};
use crate::changes::{Change, ChangedKey};
use crate::error::{Error, Result};
use crate::store::signal::Signal;
use crate::store::state::{Store, Writer};
use bytes::Bytes;
use nori_env::sync::Arc;
use nori_env::sync::atomic::{AtomicUsize, Ordering};
use nori_manifest::{Catalog, split_prefix};
use nori_types::{Corruption, SeqNo, ValueKind};
use nori_wal::{LOG_HEADER_BYTES, Position};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::ControlFlow;
use std::time::Duration;

/// About so many payload bytes are read at once.
const READ_BYTES: usize = 1 << 20;

/// Those who wait for commits. A store that nobody follows pays one load for each group.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    count: AtomicUsize,
    committed: Signal,
}

/// Somebody who waits; leaves when dropped.
pub(crate) struct Watch(Arc<Store>);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.watchers.count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Where a follower is.
#[derive(Debug)]
pub(crate) struct Feed {
    /// The next sequence number to show.
    next: SeqNo,
    /// Where its record is, or one before it; `None` until it was looked for.
    at: Option<Position>,
    names: HashMap<u32, Arc<str>>,
}

/// What one look at the log has found.
struct Look<'a> {
    feed: &'a mut Feed,
    visible: SeqNo,
    catalog: Arc<Catalog>,
    /// Changes of the catalog that are still to be shown.
    keyspaces: BTreeMap<SeqNo, Change>,
    into: &'a mut VecDeque<Change>,
    bytes: usize,
    gap: bool,
}

impl Store {
    /// Counts a follower in.
    pub(crate) fn watch(store: &Arc<Store>) -> Watch {
        store.watchers.count.fetch_add(1, Ordering::Relaxed);
        Watch(Arc::clone(store))
    }

    /// Wakes followers, if there are any.
    pub(crate) fn tell_watchers(&self) {
        // Who counts himself in just now looks again after a while.
        if self.watchers.count.load(Ordering::Relaxed) > 0 {
            self.watchers.committed.wake();
        }
    }

    pub(crate) fn watched(&self) -> u64 {
        self.watchers.committed.now()
    }

    /// Waits for a commit after `seen`, but not for long: closing the store wakes nobody here.
    pub(crate) fn wait_watched(&self, seen: u64, limit: Duration) {
        self.watchers.committed.wait(seen, limit.min(Duration::from_millis(100)));
    }

    pub(crate) fn now(&self) -> Duration {
        self.config.clock.now()
    }

    /// The changes behind `from`.
    pub(crate) fn feed(&self, from: u64) -> Result<Feed> {
        self.check_open()?;
        self.writer()?;
        let last = self.visible.load().get();
        if from > last {
            return Err(Error::invalid(format!(
                "the store's last sequence number is {last}: changes behind {from} would be those \
                 of another store"
            )));
        }
        Ok(Feed { next: SeqNo::new(from).plus(1), at: None, names: HashMap::new() })
    }

    /// Adds the next durable changes to `into`, if there are any.
    pub(crate) fn read_changes(&self, feed: &mut Feed, into: &mut VecDeque<Change>) -> Result<()> {
        self.check_open()?;
        let writer = self.writer()?;
        let _caller = self.callers.enter()?;
        let before = into.len();
        for last_try in [false, true] {
            let visible = self.visible.load();
            if feed.next > visible {
                return Ok(());
            }
            let gap = self.look(writer, visible, feed, into)?;
            if into.len() > before {
                return Ok(());
            }
            if gap || last_try {
                break;
            }
            self.exclusively(|| Ok(()))?;
        }
        let requested = feed.next.get() - 1;
        Err(Error::SeqNoTooOld { requested, oldest: self.oldest_change(writer)? })
    }

    /// One look at the log; whether a record is missing.
    fn look(
        &self,
        writer: &Writer,
        visible: SeqNo,
        feed: &mut Feed,
        into: &mut VecDeque<Change>,
    ) -> Result<bool> {
        if writer.wal.durable() < writer.wal.end() {
            self.or_poison("a sync of the log", || writer.wal.sync())?;
        }
        let catalog = Arc::clone(&self.pin().version.catalog);
        let at = match feed.at {
            Some(at) => at,
            None => self.locate(writer, feed.next)?,
        };
        let keyspaces = keyspace_changes(&catalog, feed.next, visible);
        let (bytes, gap) = (0, false);
        let mut look = Look { feed, visible, catalog, keyspaces, into, bytes, gap };
        let stopped = writer.wal.read_from(at, &mut |at, payload| {
            look.record(payload).map_err(|bad| self.bad_change(at, bad))
        })?;
        if !look.gap {
            look.show_keyspaces(visible.plus(1));
            look.feed.at = Some(stopped);
        }
        Ok(look.gap)
    }

    /// The newest segment that begins at or before `next`, or the oldest one.
    fn locate(&self, writer: &Writer, next: SeqNo) -> Result<Position> {
        let numbers = writer.wal.readable();
        for &number in numbers.iter().rev() {
            let start = Position::new(number, LOG_HEADER_BYTES);
            let first = self.first_change(writer, start)?;
            if first.is_some_and(|(segment, first)| segment == number && first <= next) {
                return Ok(start);
            }
        }
        Ok(Position::new(numbers.first().copied().unwrap_or(0), LOG_HEADER_BYTES))
    }

    /// The segment and the sequence number of the first record from `at` on.
    fn first_change(&self, writer: &Writer, at: Position) -> Result<Option<(u64, SeqNo)>> {
        let mut first = None;
        writer.wal.read_from(at, &mut |at, payload| {
            let operations = Operations::new(payload).map_err(|bad| self.bad_change(at, bad))?;
            first = Some((at.segment, operations.next_seq()));
            Ok::<_, Error>(ControlFlow::Break(()))
        })?;
        Ok(first)
    }

    /// The first sequence number that the log still holds, or the next one to come.
    fn oldest_change(&self, writer: &Writer) -> Result<u64> {
        let first = self.first_change(writer, Position::default())?;
        Ok(first.map_or_else(|| self.visible.load().plus(1), |(_, seq)| seq).get())
    }

    fn bad_change(&self, at: Position, bad: BadPayload) -> Error {
        let number = nori_types::FileNumber(at.segment);
        let path = self.paths.wal.join(nori_types::FileName::Segment(number).to_string());
        let found = match bad {
            BadPayload::Malformed(found) => found.to_string(),
            BadPayload::UnknownKind(kind) => format!("a value of kind {kind}"),
        };
        Corruption::new(path, at.offset, "a record's batch", "operations", found).into()
    }
}

impl Look<'_> {
    /// Takes a record, or breaks before it.
    fn record(&mut self, payload: &[u8]) -> std::result::Result<ControlFlow<()>, BadPayload> {
        let operations = Operations::new(payload)?;
        let (first, last) = (operations.next_seq(), operations.last_seq());
        if last < self.feed.next {
            return Ok(ControlFlow::Continue(()));
        }
        if last > self.visible || self.bytes >= READ_BYTES {
            return Ok(ControlFlow::Break(()));
        }
        self.show_keyspaces(first);
        if first > self.feed.next {
            self.gap = true;
            return Ok(ControlFlow::Break(()));
        }
        let bytes = Bytes::copy_from_slice(payload);
        let mut writes = Vec::new();
        for operation in operations {
            let operation = operation?;
            let end = operation.at + operation.key_len;
            let Some((id, user)) = split_prefix(&payload[operation.at..end]) else {
                return Err(BadPayload::Malformed("a key that names no keyspace"));
            };
            let keyspace = self.name(id)?;
            let key = bytes.slice(end - user.len()..end);
            let set = operation.kind == ValueKind::Value;
            let value = set.then(|| bytes.slice(end..end + operation.value_len));
            writes.push(ChangedKey { keyspace, key, value });
        }
        self.bytes += payload.len();
        self.feed.next = last.plus(1);
        self.into.push_back(Change::Batch { sequence: last.get(), writes });
        Ok(ControlFlow::Continue(()))
    }

    /// Shows the changes of keyspaces that come next, up to `end`, exclusive.
    fn show_keyspaces(&mut self, end: SeqNo) {
        while self.feed.next < end {
            let Some(change) = self.keyspaces.remove(&self.feed.next) else { break };
            self.into.push_back(change);
            self.feed.next = self.feed.next.plus(1);
        }
    }

    fn name(&mut self, id: u32) -> std::result::Result<Arc<str>, BadPayload> {
        if let Some(name) = self.feed.names.get(&id) {
            return Ok(Arc::clone(name));
        }
        let known = self.catalog.get(id);
        let known =
            known.ok_or(BadPayload::Malformed("a key of a keyspace that does not exist"))?;
        let name: Arc<str> = Arc::from(known.name.as_str());
        self.feed.names.insert(id, Arc::clone(&name));
        Ok(name)
    }
}

/// What happened to keyspaces from `next` up to `visible`.
fn keyspace_changes(catalog: &Catalog, next: SeqNo, visible: SeqNo) -> BTreeMap<SeqNo, Change> {
    let mut changes = BTreeMap::new();
    let wanted = next..visible.plus(1);
    for keyspace in catalog.iter() {
        let name: Arc<str> = Arc::from(keyspace.name.as_str());
        if wanted.contains(&keyspace.created) {
            let (sequence, name) = (keyspace.created.get(), Arc::clone(&name));
            changes.insert(keyspace.created, Change::KeyspaceCreated { sequence, name });
        }
        if let Some(dropped) = keyspace.dropped.filter(|dropped| wanted.contains(dropped)) {
            let sequence = dropped.get();
            changes.insert(dropped, Change::KeyspaceDropped { sequence, name });
        }
    }
    changes
}
