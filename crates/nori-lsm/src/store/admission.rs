//! Whether a writer may join the commit queue.
//!
//! Writers wait here, before they queue, when every memtable is full or a slot has far too many
//! runs; at most `stall_timeout`. With `Background::Manual` they run the background steps
//! themselves.

use crate::config::Background;
use crate::error::{Error, Result};
use crate::store::state::Store;
use nori_env::sync::atomic::Ordering;
use std::time::Duration;

/// What [`Error::Stalled`] advises to wait.
const RETRY_AFTER: Duration = Duration::from_millis(100);

impl Store {
    /// Waits until a write may be queued; with `wait` false it says `Stalled` instead.
    pub(crate) fn admit(&self, wait: bool) -> Result<()> {
        if !self.is_blocked() {
            return Ok(());
        }
        if !wait {
            return Err(Error::Stalled { retry_after: RETRY_AFTER });
        }
        self.counters.stalls.fetch_add(1, Ordering::Relaxed);
        let limit = self.config.stall_timeout;
        let start = self.config.clock.now();
        loop {
            let seen = self.signal.now();
            self.check_writable()?;
            if !self.is_blocked() {
                return Ok(());
            }
            let waited = self.config.clock.now().saturating_sub(start);
            if self.config.background == Background::Manual {
                if !self.step()? {
                    return Err(self.why_blocked());
                }
            } else if waited >= limit || !self.signal.wait(seen, limit - waited) {
                return if self.is_blocked() { Err(self.why_blocked()) } else { Ok(()) };
            }
        }
    }

    fn why_blocked(&self) -> Error {
        // A full disk keeps flushes from making room: that is what the user can do something about.
        match self.health.last_error() {
            Some(full @ Error::DiskFull { .. }) => full,
            _ => Error::Stalled { retry_after: RETRY_AFTER },
        }
    }

    /// Whether a new write would have to wait.
    pub(crate) fn is_blocked(&self) -> bool {
        let view = self.published.load();
        let memtables_full = view.sealed.len() >= self.config.max_sealed
            && view.active.table.bytes() >= self.config.memtable_bytes;
        memtables_full || view.runs_max >= self.runs_limit()
    }

    /// Runs in one slot at which writers wait for merges.
    pub(crate) fn runs_limit(&self) -> usize {
        2 * self.config.k_global + 4
    }

    /// Fails when a write of `bytes` would eat into the space that flushes need.
    pub(crate) fn check_disk(&self, bytes: u64) -> Result<()> {
        if !self.counters.disk_check_due(bytes, self.config.reserve_bytes()) {
            return Ok(());
        }
        let free = self.fs.free_space(&self.paths.root)?;
        let low = free.saturating_sub(bytes) < self.config.reserve_bytes();
        self.counters.disk_checked(low);
        if low { Err(Error::DiskFull { path: self.paths.root.clone() }) } else { Ok(()) }
    }
}
