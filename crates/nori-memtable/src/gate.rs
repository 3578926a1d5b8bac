//! The seal gate: how writers and the flush agree on what is in a memtable.
//!
//! One word holds the seal and the number of writers inside:
//!
//! ```text
//! 63       62 ...                                0
//! sealed | writers inside
//! ```
//!
//! 1. Whether a writer is in and whether the seal is set is decided by one compare-and-swap: a
//!    writer is either inside before the seal, and waited for, or refused.
//! 2. Once the word reads "sealed, nobody inside", it never changes again.
//! 3. Who reads that sees all that any writer did inside. Leaving is a release; each later change
//!    of the word is a read-modify-write, which carries all earlier releases on to the acquire
//!    of the reader. So entering and sealing need no ordering of their own.

use crate::plant::{Plant, planted};
use nori_env::sync::atomic::{AtomicU64, Ordering};
use nori_env::sync::{Condvar, Mutex};

const SEALED: u64 = 1 << 63;

/// Counts writers in and keeps them out once sealed.
#[derive(Debug)]
pub(crate) struct Gate {
    word: AtomicU64,
    waiting: Mutex<()>,
    quiescent: Condvar,
}

impl Gate {
    /// An open gate, nobody inside.
    pub(crate) fn new() -> Gate {
        Gate { word: AtomicU64::new(0), waiting: Mutex::new(()), quiescent: Condvar::new() }
    }

    /// Goes in; false if sealed. Each entry is left once.
    pub(crate) fn enter(&self) -> bool {
        if planted(Plant::EnterInTwoSteps) {
            let open = self.word.load(Ordering::Relaxed) & SEALED == 0;
            return open && self.word.fetch_add(1, Ordering::Relaxed) < u64::MAX;
        }
        let mut seen = self.word.load(Ordering::Relaxed);
        while seen & SEALED == 0 {
            let inside = seen + 1;
            match self.word.compare_exchange(seen, inside, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
        false
    }

    /// Goes out. The last one out of a sealed gate wakes who waits.
    pub(crate) fn leave(&self) {
        let order =
            if planted(Plant::LeaveRelaxed) { Ordering::Relaxed } else { Ordering::Release };
        let before = self.word.fetch_sub(1, order);
        debug_assert!(before & !SEALED > 0, "left a gate that nobody had entered");
        if before == SEALED + 1 {
            self.wake();
        }
    }

    /// Lets nobody in from now on. Sealing again changes nothing.
    pub(crate) fn seal(&self) {
        if self.word.fetch_or(SEALED, Ordering::Relaxed) == 0 {
            self.wake();
        }
    }

    /// Whether nobody gets in any more.
    pub(crate) fn is_sealed(&self) -> bool {
        self.word.load(Ordering::Relaxed) & SEALED != 0
    }

    /// Whether the gate is sealed and nobody is inside.
    pub(crate) fn is_quiescent(&self) -> bool {
        self.word.load(Ordering::Acquire) == SEALED
    }

    /// Waits until the gate is sealed and nobody is inside.
    pub(crate) fn wait_quiescent(&self) {
        let mut waiting = self.waiting.lock();
        while !self.is_quiescent() {
            waiting = self.quiescent.wait(waiting);
        }
    }

    fn wake(&self) {
        // Under the lock: a waiter has either not looked at the word yet or already waits.
        let _waiting = (!planted(Plant::WakeUnlocked)).then(|| self.waiting.lock());
        self.quiescent.notify_all();
    }
}
