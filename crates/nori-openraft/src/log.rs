//! The log: entries under their indexes, the vote, and what was committed and purged. Calls block.
//!
//! 1. The entries from behind the last purged one, or from the first appended, to the last one have
//!    no hole between them, whatever a crash leaves. Appends and votes are durable when they
//!    return.
//! 2. A purge first makes durable up to where it goes, together with the first removals; the other
//!    removals follow in batches. What a crash leaves of them lies before `purged`, so nobody sees
//!    it, and opening removes it. That first write is synced, and with it, in the one write-ahead
//!    log, everything before it: nothing is purged whose effect on the state is not durable.
//! 3. A truncation removes from the end towards the front, so what a crash leaves is a log that is
//!    longer than asked for, never one with a hole.

use crate::error::{Error, Result};
use crate::options::RaftOptions;
use crate::records::{LOG, LogIdOf, META, decode, encode, key, put, read};
use nori_env::sync::Mutex;
use nori_lsm::{Durability, Keyspace, Lsm, WriteBatch};
use openraft::{LogIdOptionExt, RaftLogId, RaftTypeConfig, Vote};
use std::ops::Bound;

/// The log of a store. One thread changes it; `extent` is locked only to be read or replaced.
pub(crate) struct Log<C: RaftTypeConfig> {
    store: Lsm,
    log: Keyspace,
    meta: Keyspace,
    removals: u64,
    extent: Mutex<Extent<C>>,
}

/// Where the log begins and ends. Kept in memory: the first key of a keyspace whose front was
/// deleted is found only behind all these deletions.
#[derive(Clone)]
pub(crate) struct Extent<C: RaftTypeConfig> {
    pub(crate) purged: Option<LogIdOf<C>>,
    /// The index of the first entry, where there is one.
    first: u64,
    /// The last entry, or `purged` where there is none.
    pub(crate) last: Option<LogIdOf<C>>,
}

impl<C: RaftTypeConfig> Extent<C> {
    fn is_empty(&self) -> bool {
        self.last == self.purged || self.last.next_index() <= self.first
    }
}

impl<C: RaftTypeConfig> Log<C> {
    /// Reads where the log begins and ends, and removes what a purge left.
    pub(crate) fn open(store: &Lsm, options: &RaftOptions) -> Result<Log<C>> {
        let (log, meta) = (store.keyspace(LOG)?, store.keyspace(META)?);
        let purged: Option<LogIdOf<C>> = read(&meta, key::PURGED)?;
        let begin = purged.next_index();
        let store = store.clone();
        let removals = options.removals.max(1);
        let empty = Extent { purged: purged.clone(), first: begin, last: purged.clone() };
        let this = Log { store, log, meta, removals, extent: Mutex::new(empty) };
        let first = this.first_index()?;
        let left = first.filter(|first| *first < begin);
        if let Some(left) = left {
            this.remove_front(left, begin)?;
        }
        let first = if left.is_some() { this.first_index()? } else { first };
        if let (Some(first), Some((_, bytes))) = (first, this.log.last_key_value()?) {
            let entry: C::Entry = decode("the last entry of the log", &bytes)?;
            let last = Some(entry.get_log_id().clone());
            *this.extent.lock() = Extent { purged, first, last };
        }
        Ok(this)
    }

    pub(crate) fn extent(&self) -> Extent<C> {
        self.extent.lock().clone()
    }

    fn first_index(&self) -> Result<Option<u64>> {
        self.log.first_key_value()?.map(|(key, _)| index_of(&key)).transpose()
    }

    /// Puts entries behind the last one, or over entries that are there: all of them durably, or
    /// none. openraft truncates before it writes something else. Entries that are purged already
    /// are no part of the log, and are left out.
    pub(crate) fn append(&self, entries: &[C::Entry]) -> Result<()> {
        let mut next = self.extent();
        let mut batch = WriteBatch::new();
        let purged = next.purged.next_index();
        for entry in entries.iter().filter(|entry| entry.get_log_id().index >= purged) {
            let log_id = entry.get_log_id();
            let (index, is_first) = (log_id.index, next.last.is_none());
            if !is_first && !(next.first..=next.last.next_index()).contains(&index) {
                let (first, end) = (next.first, next.last.next_index());
                let what = format!("entry {index} would leave a hole: the log is {first}..{end}");
                return Err(Error::out_of_order(what));
            }
            if is_first {
                next.first = index;
            }
            if next.last.next_index() <= index + 1 {
                next.last = Some(log_id.clone());
            }
            batch.put_in(&self.log, index.to_be_bytes(), encode("an entry", entry)?);
        }
        if !batch.is_empty() {
            self.store.write_with(batch, Durability::Synced)?;
        }
        *self.extent.lock() = next;
        Ok(())
    }

    /// Removes the entries from `from` on.
    pub(crate) fn truncate(&self, from: u64) -> Result<()> {
        let mut extent = self.extent();
        let from = from.max(extent.purged.next_index());
        let mut end = extent.last.next_index();
        if end <= from || extent.is_empty() {
            return Ok(());
        }
        let last = match from.checked_sub(1).filter(|before| *before >= extent.first) {
            Some(before) => Some(self.log_id(before)?),
            None => extent.purged.clone(),
        };
        let from = from.max(extent.first);
        while end > from {
            let start = from.max(end.saturating_sub(self.removals));
            let mut batch = WriteBatch::new();
            for index in (start..end).rev() {
                batch.delete_in(&self.log, index.to_be_bytes());
            }
            // The last batch makes the others durable.
            let durability = if start == from { Durability::Synced } else { Durability::Buffered };
            self.store.write_with(batch, durability)?;
            end = start;
            extent.last = if end == from { last.clone() } else { Some(self.log_id(end - 1)?) };
            *self.extent.lock() = extent.clone();
        }
        Ok(())
    }

    /// Makes the log begin behind `upto`, and removes the entries before. The state has them.
    pub(crate) fn purge(&self, upto: &LogIdOf<C>) -> Result<()> {
        let mut extent = self.extent();
        if extent.purged.next_index() > upto.index {
            return Ok(());
        }
        let (is_empty, last) = (extent.is_empty(), extent.last.next_index());
        let end = if is_empty { extent.first } else { last.min(upto.index + 1) };
        let start = extent.first.min(end);
        let stop = end.min(start.saturating_add(self.removals));
        let mut batch = WriteBatch::new();
        put(&mut batch, &self.meta, key::PURGED, upto)?;
        for index in start..stop {
            batch.delete_in(&self.log, index.to_be_bytes());
        }
        self.store.write_with(batch, Durability::Synced)?;
        extent.purged = Some(upto.clone());
        extent.first = extent.first.max(upto.index + 1);
        if is_empty || last <= upto.index + 1 {
            extent.last = Some(upto.clone());
        }
        *self.extent.lock() = extent;
        self.remove_front(stop, end)
    }

    /// Deletes entries before `purged`, in batches; a crash may bring them back.
    fn remove_front(&self, first: u64, end: u64) -> Result<()> {
        let mut batch = WriteBatch::new();
        for index in first..end {
            batch.delete_in(&self.log, index.to_be_bytes());
            if batch.len() as u64 >= self.removals {
                self.store.write_with(std::mem::take(&mut batch), Durability::Buffered)?;
            }
        }
        if !batch.is_empty() {
            self.store.write_with(batch, Durability::Buffered)?;
        }
        Ok(())
    }

    /// The entries from `first` to before `end`, as far as they are there. Ends before an entry
    /// that would make it more than `bytes_max`, but not before the first.
    pub(crate) fn read(
        &self,
        first: u64,
        end: Option<u64>,
        bytes_max: usize,
    ) -> Result<Vec<C::Entry>> {
        let first = first.max(self.extent().purged.next_index());
        let end_key = end.map(u64::to_be_bytes);
        let start_key = first.to_be_bytes();
        if end.is_some_and(|end| end <= first) {
            return Ok(Vec::new());
        }
        let end = end_key.as_ref().map_or(Bound::Unbounded, |key| Bound::Excluded(&key[..]));
        let (mut entries, mut bytes) = (Vec::<C::Entry>::new(), 0);
        for item in self.log.range::<&[u8], _>((Bound::Included(&start_key[..]), end)) {
            let (key, value) = item?;
            bytes += value.len();
            if bytes > bytes_max && !entries.is_empty() {
                break;
            }
            let index = index_of(&key)?;
            let entry: C::Entry = decode("an entry of the log", &value)?;
            let previous = entries.last().map(|entry| entry.get_log_id().index);
            if entry.get_log_id().index != index || previous.is_some_and(|p| p + 1 != index) {
                let what = format!("entry {index} of the log stands behind {previous:?}");
                return Err(Error::Record { what, cause: "the log has a hole".into() });
            }
            entries.push(entry);
        }
        Ok(entries)
    }

    fn log_id(&self, index: u64) -> Result<LogIdOf<C>> {
        let found = self.log.get(index.to_be_bytes())?;
        let hole = || Error::Record {
            what: format!("entry {index} of the log"),
            cause: "it is missing".into(),
        };
        let entry: C::Entry = decode("an entry of the log", &found.ok_or_else(hole)?)?;
        Ok(entry.get_log_id().clone())
    }

    pub(crate) fn save_vote(&self, vote: &Vote<C::NodeId>) -> Result<()> {
        self.save(key::VOTE, vote, Durability::Synced)
    }

    pub(crate) fn vote(&self) -> Result<Option<Vote<C::NodeId>>> {
        read(&self.meta, key::VOTE)
    }

    /// Not durable by itself: it only spares a node that comes back from waiting for its leader.
    pub(crate) fn save_committed(&self, committed: Option<&LogIdOf<C>>) -> Result<()> {
        self.save(key::COMMITTED, &committed, Durability::Buffered)
    }

    pub(crate) fn committed(&self) -> Result<Option<LogIdOf<C>>> {
        Ok(read::<Option<LogIdOf<C>>>(&self.meta, key::COMMITTED)?.flatten())
    }

    fn save<T: serde::Serialize>(&self, key: &str, value: &T, how: Durability) -> Result<()> {
        let mut batch = WriteBatch::new();
        put(&mut batch, &self.meta, key, value)?;
        Ok(self.store.write_with(batch, how)?)
    }
}

fn index_of(key: &[u8]) -> Result<u64> {
    let bytes = key.try_into().map_err(|_| Error::Record {
        what: format!("a key of the log, {}", key.escape_ascii()),
        cause: "it has not 8 bytes".into(),
    })?;
    Ok(u64::from_be_bytes(bytes))
}
