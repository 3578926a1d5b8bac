//! Freeing big things elsewhere.
//!
//! Letting go of a memtable can take a tenth of a second. Whoever drops the last reference to a
//! [`Deferred`] value only sends it to the [`Reaper`], which frees it when it is told to.
//!
//! Invariant: a value is freed exactly once; by the reaper, or on the spot if the reaper is gone.

use nori_env::sync::Arc;
use nori_env::sync::channel::{Receiver, Sender, unbounded};
use std::fmt;
use std::ops::Deref;

type Garbage = Box<dyn Send>;

/// Frees deferred values.
pub struct Reaper {
    sender: Sender<Garbage>,
    receiver: Receiver<Garbage>,
}

impl Reaper {
    /// Nothing waits.
    pub fn new() -> Reaper {
        let (sender, receiver) = unbounded();
        Reaper { sender, receiver }
    }

    /// A value that will be freed by this reaper.
    pub fn defer<T: Send + 'static>(&self, value: T) -> Arc<Deferred<T>> {
        Arc::new(Deferred { value: Some(value), sender: self.sender.clone() })
    }

    /// Frees all that waits, and what is let go of meanwhile; returns how many values.
    pub fn run_pending(&self) -> usize {
        let mut freed = 0;
        while let Ok(garbage) = self.receiver.try_recv() {
            drop(garbage);
            freed += 1;
        }
        freed
    }
}

impl Default for Reaper {
    fn default() -> Reaper {
        Reaper::new()
    }
}

impl fmt::Debug for Reaper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reaper").finish_non_exhaustive()
    }
}

/// A value whose last holder does not free it.
pub struct Deferred<T: Send + 'static> {
    /// Taken by drop alone.
    value: Option<T>,
    sender: Sender<Garbage>,
}

impl<T: Send + 'static> Deref for Deferred<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect("only drop takes the value")
    }
}

impl<T: Send + fmt::Debug + 'static> fmt::Debug for Deferred<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: Send + 'static> Drop for Deferred<T> {
    fn drop(&mut self) {
        if let Some(value) = self.value.take() {
            // With the reaper gone the value comes back in the error and is freed here.
            let _ = self.sender.send(Box::new(value));
        }
    }
}

#[cfg(all(test, not(nori_loom)))]
mod tests {
    use super::*;
    use nori_env::sync::atomic::{AtomicUsize, Ordering};

    struct Counted(Arc<AtomicUsize>);

    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn values_are_freed_once_and_by_the_reaper() {
        let (reaper, freed) = (Reaper::new(), Arc::new(AtomicUsize::new(0)));
        let count = || freed.load(Ordering::Relaxed);
        let value = reaper.defer(Counted(Arc::clone(&freed)));
        let other = Arc::clone(&value);
        drop(value);
        assert_eq!((reaper.run_pending(), count()), (0, 0), "somebody still holds it");
        drop(other);
        assert_eq!(count(), 0, "the last holder does not free it");
        assert_eq!((reaper.run_pending(), count()), (1, 1));
        assert_eq!((reaper.run_pending(), count()), (0, 1));
    }

    #[test]
    fn what_is_let_go_of_while_freeing_is_freed_too() {
        let (reaper, freed) = (Reaper::new(), Arc::new(AtomicUsize::new(0)));
        let inner = reaper.defer(Counted(Arc::clone(&freed)));
        drop(reaper.defer(inner));
        assert_eq!(reaper.run_pending(), 2);
        assert_eq!(freed.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn without_a_reaper_values_are_freed_on_the_spot() {
        let (reaper, freed) = (Reaper::new(), Arc::new(AtomicUsize::new(0)));
        let value = reaper.defer(Counted(Arc::clone(&freed)));
        drop(reaper);
        drop(value);
        assert_eq!(freed.load(Ordering::Relaxed), 1);
    }
}
