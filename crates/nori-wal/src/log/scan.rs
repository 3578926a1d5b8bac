//! Reading a log file: records up to the first bad one, then what lies behind it.
//!
//! 1. Reading stops at the first place without a valid record. What follows is never data: it
//!    may be a later record whose predecessor was lost, or stale bytes.
//! 2. Behind that place every byte offset is tried for a valid record header, because the bad
//!    record's length may be what is damaged. Such a header is believed for its promise only.
//! 3. The cost is linear in the file: runs of zeros are stepped over, other offsets are dismissed
//!    by a few comparisons before a checksum is computed.

use super::format::{LOG_HEADER_BYTES, LogHeader, RECORD_HEADER_BYTES, RecordHeader};
use crate::plant::{Plant, planted};
use crate::position::Position;
use nori_types::checksum;

const RECORD: usize = RECORD_HEADER_BYTES as usize;

/// A valid record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogRecord<'a> {
    /// The file offset of its header.
    pub start: u64,
    /// The file offset behind its payload.
    pub end: u64,
    /// Its data.
    pub payload: &'a [u8],
    /// What was durable when it was written.
    pub durable: Position,
}

/// What lies behind the last record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tail {
    /// Bytes up to the last one that is not zero; 0 for an untouched end of data.
    pub bytes: u64,
    /// Where the first valid record header at or behind the end is: a record was begun here and
    /// is damaged, or later ones outlived it.
    pub header: Option<u64>,
    /// The highest promise in any such header.
    pub promise: Position,
}

/// A whole file, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogScan<'a> {
    /// The records before the first bad one.
    pub records: Vec<LogRecord<'a>>,
    /// Where the first bad one would start.
    pub end: u64,
    /// The highest promise in any valid record header, before or behind the bad one.
    pub promise: Position,
    /// What lies behind `end`.
    pub tail: Tail,
}

/// Reads the records of a file, given all its bytes and its header.
pub fn scan<'a>(bytes: &'a [u8], log: &LogHeader) -> LogScan<'a> {
    let mut reader = LogReader::new(bytes, log);
    let records = reader.by_ref().collect();
    let tail = reader.tail();
    LogScan { records, end: reader.end(), promise: reader.promise().max(tail.promise), tail }
}

/// Reads records one by one.
#[derive(Clone, Debug)]
pub(crate) struct LogReader<'a> {
    bytes: &'a [u8],
    number: u64,
    salt: u64,
    at: usize,
    promise: Position,
    /// Payload bytes that salvage may still check: forged headers cannot make it run for ever.
    budget: usize,
}

impl<'a> LogReader<'a> {
    /// At the first record. `bytes` are the whole file's.
    pub(crate) fn new(bytes: &'a [u8], log: &LogHeader) -> LogReader<'a> {
        let at = bytes.len().min(LOG_HEADER_BYTES as usize);
        let (number, salt, promise) = (log.number, log.salt, Position::default());
        let budget = bytes.len().saturating_mul(16);
        LogReader { bytes, number, salt, at, promise, budget }
    }

    /// The end of the last record that was read.
    pub(crate) fn end(&self) -> u64 {
        self.at as u64
    }

    /// The highest promise of the records read so far.
    pub(crate) fn promise(&self) -> Position {
        self.promise
    }

    /// Looks behind the end.
    pub(crate) fn tail(&self) -> Tail {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let used = rest.len() - zeros_at_end(rest);
        let mut tail = Tail { bytes: used as u64, ..Tail::default() };
        let mut candidates = Candidates::new(self.bytes, self.at, self.at + used);
        while let Some((at, header)) = candidates.next(self.number, self.salt) {
            tail.header = tail.header.or(Some(at as u64));
            tail.promise = tail.promise.max(header.durable);
        }
        tail
    }

    /// Moves to the next valid record behind the bad one, for salvage. False if there is none.
    pub(crate) fn skip_damage(&mut self) -> bool {
        let mut candidates = Candidates::new(self.bytes, self.at, self.bytes.len());
        while let Some((at, header)) = candidates.next(self.number, self.salt) {
            self.budget = self.budget.saturating_sub(header.length);
            if self.budget == 0 {
                break;
            }
            if self.record(at, &header).is_some() {
                self.at = at;
                return true;
            }
        }
        false
    }

    /// Why there is no valid record at the end, in words.
    pub(crate) fn why(&self) -> &'static str {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        match rest.first_chunk::<RECORD>() {
            None => "the end of the file",
            Some(bytes) if *bytes == [0; RECORD] => "no record (zeros)",
            Some(bytes) => match self.header(self.at, bytes) {
                None => "bytes that are no record header",
                Some(h) if rest.len() - RECORD < h.length => "a record longer than the file",
                Some(_) => "a record whose payload fails its checksum",
            },
        }
    }

    fn header(&self, at: usize, bytes: &[u8; RECORD]) -> Option<RecordHeader> {
        RecordHeader::decode(bytes, self.number, self.salt, at as u64)
    }

    fn record(&self, at: usize, header: &RecordHeader) -> Option<LogRecord<'a>> {
        let start = at.checked_add(RECORD)?;
        let end = start.checked_add(header.length)?;
        let payload = self.bytes.get(start..end)?;
        let good = checksum(self.salt, payload) == header.payload_checksum
            || planted(Plant::ChecksumNotVerified);
        let durable = header.durable;
        good.then_some(LogRecord { start: at as u64, end: end as u64, payload, durable })
    }
}

impl<'a> Iterator for LogReader<'a> {
    type Item = LogRecord<'a>;

    fn next(&mut self) -> Option<LogRecord<'a>> {
        let bytes = self.bytes.get(self.at..)?.first_chunk::<RECORD>()?;
        if *bytes == [0; RECORD] {
            return None;
        }
        let header = self.header(self.at, bytes)?;
        let record = self.record(self.at, &header)?;
        self.promise = self.promise.max(header.durable);
        self.at = record.end as usize;
        Some(record)
    }
}

/// The offsets at which a record header could stand.
struct Candidates<'a> {
    bytes: &'a [u8],
    at: usize,
    /// No header starts at or behind this.
    limit: usize,
}

impl<'a> Candidates<'a> {
    fn new(bytes: &'a [u8], at: usize, limit: usize) -> Candidates<'a> {
        Candidates { bytes, at, limit }
    }

    /// The next valid header; the search goes on behind its first byte.
    fn next(&mut self, number: u64, salt: u64) -> Option<(usize, RecordHeader)> {
        while self.at < self.limit {
            let rest = self.bytes.get(self.at..)?;
            let bytes = rest.first_chunk::<RECORD>()?;
            if *bytes == [0; RECORD] {
                // A header is not all zeros, so it reaches the next byte that is not.
                self.at += (zeros_at_start(rest) + 1).saturating_sub(RECORD).max(1);
                continue;
            }
            let at = self.at;
            self.at += 1;
            if planted(Plant::ResyncAtBlocksOnly) && !at.is_multiple_of(4096) {
                continue;
            }
            let header = RecordHeader::decode(bytes, number, salt, at as u64);
            if let Some(header) = header {
                return Some((at, header));
            }
        }
        None
    }
}

const WORD: usize = 16;

fn zeros_at_start(bytes: &[u8]) -> usize {
    let whole = bytes.chunks_exact(WORD).take_while(|w| **w == [0; WORD]).count() * WORD;
    whole + bytes.iter().skip(whole).take_while(|b| **b == 0).count()
}

fn zeros_at_end(bytes: &[u8]) -> usize {
    let whole = bytes.rchunks_exact(WORD).take_while(|w| **w == [0; WORD]).count() * WORD;
    whole + bytes.iter().rev().skip(whole).take_while(|b| **b == 0).count()
}
