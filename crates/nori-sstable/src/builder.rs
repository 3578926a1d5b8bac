//! Writes a table, front to back, in one pass.
//!
//! 1. Entries ascend (user key, then sequence number descending); one that does not is refused
//!    and changes nothing.
//! 2. A block ends before the entry that would take it beyond its target, so its separator can be
//!    chosen between the entries on both sides. A larger entry is a block of its own.
//! 3. `finish` has written everything; the caller syncs the file and its directory before anyone
//!    may rely on the table. A builder that failed or was dropped leaves a file to be removed.

use crate::block::BlockBuilder;
use crate::compress::Compressor;
use crate::error::{Error, Result};
use crate::format::{
    FOOTER_BYTES, Footer, Mark, STORED_KEY_BYTES_MAX, TAG_PLAIN, VALUE_BYTES_MAX, order,
};
use crate::index::shortest_separator;
use crate::options::TableOptions;
use crate::properties::{MERGED_FROM_MAX, Properties};
use crate::writer::BlockWriter;
use bytes::Bytes;
use nori_bloom::FilterBuilder;
use nori_env::File;
use nori_env::sync::Arc;
use nori_types::{FileNumber, InternalKey, SeqNo, TableMeta, ValueKind, put_varint};
use std::cmp::Ordering;
use std::ops::RangeInclusive;

/// Smaller targets would make more index than data, larger ones less than a useful index.
const BLOCK_BYTES: RangeInclusive<usize> = 64..=(16 << 20);
/// Content lengths and restart points are 32-bit numbers; a block of one largest entry fits.
const INDEX_BYTES_MAX: u64 = u32::MAX as u64 / 2;
/// Header, marks and restart of an entry take no more.
const ENTRY_OVERHEAD_BYTES: usize = 32;

/// Writes the entries of one table to a new file.
pub struct TableBuilder {
    writer: BlockWriter,
    number: FileNumber,
    block_bytes: usize,
    compressor: Compressor,
    block: BlockBuilder,
    index: BlockBuilder,
    filter: FilterBuilder,
    properties: Properties,
    last: Option<Last>,
    separator: Vec<u8>,
    has_failed: bool,
}

/// The entry added last; its key's memory is used again.
struct Last {
    user_key: Vec<u8>,
    mark: Mark,
}

impl TableBuilder {
    /// Starts a table in an empty file. `id` is random, from
    /// [`FileSystem::random`](nori_env::FileSystem::random): blocks are bound to it.
    pub fn new(
        file: Arc<dyn File>,
        number: FileNumber,
        id: u64,
        options: TableOptions,
    ) -> TableBuilder {
        TableBuilder {
            writer: BlockWriter::new(file, id),
            number,
            block_bytes: options.block_bytes.clamp(*BLOCK_BYTES.start(), *BLOCK_BYTES.end()),
            compressor: Compressor::new(options.compression),
            block: BlockBuilder::new(options.restart_interval),
            index: BlockBuilder::new(1),
            filter: FilterBuilder::new(options.bloom_bits_per_key),
            properties: Properties { seq_min: SeqNo::MAX, ..Properties::default() },
            last: None,
            separator: Vec::new(),
            has_failed: false,
        }
    }

    /// Notes in the properties when the table was written, in milliseconds since 1970.
    pub fn created_at(mut self, unix_ms: u64) -> TableBuilder {
        self.properties.created_unix_ms = unix_ms;
        self
    }

    /// Says which tables were merged into this one with all keys they have between its first and
    /// its last, ascending, at most 256; more are as none. Noted in the properties if an entry has
    /// the sequence number zero.
    pub fn merged_from(mut self, tables: &[FileNumber]) -> TableBuilder {
        if tables.len() <= MERGED_FROM_MAX {
            self.properties.merged_from = tables.to_vec();
        }
        self
    }

    /// Adds the next entry. After [`Error::Io`] the builder is of no more use; after any other
    /// error the entry was refused and the builder goes on.
    pub fn add(&mut self, key: InternalKey<'_>, value: &[u8]) -> Result<()> {
        self.check(&key, value)?;
        let mark = Mark::of(&key);
        let is_new_key = self.last.as_ref().is_none_or(|last| last.user_key != key.user_key);
        let entry_bytes = key.user_key.len() + value.len() + ENTRY_OVERHEAD_BYTES;
        let bytes = self.block.bytes().saturating_add(entry_bytes);
        if !self.block.is_empty() && bytes > self.block_bytes + ENTRY_OVERHEAD_BYTES {
            self.end_block(Some(key.user_key))?;
        }
        if is_new_key {
            self.filter.add(nori_bloom::hash(key.user_key));
            self.properties.keys += 1;
        }
        self.block.add(key.user_key, mark, value);
        self.count(&key, value);
        let last = self.last.get_or_insert_with(|| Last { user_key: Vec::new(), mark });
        if is_new_key {
            last.user_key.clear();
            last.user_key.extend_from_slice(key.user_key);
        }
        last.mark = mark;
        Ok(())
    }

    /// Bytes the table would have if it were finished now, about.
    pub fn estimated_bytes(&self) -> u64 {
        let rest = self.block.bytes() + self.index.bytes() + self.filter.finished_bytes();
        self.writer.offset() + rest as u64 + FOOTER_BYTES as u64
    }

    /// Entries added.
    pub fn entries(&self) -> u64 {
        self.properties.entries
    }

    /// The user key added last.
    pub fn last_user_key(&self) -> Option<&[u8]> {
        self.last.as_ref().map(|last| &last.user_key[..])
    }

    /// Writes what is left. The caller syncs the file and its directory. A table without entries
    /// is [`Error::InvalidInput`].
    pub fn finish(mut self) -> Result<TableMeta> {
        if self.last.is_none() || self.has_failed {
            let what = "a table needs an entry, and a builder that has not failed";
            return Err(Error::InvalidInput { what });
        }
        self.end_block(None)?;
        let filter = self.filter.finish();
        let filter = match filter.is_empty() {
            true => None,
            false => Some(self.writer.block(&filter, TAG_PLAIN)?),
        };
        let (payload, tag) = self.compressor.payload(self.index.finish());
        let index = self.writer.block(payload, tag)?;
        self.properties.largest = self.last.map(|l| Bytes::from(l.user_key)).unwrap_or_default();
        if self.properties.seq_min > SeqNo::ZERO {
            self.properties.merged_from.clear();
        }
        let properties = self.writer.block(&self.properties.encode(), TAG_PLAIN)?;
        let id = self.writer.id();
        let file_bytes = self.writer.offset() + FOOTER_BYTES as u64;
        let footer = Footer {
            incompatible: 0,
            read_compatible: 0,
            ignorable: 0,
            id,
            file_bytes,
            index,
            filter,
            properties,
        };
        self.writer.finish(&footer.encode())?;
        Ok(meta(self.number, id, file_bytes, &self.properties))
    }

    fn check(&self, key: &InternalKey<'_>, value: &[u8]) -> Result<()> {
        let too_large = |what, bytes, bytes_max| Err(Error::TooLarge { what, bytes, bytes_max });
        if self.has_failed {
            return Err(Error::InvalidInput { what: "the builder has failed before" });
        }
        if key.user_key.len() as u64 > STORED_KEY_BYTES_MAX {
            return too_large("key", key.user_key.len() as u64, STORED_KEY_BYTES_MAX);
        }
        if value.len() as u64 > VALUE_BYTES_MAX {
            return too_large("value", value.len() as u64, VALUE_BYTES_MAX);
        }
        if self.index.bytes() as u64 > INDEX_BYTES_MAX {
            return too_large("index", self.index.bytes() as u64, INDEX_BYTES_MAX);
        }
        if key.kind == ValueKind::Tombstone && !value.is_empty() {
            return Err(Error::InvalidInput { what: "a tombstone has no value" });
        }
        let Some(last) = &self.last else { return Ok(()) };
        let previous = (&last.user_key[..], last.mark);
        if order(previous, (key.user_key, Mark::of(key))) != Ordering::Less {
            let previous = format!("{}{:?}", last.user_key.escape_ascii(), last.mark.seq());
            return Err(Error::InvalidOrder { previous, key: format!("{key:?}") });
        }
        Ok(())
    }

    fn count(&mut self, key: &InternalKey<'_>, value: &[u8]) {
        let properties = &mut self.properties;
        if properties.entries == 0 {
            properties.smallest = Bytes::copy_from_slice(key.user_key);
        }
        properties.entries += 1;
        properties.tombstones += u64::from(key.kind == ValueKind::Tombstone);
        properties.raw_key_bytes += key.user_key.len() as u64;
        properties.raw_value_bytes += value.len() as u64;
        properties.seq_min = properties.seq_min.min(key.seq);
        properties.seq_max = properties.seq_max.max(key.seq);
    }

    /// Writes the block and its index entry; `next` is the user key behind it, if any.
    fn end_block(&mut self, next: Option<&[u8]>) -> Result<()> {
        let Some(last) = &self.last else { return Ok(()) };
        let (payload, tag) = self.compressor.payload(self.block.finish());
        let handle = self.writer.block(payload, tag).inspect_err(|_| self.has_failed = true)?;
        self.block.clear();
        let mark = match next {
            // The next block goes on with the same key: only the exact entry lies between.
            Some(next) if next == last.user_key => {
                self.separator.clone_from(&last.user_key);
                last.mark
            }
            Some(next) => {
                shortest_separator(&last.user_key, next, &mut self.separator);
                Mark::BEHIND
            }
            None => {
                self.separator.clone_from(&last.user_key);
                Mark::BEHIND
            }
        };
        let mut value = Vec::with_capacity(10);
        put_varint(&mut value, handle.bytes);
        self.index.add(&self.separator, mark, &value);
        self.properties.data_blocks += 1;
        Ok(())
    }
}

/// The facts the manifest remembers.
pub(crate) fn meta(number: FileNumber, id: u64, bytes: u64, p: &Properties) -> TableMeta {
    TableMeta {
        number,
        id,
        bytes,
        entries: p.entries,
        tombstones: p.tombstones,
        smallest: p.smallest.clone(),
        largest: p.largest.clone(),
        seq_min: p.seq_min,
        seq_max: p.seq_max,
        raw_bytes: p.raw_key_bytes.saturating_add(p.raw_value_bytes),
    }
}
