//! Reads a table's frame: footer, properties, index, filter.
//!
//! 1. No length is believed before it fits the file and its bytes have the right checksum.
//! 2. What is read at once is at most what the file holds behind its data blocks.
//! 3. A thread keeps at most [`SCRATCH_BYTES_MAX`] for reads between them.

use crate::compress::{Stored, content};
use crate::error::Result;
use crate::format::{FOOTER_BYTES, Footer, Handle, TRAILER_BYTES, salt};
use crate::index::Index;
use crate::properties::Properties;
use bytes::Bytes;
use nori_bloom::Filter;
use nori_env::File;
use nori_types::{Checksum, Corruption, FormatTooNew};
use std::cell::Cell;
use std::path::Path;

/// A table's frame, in memory.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) footer: Footer,
    pub(crate) properties: Properties,
    pub(crate) index: Index,
    pub(crate) filter: Filter,
}

impl Parts {
    pub(crate) fn read(file: &dyn File) -> Result<Parts> {
        let path = file.path();
        let footer = read_footer(file)?;
        let start = footer.data_end();
        let end = footer.file_bytes - FOOTER_BYTES as u64;
        let tail = read_range(file, start, end - start)?;
        let block = |handle: Handle| {
            let from = (handle.offset - start) as usize;
            let to = from + handle.bytes as usize + TRAILER_BYTES;
            open_block(path, footer.id, handle, tail.slice(from..to))
        };
        let properties = parse_properties(path, &footer, &block(footer.properties)?)?;
        let index = parse_index(path, &footer, block(footer.index)?)?;
        let filter = match footer.filter {
            Some(handle) => parse_filter(path, handle.offset, &block(handle)?)?,
            None => Filter::none(),
        };
        if index.len() as u64 != properties.data_blocks {
            let (found, what) = (properties.data_blocks, "data blocks in the properties");
            let offset = footer.properties.offset;
            return Err(Corruption::new(path, offset, what, index.len(), found).into());
        }
        Ok(Parts { footer, properties, index, filter })
    }

    /// Bytes that stay in memory while the table is open.
    pub(crate) fn memory_bytes(&self) -> u64 {
        (self.index.bytes() + self.filter.bytes()) as u64
    }
}

pub(crate) fn read_footer(file: &dyn File) -> Result<Footer> {
    let (path, len) = (file.path(), file.len()?);
    let Some(offset) = len.checked_sub(FOOTER_BYTES as u64) else {
        let expected = format!("at least {FOOTER_BYTES} bytes");
        return Err(Corruption::new(path, 0, "length of the table", expected, len).into());
    };
    let mut footer = [0; FOOTER_BYTES];
    file.read_exact_at(&mut footer, offset)?;
    Footer::decode(&footer, len).map_err(|bad| bad.at(path, offset))
}

pub(crate) fn parse_index(path: &Path, footer: &Footer, content: Bytes) -> Result<Index> {
    Index::parse(content, footer.data_end()).map_err(|bad| bad.at(path, footer.index.offset))
}

pub(crate) fn parse_properties(path: &Path, footer: &Footer, content: &[u8]) -> Result<Properties> {
    Properties::decode(content).map_err(|bad| bad.at(path, footer.properties.offset))
}

pub(crate) fn parse_filter(path: &Path, offset: u64, content: &[u8]) -> Result<Filter> {
    Filter::parse(content).map_err(|error| match error {
        nori_bloom::Error::TooNew { found, supported } => {
            let (what, path) = ("filter format version".to_string(), path.to_path_buf());
            FormatTooNew { path, what, found: found.into(), supported: supported.into() }.into()
        }
        nori_bloom::Error::Invalid { what, expected, found } => {
            Corruption::new(path, offset, what, expected, found).into()
        }
    })
}

/// Reads a range that lies inside the file.
pub(crate) fn read_range(file: &dyn File, offset: u64, bytes: u64) -> Result<Bytes> {
    let mut buffer = vec![0; bytes as usize];
    file.read_exact_at(&mut buffer, offset)?;
    Ok(Bytes::from(buffer))
}

/// Larger blocks are read into memory of their own.
const SCRATCH_BYTES_MAX: usize = 32 << 10;

thread_local! {
    /// What this thread reads small blocks into, before they are decompressed or copied out: fresh
    /// memory for each would be allocated, cleared and freed again.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Reads the content of a block whose handle lies inside the file.
pub(crate) fn read_block(file: &dyn File, id: u64, handle: Handle) -> Result<Bytes> {
    let bytes = handle.bytes.saturating_add(TRAILER_BYTES as u64);
    if bytes > SCRATCH_BYTES_MAX as u64 {
        let raw = read_range(file, handle.offset, bytes)?;
        return open_block(file.path(), id, handle, raw);
    }
    // A thread that is ending may have none any more, and begins anew each time.
    let mut scratch = SCRATCH.try_with(Cell::take).unwrap_or_default();
    let made = read_small_block(file, id, handle, bytes as usize, &mut scratch);
    let _ = SCRATCH.try_with(|kept| kept.set(scratch));
    made
}

fn read_small_block(
    file: &dyn File,
    id: u64,
    handle: Handle,
    bytes: usize,
    scratch: &mut Vec<u8>,
) -> Result<Bytes> {
    if scratch.len() < bytes {
        scratch.resize(bytes, 0);
    }
    let raw = &mut scratch[..bytes];
    file.read_exact_at(raw, handle.offset)?;
    open_lent(file.path(), id, handle, raw)
}

/// The content of a block, from payload and trailer.
pub(crate) fn open_block(path: &Path, id: u64, handle: Handle, raw: Bytes) -> Result<Bytes> {
    let (payload, tag) = check_block(path, id, handle, &raw)?;
    let made = content(Stored::Owned(raw.slice(..payload.len())), tag);
    made.map_err(|bad| bad.at(path, handle.offset))
}

/// The content of a block that lies in memory.
pub(crate) fn open_lent(path: &Path, id: u64, handle: Handle, raw: &[u8]) -> Result<Bytes> {
    let (payload, tag) = check_block(path, id, handle, raw)?;
    content(Stored::Lent(payload), tag).map_err(|bad| bad.at(path, handle.offset))
}

/// The payload and the tag of a block whose checksum is right.
pub(crate) fn check_block<'a>(
    path: &Path,
    id: u64,
    handle: Handle,
    raw: &'a [u8],
) -> Result<(&'a [u8], u8)> {
    let damaged = || Corruption::new(path, handle.offset, "block", "a trailer", "fewer bytes");
    let (covered, sum) = raw.split_last_chunk::<4>().ok_or_else(damaged)?;
    let (&tag, payload) = covered.split_last().ok_or_else(damaged)?;
    let expected = u32::from_le_bytes(*sum);
    let found = Checksum::new(salt(id, handle.offset)).update(covered).finish();
    if expected != found {
        return Err(Corruption::checksum(path, handle.offset, "block", expected, found).into());
    }
    Ok((payload, tag))
}
