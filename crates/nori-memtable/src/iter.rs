//! Walking a memtable.
//!
//! 1. The iterator holds its memtable, so places and entries stay good as long as the iterator.
//! 2. It reads a leaf's entries at once and walks them; then the next leaf's. Forward it goes on at
//!    the node that was next when the leaf was read, so it meets what the leaf did not hold, and
//!    nothing twice.
//! 3. Writers may insert meanwhile. Entries that were there when a walk began are met, in order;
//!    later ones may be. The user chooses by sequence number.

#![allow(unsafe_code)] // Places in the map, kept beside the Arc that keeps the map.

use crate::Memtable;
use crate::entry::{Entry, Target};
use crate::map::{Map, Place, Run};
use bytes::Bytes;
use nori_env::sync::Arc;
use nori_types::{InternalIterator, InternalKey};
use std::convert::Infallible;
use std::fmt;

/// A cursor over the versions in a memtable. Owned; may move between threads. Never fails.
pub struct MemtableIter {
    /// Where in the run; at its end or beyond: not positioned.
    at: usize,
    /// Before `table`, which it points into, as `place` does: fields are dropped in this order.
    run: Run<'static>,
    place: Option<Place<'static>>,
    table: Arc<Memtable>,
}

impl MemtableIter {
    /// Not positioned.
    pub(crate) fn new(table: Arc<Memtable>) -> MemtableIter {
        MemtableIter { at: 0, run: Run::new(), place: None, table }
    }

    /// The memtable that is walked.
    pub fn memtable(&self) -> &Arc<Memtable> {
        &self.table
    }

    fn map(&self) -> &'static Map {
        let map: *const Map = self.table.map();
        // SAFETY: the map lies in the memtable's allocation, which does not move and is kept by
        // `table` (invariant 1). The references made from this one stay in `run` and `place`,
        // which go before `table`; what the public methods hand out is bound to a borrow of
        // `self`.
        unsafe { &*map }
    }

    fn entry(&self) -> Entry<'_> {
        let (_, entry) = self.run.get(self.at).expect("a memtable iterator is positioned");
        *entry
    }

    /// To the first entry behind the run.
    fn go_on(&mut self) {
        match self.place.and_then(|place| place.next) {
            Some(next) => self.place = Some(Place::read(next, &mut self.run)),
            None => self.run.clear(),
        }
        self.at = 0;
    }

    /// To the last entry before the run.
    fn go_back(&mut self) {
        let node = self.place.map(|place| place.node);
        self.place = node.and_then(|node| self.map().read_before(node, &mut self.run));
        if self.place.is_none() {
            self.run.clear();
        }
        self.at = self.run.len().saturating_sub(1);
    }
}

impl InternalIterator for MemtableIter {
    type Error = Infallible;

    #[inline]
    fn is_valid(&self) -> bool {
        self.at < self.run.len()
    }

    #[inline]
    fn key(&self) -> InternalKey<'_> {
        self.entry().key()
    }

    #[inline]
    fn value(&self) -> &[u8] {
        self.entry().value()
    }

    fn value_bytes(&self) -> Bytes {
        self.entry().value_bytes()
    }

    fn seek_first(&mut self) -> Result<(), Infallible> {
        self.place = Some(self.map().read_first(&mut self.run));
        self.at = 0;
        Ok(())
    }

    fn seek_last(&mut self) -> Result<(), Infallible> {
        self.place = Some(self.map().read_last(&mut self.run));
        self.at = self.run.len().saturating_sub(1);
        Ok(())
    }

    fn seek(&mut self, target: InternalKey<'_>) -> Result<(), Infallible> {
        let target = Target::new(target);
        let place = self.map().read_at(&target, &mut self.run);
        self.at = place.count(&self.run, &target, |order| order.is_lt());
        self.place = Some(place);
        if self.at == self.run.len() {
            self.go_on();
        }
        Ok(())
    }

    fn seek_for_prev(&mut self, target: InternalKey<'_>) -> Result<(), Infallible> {
        let target = Target::new(target);
        let place = self.map().read_at(&target, &mut self.run);
        let before = place.count(&self.run, &target, |order| order.is_le());
        self.place = Some(place);
        match before.checked_sub(1) {
            Some(at) => self.at = at,
            None => self.go_back(),
        }
        Ok(())
    }

    #[inline]
    fn next(&mut self) -> Result<(), Infallible> {
        assert!(self.is_valid(), "a memtable iterator moves only where it is positioned");
        self.at += 1;
        if self.at == self.run.len() {
            self.go_on();
        }
        Ok(())
    }

    #[inline]
    fn prev(&mut self) -> Result<(), Infallible> {
        assert!(self.is_valid(), "a memtable iterator moves only where it is positioned");
        match self.at.checked_sub(1) {
            Some(at) => self.at = at,
            None => self.go_back(),
        }
        Ok(())
    }
}

impl fmt::Debug for MemtableIter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.run.get(self.at).map(|(_, entry)| entry.key());
        f.debug_struct("MemtableIter").field("at", &at).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
