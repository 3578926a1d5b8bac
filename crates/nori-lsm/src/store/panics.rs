//! What a panic leaves behind: that of a file system, a clock or another part that the store calls
//! and did not write.
//!
//! 1. A panic while a group is committed, an edit is logged or the log is synced, and one in a
//!    background thread, ends writes as a failed sync does: what it left undone is unknown. Reads
//!    go on.
//! 2. The caller's thread passes the panic on; those who wait for it are told `Poisoned`. Nobody
//!    is left waiting, and the lock file is let go when the store is closed or dropped.
//!
//! Under the model checkers a panic is how a check fails, so it is not caught there.

use crate::error::{Error, Result};
use crate::health::Work;
use crate::store::state::Store;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Ends writes when it is dropped by a panic.
struct Armed<'a> {
    store: &'a Store,
    during: &'static str,
    finished: bool,
}

impl Drop for Armed<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.store.poison(&format!("a panic during {}", self.during));
        }
    }
}

impl Store {
    /// Runs `work`; a panic in it ends writes and goes on.
    pub(crate) fn or_poison<T>(&self, during: &'static str, work: impl FnOnce() -> T) -> T {
        let mut armed = Armed { store: self, during, finished: false };
        let done = work();
        armed.finished = true;
        done
    }

    /// Runs a step of a background thread; a panic in it ends writes and is an error of that work.
    pub(crate) fn step_or_poison(
        &self,
        work: Work,
        step: impl Fn(&Store) -> Result<bool>,
    ) -> Result<bool> {
        caught(|| step(self)).unwrap_or_else(|| {
            let cause = format!("a panic of the thread for {work}");
            self.poison(&cause);
            let failed = Err(Error::Poisoned { cause: cause.into() });
            self.note(work, &failed);
            failed
        })
    }

    fn poison(&self, cause: &str) {
        if let Some(writer) = &self.writer {
            writer.wal.poison(cause);
        }
        // Those who wait for room or for quiet wait in vain now.
        self.signal.wake();
    }

    /// What a request that its leader did not answer gets.
    pub(crate) fn unanswered(&self) -> Error {
        let cause = self.writer.as_ref().and_then(|writer| writer.wal.poisoned());
        cause.map_or(Error::Closed, |cause| Error::Poisoned { cause })
    }
}

/// What `work` returns; `None` if it panicked, which the panic hook has told.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    if cfg!(any(nori_loom, nori_shuttle)) {
        return Some(work());
    }
    catch_unwind(AssertUnwindSafe(work)).ok()
}
