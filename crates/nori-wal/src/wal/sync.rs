//! Making records durable.

use super::Wal;
use crate::error::Result;
use crate::plant::{Plant, planted};
use crate::position::Position;
use crate::segment::segment_path;
use nori_env::FsError;

impl Wal {
    /// Makes everything appended before the call durable. Returns [`Wal::durable`].
    ///
    /// # Errors
    /// As [`Wal::sync_to`].
    pub fn sync(&self) -> Result<Position> {
        self.sync_to(self.end())
    }

    /// Makes at least everything before `to` durable, as far as it has been appended, and returns
    /// [`Wal::durable`]. Segments are synced in order. One sync runs at a time and covers all
    /// that was appended before it began, so a caller that waited may find its work done.
    ///
    /// # Errors
    /// `Io`: a sync failed. Whether the records survive a power cut is unknown and the log is
    /// poisoned. `Poisoned`. A position that is already durable is `Ok` even then.
    pub fn sync_to(&self, to: Position) -> Result<Position> {
        let durable = self.durable();
        if durable >= to {
            return Ok(durable);
        }
        let _one_at_a_time = self.syncing.lock();
        // The positions are read before the syncs begin: what is appended meanwhile may or may
        // not be covered.
        let (durable, due) = {
            let shared = self.shared.lock();
            let durable = shared.durable;
            let due = shared.segments.iter().filter(|s| s.end() > durable).cloned();
            (durable, due.collect::<Vec<_>>())
        };
        if durable >= to {
            return Ok(durable);
        }
        self.poison.check()?;
        for (i, segment) in due.iter().enumerate() {
            if planted(Plant::NewestSegmentOnlySynced) && i + 1 < due.len() {
                continue;
            }
            if let Err(error) = segment.file.sync_data() {
                if planted(Plant::SyncRetriedAfterFailure) {
                    return Err(error.into());
                }
                if !planted(Plant::SyncErrorIgnored) {
                    let path = segment_path(&self.dir, segment.number);
                    return Err(self.poisoned_by(FsError { path, ..error }));
                }
            }
            let mut shared = self.shared.lock();
            let synced = match planted(Plant::DurableReadAfterSync) {
                true => shared.end(),
                false => segment.end(),
            };
            shared.durable = shared.durable.max(synced);
        }
        Ok(self.durable())
    }
}
