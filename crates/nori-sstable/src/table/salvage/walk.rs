//! The blocks of a damaged table, found one behind the other by their checksums.

use crate::block::{Block, BlockBuilder, Cursor};
use crate::compress::{Stored, content};
use crate::error::{Bad, Result};
use crate::format::{Mark, TAG_LZ4, TRAILER_BYTES, order, salt};
use crate::index::Index;
use crate::properties::Properties;
use bytes::Bytes;
use nori_types::{Checksum, Corruption, Reader, put_varint, successor};
use std::cmp::Ordering;
use std::path::Path;

/// Bytes that the search for a block behind damage may sum up, for a whole table.
const SEARCH_BUDGET: u64 = 1 << 28;
/// No block is shorter: a restart point, its count, and the trailer.
const BLOCK_BYTES_MIN: usize = 12 + TRAILER_BYTES;
/// Behind damage a block is expected within so many bytes, or four times the longest one so far.
const SEARCH_BYTES_MIN: usize = 16 << 10;

/// A block found by its checksum.
pub(super) struct Found {
    /// Behind its trailer.
    end: usize,
    content: Bytes,
}

impl Found {
    /// The block at `start`, if its trailer ends at or before `limit`.
    pub(super) fn at(bytes: &Bytes, id: u64, start: usize, limit: usize) -> Option<Found> {
        let raw = bytes.get(start..limit)?;
        let mut sum = Checksum::new(salt(id, start as u64));
        let mut summed = 0;
        for (n, _) in raw.iter().enumerate().filter(|(_, tag)| **tag <= TAG_LZ4) {
            let trailer = raw.get(n + 1..)?.first_chunk::<4>()?;
            sum.update(&raw[summed..=n]);
            summed = n + 1;
            if sum.finish() != u32::from_le_bytes(*trailer) {
                continue;
            }
            let tag = raw[n];
            let payload = bytes.slice(start..start + n);
            if let Ok(content) = content(Stored::Owned(payload), tag) {
                return Some(Found { end: start + n + TRAILER_BYTES, content });
            }
        }
        None
    }
}

/// The blocks of a table, found one behind the other.
pub(super) struct Walk<'a> {
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
    /// Whether only data lies before the end; else all parts of a table may.
    only_data: bool,
    /// A block that may be the table's own index, and where it starts. Values may look like one:
    /// what follows decides.
    own: Option<(usize, Found, Index)>,
    properties: Properties,
}

impl<'a> Walk<'a> {
    /// Over the blocks of data that end at `end`.
    pub(super) fn over_data(bytes: &'a Bytes, id: u64, end: u64) -> Walk<'a> {
        Walk { only_data: true, ..Walk::over_all(bytes, id, end) }
    }

    /// Over a table whose parts are not known.
    pub(super) fn over_all(bytes: &'a Bytes, id: u64, end: u64) -> Walk<'a> {
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
            only_data: false,
            own: None,
            properties: Properties::default(),
        }
    }

    pub(super) fn run(&mut self) {
        while self.at < self.end {
            match Found::at(self.bytes, self.id, self.at, self.end) {
                Some(found) => self.take(found),
                None if !self.search() => return,
                None => {}
            }
        }
    }

    /// What was met of the table's properties.
    pub(super) fn take_properties(&mut self) -> Properties {
        std::mem::take(&mut self.properties)
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
        if self.only_data {
            self.add_data(start, &found);
            return;
        }
        if let Some(index) = self.index_in(start, &found) {
            self.refute();
            self.own = Some((start, found, index));
            return;
        }
        let properties = Properties::decode(&found.content).ok();
        let is_data = match &self.own {
            None => !self.may_be_index(start, &found),
            // The index stands behind all data: with data here, that was data too.
            Some((_, _, own)) => {
                let blocks = properties.as_ref().map(|properties| properties.data_blocks);
                let is_behind = |(first, _): (Key, Key)| self.is_behind_own(&first);
                blocks != Some(own.len() as u64) && ends_of(&found.content).is_some_and(is_behind)
            }
        };
        if is_data {
            self.refute();
        }
        let is_data = is_data && self.add_data(start, &found);
        if let Some(properties) = properties.filter(|_| !is_data) {
            self.properties = properties;
        }
    }

    /// The index that a block is, if its lengths add up to where data ended.
    fn index_in(&self, start: usize, found: &Found) -> Option<Index> {
        let own_end = self.own.as_ref().map(|(_, own, _)| &own.end);
        let ends = self.borders.iter().rev().take(3).chain([&start]).chain(own_end);
        let own = ends.filter_map(|end| Index::parse(found.content.clone(), *end as u64).ok());
        let index = own.max_by_key(Index::len)?;
        let known = self.own.as_ref().map_or(0, |(_, _, own)| own.len());
        (index.len() > known).then_some(index)
    }

    /// What was taken for the index is data.
    fn refute(&mut self) {
        if let Some((start, found, _)) = self.own.take() {
            self.add_data(start, &found);
        }
    }

    /// Whether a key is behind all those of what was taken for the index.
    fn is_behind_own(&self, first: &Key) -> bool {
        let own = self.own.as_ref().and_then(|(_, own, _)| ends_of(&own.content));
        own.is_some_and(|(_, last)| order((&last.0, last.1), (&first.0, first.1)) == Ordering::Less)
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
        self.borders.push(found.end);
        true
    }

    fn add_to_index(&mut self, key: &[u8], mark: Mark, bytes: usize) {
        let mut value = Vec::new();
        put_varint(&mut value, bytes.saturating_sub(TRAILER_BYTES) as u64);
        self.index.add(key, mark, &value);
    }

    /// The table's own index, if it was met, or one of the blocks found.
    pub(super) fn into_index(mut self, path: &Path) -> Result<Index> {
        if let Some((_, _, own)) = self.own {
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
