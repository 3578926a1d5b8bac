//! The log: every record from the manifest's floor on.
//!
//! What opening accepts is right, the end that a power cut leaves included. What it refuses is
//! read again record by record, as a rescue reads it, so that all damage is listed.

use super::manifest::{State, length};
use super::report::{Finding, VerifyReport};
use crate::batch::{BadPayload, Operations};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::store::{Paths, check_log, list};
use nori_env::OpenMode;
use nori_manifest::Version;
use nori_types::{FileName, FileNumber};
use nori_wal::{Position, Replayed};
use std::path::{Path, PathBuf};

/// Where a segment's header says that its file had an earlier life.
const IGNORABLE_AT: usize = 16;

/// Reads the log.
pub(super) fn verify_log(
    config: &Config,
    paths: &Paths,
    state: &State,
    report: &mut VerifyReport,
    progress: &mut dyn FnMut(u64),
) -> Result<()> {
    let floor = state.version.as_ref().map_or(0, |version| version.wal_floor);
    let names = list(&*config.file_system, &paths.wal)?;
    let mut segments: Vec<u64> = names
        .iter()
        .filter_map(|name| match name {
            FileName::Segment(number) => Some(number.0),
            _ => None,
        })
        .filter(|number| *number >= floor)
        .collect();
    segments.sort_unstable();
    let lengths =
        segments.iter().filter_map(|n| length(&*config.file_system, &segment_path(paths, *n)));
    let before = report.log.bytes;
    lengths.for_each(|bytes| report.log.add(bytes));
    let bytes = report.log.bytes - before;
    report.bytes += bytes;
    let mut told = 0;
    let mut tell = |more: u64| {
        told += more;
        progress(more);
    };
    let refused = match state.version.as_ref().filter(|_| state.is_whole) {
        None => None,
        Some(version) => match check_log(config, paths, version, &mut tell) {
            Ok(replayed) => {
                report.log_records = replayed.records;
                note_end(paths, &replayed, report);
                progress(bytes.saturating_sub(told));
                return Ok(());
            }
            Err(error) => Some(error),
        },
    };
    progress(bytes.saturating_sub(told));
    let mut listing = Listing::new(config, paths, state.version.as_ref());
    if state.is_whole && !segments.contains(&floor) {
        listing.missing(floor);
    }
    segments.iter().for_each(|number| listing.segment(*number));
    listing.finish(report);
    // What opening says, unless it is in the list.
    match refused {
        Some(Error::Corruption { path, offset, .. })
            if report.problems.iter().any(|told| told.covers(&path, offset)) => {}
        Some(error) => report.failed(&paths.wal, error),
        None => {}
    }
    Ok(())
}

fn segment_path(paths: &Paths, number: u64) -> PathBuf {
    paths.wal.join(FileName::Segment(FileNumber(number)).to_string())
}

/// How the log ends, where that is not as a clean close leaves it.
fn note_end(paths: &Paths, replayed: &Replayed, report: &mut VerifyReport) {
    if let Some(torn) = &replayed.torn {
        let what = "the log ends here: what follows was begun and not finished when power was cut, \
                    and nothing promises it; opening cuts it off";
        let torn_at = Finding::new(&torn.path, Some(torn.offset), what);
        report.notes.push(torn_at.with_bytes(Some(torn.bytes)));
    }
    for number in &replayed.discarded_segments {
        report.note(&segment_path(paths, *number), "a segment behind the end of the log");
    }
}

/// All damage of a log, segment by segment.
struct Listing<'a> {
    config: &'a Config,
    paths: &'a Paths,
    /// The highest promise so far.
    promise: Position,
    /// The segment before, and where it ended; `None` for the end if it could not be read.
    before: Option<(u64, Option<u64>)>,
    /// What was begun behind the last record of the segment before.
    tail: Option<Finding>,
    records: u64,
    problems: Vec<Finding>,
}

impl<'a> Listing<'a> {
    fn new(config: &'a Config, paths: &'a Paths, version: Option<&Version>) -> Listing<'a> {
        let promise = version.map(|version| version.durable).unwrap_or_default();
        let (before, tail, problems) = (None, None, Vec::new());
        Listing { config, paths, promise, before, tail, records: 0, problems }
    }

    fn missing(&mut self, number: u64) {
        let path = segment_path(self.paths, number);
        self.problems.push(Finding::new(&path, None, "the segment is missing"));
    }

    fn segment(&mut self, number: u64) {
        let (path, before) = (segment_path(self.paths, number), self.before.take());
        // Only behind the last record of all nothing need be promised.
        self.problems.extend(self.tail.take());
        if let Some((last, _)) = before
            && number > last + 1
        {
            self.missing(last + 1);
        }
        let (mut bad, mut records) = (Vec::new(), 0);
        let mut on_record = |at: Position, payload: &[u8]| -> Result<()> {
            records += 1;
            if let Err(what) = check_payload(payload) {
                let bytes = nori_wal::RECORD_HEADER_BYTES + payload.len() as u64;
                let found = Finding::new(&path, Some(at.offset), what);
                bad.push(found.with_bytes(Some(bytes)));
            }
            Ok(())
        };
        let (fs, dir) = (&*self.config.file_system, &self.paths.wal);
        let read = nori_wal::salvage_segment(fs, dir, number, &mut on_record);
        self.problems.append(&mut bad);
        self.records += records;
        let read = match read {
            Ok(read) => read,
            Err(error) => {
                self.problems.push(Finding::of(&path, &error));
                self.before = Some((number, None));
                return;
            }
        };
        self.promise = self.promise.max(read.promise);
        self.check_link(before, number, read.previous_end);
        for lost in read.lost {
            let bytes = lost.to.map(|to| to - lost.from);
            let found = Finding::new(&path, Some(lost.from), lost.what).with_bytes(bytes);
            match lost.from == read.end && lost.from >= nori_wal::LOG_HEADER_BYTES {
                true => self.tail = Some(found),
                false => self.problems.push(found),
            }
        }
        self.before = Some((number, Some(read.end)));
    }

    /// Whether the segment before ends where this one says it does.
    fn check_link(
        &mut self,
        before: Option<(u64, Option<u64>)>,
        number: u64,
        previous_end: Option<u64>,
    ) {
        let Some((last, Some(ended))) = before else { return };
        let path = segment_path(self.paths, last);
        if last + 1 != number || self.problems.iter().any(|told| told.covers(&path, ended)) {
            return;
        }
        let (wanted, what) = match previous_end {
            Some(wanted) => (wanted, "records are missing that the next segment follows"),
            // The next header cannot tell; zeros are all that follows the last record then.
            None => (self.written_end(&path), "bytes that are no record"),
        };
        if ended < wanted {
            let found = Finding::new(&path, Some(ended), what);
            self.problems.push(found.with_bytes(Some(wanted - ended)));
        }
    }

    /// Behind the last byte of a file that is not zero; 0 where stale bytes may follow the records.
    fn written_end(&self, path: &Path) -> u64 {
        let file = self.config.file_system.open(path, OpenMode::Read);
        let bytes = file.and_then(|file| file.read_all()).unwrap_or_default();
        if bytes.get(IGNORABLE_AT).is_none_or(|bits| *bits != 0) {
            return 0;
        }
        bytes.iter().rposition(|byte| *byte != 0).map_or(0, |at| at as u64 + 1)
    }

    fn finish(mut self, report: &mut VerifyReport) {
        if let (Some(tail), Some((number, Some(end)))) = (self.tail.take(), self.before) {
            match self.promise > Position::new(number, end) {
                true => self.problems.push(tail),
                false => report.notes.push(tail),
            }
        }
        report.log_records = self.records;
        report.problems.append(&mut self.problems);
    }
}

/// Whether a record is a batch, and if not, why.
fn check_payload(payload: &[u8]) -> std::result::Result<(), String> {
    let bad = |bad: BadPayload| match bad {
        BadPayload::Malformed(what) => format!("a record's batch: {what}"),
        BadPayload::UnknownKind(kind) => {
            format!("a value kind that this build does not know: {kind}")
        }
    };
    let mut operations = Operations::new(payload).map_err(bad)?;
    operations.try_for_each(|operation| operation.map(|_| ()).map_err(bad))
}
