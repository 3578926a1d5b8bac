//! Replaying one segment after the other.

use super::{Lost, RecoveryMode, Replayed, TornTail, damage};
use crate::error::{Error, Result};
use crate::log::{LogHeader, LogReader, RECORD_HEADER_BYTES, Tail};
use crate::plant::{Plant, planted};
use crate::position::Position;
use crate::segment::{RECYCLED, decode_header, segment_path};
use nori_env::{FileSystem, OpenMode};
use nori_types::Corruption;
use std::path::{Path, PathBuf};

/// Shows a record.
type OnRecord<'a, E> = &'a mut dyn FnMut(Position, &[u8]) -> std::result::Result<(), E>;

pub(super) struct Replay<'a> {
    fs: &'a dyn FileSystem,
    dir: &'a Path,
    mode: RecoveryMode,
    /// The highest promise so far.
    promise: Position,
    /// The log has ended; later segments are read for their promises only.
    stopped: bool,
    /// The end of the last segment that was replayed.
    last: Option<End>,
    /// A discarded segment shows that more had been written than was found.
    outlived: bool,
    pub(super) result: Replayed,
}

/// How a segment ended.
struct End {
    path: PathBuf,
    /// Behind the last record.
    at: Position,
    tail: Tail,
    /// Why there is no record there.
    why: &'static str,
    /// Stale bytes may follow.
    recycled: bool,
}

impl End {
    /// Bytes that were begun and not finished. In a recycled segment garbage proves nothing, a
    /// record header does.
    fn torn_bytes(&self) -> u64 {
        match self.recycled && self.tail.header.is_none() {
            true => 0,
            false => self.tail.bytes,
        }
    }
}

impl<'a> Replay<'a> {
    pub(super) fn new(
        fs: &'a dyn FileSystem,
        dir: &'a Path,
        mode: RecoveryMode,
        promise: Position,
    ) -> Replay<'a> {
        let result = Replayed::default();
        Replay { fs, dir, mode, promise, stopped: false, last: None, outlived: false, result }
    }

    fn salvages(&self) -> bool {
        self.mode == RecoveryMode::Salvage
    }

    fn lose(&mut self, path: PathBuf, from: u64, to: Option<u64>, what: impl Into<String>) {
        self.result.lost.push(Lost { path, from, to, what: what.into() });
    }

    /// A segment that should be there is not.
    pub(super) fn missing(&mut self, number: u64) -> Result<()> {
        let path = segment_path(self.dir, number);
        if !self.salvages() {
            let error = Corruption::new(path, 0, "WAL segment", "a file", "none of that name");
            return Err(error.into());
        }
        self.lose(path, 0, None, "the segment is missing");
        Ok(())
    }

    /// Replays the segment, or reads its promises if the log has ended before it.
    pub(super) fn segment<E: From<Error>>(
        &mut self,
        number: u64,
        on_record: OnRecord<'_, E>,
    ) -> std::result::Result<(), E> {
        let path = segment_path(self.dir, number);
        let file = self.fs.open(&path, OpenMode::Read).map_err(Error::from)?;
        let bytes = file.read_all().map_err(Error::from)?;
        let header = match decode_header(&bytes, number, &path) {
            Ok(header) => header,
            Err(Error::Corruption(damage)) if self.salvages() => {
                self.lose(path, 0, Some(bytes.len() as u64), damage.to_string());
                return Ok(());
            }
            Err(_) if planted(Plant::HeaderAfterRename) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        self.promise = self.promise.max(header.durable);
        let mut reader = LogReader::new(&bytes, &header);
        if !self.continues(&header) {
            let leftover = is_leftover(&header, reader.clone());
            self.stopped |= !self.salvages();
            if self.stopped || leftover {
                self.discard(&header, reader, leftover);
                return Ok(());
            }
            self.note_gap(&header);
        }
        loop {
            for record in reader.by_ref() {
                on_record(Position::new(number, record.start), record.payload)?;
                self.result.records += 1;
                self.result.bytes += RECORD_HEADER_BYTES + record.payload.len() as u64;
            }
            let (from, why) = (reader.end(), reader.why());
            let goes_on = self.salvages() || planted(Plant::ReplayPastBadRecord);
            if !goes_on || !reader.skip_damage() {
                break;
            }
            self.lose(path.clone(), from, Some(reader.end()), why);
        }
        let tail = reader.tail();
        self.promise = self.promise.max(reader.promise()).max(tail.promise);
        self.stopped |= planted(Plant::SegmentEndUnchecked) && tail.bytes > 0;
        let recycled = header.features.ignorable & RECYCLED != 0;
        let (at, why) = (Position::new(number, reader.end()), reader.why());
        self.last = Some(End { path, at, tail, why, recycled });
        Ok(())
    }

    /// Whether a segment goes on where the last one ended.
    fn continues(&self, header: &LogHeader) -> bool {
        let Some(End { at, .. }) = &self.last else { return true };
        let planted = planted(Plant::LaterSegmentsReplayed) || planted(Plant::SegmentEndUnchecked);
        let linked = header.number == at.segment + 1 && header.previous_end == at.offset;
        !self.stopped && (linked || planted)
    }

    /// For salvage: records are missing between the last segment and this one.
    fn note_gap(&mut self, header: &LogHeader) {
        let Some(End { at, path, why, .. }) = &self.last else { return };
        let (at, path, why) = (*at, path.clone(), *why);
        if header.number != at.segment + 1 {
            // Something was said already of the segment between.
            return;
        }
        if header.previous_end > at.offset {
            self.lose(path, at.offset, Some(header.previous_end), why);
        } else {
            let what = format!("segment {} does not continue from here", header.number);
            self.lose(path, at.offset, None, what);
        }
    }

    /// Reads a segment behind the end for its promises.
    fn discard(&mut self, header: &LogHeader, mut reader: LogReader<'_>, leftover: bool) {
        reader.by_ref().for_each(drop);
        self.promise = self.promise.max(reader.promise()).max(reader.tail().promise);
        self.result.discarded_segments.push(header.number);
        self.outlived |= !leftover;
    }

    /// Compares what was found with what was promised.
    pub(super) fn finish(mut self) -> Result<Replayed> {
        let Some(last) = self.last.take() else {
            // Only salvage comes here: no segment could be read.
            return Ok(self.result);
        };
        self.result.end = last.at;
        if self.promise > last.at && !planted(Plant::PromiseIgnored) {
            let expected = format!("records, durable up to {}", self.promise);
            if !self.salvages() {
                return Err(damage(&last.path, last.at.offset, expected, last.why));
            }
            let what = format!("durable up to {} was promised; {}", self.promise, last.why);
            self.lose(last.path.clone(), last.at.offset, None, what);
        }
        let bytes = last.torn_bytes();
        if bytes > 0 || self.outlived {
            if self.mode == RecoveryMode::Strict {
                let expected = "a record, or zeros up to the end of the log";
                return Err(damage(&last.path, last.at.offset, expected, last.why));
            }
            self.result.torn = Some(TornTail { path: last.path, offset: last.at.offset, bytes });
        }
        Ok(self.result)
    }
}

/// Whether this is what a recovery that did not finish leaves: it continues none and is empty.
fn is_leftover(header: &LogHeader, mut reader: LogReader<'_>) -> bool {
    header.previous_end == 0 && reader.next().is_none() && reader.tail().header.is_none()
}
