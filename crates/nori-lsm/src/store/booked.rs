//! What a flush brings to each slot.

use nori_env::sync::Arc;
use nori_manifest::{Slot, SlotId, Version, VersionEdit};
use nori_types::{InternalIterator, InternalKey};
use std::collections::BTreeMap;

/// What the table bytes of an installed flush came down to, slot by slot.
#[derive(Debug, Default)]
pub(crate) struct InstalledFlush {
    pub(crate) flush_seq: u64,
    /// Slots and bytes; all bytes of all tables.
    pub(crate) parts: Vec<(u64, u64)>,
    /// Runs that found their place on the way.
    pub(crate) moves: u64,
}

impl InstalledFlush {
    /// The shares of a flush's edit. What its tables hold besides entries goes to the last slot
    /// of each, so that the shares add up.
    pub(crate) fn of(edit: &VersionEdit) -> InstalledFlush {
        let mut left: BTreeMap<u64, u64> =
            edit.new_tables().iter().map(|meta| (meta.number.0, meta.bytes)).collect();
        let mut parts: Vec<(u64, u64)> = Vec::new();
        let mut last_of: BTreeMap<u64, usize> = BTreeMap::new();
        for (slot, table, bytes) in edit.fragments() {
            let Some(left) = left.get_mut(&table.0) else { continue };
            let share = bytes.min(*left);
            *left -= share;
            last_of.insert(table.0, parts.len());
            parts.push((slot.0, share));
        }
        for (table, rest) in left {
            if let Some(part) = last_of.get(&table).and_then(|at| parts.get_mut(*at)) {
                part.1 += rest;
            }
        }
        let (flush_seq, moves) = (edit.flush_seq().unwrap_or(0), edit.moved().count() as u64);
        InstalledFlush { flush_seq, parts, moves }
    }
}

/// A memtable's entries on their way to tables, counted by slot.
pub(crate) struct Counted<I> {
    entries: I,
    version: Arc<Version>,
    slot: Option<Arc<Slot>>,
    sums: Vec<(u64, u64)>,
}

impl<I: InternalIterator> Counted<I> {
    /// Counts by the slots of `version`.
    pub(crate) fn new(entries: I, version: &Arc<Version>) -> Counted<I> {
        Counted { entries, version: Arc::clone(version), slot: None, sums: Vec::new() }
    }

    /// Key and value bytes of the entries passed, by slot.
    pub(crate) fn finish(self) -> Vec<(u64, u64)> {
        self.sums
    }

    fn count(&mut self) {
        let (key, value) = (self.entries.key().user_key, self.entries.value());
        let bytes = (key.len() + value.len()) as u64;
        // Entries come by key, so a slot is left once.
        if !self.slot.as_ref().is_some_and(|slot| slot.range.is_below_end(key)) {
            let slot = Arc::clone(self.version.route(key).1);
            let SlotId(id) = slot.id;
            self.sums.push((id, 0));
            self.slot = Some(slot);
        }
        if let Some((_, sum)) = self.sums.last_mut() {
            *sum += bytes;
        }
    }
}

impl<I: InternalIterator> InternalIterator for Counted<I> {
    type Error = I::Error;

    fn is_valid(&self) -> bool {
        self.entries.is_valid()
    }

    fn key(&self) -> InternalKey<'_> {
        self.entries.key()
    }

    fn value(&self) -> &[u8] {
        self.entries.value()
    }

    fn value_bytes(&self) -> bytes::Bytes {
        self.entries.value_bytes()
    }

    fn seek_first(&mut self) -> Result<(), I::Error> {
        self.entries.seek_first()
    }

    fn seek_last(&mut self) -> Result<(), I::Error> {
        self.entries.seek_last()
    }

    fn seek(&mut self, target: InternalKey<'_>) -> Result<(), I::Error> {
        self.entries.seek(target)
    }

    fn seek_for_prev(&mut self, target: InternalKey<'_>) -> Result<(), I::Error> {
        self.entries.seek_for_prev(target)
    }

    fn next(&mut self) -> Result<(), I::Error> {
        self.count();
        self.entries.next()
    }

    fn prev(&mut self) -> Result<(), I::Error> {
        self.entries.prev()
    }
}
