//! Reading a log file for what it is worth.
//!
//! A record stands for itself: its checksums are bound to the file's salt and to its offset. So
//! every record that checks is shown, behind damage too, and no other file is asked.
//!
//! A damaged header need not cost the records. If its salt was not hit, the records check under
//! it; if one byte of it was, the first record tells which.

use super::Lost;
use crate::error::{Error, Result};
use crate::log::{LOG_HEADER_BYTES, LogFormat, LogHeader, LogReader};
use crate::position::Position;
use crate::segment::{SEGMENT, check_number, segment_path};
use nori_env::{FileSystem, OpenMode};
use std::path::Path;

/// Where the header holds the salt.
const SALT_AT: usize = 28;

/// What a log file still held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Salvaged {
    /// Records shown.
    pub records: u64,
    /// The length of the file.
    pub bytes: u64,
    /// Where the file before it ended; `None` if its header is damaged.
    pub previous_end: Option<u64>,
    /// Where the last record ends.
    pub end: u64,
    /// The highest promise in the header and in records.
    pub promise: Position,
    /// Bytes between records that are none, and behind the last one where a record was begun.
    pub lost: Vec<Lost>,
}

/// Shows every record of the log file `number` whose checksums fit, given all its bytes, in their
/// order and with the position where each starts.
///
/// # Errors
/// `FormatTooNew`, and what `on_record` returns. Damage is no error.
pub fn salvage<E: From<Error>>(
    bytes: &[u8],
    format: &LogFormat,
    number: u64,
    path: &Path,
    on_record: &mut dyn FnMut(Position, &[u8]) -> std::result::Result<(), E>,
) -> std::result::Result<Salvaged, E> {
    let mut found = Salvaged { bytes: bytes.len() as u64, ..Salvaged::default() };
    let mut lost = Vec::new();
    let mut lose = |from: u64, to: u64, what: String| {
        lost.push(Lost { path: path.to_path_buf(), from, to: Some(to), what });
    };
    let header = match LogHeader::decode(bytes, format, number, path) {
        Ok(header) => {
            found.previous_end = Some(header.previous_end);
            Some(header)
        }
        Err(Error::Corruption(bad)) => {
            let header = guess_header(bytes, number);
            let to = if header.is_some() { LOG_HEADER_BYTES } else { found.bytes };
            lose(0, to, format!("{}: expected {}, found {}", bad.what, bad.expected, bad.found));
            header
        }
        Err(error) => return Err(error.into()),
    };
    if let Some(header) = header {
        found.promise = header.durable;
        let mut reader = LogReader::new(bytes, &header);
        loop {
            for record in reader.by_ref() {
                on_record(Position::new(number, record.start), record.payload)?;
                found.records += 1;
            }
            let (from, why) = (reader.end(), reader.why());
            if !reader.skip_damage() {
                break;
            }
            lose(from, reader.end(), why.to_string());
        }
        let (end, tail) = (reader.end(), reader.tail());
        found.end = end;
        found.promise = found.promise.max(reader.promise()).max(tail.promise);
        if tail.header.is_some() {
            lose(end, end + tail.bytes, reader.why().to_string());
        }
    }
    found.lost = lost;
    Ok(found)
}

/// [`salvage`] of a segment of the write-ahead log in `dir`.
///
/// # Errors
/// As [`salvage`]; `Io`.
pub fn salvage_segment<E: From<Error>>(
    fs: &dyn FileSystem,
    dir: &Path,
    number: u64,
    on_record: &mut dyn FnMut(Position, &[u8]) -> std::result::Result<(), E>,
) -> std::result::Result<Salvaged, E> {
    check_number(dir, number)?;
    let path = segment_path(dir, number);
    let read = || -> Result<Vec<u8>> { Ok(fs.open(&path, OpenMode::Read)?.read_all()?) };
    salvage(&read()?, &SEGMENT, number, &path, on_record)
}

/// A header under whose salt there is a record.
fn guess_header(bytes: &[u8], number: u64) -> Option<LogHeader> {
    let salt = u64::from_le_bytes(*bytes.get(SALT_AT..)?.first_chunk::<8>()?);
    let with = |salt: u64| LogHeader { number, salt, ..LogHeader::default() };
    let mut as_it_is = LogReader::new(bytes, &with(salt));
    if as_it_is.next().is_some() || as_it_is.skip_damage() {
        return Some(with(salt));
    }
    let changed = (0..64).step_by(8).flat_map(|shift| (1..=255u64).map(move |x| x << shift));
    let mut near = changed.map(|xor| with(salt ^ xor));
    near.find(|header| LogReader::new(bytes, header).next().is_some())
}

#[cfg(all(test, not(any(nori_loom, nori_shuttle))))]
mod tests;
