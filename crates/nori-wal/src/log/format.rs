//! The bytes of a log file. Integers are little-endian.
//!
//! ```text
//! file     header 64, records one behind the other, then zeros or stale bytes
//!
//! header    0  magic            4   chosen by the user of the framing
//!           4  version          4   of the user's format
//!           8  incompatible     4   feature bits: an unknown one means "do not read"
//!          12  read-compatible  4   an unknown one means "read, but do not write"
//!          16  ignorable        4   an unknown one means nothing
//!          20  number           8   the number in the file's name
//!          28  salt             8   random for each file
//!          36  previous_end     8   where the file numbered one less ended; 0: continues none
//!          44  durable         16   segment 8, offset 8; (0, 0) promises nothing
//!          60  checksum         4   over bytes 0..60
//!
//! record    0  header checksum  4   salted; over bytes 4..24 and the record's file offset (u64)
//!           4  payload checksum 4   salted; over the payload
//!           8  length           4   of the payload, at most 2^31 - 1
//!          12  distance         4   number - durable.segment; 2^32 - 1: promises nothing
//!          16  durable.offset   8   at least 64; 0 with a promise of nothing
//!          24  payload
//! ```
//!
//! `durable` is the end (exclusive) of the bytes known to be synced when it was written.
//! Twenty-four zero bytes where a record would start mean "no record". Magic, version and
//! checksum keep their places in every version to come, so an old build can tell a newer file
//! from a damaged one.

use crate::error::Result;
use crate::plant::{Plant, planted};
use crate::position::Position;
use nori_types::{Checksum, Corruption, FormatTooNew, checksum};
use std::path::Path;

/// The length of a log file's header; the first record starts there.
pub const LOG_HEADER_BYTES: u64 = 64;
/// What a record needs besides its payload.
pub const RECORD_HEADER_BYTES: u64 = 24;
/// The longest payload of a record.
pub const RECORD_BYTES_MAX: u64 = i32::MAX as u64;

const HEADER: usize = LOG_HEADER_BYTES as usize;
pub(super) const RECORD: usize = RECORD_HEADER_BYTES as usize;
/// The distance that stands for a promise of nothing.
pub(super) const PROMISES_NOTHING: u32 = u32::MAX;
/// No file is longer; a greater offset is not a promise but garbage.
pub(super) const OFFSET_MAX: u64 = 1 << 48;

/// What a user of the framing writes and can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogFormat {
    /// The first four bytes of a file.
    pub magic: [u8; 4],
    /// The version that is written, and the highest that is read. Versions start at 1.
    pub version: u32,
    /// The incompatible feature bits that this build understands.
    pub incompatible: u32,
    /// What the file is called in errors: "WAL segment".
    pub what: &'static str,
}

/// The feature bits of one file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// A reader that does not know one of these must not read the file.
    pub incompatible: u32,
    /// A reader that does not know one of these may read but not write.
    pub read_compatible: u32,
    /// A reader that does not know one of these may go on.
    pub ignorable: u32,
}

/// The header of a log file, except for what [`LogFormat`] says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogHeader {
    /// The file's feature bits.
    pub features: Features,
    /// The number in the file's name.
    pub number: u64,
    /// Mixed into the checksum of each record: bytes of another file, or of an earlier life of
    /// this one, never pass.
    pub salt: u64,
    /// Where the file numbered one less ended; 0 for a file that continues none.
    pub previous_end: u64,
    /// What was durable when the header was written.
    pub durable: Position,
}

impl LogHeader {
    /// The header's bytes.
    pub fn encode(&self, format: &LogFormat) -> [u8; HEADER] {
        let mut out = [0; HEADER];
        out[0..4].copy_from_slice(&format.magic);
        out[4..8].copy_from_slice(&format.version.to_le_bytes());
        out[8..12].copy_from_slice(&self.features.incompatible.to_le_bytes());
        out[12..16].copy_from_slice(&self.features.read_compatible.to_le_bytes());
        out[16..20].copy_from_slice(&self.features.ignorable.to_le_bytes());
        out[20..28].copy_from_slice(&self.number.to_le_bytes());
        out[28..36].copy_from_slice(&self.salt.to_le_bytes());
        out[36..44].copy_from_slice(&self.previous_end.to_le_bytes());
        out[44..52].copy_from_slice(&self.durable.segment.to_le_bytes());
        out[52..60].copy_from_slice(&self.durable.offset.to_le_bytes());
        let sum = checksum(0, &out[..60]);
        out[60..64].copy_from_slice(&sum.to_le_bytes());
        out
    }

    /// Reads the header from the front of the file `path`, which its name says is `number`.
    ///
    /// # Errors
    /// `Corruption` if it is not whole or belongs to another file, `FormatTooNew` if its version
    /// or an incompatible feature is unknown.
    pub fn decode(bytes: &[u8], format: &LogFormat, number: u64, path: &Path) -> Result<LogHeader> {
        let name = |part: &str| format!("{} {part}", format.what);
        let Some(bytes) = bytes.first_chunk::<HEADER>() else {
            let found = format!("{} bytes", bytes.len());
            return Err(Corruption::new(path, 0, name("header"), "64 bytes", found).into());
        };
        if bytes[..4] != format.magic {
            let [expected, found] = [&format.magic, &bytes[..4]].map(|m| m.escape_ascii());
            return Err(Corruption::new(path, 0, name("magic"), expected, found).into());
        }
        let (expected, found) = (checksum(0, &bytes[..60]), u32_at(bytes, 60));
        if expected != found {
            return Err(Corruption::checksum(path, 60, name("header"), expected, found).into());
        }
        let (version, incompatible) = (u32_at(bytes, 4), u32_at(bytes, 8));
        let unknown = incompatible & !format.incompatible;
        if version > format.version || unknown != 0 {
            let (what, found, supported) = match version > format.version {
                true => ("version", version, format.version),
                false => ("set of feature bits", incompatible, format.incompatible),
            };
            let (what, path) = (name(what), path.to_path_buf());
            let (found, supported) = (u64::from(found), u64::from(supported));
            return Err(FormatTooNew { path, what, found, supported }.into());
        }
        let durable = Position::new(u64_at(bytes, 44), u64_at(bytes, 52));
        let (read_compatible, ignorable) = (u32_at(bytes, 12), u32_at(bytes, 16));
        let header = LogHeader {
            features: Features { incompatible, read_compatible, ignorable },
            number: u64_at(bytes, 20),
            salt: u64_at(bytes, 28),
            previous_end: u64_at(bytes, 36),
            durable,
        };
        if header.number != number {
            return Err(Corruption::new(path, 20, name("number"), number, header.number).into());
        }
        let limit = Position::new(number, LOG_HEADER_BYTES);
        if durable > limit {
            let expected = format!("at most {limit}");
            return Err(Corruption::new(path, 44, name("promise"), expected, durable).into());
        }
        Ok(header)
    }
}

/// Appends a record to `out`; its first byte goes to file offset `at` of the file that `log` is
/// the header of. The payload must not be longer than [`RECORD_BYTES_MAX`].
///
/// `durable` is the promise. A position beyond `at` is cut down to it: no record can vouch for
/// itself.
pub fn frame(out: &mut Vec<u8>, log: &LogHeader, at: u64, payload: &[u8], durable: Position) {
    out.extend_from_slice(&record_header(log, at, payload, durable));
    out.extend_from_slice(payload);
}

/// The header of a record.
pub(crate) fn record_header(
    log: &LogHeader,
    at: u64,
    payload: &[u8],
    durable: Position,
) -> [u8; RECORD] {
    let durable = durable.min(Position::new(log.number, at));
    let distance = u32::try_from(log.number - durable.segment).unwrap_or(PROMISES_NOTHING);
    let nothing = durable == Position::default() || distance == PROMISES_NOTHING;
    // Below 64 there is only the header: a promise of (n, 0) and one of (n, 64) say the same.
    let (distance, offset) = match nothing {
        true => (PROMISES_NOTHING, 0),
        false => (distance, durable.offset.max(LOG_HEADER_BYTES)),
    };
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let mut out = [0; RECORD];
    out[4..8].copy_from_slice(&checksum(log.salt, payload).to_le_bytes());
    out[8..12].copy_from_slice(&length.to_le_bytes());
    out[12..16].copy_from_slice(&distance.to_le_bytes());
    out[16..24].copy_from_slice(&offset.to_le_bytes());
    let sum = header_checksum(log.salt, &out, at);
    out[0..4].copy_from_slice(&sum.to_le_bytes());
    out
}

/// A record header whose checksum fits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecordHeader {
    pub(crate) payload_checksum: u32,
    pub(crate) length: usize,
    pub(crate) durable: Position,
}

impl RecordHeader {
    /// The header at file offset `at`, if these 24 bytes are one.
    pub(crate) fn decode(bytes: &[u8; RECORD], number: u64, salt: u64, at: u64) -> Option<Self> {
        // The cheap tests first: this is asked of every offset behind a bad record.
        let (distance, offset) = (u32_at(bytes, 12), u64_at(bytes, 16));
        let durable = match distance {
            PROMISES_NOTHING if offset == 0 => Position::default(),
            PROMISES_NOTHING => return None,
            _ => Position::new(number.checked_sub(u64::from(distance))?, offset),
        };
        let known =
            distance == PROMISES_NOTHING || (LOG_HEADER_BYTES..OFFSET_MAX).contains(&offset);
        let length = u32_at(bytes, 8);
        if !known || durable > Position::new(number, at) || u64::from(length) > RECORD_BYTES_MAX {
            return None;
        }
        let good = header_checksum(salt, bytes, at) == u32_at(bytes, 0);
        if !good && !planted(Plant::ChecksumNotVerified) {
            return None;
        }
        let length = usize::try_from(length).ok()?;
        Some(RecordHeader { payload_checksum: u32_at(bytes, 4), length, durable })
    }
}

pub(super) fn header_checksum(salt: u64, bytes: &[u8; RECORD], at: u64) -> u32 {
    Checksum::new(salt).update(&bytes[4..]).update(&at.to_le_bytes()).finish()
}

/// Callers index inside arrays of known length.
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |b| u32::from_le_bytes(*b))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |b| u64::from_le_bytes(*b))
}
