//! What the log needs in the background, so that no writer pays for it at once.
//!
//! A log that is only handed to the operating system piles up in its memory. The next sync of a
//! journaling file system may then have to write all of it, and the next sync is often that of a
//! writer who opens a segment.
//!
//! 1. The log is written back each few MiB, whether anyone asked for a sync or not. That only
//!    moves `durable`, earlier than promised; a failure poisons, as that of any sync.
//! 2. A segment is made ahead, also while merges keep the other threads busy.

use crate::error::{Error, Result};
use crate::store::state::{Store, Writer};
use nori_wal::Appended;

/// The background is told of the log each time so many bytes were appended to a segment.
const WRITE_BACK_BYTES: u64 = 4 << 20;

impl Store {
    /// The first due step for the log.
    pub(crate) fn log_step(&self) -> Result<bool> {
        if self.sync_step()? {
            return Ok(true);
        }
        let Some(writer) = &self.writer else { return Ok(false) };
        // Told at each multiple, the last sync may have been in the middle of two.
        if self.sync_if(writer.wal.unsynced_bytes() >= WRITE_BACK_BYTES / 2)? {
            return Ok(true);
        }
        // Whoever opens a segment makes one where none waits, and tells what is wrong with it.
        Ok(self.prepare_segment(writer).unwrap_or(false))
    }

    /// Runs a sync of the log, timed.
    pub(crate) fn timed_sync<T>(&self, sync: impl FnOnce() -> T) -> T {
        self.timers.sync.time(&*self.config.clock, 1, sync)
    }

    /// Wakes the background when a group crossed a multiple of what is written back at once.
    pub(crate) fn note_appended(&self, appended: &Appended) {
        let steps = |offset: u64| offset / WRITE_BACK_BYTES;
        if steps(appended.start.offset) != steps(appended.end.offset) {
            self.signal.wake();
        }
    }

    /// Makes a segment ahead, if none waits and one will be needed soon.
    pub(crate) fn prepare_segment(&self, writer: &Writer) -> Result<bool> {
        // A store that is hardly written to needs no segment ahead.
        let soon = self.pin().active.table.bytes() >= self.config.memtable_bytes / 2;
        if !soon || writer.wal.poisoned().is_some() {
            return Ok(false);
        }
        writer.wal.prepare_spare(self.spare_bytes()).map_err(Error::from)
    }

    /// How much of a segment is written ahead with zeros: a memtable's worth, to a limit.
    fn spare_bytes(&self) -> u64 {
        (self.config.memtable_bytes as u64).min(64 << 20)
    }
}
