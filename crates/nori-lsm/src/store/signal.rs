//! Waking those who wait for the store to change: background threads, stalled writers,
//! `wait_idle`.

use nori_env::sync::{Condvar, Mutex};
use std::time::Duration;

/// A counter of changes that can be waited for.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    changes: Mutex<u64>,
    changed: Condvar,
}

impl Signal {
    /// How many changes there were. Read it before looking at what may have changed.
    pub(crate) fn now(&self) -> u64 {
        *self.changes.lock()
    }

    /// Something changed.
    pub(crate) fn wake(&self) {
        *self.changes.lock() += 1;
        self.changed.notify_all();
    }

    /// Waits for a change after `seen`, at most for `limit`; false if there was none.
    pub(crate) fn wait(&self, seen: u64, limit: Duration) -> bool {
        let mut changes = self.changes.lock();
        while *changes == seen {
            let (guard, timed_out) = self.changed.wait_timeout(changes, limit);
            changes = guard;
            if timed_out {
                break;
            }
        }
        *changes != seen
    }
}
