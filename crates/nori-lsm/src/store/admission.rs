//! Whether a writer may join the commit queue.
//!
//! Writers are slowed down here, and wait here, before they queue: when every memtable is full, or
//! merges are too far behind; at most `stall_timeout`. With `Background::Manual` they run the
//! background steps themselves. Writes that only delete may pass a little further, so that a store
//! that is stuck can be freed.

use crate::batch::WriteBatch;
use crate::config::Background;
use crate::error::{Error, Result};
use crate::events::{VizEvent, micros};
use crate::store::state::Store;
use nori_env::sync::atomic::Ordering;
use std::time::Duration;

/// What [`Error::Stalled`] advises to wait.
const RETRY_AFTER: Duration = Duration::from_millis(100);

impl Store {
    /// Waits until a write may be queued; with `wait` false it says `Stalled` instead.
    pub(crate) fn admit(&self, batch: &WriteBatch, wait: bool) -> Result<()> {
        let pressure = self.pressure_in(&self.published.load()).pressure;
        if pressure < 1.0 {
            if wait {
                self.keep_pace(pressure, batch.byte_len() as u64);
            }
            return Ok(());
        }
        if batch.only_deletes() && self.has_room_for_deletes() {
            return Ok(());
        }
        if !wait {
            return Err(Error::Stalled { retry_after: RETRY_AFTER });
        }
        self.wait_for_room()
    }

    fn wait_for_room(&self) -> Result<()> {
        self.counters.stalls.fetch_add(1, Ordering::Relaxed);
        self.note_zone();
        let start = self.config.clock.now();
        self.events.emit(|| VizEvent::StallBegan { pressure: self.pressure().pressure });
        let done = self.wait_until_there_is_room(start);
        self.events.emit(|| {
            let waited = self.config.clock.now().saturating_sub(start);
            VizEvent::StallEnded { waited_us: micros(waited), admitted: done.is_ok() }
        });
        done
    }

    fn wait_until_there_is_room(&self, start: Duration) -> Result<()> {
        let limit = self.config.stall_timeout;
        loop {
            let seen = self.signal.now();
            self.check_writable()?;
            if !self.is_blocked() {
                return Ok(());
            }
            let waited = self.config.clock.now().saturating_sub(start);
            if self.is_manual() {
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
        self.pressure_in(&self.published.load()).pressure >= 1.0
    }

    pub(crate) fn is_manual(&self) -> bool {
        self.config.background == Background::Manual
    }

    /// The active memtable may grow by an eighth for writes that only delete.
    fn has_room_for_deletes(&self) -> bool {
        let limit = self.config.memtable_bytes;
        self.published.load().active.table.bytes() < limit + limit / 8
    }

    /// Fails when a write of `bytes` would eat into the space that flushes need.
    pub(crate) fn check_disk(&self, bytes: u64) -> Result<()> {
        let reserve = self.config.reserve_bytes();
        if !self.counters.disk_check_due(bytes, reserve) {
            return Ok(());
        }
        let free = self.fs.free_space(&self.paths.root)?.saturating_sub(bytes);
        let low = free < reserve;
        self.counters.disk_checked(low);
        self.gauge.note_disk(free, reserve);
        if low { Err(Error::DiskFull { path: self.paths.root.clone() }) } else { Ok(()) }
    }
}
