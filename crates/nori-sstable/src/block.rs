//! A block's content in memory: point lookups and the parts a cursor walks.
//!
//! Keys and values lie apart: a search walks a few hundred bytes of keys, and touches of the values
//! only the one it gives back.
//!
//! 1. `parse` checks restarts and count; entries are checked one by one as they are decoded.
//! 2. No bytes, right checksum or not, make a lookup or a cursor panic, loop or read outside.

mod builder;
mod cursor;
#[cfg(test)]
mod tests;

pub(crate) use builder::BlockBuilder;
pub(crate) use cursor::{Cursor, share_or_copy};

use crate::error::Bad;
use crate::format::{CONTENT_BYTES_MAX, Mark, order};
use bytes::Bytes;
use nori_types::Reader;
use std::cmp::Ordering;
use std::ops::Range;

/// Two offsets: of a key part and of a value.
const RESTART_BYTES: usize = 8;

/// A block's content: keys, then values, then restart points.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    content: Bytes,
    /// Where keys end and values begin.
    keys_end: usize,
    /// Where values end and restart points begin.
    values_end: usize,
    restart_count: usize,
    /// The content is a file's pages, which nobody may keep.
    is_mapped: bool,
}

/// A place between entries: where the next one's key part and value start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) key: usize,
    pub(crate) value: usize,
}

/// One entry, as offsets into its block.
#[derive(Clone, Debug)]
pub(crate) struct RawEntry {
    pub(crate) shared: usize,
    /// The rest of the user key.
    pub(crate) rest: Range<usize>,
    pub(crate) mark: Mark,
    pub(crate) value: Range<usize>,
}

impl RawEntry {
    /// Where the next entry starts.
    #[inline]
    pub(crate) fn next(&self) -> Place {
        Place { key: self.rest.end, value: self.value.end }
    }
}

/// The visible version a lookup found in a block.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    pub(crate) mark: Mark,
    pub(crate) value: Range<usize>,
}

impl Block {
    /// The same block, in another place in memory.
    pub(crate) fn with_content(&self, content: Bytes) -> Block {
        debug_assert_eq!(content, self.content);
        Block { content, ..*self }
    }

    pub(crate) fn parse(content: Bytes) -> Result<Block, Bad> {
        const DAMAGED: Bad = Bad::Damaged("restart points of a block");
        if content.len() as u64 > CONTENT_BYTES_MAX {
            return Err(Bad::Damaged("length of a block"));
        }
        let (body, tail) = content.split_last_chunk::<4>().ok_or(DAMAGED)?;
        let restart_count = u32::from_le_bytes(*tail) as usize;
        let values_end = restart_count
            .checked_mul(RESTART_BYTES)
            .and_then(|n| body.len().checked_sub(n))
            .ok_or(DAMAGED)?;
        if restart_count == 0 {
            return Err(DAMAGED);
        }
        let mut block = Block { content, keys_end: 0, values_end, restart_count, is_mapped: false };
        block.keys_end = block.restart(0).value;
        block.check_restarts()?;
        Ok(block)
    }

    /// As `parse`, for content whose values are always copied.
    pub(crate) fn parse_mapped(content: Bytes) -> Result<Block, Bad> {
        Ok(Block { is_mapped: true, ..Block::parse(content)? })
    }

    /// They start at the first entry and ascend; each has a key, its value may be empty.
    fn check_restarts(&self) -> Result<(), Bad> {
        let mut lowest = Place { key: 0, value: self.keys_end };
        for i in 0..self.restart_count {
            let restart = self.restart(i);
            let is_first = i > 0 || restart == lowest;
            let is_behind = restart.key >= lowest.key && restart.value >= lowest.value;
            let is_inside = restart.key < self.keys_end && restart.value <= self.values_end;
            if !(is_first && is_behind && is_inside) {
                return Err(Bad::Damaged("restart points of a block"));
            }
            lowest = Place { key: restart.key + 1, value: restart.value };
        }
        Ok(())
    }

    /// Bytes of memory held.
    pub(crate) fn bytes(&self) -> usize {
        self.content.len()
    }

    pub(crate) fn content(&self) -> &Bytes {
        &self.content
    }

    pub(crate) fn restart_count(&self) -> usize {
        self.restart_count
    }

    /// Where keys end: a place with its key there is behind the last entry.
    #[inline]
    pub(crate) fn keys_end(&self) -> usize {
        self.keys_end
    }

    /// Behind the last entry.
    pub(crate) fn end(&self) -> Place {
        Place { key: self.keys_end, value: self.values_end }
    }

    /// A restart point; `i` below the count.
    #[inline]
    pub(crate) fn restart(&self, i: usize) -> Place {
        let at = self.values_end + RESTART_BYTES * i;
        let bytes = self.content.get(at..).and_then(|b| b.first_chunk::<RESTART_BYTES>());
        let number = bytes.map_or(0, |b| u64::from_le_bytes(*b));
        Place { key: number as u32 as usize, value: (number >> 32) as usize }
    }

    /// The last restart point before the first entry at or behind `target`.
    pub(crate) fn restart_before(&self, target: (&[u8], Mark)) -> Result<Place, Bad> {
        // All restarts below `low` are before the target, all from `high` on are not.
        let (mut low, mut high) = (0, self.restart_count);
        while low < high {
            let middle = low + (high - low) / 2;
            let entry = self.decode_restart(self.restart(middle))?;
            if order((&self.content[entry.rest], entry.mark), target) == Ordering::Less {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(self.restart(low.saturating_sub(1)))
    }

    /// The newest version of `user_key` that `mark` sees. Builds no key: while the keys passed
    /// are below the target, how much of it they share tells most comparisons in advance.
    pub(crate) fn get(&self, user_key: &[u8], mark: Mark) -> Result<Option<Hit>, Bad> {
        let mut at = self.restart_before((user_key, mark))?;
        let (mut matched, mut key_len) = (0, 0);
        while at.key < self.keys_end {
            let entry = self.decode(at)?;
            if entry.shared > key_len {
                return Err(Bad::Damaged("shared key bytes of an entry"));
            }
            key_len = entry.shared + entry.rest.len();
            at = entry.next();
            match entry.shared.cmp(&matched) {
                // Differs from the target where the key before did: still below it.
                Ordering::Greater => continue,
                // A restart point shares nothing on paper, whatever its key.
                Ordering::Less if entry.shared == 0 => matched = 0,
                // Ascends where the key before still agreed with the target: above it.
                Ordering::Less => return Ok(None),
                Ordering::Equal => {}
            }
            let rest = &self.content[entry.rest];
            let wanted = user_key.get(matched..).unwrap_or_default();
            let same = common_prefix(rest, wanted);
            match rest[same..].cmp(&wanted[same..]) {
                Ordering::Greater => return Ok(None),
                Ordering::Less => {}
                Ordering::Equal if entry.mark <= mark => {
                    return Ok(Some(Hit { mark: entry.mark, value: entry.value }));
                }
                Ordering::Equal => {}
            }
            matched += same;
        }
        Ok(None)
    }

    /// Decodes the entry at a restart point: it shares nothing.
    #[inline]
    pub(crate) fn decode_restart(&self, at: Place) -> Result<RawEntry, Bad> {
        let entry = self.decode(at)?;
        if entry.shared == 0 { Ok(entry) } else { Err(Bad::Damaged("entry at a restart point")) }
    }

    /// Decodes the entry at a place; all its ranges lie inside the content.
    #[inline]
    pub(crate) fn decode(&self, place: Place) -> Result<RawEntry, Bad> {
        let keys = &self.content[..self.keys_end];
        let mut at = place.key;
        let shared = varint(keys, &mut at)? as usize;
        let rest = varint(keys, &mut at)? as usize;
        let value = varint(keys, &mut at)? as usize;
        let mark = Mark(varint(keys, &mut at)?);
        if rest > keys.len() - at || value > self.values_end.saturating_sub(place.value) {
            return Err(Bad::Damaged("entry longer than its block"));
        }
        let (rest, value) = (at..at + rest, place.value..place.value + value);
        Ok(RawEntry { shared, rest, mark, value })
    }
}

/// Reads a varint and moves behind it, to the end of the bytes at most.
#[inline]
fn varint(bytes: &[u8], at: &mut usize) -> Result<u64, Bad> {
    let rest = bytes.get(*at..).unwrap_or_default();
    match rest.first() {
        Some(&byte) if byte < 0x80 => {
            *at += 1;
            Ok(byte.into())
        }
        _ => long_varint(rest, at),
    }
}

/// A varint of several bytes: up to eight at once, without a loop.
fn long_varint(rest: &[u8], at: &mut usize) -> Result<u64, Bad> {
    let word = rest.first_chunk::<8>().map_or(u64::MAX, |b| u64::from_le_bytes(*b));
    let ends = !word & 0x8080_8080_8080_8080;
    if ends == 0 {
        // Nine or ten bytes, or the end of the block is near.
        let mut reader = Reader::new(rest);
        let value = reader.varint()?;
        *at += rest.len() - reader.rest().len();
        return Ok(value);
    }
    // Keep the bytes up to the first without its top bit, then close the gaps of one bit between
    // bytes, of two between pairs, of four between halves.
    let x = word & (ends ^ (ends - 1)) & 0x7f7f_7f7f_7f7f_7f7f;
    let x = (x & 0x007f_007f_007f_007f) | ((x & 0x7f00_7f00_7f00_7f00) >> 1);
    let x = (x & 0x0000_3fff_0000_3fff) | ((x & 0x3fff_0000_3fff_0000) >> 2);
    *at += ends.trailing_zeros() as usize / 8 + 1;
    Ok((x & 0x0fff_ffff) | ((x >> 32) << 28))
}

/// How many bytes two keys start with in common.
#[inline]
pub(crate) fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let words = a.chunks_exact(8).zip(b.chunks_exact(8)).take_while(|(x, y)| x == y).count();
    let start = words * 8;
    let tail = a[start..].iter().zip(&b[start..]).take_while(|(x, y)| x == y).count();
    start + tail
}
