//! Reading a log that goes on, and keeping what is retired for readers that come later.
//!
//! With [`WalOptions::retained_bytes`](super::WalOptions) a segment gets a second name,
//! `retained/000042.wal`, as soon as the next one has its number. So retiring it takes away only
//! its first name, and a crash at any moment leaves either.
//!
//! 1. A file with a second name is never written to again: it is not recycled.
//! 2. Only durable records are shown: a reader never knows more than what survives a power cut.
//! 3. No kept file follows the end of the log that recovery found: [`keep_history`] is called
//!    before a manifest cuts the log there, and makes that durable.
//! 4. Kept files may end early or be missing after a power cut, since nothing promises their bytes
//!    any more. Whoever reads numbers its payloads, and sees that one is missing.

use super::Wal;
use crate::error::{Error, Result};
use crate::log::{LOG_HEADER_BYTES, LogHeader, RECORD_HEADER_BYTES, RecordHeader};
use crate::position::Position;
use crate::segment::{decode_header, segment_path};
use nori_env::sync::Arc;
use nori_env::{File, FileSystem, OpenMode};
use nori_types::{Corruption, FileName, checksum};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Files are read in pieces of at least this length, where they are that long.
const WINDOW_BYTES: u64 = 256 << 10;

/// The kept segments: numbers and bytes.
#[derive(Debug, Default)]
pub(super) struct Kept {
    files: BTreeMap<u64, u64>,
}

/// Where kept segments have their second names.
pub fn retained_dir(dir: &Path) -> PathBuf {
    dir.join("retained")
}

/// For whoever recovers a log, before its manifest cuts it at `end`: gives the segments from
/// `floor` to `end` their second names and takes away those of segments behind it, which continue
/// nothing; or all of them, if nothing is to be kept. Durable when it returns.
///
/// # Errors
/// `Io`. It may be done again.
pub fn keep_history(
    fs: &dyn FileSystem,
    dir: &Path,
    floor: u64,
    end: Position,
    keeps: bool,
) -> Result<()> {
    let kept_dir = retained_dir(dir);
    if !keeps {
        return remove_history(fs, dir);
    }
    fs.create_dir_all(&kept_dir)?;
    for number in segments_in(fs, &kept_dir)? {
        if number >= floor && number > end.segment {
            fs.remove(&segment_path(&kept_dir, number))?;
        }
    }
    for number in segments_in(fs, dir)? {
        let kept = segment_path(&kept_dir, number);
        if (floor..=end.segment).contains(&number) && !fs.exists(&kept)? {
            fs.hard_link(&segment_path(dir, number), &kept)?;
        }
    }
    Ok(fs.sync_dir(&kept_dir)?)
}

/// Removes all kept segments and their directory, durably.
///
/// # Errors
/// `Io`.
pub fn remove_history(fs: &dyn FileSystem, dir: &Path) -> Result<()> {
    let kept_dir = retained_dir(dir);
    if !fs.exists(&kept_dir)? {
        return Ok(());
    }
    for number in segments_in(fs, &kept_dir)? {
        fs.remove(&segment_path(&kept_dir, number))?;
    }
    fs.sync_dir(&kept_dir)?;
    if fs.list(&kept_dir)?.is_empty() {
        fs.remove_dir(&kept_dir)?;
        fs.sync_dir(dir)?;
    }
    Ok(())
}

fn segments_in(fs: &dyn FileSystem, dir: &Path) -> Result<Vec<u64>> {
    let number = |name: &String| match FileName::parse(name) {
        Some(FileName::Segment(number)) => Some(number.0),
        _ => None,
    };
    Ok(fs.list(dir)?.iter().filter_map(number).collect())
}

impl Kept {
    /// What a directory holds.
    pub(super) fn open(fs: &dyn FileSystem, dir: &Path) -> Result<Kept> {
        let kept_dir = retained_dir(dir);
        fs.create_dir_all(&kept_dir)?;
        let mut files = BTreeMap::new();
        for number in segments_in(fs, &kept_dir)? {
            let path = segment_path(&kept_dir, number);
            files.insert(number, fs.open(&path, OpenMode::Read)?.len()?);
        }
        Ok(Kept { files })
    }
}

impl Wal {
    /// Whether segments are kept.
    pub(super) fn keeps(&self) -> bool {
        self.options.retained_bytes > 0
    }

    /// Gives a segment that takes no more records its second name. Without it a later reader
    /// misses the segment, and sees that; the log itself does not need it.
    pub(super) fn keep_segment(&self, number: u64, bytes: u64) {
        let (from, dir) = (segment_path(&self.dir, number), retained_dir(&self.dir));
        if self.fs.hard_link(&from, &segment_path(&dir, number)).is_ok() {
            self.kept.lock().files.insert(number, bytes);
        }
    }

    /// Removes the oldest kept segments beyond `retained_bytes`, live ones not counted.
    pub(super) fn forget_history(&self) -> Result<()> {
        let first_live = self.shared.lock().segments.first().map_or(u64::MAX, |s| s.number);
        let mut kept = self.kept.lock();
        let mut bytes: u64 = kept.files.range(..first_live).map(|(_, bytes)| bytes).sum();
        while bytes > self.options.retained_bytes {
            let Some((&number, &oldest)) = kept.files.first_key_value() else { break };
            match self.fs.remove(&segment_path(&retained_dir(&self.dir), number)) {
                Err(e) if !e.is_not_found() => return Err(e.into()),
                _ => {}
            }
            kept.files.remove(&number);
            bytes = bytes.saturating_sub(oldest);
        }
        Ok(())
    }

    /// The numbers of the segments that can be read, kept and live, ascending.
    pub fn readable(&self) -> Vec<u64> {
        let mut numbers = self.live_segments();
        numbers.extend(self.kept.lock().files.keys());
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// Bytes of the kept segments that are not live any more.
    pub fn retained_bytes(&self) -> u64 {
        let first_live = self.shared.lock().segments.first().map_or(u64::MAX, |s| s.number);
        self.kept.lock().files.range(..first_live).map(|(_, bytes)| bytes).sum()
    }

    /// Shows the durable records from `at` on, in order, with the position where each starts, until
    /// there is none or `on_record` breaks. Returns the position of the first that was not shown,
    /// or at which it broke. From a segment that cannot be read reading goes on with the next one.
    ///
    /// # Errors
    /// Those of `on_record`; `Io`; `Corruption` in a live segment.
    pub fn read_from<E: From<Error>>(
        &self,
        at: Position,
        on_record: &mut dyn FnMut(Position, &[u8]) -> std::result::Result<ControlFlow<()>, E>,
    ) -> std::result::Result<Position, E> {
        // Live segments stay live, and kept ones that are younger stay kept, while it lives.
        let pin = self.pin(at.segment);
        let durable = self.durable();
        let mut at = at;
        for number in self.readable() {
            if number < at.segment || number > durable.segment {
                continue;
            }
            let live = pin.segments().iter().find(|s| s.number == number);
            let (file, path) = match live {
                Some(live) => (Arc::clone(&live.file), live.path.clone()),
                None => match self.open_kept(number)? {
                    Some(kept) => kept,
                    None => continue,
                },
            };
            let limit = match live {
                Some(_) if number == durable.segment => durable.offset,
                Some(live) => live.end,
                None => file.len().map_err(Error::from)?,
            };
            if number > at.segment {
                at = Position::new(number, LOG_HEADER_BYTES);
            }
            at.offset = at.offset.max(LOG_HEADER_BYTES);
            let mut reader = SegmentReader::open(file, path, number)?;
            while let Some((payload, end)) = reader.record(at.offset, limit)? {
                if on_record(at, payload)?.is_break() {
                    return Ok(at);
                }
                at.offset = end;
            }
            if live.is_some() && at.offset < limit {
                let (expected, found) = ("a record", "none");
                return Err(reader.damage(at.offset, expected, found).into());
            }
        }
        Ok(at)
    }

    /// A kept segment; `None` if it was forgotten meanwhile.
    fn open_kept(&self, number: u64) -> Result<Option<(Arc<dyn File>, PathBuf)>> {
        let path = segment_path(&retained_dir(&self.dir), number);
        match self.fs.open(&path, OpenMode::Read) {
            Ok(file) => Ok(Some((file, path))),
            Err(e) if e.is_not_found() => Ok(None),
            Err(e) => Err(e.into()),
        }
    }
}

/// Reads the records of one segment piece by piece.
struct SegmentReader {
    file: Arc<dyn File>,
    path: PathBuf,
    header: LogHeader,
    window: Vec<u8>,
    window_at: u64,
}

impl SegmentReader {
    fn open(file: Arc<dyn File>, path: PathBuf, number: u64) -> Result<SegmentReader> {
        let mut bytes = [0; LOG_HEADER_BYTES as usize];
        let read = file.read_at(&mut bytes, 0)?;
        let header = decode_header(&bytes[..read], number, &path)?;
        Ok(SegmentReader { file, path, header, window: Vec::new(), window_at: 0 })
    }

    /// The record at `at` and where it ends, if a valid one lies there before `limit`.
    fn record(&mut self, at: u64, limit: u64) -> Result<Option<(&[u8], u64)>> {
        let (number, salt) = (self.header.number, self.header.salt);
        let Some(bytes) = self.bytes(at, RECORD_HEADER_BYTES, limit)? else { return Ok(None) };
        let Some(header) =
            bytes.first_chunk().and_then(|bytes| RecordHeader::decode(bytes, number, salt, at))
        else {
            return Ok(None);
        };
        let start = at + RECORD_HEADER_BYTES;
        let length = header.length as u64;
        let Some(payload) = self.bytes(start, length, limit)? else { return Ok(None) };
        let good = checksum(salt, payload) == header.payload_checksum;
        Ok(good.then_some((payload, start + length)))
    }

    /// `len` bytes at `at`; `None` if they do not all lie before `limit` and in the file.
    fn bytes(&mut self, at: u64, len: u64, limit: u64) -> Result<Option<&[u8]>> {
        let Some(end) = at.checked_add(len).filter(|end| *end <= limit) else { return Ok(None) };
        let held = self.window_at..self.window_at + self.window.len() as u64;
        if !(held.contains(&at) && end <= held.end) {
            let wanted = len.max(WINDOW_BYTES.min(limit - at));
            self.window.resize(usize::try_from(wanted).unwrap_or(usize::MAX), 0);
            let mut read = 0;
            while read < self.window.len() {
                match self.file.read_at(&mut self.window[read..], at + read as u64)? {
                    0 => break,
                    more => read += more,
                }
            }
            self.window.truncate(read);
            self.window_at = at;
        }
        let from = usize::try_from(at - self.window_at).unwrap_or(usize::MAX);
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        Ok(self.window.get(from..).and_then(|rest| rest.get(..len)))
    }

    fn damage(&self, offset: u64, expected: &str, found: &str) -> Error {
        Corruption::new(&self.path, offset, "WAL record", expected, found).into()
    }
}

#[cfg(test)]
mod tests;
