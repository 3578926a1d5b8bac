//! Writing into the newest segment.
//!
//! 1. `at <= room <= the file's length`; bytes in `at..room` are zeros or stale, and on disk
//!    blocks that exist.
//! 2. `at` moves only behind records that were written whole.

use crate::error::{Error, Result};
use crate::log::{LogHeader, frame, record_header};
use crate::plant::{Plant, planted};
use crate::position::Position;
use nori_env::sync::Arc;
use nori_env::{File, FsError, FsResult};
use std::io;
use std::path::PathBuf;

/// A group longer than this is written in several pieces.
const GATHER_BYTES: usize = 1 << 20;
/// A payload of at least this length is written from where it lies.
const DIRECT_BYTES: usize = 256 << 10;
/// Zeros are written in pieces of this length.
const ZEROS_BYTES: usize = 64 << 10;
/// No segment grows beyond this offset.
const OFFSET_MAX: u64 = 1 << 47;

#[derive(Debug)]
pub(super) struct Appender {
    pub(super) file: Arc<dyn File>,
    /// The file's name now; `file` may have been opened under another.
    path: PathBuf,
    pub(super) header: LogHeader,
    at: u64,
    room: u64,
    /// Reused from group to group.
    buffer: Vec<u8>,
}

impl Appender {
    /// At `at` of a segment of which `room` bytes exist.
    pub(super) fn new(
        file: Arc<dyn File>,
        path: PathBuf,
        header: LogHeader,
        at: u64,
        room: u64,
    ) -> Appender {
        Appender { file, path, header, at, room: room.max(at), buffer: Vec::new() }
    }

    /// Where the next record starts.
    pub(super) fn position(&self) -> Position {
        Position::new(self.header.number, self.at)
    }

    /// Cuts the room that no record uses.
    pub(super) fn cut_room(&mut self) -> FsResult<()> {
        // Less room than there is would only be made again; more would be written past.
        self.room = self.at;
        self.file.truncate(self.at).map_err(|e| self.named(e))
    }

    /// Takes another segment's place and keeps its buffer.
    pub(super) fn replace(&mut self, mut next: Appender) {
        next.buffer = std::mem::take(&mut self.buffer);
        *self = next;
    }

    /// Makes at least `bytes` of room, by `grow` at a time. Failure changes nothing that counts.
    pub(super) fn make_room(&mut self, bytes: u64, grow: u64) -> Result<()> {
        let needed = self.at.saturating_add(bytes);
        if needed <= self.room {
            return Ok(());
        }
        if needed > OFFSET_MAX {
            return Err(Error::TooLarge { bytes, bytes_max: OFFSET_MAX - self.at });
        }
        let room = needed.max(self.room.saturating_add(grow).min(OFFSET_MAX));
        // Real zeros: blocks that are only promised would cost the next sync a journal commit.
        write_zeros(&*self.file, self.room, room).map_err(|e| Error::growing(self.named(e)))?;
        self.room = room;
        Ok(())
    }

    /// Writes records that make up `bytes`; `durable` is what they promise.
    pub(super) fn write<'a>(
        &mut self,
        payloads: impl Iterator<Item = &'a [u8]>,
        durable: Position,
        bytes: u64,
    ) -> FsResult<Position> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        let written = self.write_through(&mut buffer, payloads, durable);
        self.buffer = buffer;
        let end = written.map_err(|e| self.named(e))?;
        if end - self.at != bytes {
            let source = io::Error::other("the payloads changed while they were written");
            return Err(FsError::new("append", &self.path, source));
        }
        self.at = end;
        Ok(self.position())
    }

    fn write_through<'a>(
        &self,
        buffer: &mut Vec<u8>,
        payloads: impl Iterator<Item = &'a [u8]>,
        durable: Position,
    ) -> FsResult<u64> {
        // Where the buffer's first byte goes.
        let mut at = self.at;
        for payload in payloads {
            let start = at + buffer.len() as u64;
            let durable = match planted(Plant::PromisesOwnGroup) {
                true => Position::new(self.header.number, start),
                false => durable,
            };
            if payload.len() < DIRECT_BYTES {
                frame(buffer, &self.header, start, payload, durable);
            } else {
                buffer.extend_from_slice(&record_header(&self.header, start, payload, durable));
                at = self.flush(buffer, at)?;
                self.file.write_at(payload, at)?;
                at += payload.len() as u64;
            }
            if buffer.len() >= GATHER_BYTES {
                at = self.flush(buffer, at)?;
            }
        }
        self.flush(buffer, at)
    }

    fn flush(&self, buffer: &mut Vec<u8>, at: u64) -> FsResult<u64> {
        if buffer.is_empty() {
            return Ok(at);
        }
        self.file.write_at(buffer, at)?;
        let end = at + buffer.len() as u64;
        buffer.clear();
        Ok(end)
    }

    /// The error under the segment's present name.
    fn named(&self, error: FsError) -> FsError {
        FsError { path: self.path.clone(), ..error }
    }
}

/// Fills `from..to` of a file with zeros.
pub(super) fn write_zeros(file: &dyn File, from: u64, to: u64) -> FsResult<()> {
    let wanted = usize::try_from(to - from).unwrap_or(usize::MAX);
    let zeros = vec![0; wanted.min(ZEROS_BYTES)];
    let mut at = from;
    while at < to {
        let piece = zeros.len().min(usize::try_from(to - at).unwrap_or(usize::MAX));
        file.write_at(&zeros[..piece], at)?;
        at += piece as u64;
    }
    Ok(())
}
