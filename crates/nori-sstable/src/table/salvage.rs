//! Reads what is left of a damaged table.
//!
//! A block stands for itself: its checksum is bound to the table's id and to its offset. So the
//! blocks are read through the index if that is whole, and found by their checksums if it is not;
//! the id comes from the footer, or from whoever knew the table.
//!
//! 1. Only blocks whose checksum fits are read, so nothing is shown that was not written.
//! 2. The work is linear in the file while blocks follow each other; behind a damaged block the
//!    next one is searched within a budget.
//! 3. Blocks that were not found stand in the rebuilt index as gaps, and are losses when read.

use super::load::{Parts, parse_index, parse_properties, read_block, read_footer};
use super::{Section, Table};
use crate::block::{Block, BlockBuilder, Cursor};
use crate::cache::BlockCache;
use crate::compress::content;
use crate::error::{Bad, Error, Result};
use crate::files::Source;
use crate::format::{FOOTER_BYTES, Footer, Handle, Mark, TAG_LZ4, TRAILER_BYTES, order, salt};
use crate::index::Index;
use crate::losses::Losses;
use crate::properties::Properties;
use bytes::Bytes;
use nori_bloom::Filter;
use nori_env::File;
use nori_env::sync::Arc;
use nori_types::{
    Checksum, Corruption, FileNumber, InternalIterator, Reader, SeqNo, TableMeta, ValueKind,
    put_varint, successor,
};
use std::cmp::Ordering;

/// Bytes that the search for a block behind damage may sum up, for a whole table.
const SEARCH_BUDGET: u64 = 1 << 28;
/// No block is shorter: a restart point, its count, and the trailer.
const BLOCK_BYTES_MIN: usize = 12 + TRAILER_BYTES;
/// Behind damage a block is expected within so many bytes, or four times the longest one so far.
const SEARCH_BYTES_MIN: usize = 16 << 10;
/// Where the footer holds the table's id.
const ID_AT: usize = 16;

impl Table {
    /// Opens what is left of a table: its frame may be damaged in any part. `known` is what is
    /// remembered of it, if anything is: it can be read without its footer then. Read it with
    /// [`Table::salvage_iter`]; its filter is not used.
    ///
    /// # Errors
    /// `Corruption` if no block can be found, `FormatTooNew`, `Io`.
    pub fn salvage(
        file: Arc<dyn File>,
        number: FileNumber,
        cache: Arc<BlockCache>,
        known: Option<&TableMeta>,
        losses: &Arc<Losses>,
    ) -> Result<Arc<Table>> {
        let parts = Parts::salvage(&*file, known, losses)?;
        let is_counted = parts.properties.entries > 0;
        let table = Table::from_parts(Source::Held(Arc::clone(&file)), number, &cache, parts);
        if is_counted {
            return Ok(Arc::new(table));
        }
        let table = Arc::new(table);
        let properties = count(&table, losses)?;
        let mut parts = Parts::salvage(&*file, known, losses)?;
        parts.properties = properties;
        Ok(Arc::new(Table::from_parts(Source::Held(file), number, &cache, parts)))
    }
}

impl Parts {
    fn salvage(file: &dyn File, known: Option<&TableMeta>, losses: &Losses) -> Result<Parts> {
        let (path, len) = (file.path(), file.len()?);
        let first = match Parts::read(file) {
            Ok(parts) => return Ok(parts),
            Err(Error::FormatTooNew(e)) => return Err(e.into()),
            Err(error) => error,
        };
        let footer = read_footer(file).ok();
        let Some(footer) = footer else {
            let offset = len.saturating_sub(FOOTER_BYTES as u64);
            losses.note_frame(path, Section { offset, bytes: len - offset }, &first);
            return without_footer(file, known);
        };
        let part = |handle: Handle| Section {
            offset: handle.offset,
            bytes: handle.bytes + TRAILER_BYTES as u64,
        };
        let index = read_block(file, footer.id, footer.index)
            .and_then(|content| parse_index(path, &footer, content));
        let properties = read_block(file, footer.id, footer.properties)
            .and_then(|content| parse_properties(path, &footer, &content));
        if let Some(handle) = footer.filter
            && let Err(error) = read_block(file, footer.id, handle)
        {
            losses.note_frame(path, part(handle), error);
        }
        let properties = properties.unwrap_or_else(|error| {
            losses.note_frame(path, part(footer.properties), error);
            Properties::default()
        });
        let index = match index {
            Ok(index) => index,
            Err(error) => {
                losses.note_frame(path, part(footer.index), error);
                let bytes = Bytes::from(file.read_all()?);
                let mut walk = Walk::new(&bytes, footer.id, footer.data_end());
                walk.run();
                walk.into_index(path)?
            }
        };
        let footer = Footer {
            filter: None,
            index: Handle { offset: footer.data_end(), bytes: 0 },
            ..footer
        };
        Ok(Parts { footer, properties, index, filter: Filter::none() })
    }
}

/// Everything is found by checksums: the blocks, and the index among them.
fn without_footer(file: &dyn File, known: Option<&TableMeta>) -> Result<Parts> {
    let bytes = Bytes::from(file.read_all()?);
    let len = bytes.len() as u64;
    let Some(id) = find_id(&bytes, known) else {
        let what = "the table's id, to check blocks with";
        let found = "a damaged footer, and nobody else knows it";
        return Err(Corruption::new(file.path(), 0, what, "a footer", found).into());
    };
    let mut walk = Walk::new(&bytes, id, len);
    walk.run();
    let properties = std::mem::take(&mut walk.properties);
    let index = walk.into_index(file.path())?;
    let offset = index.offset(index.len());
    let footer = Footer {
        incompatible: 0,
        read_compatible: 0,
        ignorable: 0,
        id,
        file_bytes: len,
        index: Handle { offset, bytes: 0 },
        filter: None,
        properties: Handle::default(),
    };
    Ok(Parts { footer, properties, index, filter: Filter::none() })
}

/// The id that the first block checks under: the known one, the footer's, or the footer's with
/// one byte damaged.
fn find_id(bytes: &Bytes, known: Option<&TableMeta>) -> Option<u64> {
    if let Some(known) = known {
        return Some(known.id);
    }
    let at = bytes.len().checked_sub(FOOTER_BYTES)? + ID_AT;
    let raw = u64::from_le_bytes(*bytes.get(at..)?.first_chunk::<8>()?);
    let limit = bytes.len().min(4 * SEARCH_BYTES_MIN);
    let checks = |id: u64| Found::at(bytes, id, 0, limit).is_some();
    let changed = (0..64).step_by(8).flat_map(|shift| (1..=255).map(move |x: u64| x << shift));
    let near = changed.map(|xor| raw ^ xor);
    if checks(raw) {
        return Some(raw);
    }
    near.into_iter().find(|id| checks(*id))
}

/// A block found by its checksum.
struct Found {
    /// Behind its trailer.
    end: usize,
    content: Bytes,
}

impl Found {
    /// The block at `start`, if its trailer ends at or before `limit`.
    fn at(bytes: &Bytes, id: u64, start: usize, limit: usize) -> Option<Found> {
        let raw = bytes.get(start..limit)?;
        let mut sum = Checksum::new(salt(id, start as u64));
        for (n, &tag) in raw.iter().enumerate() {
            let trailer = raw.get(n + 1..)?.first_chunk::<4>()?;
            sum.update(&[tag]);
            if tag > TAG_LZ4 || sum.finish() != u32::from_le_bytes(*trailer) {
                continue;
            }
            let payload = bytes.slice(start..start + n);
            if let Ok(content) = content(payload, tag) {
                return Some(Found { end: start + n + TRAILER_BYTES, content });
            }
        }
        None
    }
}

/// The blocks of a table, found one behind the other.
struct Walk<'a> {
    bytes: &'a Bytes,
    id: u64,
    end: usize,
    at: usize,
    /// Ends of the parts so far, for what the index's lengths may add up to.
    borders: Vec<usize>,
    /// What a rebuilt index holds.
    index: BlockBuilder,
    last: Option<(Vec<u8>, Mark)>,
    /// Bytes were met behind the last data block that are no block.
    has_gap: bool,
    longest: usize,
    budget: u64,
    /// The table's own index, if it was met.
    own: Option<Index>,
    properties: Properties,
}

impl<'a> Walk<'a> {
    fn new(bytes: &'a Bytes, id: u64, end: u64) -> Walk<'a> {
        let end = usize::try_from(end).unwrap_or(usize::MAX).min(bytes.len());
        Walk {
            bytes,
            id,
            end,
            at: 0,
            borders: vec![0],
            index: BlockBuilder::new(1),
            last: None,
            has_gap: false,
            longest: 0,
            budget: SEARCH_BUDGET,
            own: None,
            properties: Properties::default(),
        }
    }

    fn run(&mut self) {
        while self.at < self.end {
            match Found::at(self.bytes, self.id, self.at, self.end) {
                Some(found) => self.take(found),
                None if !self.search() => return,
                None => {}
            }
        }
    }

    /// Finds a block behind the damage that starts here; false if there is none in reach.
    fn search(&mut self) -> bool {
        let damaged = self.at;
        self.has_gap = true;
        let reach = SEARCH_BYTES_MIN.max(4 * self.longest);
        for start in damaged + BLOCK_BYTES_MIN..self.end {
            let limit = self.end.min(start.saturating_add(reach));
            self.budget = self.budget.saturating_sub((limit - start) as u64);
            if self.budget == 0 {
                break;
            }
            if Found::at(self.bytes, self.id, start, limit).is_some() {
                self.at = start;
                return true;
            }
        }
        false
    }

    fn take(&mut self, found: Found) {
        let start = std::mem::replace(&mut self.at, found.end);
        self.longest = self.longest.max(found.end - start);
        let own = self.borders.iter().rev().take(3).chain([&start]);
        let own = own.filter_map(|end| Index::parse(found.content.clone(), *end as u64).ok());
        if let Some(own) = own.max_by_key(Index::len) {
            self.own = Some(own);
        } else if self.own.is_none()
            && !self.may_be_index(start, &found)
            && self.add_data(start, &found)
        {
            self.borders.push(found.end);
        } else if let Ok(properties) = Properties::decode(&found.content) {
            self.properties = properties;
        }
    }

    /// Where the last data block ends.
    fn border(&self) -> usize {
        self.borders.last().copied().unwrap_or(0)
    }

    /// Whether a block behind a gap may be the table's index, whose entries are none of the
    /// table's: the properties follow it, or each of its values is a length and no more.
    fn may_be_index(&self, start: usize, found: &Found) -> bool {
        if self.border() == start {
            return false;
        }
        let limit = self.end.min(found.end.saturating_add(4 * SEARCH_BYTES_MIN));
        let next = Found::at(self.bytes, self.id, found.end, limit);
        next.is_some_and(|next| Properties::decode(&next.content).is_ok())
            || are_lengths(&found.content, start as u64)
    }

    /// Adds a block of entries to the index; false if it is none.
    fn add_data(&mut self, start: usize, found: &Found) -> bool {
        let Some((first, last)) = ends_of(&found.content) else { return false };
        let behind = |last: &(Vec<u8>, Mark)| {
            order((&last.0, last.1), (&first.0, first.1)) == Ordering::Less
        };
        if !self.last.as_ref().is_none_or(behind) {
            return false;
        }
        let border = self.border();
        if border < start {
            // A separator between what was before the gap and the first entry behind it.
            self.add_to_index(&first.0, Mark(u64::MAX), start - border);
        }
        self.add_to_index(&last.0, last.1, found.end - start);
        self.last = Some(last);
        self.has_gap = false;
        true
    }

    fn add_to_index(&mut self, key: &[u8], mark: Mark, bytes: usize) {
        let mut value = Vec::new();
        put_varint(&mut value, bytes.saturating_sub(TRAILER_BYTES) as u64);
        self.index.add(key, mark, &value);
    }

    fn into_index(mut self, path: &std::path::Path) -> Result<Index> {
        if let Some(own) = self.own {
            return Ok(own);
        }
        let Some((last, _)) = self.last.take() else {
            let what = "blocks of the table";
            return Err(Corruption::new(path, 0, what, "one that checks", "none").into());
        };
        let mut end = self.border();
        if self.has_gap && self.end - end > TRAILER_BYTES {
            self.add_to_index(&successor(&last), Mark::BEHIND, self.end - end);
            end = self.end;
        }
        let content = Bytes::copy_from_slice(self.index.finish());
        Index::parse(content, end as u64).map_err(|bad| bad.at(path, 0))
    }
}

/// Whether all values are lengths of blocks before `end`.
fn are_lengths(content: &Bytes, end: u64) -> bool {
    let Ok(block) = Block::parse(content.clone()) else { return false };
    let mut cursor = Cursor::new(block);
    let mut sum = 0u64;
    if cursor.seek_first().is_err() {
        return false;
    }
    while cursor.is_valid() {
        let mut reader = Reader::new(cursor.value());
        let Ok(bytes) = reader.varint() else { return false };
        sum = sum.saturating_add(bytes).saturating_add(TRAILER_BYTES as u64);
        if !reader.is_empty() || sum > end || cursor.next().is_err() {
            return false;
        }
    }
    true
}

type Key = (Vec<u8>, Mark);

/// The first and the last entry of a block, if it is one of entries.
fn ends_of(content: &Bytes) -> Option<(Key, Key)> {
    let mut cursor = Cursor::new(Block::parse(content.clone()).ok()?);
    cursor.seek_first().ok()?;
    let key = |cursor: &Cursor| (cursor.user_key().to_vec(), cursor.mark());
    let first = cursor.is_valid().then(|| key(&cursor))?;
    let mut last = first.clone();
    loop {
        match cursor.next() {
            // A kind of a later format: the block is one all the same.
            Ok(()) | Err(Bad::Unknown { .. }) if !cursor.is_valid() => return Some((first, last)),
            Ok(()) => {
                let next = key(&cursor);
                if order((&last.0, last.1), (&next.0, next.1)) != Ordering::Less {
                    return None;
                }
                last = next;
            }
            Err(_) => return None,
        }
    }
}

/// The properties of a table whose own cannot be read.
fn count(table: &Arc<Table>, losses: &Arc<Losses>) -> Result<Properties> {
    let mut seen = Properties { seq_min: SeqNo::MAX, ..Properties::default() };
    seen.data_blocks = table.block_count() as u64;
    let mut iter = table.salvage_iter(losses);
    iter.seek_first()?;
    let mut last: Option<Vec<u8>> = None;
    while iter.is_valid() {
        let (key, value) = (iter.key(), iter.value());
        let is_new = last.as_deref() != Some(key.user_key);
        if last.is_none() {
            seen.smallest = Bytes::copy_from_slice(key.user_key);
        }
        if is_new {
            last = Some(key.user_key.to_vec());
        }
        seen.entries += 1;
        seen.keys += u64::from(is_new);
        seen.tombstones += u64::from(key.kind == ValueKind::Tombstone);
        seen.raw_key_bytes += key.user_key.len() as u64;
        seen.raw_value_bytes += value.len() as u64;
        seen.seq_min = seen.seq_min.min(key.seq);
        seen.seq_max = seen.seq_max.max(key.seq);
        iter.next()?;
    }
    seen.largest = last.map(Bytes::from).unwrap_or_default();
    Ok(seen)
}
