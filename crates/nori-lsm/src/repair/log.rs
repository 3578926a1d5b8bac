//! The log of a damaged store: every record whose checksums fit, behind damage too.

use super::evidence::Evidence;
use super::report::RepairReport;
use crate::batch::{BadPayload, Operation, Operations};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::store::Paths;
use crate::super_version::Mem;
use nori_env::sync::Arc;
use nori_types::{FileName, FileNumber, SeqNo};
use nori_wal::Position;
use std::path::PathBuf;

/// What was read so far.
struct Log<'a> {
    paths: &'a Paths,
    memtable_bytes: usize,
    /// What the tables hold up to here.
    flushed: SeqNo,
    /// Oldest first.
    mems: Vec<Arc<Mem>>,
    report: &'a mut RepairReport,
}

/// Reads the segments that count into memtables, the newest first.
pub(super) fn read(
    config: &Config,
    paths: &Paths,
    evidence: &Evidence,
    report: &mut RepairReport,
) -> Result<Vec<Arc<Mem>>> {
    let (floor, flushed) = evidence.log_start();
    let memtable_bytes = config.memtable_bytes;
    let mut log = Log { paths, memtable_bytes, flushed, mems: Vec::new(), report };
    // Where the segment before ended.
    let mut before: Option<(u64, u64)> = None;
    if evidence.version.is_some() && !evidence.segments.contains(&floor) {
        log.missing(floor);
    }
    for number in evidence.segments.iter().copied().filter(|n| *n >= floor) {
        if let Some((last, _)) = before
            && number > last + 1
        {
            log.missing(last + 1);
        }
        let Some((end, previous_end)) = log.segment(config, number)? else {
            before = Some((number, u64::MAX));
            continue;
        };
        if let (Some((last, ended)), Some(wanted)) = (before, previous_end)
            && last + 1 == number
            && ended < wanted
        {
            let reason = "records are missing that the next segment follows".to_string();
            log.report.lose(log.path(last), ended, Some(wanted), reason);
        }
        before = Some((number, end));
    }
    log.mems.reverse();
    Ok(log.mems)
}

impl Log<'_> {
    fn path(&self, number: u64) -> PathBuf {
        self.paths.wal.join(FileName::Segment(FileNumber(number)).to_string())
    }

    fn missing(&mut self, number: u64) {
        self.report.lose(self.path(number), 0, None, "the file is missing".to_string());
    }

    /// Where the segment ends, and where it says the one before ended; `None` if it cannot be
    /// read at all.
    fn segment(&mut self, config: &Config, number: u64) -> Result<Option<(u64, Option<u64>)>> {
        let fs = &*config.file_system;
        let dir = self.paths.wal.clone();
        let before = self.report.log_records;
        let mut on_record = |at: Position, payload: &[u8]| self.record(at, payload);
        let read = nori_wal::salvage_segment(fs, &dir, number, &mut on_record);
        let read = match read {
            Ok(read) => read,
            Err(error @ Error::FormatTooNew { .. }) => return Err(error),
            Err(error) => {
                self.report.lose(self.path(number), 0, None, error.to_string());
                return Ok(None);
            }
        };
        if self.report.log_records > before {
            self.report.files_used.push(self.path(number));
        }
        for lost in read.lost {
            self.report.lose(lost.path, lost.from, lost.to, lost.what);
        }
        Ok(Some((read.end, read.previous_end)))
    }

    fn record(&mut self, at: Position, payload: &[u8]) -> Result<()> {
        let parsed = Operations::new(payload).and_then(Iterator::collect);
        let operations: Vec<Operation> = match parsed {
            Ok(operations) => operations,
            Err(BadPayload::Malformed(what)) => {
                let end = at.offset + nori_wal::RECORD_HEADER_BYTES + payload.len() as u64;
                self.report.lose(self.path(at.segment), at.offset, Some(end), what.to_string());
                return Ok(());
            }
            Err(BadPayload::UnknownKind(kind)) => {
                let what = format!("{}: a value kind", self.path(at.segment).display());
                let supported = nori_types::ValueKind::MAX as u64;
                return Err(Error::FormatTooNew { what, found: u64::from(kind), supported });
            }
        };
        if operations.last().is_none_or(|op| op.seq <= self.flushed) {
            return Ok(());
        }
        self.report.log_records += 1;
        if self.mems.last().is_none_or(|mem| mem.table.bytes() >= self.memtable_bytes) {
            self.mems.push(Arc::new(Mem::new(at.segment, self.memtable_bytes)));
        }
        let Some(gate) = self.mems.last().and_then(|mem| mem.table.enter()) else { return Ok(()) };
        for op in operations.iter().filter(|op| op.seq > self.flushed) {
            let (key, value) = op.parts(payload);
            gate.insert(key, value, op.seq, op.kind);
        }
        Ok(())
    }
}
