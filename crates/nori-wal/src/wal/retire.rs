//! Files that are no longer, or not yet, part of the log.
//!
//! 1. Nothing here can lose a record: only names below the floor, spare names and temporary
//!    names are touched. So a failure is reported and may be retried; it does not poison.
//! 2. A spare's old name may come back after a power cut. It lies below the floor, where no one
//!    looks.
//! 3. A file waits as a spare only when its bytes are on disk: whoever makes it a segment syncs
//!    its header and must not pay for 64 MiB of an earlier life.

use super::appender::write_zeros;
use super::segments::{Spare, abandon, create_spare};
use super::{Segment, Wal, segment_path};
use crate::error::{Error, Result};
use nori_env::{File, FsError, FsResult};
use nori_types::{FileName, FileNumber};

/// Zeros are synced in pieces of this length, so that other syncs get their turn at the disk.
const PREPARED_BYTES: u64 = 8 << 20;

impl Wal {
    /// Gives up the segments below `floor` that no pin holds; returns their numbers. The caller
    /// has made durable that replay starts at `floor` or above. Files are kept as spares or
    /// deleted.
    ///
    /// # Errors
    /// `Io` after trying all; the segments that could not be given up stay live.
    pub fn retire(&self, floor: u64) -> Result<Vec<u64>> {
        let _files = self.housekeeping.lock();
        let due: Vec<Segment> = {
            let mut shared = self.shared.lock();
            let floor = floor.min(self.pins.lowest().unwrap_or(floor));
            // The newest takes the records, whatever the floor says.
            let older = shared.segments.len().saturating_sub(1);
            let count = shared.segments[..older].iter().take_while(|s| s.number < floor).count();
            shared.segments.drain(..count).collect()
        };
        let (mut retired, mut failed, mut kept) = (Vec::new(), None, Vec::new());
        for segment in due {
            match self.retire_one(&segment) {
                Ok(()) => retired.push(segment.number),
                Err(error) => {
                    failed = failed.or(Some(error));
                    kept.push(segment);
                }
            }
        }
        self.shared.lock().segments.splice(0..0, kept);
        self.forget_history()?;
        failed.map_or(Ok(retired), |e| Err(e.into()))
    }

    fn retire_one(&self, segment: &Segment) -> FsResult<()> {
        let from = segment_path(&self.dir, segment.number);
        let room = segment.file.len().unwrap_or(u64::MAX);
        // A kept file has a second name, under which it is still read.
        let wanted = !self.keeps() && self.shared.lock().spares.len() < self.options.spares_max;
        if wanted && room <= self.options.spare_bytes_max && self.poison.cause().is_none() {
            let path = self.dir.join(FileName::Spare(FileNumber(segment.number)).to_string());
            if self.fs.rename(&from, &path).is_ok() {
                let spare = Spare { path, file: segment.file.clone(), room, recycled: true };
                return self.keep(spare, segment.end() <= self.durable());
            }
        }
        gone(self.fs.remove(&from))
    }

    /// Keeps a file as a spare; `clean` if its records are synced.
    fn keep(&self, spare: Spare, clean: bool) -> FsResult<()> {
        // What it holds is needed by no one, so a failed sync ends the file, not the log.
        if !clean && spare.file.sync_data().is_err() {
            return gone(self.fs.remove(&spare.path));
        }
        self.shared.lock().spares.push(spare);
        Ok(())
    }

    /// Writes a spare file of `bytes` zeros if none waits, so that the next segment need not pay
    /// for growing. For a background step; true if a file was made.
    ///
    /// # Errors
    /// `DiskFull`, `Io`: nothing was changed. `Poisoned`.
    pub fn prepare_spare(&self, bytes: u64) -> Result<bool> {
        let Some(_files) = self.housekeeping.try_lock() else { return Ok(false) };
        self.poison.check()?;
        if self.options.spares_max == 0 || !self.shared.lock().spares.is_empty() {
            return Ok(false);
        }
        let mut spare = create_spare(&*self.fs, &self.dir).map_err(Error::growing)?;
        let written = write_synced_zeros(&*spare.file, bytes);
        written.map_err(|e| abandon(&*self.fs, &spare, e))?;
        spare.room = bytes;
        self.shared.lock().spares.push(spare);
        Ok(true)
    }

    /// Gives back the disk space that no record uses: spare files are deleted, and what lies
    /// behind the last record is cut. For the end of a process; the log may go on, and makes
    /// room again.
    ///
    /// # Errors
    /// `Io` after trying all. No record is touched.
    pub fn give_back(&self) -> Result<()> {
        let _files = self.housekeeping.lock();
        let mut result = self.appender.lock().cut_room();
        let spares = std::mem::take(&mut self.shared.lock().spares);
        for spare in spares {
            result = result.and(gone(self.fs.remove(&spare.path)));
        }
        Ok(result?)
    }

    /// Removes the segments, spares and temporary files that earlier processes left in the
    /// directory; returns how many. Only when a durable manifest names this log's first segment
    /// as the floor. Files of other names are left alone.
    ///
    /// # Errors
    /// `Io` after trying all.
    pub fn sweep(&self) -> Result<usize> {
        let _files = self.housekeeping.lock();
        let _no_segment_is_being_made = self.appender.lock();
        let own: Vec<_> = {
            let shared = self.shared.lock();
            let live = shared.segments.iter().map(|s| segment_path(&self.dir, s.number));
            live.chain(shared.spares.iter().map(|s| s.path.clone())).collect()
        };
        let (mut swept, mut failed) = (0, None::<FsError>);
        for name in self.fs.list(&self.dir)? {
            let path = self.dir.join(&name);
            let known = matches!(
                FileName::parse(&name),
                Some(FileName::Segment(_) | FileName::Spare(_) | FileName::Temporary(_))
            );
            if !known || own.contains(&path) {
                continue;
            }
            match gone(self.fs.remove(&path)) {
                Ok(()) => swept += 1,
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(swept), |e| Err(e.into()))
    }
}

fn write_synced_zeros(file: &dyn File, bytes: u64) -> FsResult<()> {
    let mut at = 0;
    loop {
        let to = bytes.min(at + PREPARED_BYTES);
        write_zeros(file, at, to)?;
        file.sync_data()?;
        if to == bytes {
            return Ok(());
        }
        at = to;
    }
}

/// A file that is not there needs no removing.
fn gone(removed: FsResult<()>) -> FsResult<()> {
    removed.or_else(|e| if e.is_not_found() { Ok(()) } else { Err(e) })
}
