//! What lies where in a table, for tools.

use super::Table;
use crate::format::{FOOTER_BYTES, Handle, TRAILER_BYTES};
use bytes::Bytes;

/// A part of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    /// Where it starts.
    pub offset: u64,
    /// Its length, tag and checksum included.
    pub bytes: u64,
}

/// A data block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockInfo {
    /// Where it lies.
    pub section: Section,
    /// A user key at or behind all of the block's, and at or before all of the next block's.
    pub separator: Bytes,
}

/// The parts of a table, in file order. Together they are the whole file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The data blocks.
    pub blocks: Vec<BlockInfo>,
    /// The filter, if there is one.
    pub filter: Option<Section>,
    /// The index.
    pub index: Section,
    /// The properties.
    pub properties: Section,
    /// The footer.
    pub footer: Section,
}

impl Table {
    /// Where each part of the file lies. From the index in memory, nothing is read.
    pub fn layout(&self) -> Layout {
        let footer = &self.parts.footer;
        let footer_bytes = FOOTER_BYTES as u64;
        Layout {
            blocks: (0..self.block_count()).map(|i| self.block_info(i)).collect(),
            filter: footer.filter.map(section),
            index: section(footer.index),
            properties: section(footer.properties),
            footer: Section { offset: footer.file_bytes - footer_bytes, bytes: footer_bytes },
        }
    }

    fn block_info(&self, i: usize) -> BlockInfo {
        let separator = Bytes::copy_from_slice(self.parts.index.separator(i).0);
        BlockInfo { section: section(self.handle(i)), separator }
    }
}

fn section(handle: Handle) -> Section {
    Section { offset: handle.offset, bytes: handle.bytes + TRAILER_BYTES as u64 }
}
