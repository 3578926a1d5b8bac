//! A stream of frames. Pure but for reading its input.
//!
//! ```text
//! header, 32 bytes:
//!      0   8  magic "nori-exp"
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
//! kind 1, keyspace: its name; the entries that follow are in it
//! kind 2, entries:  (varint length, key, varint length, value)+
//!                   each begins within the first 64 KiB
//! kind 3, end:      keyspaces 8 | entries 8 | bytes of keys and values 8; nothing follows
//! ```
//!
//! Numbers are little-endian.
//!
//! 1. A frame's checksum covers its number and is made under the stream's id: frames that were
//!    swapped, left out, or taken from another stream do not check.
//! 2. A payload is read as it comes, in pieces: a length that lies takes no memory. It is believed
//!    only once it checks, and it is at most one entry of the longest kind, and a bit.

use super::{Decoder, Item, StreamTally, damaged, failed};
use crate::error::{Error, Result};
use nori_types::{Checksum, KEY_BYTES_MAX, Reader, checksum, put_varint};
use std::io::{ErrorKind, Read};
use std::path::Path;

pub(super) const MAGIC: &[u8; 8] = b"nori-exp";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 32;
const FRAME_BYTES: usize = 9;
const KEYSPACE: u8 = 1;
const ENTRIES: u8 = 2;
const END: u8 = 3;
/// Entries are put together until a frame is this long.
const ENOUGH_BYTES: usize = 64 << 10;
/// The longest value, as tables have it, with its key and their lengths.
const PAYLOAD_BYTES_MAX: u32 = (1 << 30) + KEY_BYTES_MAX as u32 + 32 + ENOUGH_BYTES as u32;

/// Makes frames.
pub(super) struct Encoder {
    id: u64,
    frames: u64,
    pending: Vec<u8>,
}

impl Encoder {
    /// Begins a stream.
    pub(super) fn new(id: u64, out: &mut Vec<u8>) -> Encoder {
        let mut header = Vec::with_capacity(HEADER_BYTES);
        header.extend_from_slice(MAGIC);
        header.extend_from_slice(&VERSION.to_le_bytes());
        header.extend_from_slice(&[0; 4]);
        header.extend_from_slice(&id.to_le_bytes());
        header.extend_from_slice(&[0; 4]);
        let sum = checksum(0, &header);
        header.extend_from_slice(&sum.to_le_bytes());
        out.extend_from_slice(&header);
        Encoder { id, frames: 0, pending: Vec::new() }
    }

    pub(super) fn keyspace(&mut self, name: &str, out: &mut Vec<u8>) {
        self.entries(out);
        self.frame(KEYSPACE, name.as_bytes(), out);
    }

    pub(super) fn entry(&mut self, key: &[u8], value: &[u8], out: &mut Vec<u8>) {
        for bytes in [key, value] {
            put_varint(&mut self.pending, bytes.len() as u64);
            self.pending.extend_from_slice(bytes);
        }
        if self.pending.len() >= ENOUGH_BYTES {
            self.entries(out);
        }
    }

    pub(super) fn end(&mut self, tally: &StreamTally, out: &mut Vec<u8>) {
        self.entries(out);
        let counts = [tally.keyspaces, tally.entries, tally.bytes];
        let payload: Vec<u8> = counts.into_iter().flat_map(u64::to_le_bytes).collect();
        self.frame(END, &payload, out);
    }

    fn entries(&mut self, out: &mut Vec<u8>) {
        let pending = std::mem::take(&mut self.pending);
        if !pending.is_empty() {
            self.frame(ENTRIES, &pending, out);
        }
        self.pending = pending;
        self.pending.clear();
    }

    /// A frame of entries, the one numbered `frame`, whatever is in it.
    #[cfg(test)]
    pub(super) fn raw(&mut self, frame: u64, payload: &[u8], out: &mut Vec<u8>) {
        self.frames = frame;
        self.frame(ENTRIES, payload, out);
    }

    fn frame(&mut self, kind: u8, payload: &[u8], out: &mut Vec<u8>) {
        let length = u32::try_from(payload.len()).expect("an entry is shorter than 4 GiB");
        out.extend_from_slice(&length.to_le_bytes());
        out.push(kind);
        out.extend_from_slice(&frame_sum(self.id, self.frames, kind, payload).to_le_bytes());
        out.extend_from_slice(payload);
        self.frames += 1;
    }
}

fn frame_sum(id: u64, number: u64, kind: u8, payload: &[u8]) -> u32 {
    let mut sum = Checksum::new(id);
    sum.update(&number.to_le_bytes()).update(&[kind]);
    sum.update(&(payload.len() as u64).to_le_bytes()).update(payload).finish()
}

/// Reads frames.
pub(super) struct FrameDecoder<'a> {
    input: &'a mut dyn Read,
    path: &'a Path,
    id: u64,
    frames: u64,
    offset: u64,
    payload: Vec<u8>,
    is_ended: bool,
}

impl<'a> FrameDecoder<'a> {
    /// Reads the header.
    pub(super) fn new(input: &'a mut dyn Read, path: &'a Path) -> Result<FrameDecoder<'a>> {
        let mut decoder = FrameDecoder {
            input,
            path,
            id: 0,
            frames: 0,
            offset: 0,
            payload: Vec::new(),
            is_ended: false,
        };
        let mut header = [0; HEADER_BYTES];
        decoder.fill(&mut header, "the header of an export")?;
        let u32_at = |at: usize| {
            u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        let wrong = |what: &str, expected: String, found: String| {
            Err(damaged(path, 0, what, expected, found))
        };
        if header[..8] != *MAGIC {
            let found = header[..8].escape_ascii().to_string();
            return wrong("the magic of an export", MAGIC.escape_ascii().to_string(), found);
        }
        let sum = checksum(0, &header[..28]);
        if sum != u32_at(28) {
            let found = format!("{:08x}", u32_at(28));
            return wrong("the checksum of the header", format!("{sum:08x}"), found);
        }
        if u32_at(8) > VERSION {
            return Err(Error::FormatTooNew {
                path: path.to_path_buf(),
                what: "the format of an export".to_string(),
                found: u32_at(8).into(),
                supported: VERSION.into(),
            });
        }
        if u32_at(8) == 0 || u32_at(12) != 0 || u32_at(24) != 0 {
            return wrong("the header of an export", "version 1 and zeros".into(), "others".into());
        }
        decoder.id = u64::from(u32_at(16)) | u64::from(u32_at(20)) << 32;
        Ok(decoder)
    }

    /// Bytes of memory taken for a payload.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.payload.capacity()
    }

    /// Fills a buffer; the end of the input is an error.
    fn fill(&mut self, buffer: &mut [u8], what: &str) -> Result<()> {
        match self.input.read_exact(buffer) {
            Ok(()) => {
                self.offset += buffer.len() as u64;
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(self.cut(what)),
            Err(error) => Err(failed("read", self.path, error)),
        }
    }

    fn cut(&self, what: &str) -> Error {
        damaged(self.path, self.offset, what, "all of it", "the end of the input")
    }

    fn frame(&mut self) -> Result<u8> {
        let mut head = [0; FRAME_BYTES];
        let start = self.offset;
        self.fill(&mut head, "a frame's head; the stream has no end frame")?;
        let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
        if length > PAYLOAD_BYTES_MAX {
            let expected = format!("at most {PAYLOAD_BYTES_MAX}");
            return Err(damaged(self.path, start, "the length of a frame", expected, length));
        }
        self.payload.clear();
        let mut piece = (&mut self.input).take(length.into());
        let read = piece
            .read_to_end(&mut self.payload)
            .map_err(|error| failed("read", self.path, error))?;
        self.offset += read as u64;
        if read as u64 != u64::from(length) {
            return Err(self.cut("a frame's payload"));
        }
        let sum = frame_sum(self.id, self.frames, head[4], &self.payload);
        let found = u32::from_le_bytes([head[5], head[6], head[7], head[8]]);
        if sum != found {
            let what = format!("the checksum of frame {}", self.frames);
            let (sum, found) = (format!("{sum:08x}"), format!("{found:08x}"));
            return Err(damaged(self.path, start, &what, sum, found));
        }
        self.frames += 1;
        Ok(head[4])
    }

    fn wrong(&self, expected: &str, found: impl ToString) -> Error {
        let start = self.offset - self.payload.len() as u64;
        damaged(self.path, start, "a frame", expected, found)
    }

    fn entries(&self, items: &mut Vec<Item>) -> Result<()> {
        let mut reader = Reader::new(&self.payload);
        while !reader.is_empty() {
            // So many entries at most, however long the frame: see `ENOUGH_BYTES`.
            if self.payload.len() - reader.rest().len() >= ENOUGH_BYTES {
                return Err(self.wrong("no entry that begins so late", "one"));
            }
            let key = reader.length_prefixed();
            let value = reader.length_prefixed();
            let (Ok(key), Ok(value)) = (key, value) else {
                return Err(self.wrong("keys and values", "half of one"));
            };
            items.push(Item::Entry(key.to_vec(), value.to_vec()));
        }
        Ok(())
    }

    fn end(&mut self) -> Result<StreamTally> {
        let mut reader = Reader::new(&self.payload);
        let counts = [reader.u64(), reader.u64(), reader.u64()];
        let ([Ok(keyspaces), Ok(entries), Ok(bytes)], true) = (counts, reader.is_empty()) else {
            return Err(self.wrong("three counts", "others"));
        };
        let mut behind = [0; 1];
        let more = self.input.read(&mut behind).map_err(|e| failed("read", self.path, e))?;
        if more > 0 {
            return Err(damaged(self.path, self.offset, "an export", "its end", "more bytes"));
        }
        Ok(StreamTally { keyspaces, entries, bytes })
    }
}

impl Decoder for FrameDecoder<'_> {
    fn next(&mut self, items: &mut Vec<Item>) -> Result<bool> {
        if self.is_ended {
            return Ok(false);
        }
        match self.frame()? {
            KEYSPACE => match std::str::from_utf8(&self.payload) {
                Ok(name) => items.push(Item::Keyspace(name.to_string())),
                Err(_) => return Err(self.wrong("a keyspace's name", "no text")),
            },
            ENTRIES => self.entries(items)?,
            END => {
                self.is_ended = true;
                items.push(Item::End(self.end()?));
            }
            kind => return Err(self.wrong("kind 1, 2 or 3", kind)),
        }
        Ok(true)
    }
}
