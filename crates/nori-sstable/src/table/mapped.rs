//! A table's file as memory.
//!
//! 1. A block's checksum is tested the first time it is looked at, not again: its bytes are those
//!    of the file, and whoever changes a table's file changes what was tested.
//! 2. Blocks that are not compressed are used where they lie, and never enter the cache.
//! 3. No value that is given away shares the mapping, or touching it could end the process later.

use super::load::check_block;
use crate::block::Block;
use crate::error::Result;
use crate::format::{Footer, Handle, TAG_PLAIN, TRAILER_BYTES};
use bytes::Bytes;
use nori_env::sync::atomic::{AtomicU8, Ordering};
use nori_env::{File, Mapping};
use std::path::Path;

/// What is known of a block.
const UNSEEN: u8 = 0;
const PLAIN: u8 = 1;
const COMPRESSED: u8 = 2;

#[derive(Debug)]
pub(crate) struct Mapped {
    bytes: Bytes,
    /// For each block.
    known: Vec<AtomicU8>,
}

impl Mapped {
    /// The file of a table with so many blocks; `None` if it cannot be mapped at its full length.
    pub(crate) fn of(file: &dyn File, footer: &Footer, blocks: usize) -> Option<Mapped> {
        // Too many mappings, or a file system without: reading does as well.
        let mapping: Mapping = file.map().ok().flatten()?;
        let is_whole = mapping.len() as u64 == footer.file_bytes;
        let known = (0..blocks).map(|_| AtomicU8::new(UNSEEN)).collect();
        is_whole.then(|| Mapped { bytes: Bytes::from_owner(mapping), known })
    }

    /// A block with its trailer; its handle lies inside the file.
    pub(crate) fn raw(&self, handle: Handle) -> &[u8] {
        let start = handle.offset as usize;
        self.bytes.get(start..start + handle.bytes as usize + TRAILER_BYTES).unwrap_or_default()
    }

    /// Block `i`, if it is not compressed.
    pub(crate) fn plain(
        &self,
        i: usize,
        path: &Path,
        id: u64,
        handle: Handle,
    ) -> Result<Option<Block>> {
        // Only tells whether a test may be spared; the bytes are the same for all.
        let known = &self.known[i];
        match known.load(Ordering::Relaxed) {
            COMPRESSED => return Ok(None),
            PLAIN => {}
            _ => {
                let (_, tag) = check_block(path, id, handle, self.raw(handle))?;
                let found = if tag == TAG_PLAIN { PLAIN } else { COMPRESSED };
                known.store(found, Ordering::Relaxed);
                if found == COMPRESSED {
                    return Ok(None);
                }
            }
        }
        let start = handle.offset as usize;
        let content = self.bytes.slice(start..start + handle.bytes as usize);
        let block = Block::parse_mapped(content).map_err(|bad| bad.at(path, handle.offset))?;
        Ok(Some(block))
    }
}
