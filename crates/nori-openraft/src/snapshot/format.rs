//! A snapshot's bytes.
//!
//! ```text
//! header, 32 bytes:
//!      0   8  magic "nori-rsn"
//!      8   4  format version, 1
//!     12   4  zero
//!     16   8  id, random
//!     24   4  zero
//!     28   4  checksum of bytes 0..28
//!
//! frame*, numbered from 0:
//!      0   4  length of the payload, n
//!      4   1  kind
//!      5   4  checksum of number, kind, n and payload, under the salt id
//!      9   n  payload
//!
//! kind 1, meta:     log id and membership of the state, MessagePack; the first frame
//! kind 2, entries:  (varint length, key, varint length, value)+
//! kind 3, end:      entries 8 | bytes of keys and values 8; nothing follows
//! ```
//!
//! Numbers are little-endian.
//!
//! 1. A frame's checksum covers its number and is made under the file's id: frames that were
//!    swapped, left out, or taken from another snapshot do not check.
//! 2. A file that was cut anywhere has no end frame, and is an error.
//! 3. No length is believed that is longer than the rest of the file.

use crate::error::{Error, Result};
use nori_env::File;
use nori_env::sync::Arc;
use nori_types::{Checksum, KEY_BYTES_MAX, Reader, checksum, put_varint};

const MAGIC: &[u8; 8] = b"nori-rsn";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 32;
const FRAME_BYTES: usize = 9;
const META: u8 = 1;
const ENTRIES: u8 = 2;
const END: u8 = 3;
/// Entries are put together until a frame is this long.
const ENOUGH_BYTES: usize = 64 << 10;
/// The longest value with its key, their lengths, and what may stand before it in a frame.
const PAYLOAD_BYTES_MAX: u64 = (1 << 30) + KEY_BYTES_MAX as u64 + 32 + ENOUGH_BYTES as u64;

/// Writes a snapshot to a new file.
pub(super) struct SnapshotWriter {
    file: Arc<dyn File>,
    at: u64,
    id: u64,
    frames: u64,
    pending: Vec<u8>,
    entries: u64,
    bytes: u64,
}

impl SnapshotWriter {
    /// Begins it; `meta` is what the first frame holds.
    pub(super) fn new(file: Arc<dyn File>, id: u64, meta: &[u8]) -> Result<SnapshotWriter> {
        let mut header = Vec::with_capacity(HEADER_BYTES);
        header.extend_from_slice(MAGIC);
        header.extend_from_slice(&VERSION.to_le_bytes());
        header.extend_from_slice(&[0; 4]);
        header.extend_from_slice(&id.to_le_bytes());
        header.extend_from_slice(&[0; 4]);
        let sum = checksum(0, &header);
        header.extend_from_slice(&sum.to_le_bytes());
        file.write_at(&header, 0)?;
        let (at, pending) = (HEADER_BYTES as u64, Vec::new());
        let mut this = SnapshotWriter { file, at, id, frames: 0, pending, entries: 0, bytes: 0 };
        this.frame(META, meta)?;
        Ok(this)
    }

    pub(super) fn entry(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        for bytes in [key, value] {
            put_varint(&mut self.pending, bytes.len() as u64);
            self.pending.extend_from_slice(bytes);
        }
        self.entries += 1;
        self.bytes += (key.len() + value.len()) as u64;
        if self.pending.len() >= ENOUGH_BYTES { self.flush() } else { Ok(()) }
    }

    /// Ends it; returns its length.
    pub(super) fn end(mut self) -> Result<u64> {
        self.flush()?;
        let payload: Vec<u8> =
            [self.entries, self.bytes].into_iter().flat_map(u64::to_le_bytes).collect();
        self.frame(END, &payload)?;
        Ok(self.at)
    }

    fn flush(&mut self) -> Result<()> {
        let mut pending = std::mem::take(&mut self.pending);
        if !pending.is_empty() {
            self.frame(ENTRIES, &pending)?;
        }
        pending.clear();
        self.pending = pending;
        Ok(())
    }

    fn frame(&mut self, kind: u8, payload: &[u8]) -> Result<()> {
        let length = u32::try_from(payload.len()).expect("an entry is shorter than 4 GiB");
        let mut frame = Vec::with_capacity(FRAME_BYTES + payload.len());
        frame.extend_from_slice(&length.to_le_bytes());
        frame.push(kind);
        frame.extend_from_slice(&frame_sum(self.id, self.frames, kind, payload).to_le_bytes());
        frame.extend_from_slice(payload);
        self.file.write_at(&frame, self.at)?;
        self.at += frame.len() as u64;
        self.frames += 1;
        Ok(())
    }
}

fn frame_sum(id: u64, number: u64, kind: u8, payload: &[u8]) -> u32 {
    let mut sum = Checksum::new(id);
    sum.update(&number.to_le_bytes()).update(&[kind]);
    sum.update(&(payload.len() as u64).to_le_bytes()).update(payload).finish()
}

/// Reads a snapshot and checks every byte of it.
pub(super) struct SnapshotReader {
    file: Arc<dyn File>,
    len: u64,
    at: u64,
    id: u64,
    frames: u64,
    payload: Vec<u8>,
    entries: u64,
    bytes: u64,
}

impl SnapshotReader {
    /// Reads the header and the first frame, and returns what it holds.
    pub(super) fn new(file: Arc<dyn File>) -> Result<(SnapshotReader, Vec<u8>)> {
        let len = file.len()?;
        let mut this = SnapshotReader {
            file,
            len,
            at: 0,
            id: 0,
            frames: 0,
            payload: Vec::new(),
            entries: 0,
            bytes: 0,
        };
        this.id = this.header()?;
        match this.frame()? {
            META => {
                let meta = std::mem::take(&mut this.payload);
                Ok((this, meta))
            }
            kind => Err(this.wrong("kind 1 in the first frame", kind)),
        }
    }

    /// The next entries; none at the end, when all of it was checked.
    pub(super) fn next_entries(&mut self) -> Result<Option<Vec<(&[u8], &[u8])>>> {
        match self.frame()? {
            ENTRIES => self.take_entries().map(Some),
            END => self.end().map(|()| None),
            kind => Err(self.wrong("kind 2 or 3", kind)),
        }
    }

    fn header(&mut self) -> Result<u64> {
        let mut header = [0; HEADER_BYTES];
        self.fill(&mut header, "the header of a snapshot")?;
        let u32_at = |at: usize| {
            u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        let path = self.file.path();
        if header[..8] != *MAGIC {
            let (expected, found) = (MAGIC.escape_ascii(), header[..8].escape_ascii());
            return Err(Error::corrupt(path, 0, "the magic of a snapshot", expected, found));
        }
        let sum = checksum(0, &header[..28]);
        if sum != u32_at(28) {
            let (sum, found) = (format!("{sum:08x}"), format!("{:08x}", u32_at(28)));
            return Err(Error::corrupt(path, 0, "the checksum of the header", sum, found));
        }
        if u32_at(8) > VERSION {
            let what = "the format of a snapshot".to_string();
            let (found, supported) = (u32_at(8).into(), VERSION.into());
            return Err(Error::FormatTooNew { what, found, supported });
        }
        if u32_at(8) == 0 || u32_at(12) != 0 || u32_at(24) != 0 {
            let (what, expected) = ("the header of a snapshot", "version 1 and zeros");
            return Err(Error::corrupt(path, 0, what, expected, "others"));
        }
        Ok(u64::from(u32_at(16)) | u64::from(u32_at(20)) << 32)
    }

    fn fill(&mut self, buffer: &mut [u8], what: &str) -> Result<()> {
        if self.len - self.at < buffer.len() as u64 {
            let (path, expected) = (self.file.path(), "all of it");
            return Err(Error::corrupt(path, self.at, what, expected, "the end of the file"));
        }
        self.file.read_exact_at(buffer, self.at)?;
        self.at += buffer.len() as u64;
        Ok(())
    }

    /// Reads a frame and checks it; returns its kind.
    fn frame(&mut self) -> Result<u8> {
        let (mut head, start) = ([0; FRAME_BYTES], self.at);
        self.fill(&mut head, "a frame's head; the snapshot has no end frame")?;
        let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
        let most = PAYLOAD_BYTES_MAX.min(self.len - self.at);
        if u64::from(length) > most {
            let (path, expected) = (self.file.path(), format!("at most {most}"));
            return Err(Error::corrupt(path, start, "the length of a frame", expected, length));
        }
        let mut payload = std::mem::take(&mut self.payload);
        payload.resize(length as usize, 0);
        self.fill(&mut payload, "a frame's payload")?;
        self.payload = payload;
        let sum = frame_sum(self.id, self.frames, head[4], &self.payload);
        let found = u32::from_le_bytes([head[5], head[6], head[7], head[8]]);
        if sum != found {
            let what = format!("the checksum of frame {}", self.frames);
            let (sum, found) = (format!("{sum:08x}"), format!("{found:08x}"));
            return Err(Error::corrupt(self.file.path(), start, what, sum, found));
        }
        self.frames += 1;
        Ok(head[4])
    }

    fn wrong(&self, expected: &str, found: impl ToString) -> Error {
        let start = self.at - self.payload.len() as u64;
        Error::corrupt(self.file.path(), start, "a frame", expected, found)
    }

    fn take_entries(&mut self) -> Result<Vec<(&[u8], &[u8])>> {
        let (mut entries, mut reader) = (Vec::new(), Reader::new(&self.payload));
        while !reader.is_empty() {
            let (key, value) = (reader.length_prefixed(), reader.length_prefixed());
            let (Ok(key), Ok(value)) = (key, value) else {
                return Err(self.wrong("keys and values", "half of one"));
            };
            self.entries += 1;
            self.bytes += (key.len() + value.len()) as u64;
            entries.push((key, value));
        }
        Ok(entries)
    }

    fn end(&mut self) -> Result<()> {
        let mut reader = Reader::new(&self.payload);
        let (entries, bytes) = (reader.u64(), reader.u64());
        let (Ok(entries), Ok(bytes), true) = (entries, bytes, reader.is_empty()) else {
            return Err(self.wrong("two counts", "others"));
        };
        let (told, found) = ((entries, bytes), (self.entries, self.bytes));
        if told != found {
            return Err(self.wrong(&format!("{found:?} entries and bytes"), format!("{told:?}")));
        }
        if self.at != self.len {
            let path = self.file.path();
            return Err(Error::corrupt(path, self.at, "a snapshot", "its end", "more bytes"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
