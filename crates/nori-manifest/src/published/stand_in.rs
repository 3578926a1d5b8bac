//! What stands in for arc-swap where loom watches: the same contract on loom's atomics.
//!
//! One word holds the place of the current value and how many loads were begun from it. A load
//! is one addition to that word, a copy of the value, and one addition to the place's count; a
//! store is one swap of the word. So there is no lock that could hide a missing ordering.
//!
//! Invariants:
//! 1. A place is written before the word names it, and never again until it is emptied.
//! 2. A place is emptied by whoever brings its count to zero after the word has left it: then
//!    every load begun from it has ended.
//! 3. Stores come one at a time: the lock of `Published` sees to it.
#![allow(unsafe_code)] // The value is copied while others may copy it too: invariants 1 and 2.

use nori_env::sync::Arc;
use nori_env::sync::atomic::{AtomicUsize, Ordering};
use nori_env::sync::cell::UnsafeCell;
use std::fmt;
use std::ops::Deref;

/// More stores than any model makes.
const PLACES: usize = 6;
const SHIFT: u32 = 8;

pub(super) struct Cell<T> {
    word: AtomicUsize,
    places: Vec<Place<T>>,
    stores: AtomicUsize,
    order: Ordering,
}

struct Place<T> {
    value: UnsafeCell<Option<Arc<T>>>,
    /// Loads ended; from the store on, less those begun.
    ended: AtomicUsize,
}

// SAFETY: a value is written before it is named and emptied after the last copy (1, 2), so the
// cell passes and shares nothing but `Arc<T>`.
unsafe impl<T: Send + Sync> Send for Cell<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Cell<T> {}

impl<T> Cell<T> {
    pub(super) fn new(value: Arc<T>) -> Cell<T> {
        Cell::with_order(value, Ordering::AcqRel)
    }

    /// Stores with another ordering; only `AcqRel` is right.
    pub(super) fn with_order(value: Arc<T>, order: Ordering) -> Cell<T> {
        let mut first = Some(value);
        let places = (0..PLACES)
            .map(|_| Place { value: UnsafeCell::new(first.take()), ended: AtomicUsize::new(0) });
        let (word, stores) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Cell { word, places: places.collect(), stores, order }
    }

    pub(super) fn load(&self) -> Guard<T> {
        Guard(self.load_full())
    }

    pub(super) fn load_full(&self) -> Arc<T> {
        let place = &self.places[self.word.fetch_add(1, Ordering::Acquire) >> SHIFT];
        // SAFETY: the word named the place (1), and this load, begun, keeps it filled (2).
        let value = place.value.with(|value| unsafe { (*value).clone() });
        if place.ended.fetch_add(1, Ordering::AcqRel).wrapping_add(1) == 0 {
            place.empty();
        }
        value.expect("a place that the word names is filled (invariant 1)")
    }

    pub(super) fn store(&self, value: Arc<T>) {
        let index = self.stores.fetch_add(1, Ordering::Relaxed) + 1;
        // SAFETY: no word names this place yet (1), and no other store runs (3).
        self.places[index].value.with_mut(|place| unsafe { *place = Some(value) });
        let old = self.word.swap(index << SHIFT, self.order);
        let (place, begun) = (&self.places[old >> SHIFT], old & ((1 << SHIFT) - 1));
        if place.ended.fetch_sub(begun, Ordering::AcqRel).wrapping_sub(begun) == 0 {
            place.empty();
        }
    }
}

impl<T> Place<T> {
    fn empty(&self) {
        // SAFETY: the word has left the place and every load from it has ended (2).
        drop(self.value.with_mut(|value| unsafe { (*value).take() }));
    }
}

impl<T> fmt::Debug for Cell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cell").finish_non_exhaustive()
    }
}

/// A loaded value.
#[derive(Debug)]
pub struct Guard<T>(Arc<T>);

impl<T> Deref for Guard<T> {
    type Target = Arc<T>;

    fn deref(&self) -> &Arc<T> {
        &self.0
    }
}
