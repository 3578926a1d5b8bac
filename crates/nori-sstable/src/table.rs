//! An open table: index, filter and properties in memory, blocks read when asked for.
//!
//! 1. Everything but the file handle is immutable: any number of threads read at once.
//! 2. A lookup asks the filter (one cache line), searches the index, and reads one block.
//! 3. An unreadable block is an error, never an absent key.
//! 4. Reads that keep blocks in the cache may go through a mapping of the file; merges and checks
//!    read the file, so that what the disk refuses is an error.
//! 5. Index and filter are charged to the block cache's budget while the table is open.

mod layout;
mod load;
mod mapped;
mod salvage;
mod verify;
mod verify_file;

pub use layout::{BlockInfo, Layout, Section};

use crate::block::{Block, share_or_copy};
use crate::cache::BlockCache;
use crate::error::Result;
use crate::files::Source;
use crate::format::{Handle, Mark};
use crate::iter::TableIter;
use crate::losses::{Losses, LostBlock};
use crate::properties::Properties;
use bytes::Bytes;
use load::{Parts, open_lent, read_block};
use mapped::Mapped;
use nori_env::File;
use nori_env::sync::Arc;
use nori_types::{Corruption, FileNumber, KeyRange, Lookup, SeqNo, TableMeta, ValueKind};
use std::path::Path;

/// An immutable sorted file of entries. `Send + Sync`; shared as `Arc<Table>`.
#[derive(Debug)]
pub struct Table {
    source: Source,
    parts: Parts,
    mapped: Option<Mapped>,
    meta: TableMeta,
    cache: Arc<BlockCache>,
    /// This table's number in the cache.
    owner: u64,
}

impl Table {
    /// Opens a table by itself, keeping its file open.
    pub fn open(
        file: Arc<dyn File>,
        number: FileNumber,
        cache: Arc<BlockCache>,
    ) -> Result<Arc<Table>> {
        Table::load(Source::Held(file), number, cache, false).map(Arc::new)
    }

    /// Opens a table; with `maps`, its file is mapped into memory if that is possible.
    pub(crate) fn load(
        source: Source,
        number: FileNumber,
        cache: Arc<BlockCache>,
        maps: bool,
    ) -> Result<Table> {
        let file = source.file()?;
        let parts = Parts::read(&*file)?;
        let mapped = match maps {
            true => Mapped::of(&*file, &parts.footer, parts.index.len()),
            false => None,
        };
        let mut table = Table::from_parts(source, number, &cache, parts);
        table.mapped = mapped;
        Ok(table)
    }

    fn from_parts(
        source: Source,
        number: FileNumber,
        cache: &Arc<BlockCache>,
        parts: Parts,
    ) -> Table {
        let (id, file_bytes) = (parts.footer.id, parts.footer.file_bytes);
        let meta = crate::builder::meta(number, id, file_bytes, &parts.properties);
        cache.pin(parts.memory_bytes());
        let (owner, cache) = (cache.next_owner(), Arc::clone(cache));
        Table { source, parts, mapped: None, meta, cache, owner }
    }

    /// The newest version of `user_key` that a reader at `at` sees. `hash` is the key's
    /// [`nori_bloom::hash`].
    pub fn get(&self, user_key: &[u8], hash: u64, at: SeqNo) -> Result<Lookup> {
        if !self.may_contain(hash) {
            return Ok(Lookup::Absent);
        }
        let mark = Mark::seek(at);
        let i = self.parts.index.find((user_key, mark));
        if i == self.parts.index.len() {
            return Ok(Lookup::Absent);
        }
        let block = self.block(i, true)?;
        let bad = |bad: crate::error::Bad| bad.at(self.path(), self.parts.index.offset(i));
        let Some(hit) = block.get(user_key, mark).map_err(bad)? else {
            return Ok(Lookup::Absent);
        };
        let seq = hit.mark.seq();
        Ok(match hit.mark.kind().map_err(bad)? {
            ValueKind::Value => Lookup::Found(share_or_copy(&block, hit.value), seq),
            ValueKind::Tombstone => Lookup::Deleted(seq),
        })
    }

    /// Whether the filter lets a key with this hash pass; true if there is no filter.
    #[inline]
    pub fn may_contain(&self, hash: u64) -> bool {
        self.parts.filter.may_contain(hash)
    }

    /// A cursor over all entries that keeps the blocks it reads in the cache.
    pub fn iter(self: &Arc<Self>) -> TableIter {
        TableIter::new(Arc::clone(self), true)
    }

    /// A cursor that leaves the cache as it is: for merges and other reads of everything once.
    pub fn scan(self: &Arc<Self>) -> TableIter {
        TableIter::new(Arc::clone(self), false)
    }

    /// A cursor that passes over blocks that cannot be read, and tells `losses` of them: for a
    /// rescue, not for reads that must be right. Leaves the cache as it is.
    pub fn salvage_iter(self: &Arc<Self>, losses: &Arc<Losses>) -> TableIter {
        TableIter::new(Arc::clone(self), false).salvaging(losses)
    }

    /// What the manifest remembers of the table.
    pub fn meta(&self) -> &TableMeta {
        &self.meta
    }

    /// What the table says of itself.
    pub fn properties(&self) -> &Properties {
        &self.parts.properties
    }

    /// The file, for messages.
    pub fn path(&self) -> &Path {
        self.source.path()
    }

    /// Bytes of the file before the block that can hold `user_key`; for a key behind all others,
    /// all data bytes. From the index, nothing is read.
    pub fn approximate_offset(&self, user_key: &[u8]) -> u64 {
        self.parts.index.offset(self.parts.index.find((user_key, Mark::seek(SeqNo::MAX))))
    }

    /// Bytes of the blocks that can hold keys of a range, about.
    pub fn approximate_bytes(&self, range: &KeyRange) -> u64 {
        let end = range.hi.as_ref().map_or(u64::MAX, |hi| self.approximate_offset(hi));
        end.min(self.parts.footer.data_end()).saturating_sub(self.approximate_offset(&range.lo))
    }

    /// A key that halves the bytes of a range, about; it need not be a key of the table. None if
    /// the range lies within one block. From the index, nothing is read.
    pub fn approximate_median(&self, range: &KeyRange) -> Option<Bytes> {
        let index = &self.parts.index;
        let start = self.approximate_offset(&range.lo);
        let half = start + self.approximate_bytes(range) / 2;
        // The first separator at or behind the middle that cuts the range in two.
        (0..index.len())
            .skip(index.find((&range.lo, Mark::seek(SeqNo::MAX))))
            .filter(|&i| index.offset(i + 1) >= half)
            .map(|i| index.separator(i).0)
            .find(|key| *key > range.lo && *key < self.meta.largest)
            .filter(|key| range.is_below_end(key))
            .map(Bytes::copy_from_slice)
    }

    /// Block `i`, from the cache or the file; `i` below the count.
    #[inline]
    pub(crate) fn block(&self, i: usize, fill_cache: bool) -> Result<Block> {
        let mapped = self.mapped.as_ref().filter(|_| fill_cache);
        if let Some(mapped) = mapped {
            let handle = self.parts.index.handle(i);
            if let Some(block) = mapped.plain(i, self.path(), self.parts.footer.id, handle)? {
                return Ok(block);
            }
        }
        if let Some(block) = self.cache.get(self.owner, i) {
            return Ok(block);
        }
        let block = self.read(i, mapped)?;
        if fill_cache {
            self.cache.insert(self.owner, i, &block);
        }
        Ok(block)
    }

    #[cold]
    fn read(&self, i: usize, mapped: Option<&Mapped>) -> Result<Block> {
        let (handle, id) = (self.parts.index.handle(i), self.parts.footer.id);
        let content = match mapped {
            Some(mapped) => open_lent(self.path(), id, handle, mapped.raw(handle))?,
            None => read_block(&*self.source.file()?, id, handle)?,
        };
        Block::parse(content).map_err(|bad| bad.at(self.path(), handle.offset))
    }

    /// How many data blocks.
    pub(crate) fn block_count(&self) -> usize {
        self.parts.index.len()
    }

    /// The block to look in for the first entry at or behind `target`; the count if none.
    pub(crate) fn find(&self, target: (&[u8], Mark)) -> usize {
        self.parts.index.find(target)
    }

    /// What is lost with a data block.
    pub(crate) fn lost_block(&self, i: usize, what: impl ToString) -> LostBlock {
        let handle = self.handle(i);
        let bytes = handle.bytes + crate::format::TRAILER_BYTES as u64;
        let separator = |i: usize| Bytes::copy_from_slice(self.parts.index.separator(i).0);
        let first = i.checked_sub(1).map_or_else(|| self.meta.smallest.clone(), separator);
        LostBlock {
            path: self.path().to_path_buf(),
            section: Section { offset: handle.offset, bytes },
            keys: Some((first, Some(separator(i)))),
            what: what.to_string(),
        }
    }

    /// Where a data block lies.
    pub(crate) fn handle(&self, i: usize) -> Handle {
        self.parts.index.handle(i)
    }

    /// Whether this is the table the manifest remembers.
    pub(crate) fn check_is(&self, meta: &TableMeta) -> Result<()> {
        if (self.meta.id, self.meta.bytes) == (meta.id, meta.bytes) {
            return Ok(());
        }
        let describe = |m: &TableMeta| format!("table {:016x} of {} bytes", m.id, m.bytes);
        let what = "identity of the table";
        Err(Corruption::new(self.path(), 0, what, describe(meta), describe(&self.meta)).into())
    }

    /// Its number in the cache.
    pub(crate) fn owner(&self) -> u64 {
        self.owner
    }

    /// Takes the number it had when it was open before: what it read then is found again.
    pub(crate) fn adopt(&mut self, owner: u64) {
        self.owner = owner;
    }

    /// Drops the table's blocks from the cache: its file goes away.
    pub(crate) fn forget_blocks(&self) {
        self.cache.forget(self.owner, self.block_count());
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        self.cache.unpin(self.parts.memory_bytes());
    }
}
