//! Reading what an earlier process left. Nothing is written.
//!
//! Let P be the end of the last record replayed and D the highest durable position in the
//! manifest, in any header of a segment from the floor on and in any valid record header there.
//!
//! 1. Records are shown in order and without a gap: reading stops at the first bad one, and goes
//!    from segment n-1 to n only if n-1 ended exactly where n says it did. So what is shown is a
//!    prefix of what was appended.
//! 2. D > P is corruption, reported at P: bytes that had been synced are damaged or missing.
//! 3. Otherwise what lies behind P is the ordinary torn tail of a power cut.
//! 4. Segments from the floor on are contiguous, the floor itself exists, and their headers
//!    check; anything else is corruption, since a segment gets its name only with all of that.

mod salvage;
mod segment;

use crate::error::{Error, Result};
use crate::log::LogReader;
use crate::plant::{Plant, planted};
use crate::position::Position;
pub use salvage::{Salvaged, salvage, salvage_segment};

use crate::segment::{check_number, decode_header, segment_path};
use nori_env::{FileSystem, OpenMode};
use nori_types::{Corruption, FileName};
use segment::Replay;
use std::path::{Path, PathBuf};

/// What replay does about damage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecoveryMode {
    /// Stop at the first bad record. It is an error only if something promised that the bytes
    /// there were durable. A power cut never makes it one.
    #[default]
    CutTornTail,
    /// As `CutTornTail`, and a torn tail is an error too. Only zeros, the end of the file or the
    /// stale bytes of a recycled segment may follow the last record.
    Strict,
    /// Skip what is damaged, show everything that still checks, and list what was lost. What is
    /// shown may have gaps: for a last rescue, not for going on as if nothing had happened.
    Salvage,
}

/// What replay found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Where the last record that was shown ends.
    pub end: Position,
    /// The highest segment number in the directory, whatever the floor; 0 if there is none. The
    /// next process numbers its first segment above it.
    pub highest_segment: u64,
    /// Records shown.
    pub records: u64,
    /// Their bytes, headers included.
    pub bytes: u64,
    /// Segments behind the end of the log: what is in them continues nothing.
    pub discarded_segments: Vec<u64>,
    /// The torn tail that was cut, if there was one.
    pub torn: Option<TornTail>,
    /// What is known to be missing. Only `Salvage` returns with anything here.
    pub lost: Vec<Lost>,
}

/// Bytes behind the last record that were begun but not finished when power was cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// The segment.
    pub path: PathBuf,
    /// Where the first unfinished record starts.
    pub offset: u64,
    /// Bytes there, up to the last one that is not zero. 0 if all that tells of more is a later
    /// segment.
    pub bytes: u64,
}

/// A part of the log that could not be salvaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The segment.
    pub path: PathBuf,
    /// The first byte that is missing.
    pub from: u64,
    /// The first byte behind it, if it is known.
    pub to: Option<u64>,
    /// What is wrong there.
    pub what: String,
}

/// Shows every record from segment `floor` on to `on_record`, with the position where it starts.
///
/// `durable` is what the manifest promises. An error of `on_record` ends the replay and is
/// returned. Segments are read one at a time, each as a whole.
///
/// # Errors
/// `Corruption` by the rules above, except with [`RecoveryMode::Salvage`]; `FormatTooNew`; `Io`.
/// Records already shown must then be forgotten.
pub fn replay<E: From<Error>>(
    fs: &dyn FileSystem,
    dir: &Path,
    floor: u64,
    durable: Position,
    mode: RecoveryMode,
    on_record: &mut dyn FnMut(Position, &[u8]) -> std::result::Result<(), E>,
) -> std::result::Result<Replayed, E> {
    let numbers = list_segments(fs, dir)?;
    let mut replay = Replay::new(fs, dir, mode, durable);
    replay.result.highest_segment = numbers.last().copied().unwrap_or(0);
    let mut expected = floor;
    for number in numbers.into_iter().filter(|n| *n >= floor) {
        check_number(dir, number)?;
        if number != expected && !planted(Plant::MissingSegmentUnnoticed) {
            replay.missing(expected)?;
        }
        replay.segment(number, on_record)?;
        expected = number + 1;
    }
    if expected == floor {
        replay.missing(floor)?;
    }
    Ok(replay.finish()?)
}

/// Whether any segment in `dir` starts with a valid record. For a directory that no manifest
/// names: without records it is an unfinished creation, with records something is missing.
/// Segments whose header does not check hold none.
///
/// # Errors
/// `Io`; `FormatTooNew`, since a newer build's records cannot be told from none.
pub fn has_records(fs: &dyn FileSystem, dir: &Path) -> Result<bool> {
    for number in list_segments(fs, dir)? {
        let path = segment_path(dir, number);
        let bytes = fs.open(&path, OpenMode::Read)?.read_all()?;
        let header = match decode_header(&bytes, number, &path) {
            Ok(header) => header,
            Err(Error::Corruption(_)) => continue,
            Err(error) => return Err(error),
        };
        if LogReader::new(&bytes, &header).next().is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The numbers of the segments in a directory, ascending; none if there is no directory.
fn list_segments(fs: &dyn FileSystem, dir: &Path) -> Result<Vec<u64>> {
    let names = match fs.list(dir) {
        Ok(names) => names,
        Err(error) if error.is_not_found() => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let segment = |name: &String| match FileName::parse(name) {
        Some(FileName::Segment(number)) => Some(number.0),
        _ => None,
    };
    let mut numbers: Vec<u64> = names.iter().filter_map(segment).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Damage at a place in a segment.
fn damage(path: &Path, offset: u64, expected: impl ToString, found: impl ToString) -> Error {
    Corruption::new(path, offset, "WAL record", expected, found).into()
}

#[cfg(test)]
mod tests;
