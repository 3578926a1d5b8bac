//! The production map: crossbeam's lock-free skip list (after Pugh, and Fraser's lists with
//! marked pointers).
//!
//! crossbeam guards its nodes with epochs and reference counts, because they may be removed under
//! a reader. Here none ever is (invariant 1 of [`Map`]), so readers pin nothing and write
//! nothing: those of one hot key do not pass its cache line around, and an iterator may change
//! threads.

#![allow(unsafe_code)] // Epoch guards that guard nothing, since nothing is removed.

use super::{Cursor, Map};
use crate::entry::Entry;
use crossbeam_epoch::{Guard, default_collector, unprotected};
use crossbeam_skiplist::base::{self, SkipList};
use std::ops::Bound;

/// A skip list of entries.
pub(crate) struct Skip(SkipList<Entry, ()>);

/// A node of the skip list.
pub(crate) struct SkipCursor<'a>(base::Entry<'a, 'a, Entry, ()>);

/// A guard that does not pin.
fn guard() -> &'static Guard {
    // SAFETY: a pin keeps removed nodes from being freed under a reader. This module calls
    // nothing that removes or replaces (invariant 1 of the map), so no node is freed before the
    // list, and nothing is ever deferred to this guard.
    unsafe { unprotected() }
}

impl Map for Skip {
    type Cursor<'a> = SkipCursor<'a>;

    fn new() -> Skip {
        Skip(SkipList::new(default_collector().clone()))
    }

    fn insert(&self, entry: Entry) -> bool {
        let bytes = entry.as_ptr();
        let mut missing = false;
        let node = self.0.get_or_insert_with(entry, || missing = true, guard());
        // Missing when searched for; still, another thread's equal entry may have come first.
        let inserted = missing && node.key().as_ptr() == bytes;
        node.release(guard());
        inserted
    }

    fn first(&self) -> Option<SkipCursor<'_>> {
        self.0.front(guard()).map(SkipCursor)
    }

    fn last(&self) -> Option<SkipCursor<'_>> {
        self.0.back(guard()).map(SkipCursor)
    }

    fn at_or_after(&self, probe: &Entry) -> Option<SkipCursor<'_>> {
        self.0.lower_bound(Bound::Included(probe), guard()).map(SkipCursor)
    }

    fn at_or_before(&self, probe: &Entry) -> Option<SkipCursor<'_>> {
        self.0.upper_bound(Bound::Included(probe), guard()).map(SkipCursor)
    }
}

impl<'a> Cursor<'a> for SkipCursor<'a> {
    fn entry(&self) -> &'a Entry {
        self.0.key()
    }

    fn next(&self) -> Option<SkipCursor<'a>> {
        self.0.next().map(SkipCursor)
    }

    fn prev(&self) -> Option<SkipCursor<'a>> {
        self.0.prev().map(SkipCursor)
    }
}

// SAFETY: a cursor is a node, its list, and the guard of `guard()`. Node and list are shared
// between threads by design (`Entry` is `Send + Sync`). What keeps a guard in its thread is the
// epoch of that thread; this one belongs to none and is a static that nobody writes.
unsafe impl Send for SkipCursor<'_> {}
// SAFETY: as above; a shared cursor can only be read.
unsafe impl Sync for SkipCursor<'_> {}
