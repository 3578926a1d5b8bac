//! Walking a memtable.
//!
//! 1. The iterator holds its memtable, so a place in the map stays good as long as the iterator.
//! 2. A step forward follows one pointer. A step back searches from the top, as in LevelDB and
//!    RocksDB: the nodes have no links back.
//! 3. Writers may insert meanwhile. Entries that were there when a walk began are met, in order;
//!    later ones may be. The user chooses by sequence number.

#![allow(unsafe_code)] // A place in the map, kept beside the Arc that keeps the map.

use crate::Memtable;
use crate::entry::{Entry, with_probe};
use crate::map::{Cursor, Map, Ordered};
use bytes::Bytes;
use nori_env::sync::Arc;
use nori_types::{InternalIterator, InternalKey};
use std::convert::Infallible;
use std::fmt;

/// A cursor over the versions in a memtable. Owned; may move between threads. Never fails.
pub struct MemtableIter {
    /// Before `table`, which it points into: fields are dropped in this order.
    at: Option<<Ordered as Map>::Cursor<'static>>,
    table: Arc<Memtable>,
}

impl MemtableIter {
    /// Not positioned.
    pub(crate) fn new(table: Arc<Memtable>) -> MemtableIter {
        MemtableIter { at: None, table }
    }

    /// The memtable that is walked.
    pub fn memtable(&self) -> &Arc<Memtable> {
        &self.table
    }

    fn map(&self) -> &'static Ordered {
        let map: *const Ordered = self.table.map();
        // SAFETY: the map lies in the memtable's allocation, which does not move and is kept by
        // `table` (invariant 1). The references made from this one stay in `at`, which goes
        // before `table`; what the public methods hand out is bound to a borrow of `self`.
        unsafe { &*map }
    }

    fn place(&self) -> &<Ordered as Map>::Cursor<'static> {
        self.at.as_ref().expect("a memtable iterator is used only where it is positioned")
    }

    fn entry(&self) -> &Entry {
        self.place().entry()
    }
}

impl InternalIterator for MemtableIter {
    type Error = Infallible;

    fn is_valid(&self) -> bool {
        self.at.is_some()
    }

    fn key(&self) -> InternalKey<'_> {
        self.entry().key()
    }

    fn value(&self) -> &[u8] {
        self.entry().value()
    }

    fn value_bytes(&self) -> Bytes {
        self.entry().value_bytes()
    }

    fn seek_first(&mut self) -> Result<(), Infallible> {
        self.at = self.map().first();
        Ok(())
    }

    fn seek_last(&mut self) -> Result<(), Infallible> {
        self.at = self.map().last();
        Ok(())
    }

    fn seek(&mut self, target: InternalKey<'_>) -> Result<(), Infallible> {
        self.at = with_probe(target, |probe| self.map().at_or_after(probe));
        Ok(())
    }

    fn seek_for_prev(&mut self, target: InternalKey<'_>) -> Result<(), Infallible> {
        self.at = with_probe(target, |probe| self.map().at_or_before(probe));
        Ok(())
    }

    fn next(&mut self) -> Result<(), Infallible> {
        self.at = self.place().next();
        Ok(())
    }

    fn prev(&mut self) -> Result<(), Infallible> {
        self.at = self.place().prev();
        Ok(())
    }
}

impl fmt::Debug for MemtableIter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at.as_ref().map(|place| place.entry().key());
        f.debug_struct("MemtableIter").field("at", &at).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
