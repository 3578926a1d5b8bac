//! What a segment of the write-ahead log is, as a log file.
//!
//! `wal/000042.wal` is a log file (see `log/format.rs` for its bytes) with the magic `nWAL`.

use crate::error::Result;
use crate::log::{LogFormat, LogHeader};
use nori_types::{Corruption, FileName, FileNumber};
use std::path::{Path, PathBuf};

/// The format of a segment.
pub(crate) const SEGMENT: LogFormat =
    LogFormat { magic: *b"nWAL", version: 1, incompatible: 0, what: "WAL segment" };

/// Ignorable feature: stale bytes of an earlier life may lie behind the records.
pub(crate) const RECYCLED: u32 = 1;

/// No segment has a greater number; one in a file's name did not come from us.
pub(crate) const NUMBER_MAX: u64 = 1 << 56;

/// The path of a segment.
pub(crate) fn segment_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(FileName::Segment(FileNumber(number)).to_string())
}

/// The header at the front of a segment.
pub(crate) fn decode_header(bytes: &[u8], number: u64, path: &Path) -> Result<LogHeader> {
    LogHeader::decode(bytes, &SEGMENT, number, path)
}

/// Refuses numbers that leave no room to count on.
pub(crate) fn check_number(dir: &Path, number: u64) -> Result<()> {
    if number <= NUMBER_MAX {
        return Ok(());
    }
    let (path, expected) = (segment_path(dir, number), format!("at most {NUMBER_MAX}"));
    Err(Corruption::new(path, 0, "the segment's number", expected, number).into())
}
