//! Making segments.
//!
//! Durable order: header written and synced under a name that no one replays, file renamed to its
//! number, directory synced, then records. So a segment whose header does not check is damaged,
//! never unfinished.

use super::{Appender, Segment, Wal, segment_path};
use crate::error::{Error, Result};
use crate::log::{Features, LOG_HEADER_BYTES, LogHeader};
use crate::plant::{Plant, planted};
use crate::position::Position;
use crate::segment::{RECYCLED, SEGMENT, check_number};
use nori_env::sync::Arc;
use nori_env::{File, FileSystem, FsError, FsResult, OpenMode};
use std::io;
use std::path::{Path, PathBuf};

/// A file that waits to become a segment.
#[derive(Debug)]
pub(super) struct Spare {
    pub(super) path: PathBuf,
    pub(super) file: Arc<dyn File>,
    /// Its length: bytes that can be written over without asking the disk for room.
    pub(super) room: u64,
    /// It holds bytes of an earlier life.
    pub(super) recycled: bool,
}

/// Makes the first segment of a process.
pub(super) fn make_first(fs: &dyn FileSystem, dir: &Path, number: u64) -> Result<Appender> {
    let path = segment_path(dir, number);
    if fs.exists(&path)? {
        let source = io::ErrorKind::AlreadyExists.into();
        return Err(FsError::new("create", path, source).into());
    }
    let durable = match planted(Plant::FreshSegmentPromises) {
        true => Position::new(number, LOG_HEADER_BYTES),
        false => Position::default(),
    };
    let mut header = LogHeader { number, salt: fs.random(), durable, ..LogHeader::default() };
    let spare = create_spare(fs, dir).map_err(Error::growing)?;
    write_header(&spare, &mut header).map_err(|e| abandon(fs, &spare, e))?;
    enter(fs, dir, &spare, &header)?;
    Ok(appender(dir, spare, header))
}

/// An empty file under a name that is swept at open.
pub(super) fn create_spare(fs: &dyn FileSystem, dir: &Path) -> FsResult<Spare> {
    let path = dir.join(format!("segment-{:016x}.tmp", fs.random()));
    let file = fs.open(&path, OpenMode::CreateNew)?;
    Ok(Spare { path, file, room: 0, recycled: false })
}

/// Gives up a file whose writing failed. What it holds is unknown, so it is never used again.
pub(super) fn abandon(fs: &dyn FileSystem, spare: &Spare, error: FsError) -> Error {
    // A leftover is swept at the next open.
    let _ = fs.remove(&spare.path);
    Error::growing(error)
}

fn write_header(spare: &Spare, header: &mut LogHeader) -> FsResult<()> {
    let ignorable = if spare.recycled { RECYCLED } else { 0 };
    header.features = Features { ignorable, ..Features::default() };
    if planted(Plant::ChecksumNotSalted) {
        header.salt = 0;
    }
    if planted(Plant::HeaderAfterRename) {
        return Ok(());
    }
    spare.file.write_at(&header.encode(&SEGMENT), 0)?;
    match planted(Plant::HeaderNotSynced) {
        true => Ok(()),
        false => spare.file.sync_data(),
    }
}

/// Gives a file with a synced header its number.
fn enter(fs: &dyn FileSystem, dir: &Path, spare: &Spare, header: &LogHeader) -> FsResult<()> {
    fs.rename(&spare.path, &segment_path(dir, header.number))?;
    if !planted(Plant::DirectoryNotSynced) {
        fs.sync_dir(dir)?;
    }
    if planted(Plant::HeaderAfterRename) {
        spare.file.write_at(&header.encode(&SEGMENT), 0)?;
        spare.file.sync_data()?;
    }
    Ok(())
}

fn appender(dir: &Path, spare: Spare, header: LogHeader) -> Appender {
    let path = segment_path(dir, header.number);
    Appender::new(spare.file, path, header, LOG_HEADER_BYTES, spare.room)
}

impl Wal {
    /// Opens the next segment and returns its number; later records go there. Uses a spare file
    /// if one waits.
    ///
    /// # Errors
    /// `DiskFull` or `Io` before the file got its number: nothing was changed. `Io` after that:
    /// the log is poisoned. `Poisoned`.
    pub fn next_segment(&self) -> Result<u64> {
        let mut appender = self.appender.lock();
        self.poison.check()?;
        let mut header = self.next_header(appender.position());
        check_number(&self.dir, header.number)?;
        let spare = self.take_spare(&mut header)?;
        // A sync of this very file under its old number may have failed meanwhile, and so have
        // taken the news of a lost header.
        self.poison.check()?;
        enter(&*self.fs, &self.dir, &spare, &header).map_err(|e| self.poisoned_by(e))?;
        let (number, file) = (header.number, spare.file.clone());
        let before = appender.position();
        if self.keeps() {
            // Room that no record uses would be kept too; where it cannot be cut it is.
            let _ = appender.cut_room();
        }
        appender.replace(self::appender(&self.dir, spare, header));
        let segment = Segment { number, file, end: LOG_HEADER_BYTES };
        self.shared.lock().segments.push(segment);
        if self.keeps() {
            self.keep_segment(before.segment, before.offset);
        }
        Ok(number)
    }

    /// A file with the synced header.
    fn take_spare(&self, header: &mut LogHeader) -> Result<Spare> {
        let fs = &*self.fs;
        let waiting = self.shared.lock().spares.pop();
        let waited = waiting.is_some();
        let spare = match waiting {
            Some(spare) => spare,
            None => create_spare(fs, &self.dir).map_err(Error::growing)?,
        };
        match write_header(&spare, header) {
            Ok(()) => Ok(spare),
            // Only a write asks for room, and it did not get any: the file is as good as before.
            Err(e) if waited && e.is_full() && e.op == "write" => {
                self.shared.lock().spares.push(Spare { recycled: true, ..spare });
                Err(Error::growing(e))
            }
            Err(e) => Err(abandon(fs, &spare, e)),
        }
    }
}
