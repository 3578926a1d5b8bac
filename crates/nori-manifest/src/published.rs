//! One pointer to what is current, loaded without locks.
//!
//! Invariants:
//! 1. A load sees everything that was written to the value before it was stored.
//! 2. Changes go one after another through one lock: load, derive, store. None is lost.
//! 3. The value is stored whole, in one store of one pointer: a reader never sees half a change.

#[cfg(nori_loom)]
mod stand_in;

use nori_env::sync::{Arc, Mutex};

#[cfg(not(nori_loom))]
use arc_swap::ArcSwap as Cell;
#[cfg(nori_loom)]
use stand_in::Cell;

/// The current value of something that is replaced as a whole.
#[derive(Debug)]
pub struct Published<T> {
    current: Cell<T>,
    install: Mutex<()>,
}

/// What [`Published::load`] gives: dereferences to the `Arc` that was current.
#[cfg(not(nori_loom))]
type Current<T> = arc_swap::Guard<Arc<T>>;
/// What [`Published::load`] gives: dereferences to the `Arc` that was current.
#[cfg(nori_loom)]
type Current<T> = stand_in::Guard<T>;

impl<T> Published<T> {
    /// With a first value.
    pub fn new(value: Arc<T>) -> Published<T> {
        Published { current: Cell::new(value), install: Mutex::new(()) }
    }

    /// A planted bug, for the model that must catch it: stores do not release what they publish.
    #[cfg(nori_loom)]
    #[doc(hidden)]
    pub fn plant_relaxed(value: Arc<T>) -> Published<T> {
        let order = nori_env::sync::atomic::Ordering::Relaxed;
        Published { current: Cell::with_order(value, order), install: Mutex::new(()) }
    }

    /// The current value, for a short time: never waits, and counts no reference as a rule.
    pub fn load(&self) -> Current<T> {
        self.current.load()
    }

    /// The current value, to keep.
    pub fn load_full(&self) -> Arc<T> {
        self.current.load_full()
    }

    /// Replaces the value by one derived from it, and returns the new one. Changes wait for each
    /// other; `derive` must not call `update`.
    pub fn update(&self, derive: impl FnOnce(&Arc<T>) -> Arc<T>) -> Arc<T> {
        let guard = self.install.lock();
        let old = self.current.load_full();
        let new = derive(&old);
        self.current.store(Arc::clone(&new));
        drop(guard);
        // The old value goes outside the lock: dropping it may take its time.
        drop(old);
        new
    }
}

#[cfg(all(test, not(nori_loom)))]
mod tests;
