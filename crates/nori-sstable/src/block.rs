//! A block's content in memory: point lookups and the parts a cursor walks.
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

/// A block's content.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    content: Bytes,
    /// Where entries end and restarts begin.
    restarts_at: usize,
    restart_count: usize,
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
    pub(crate) fn next(&self) -> usize {
        self.value.end
    }
}

/// The visible version a lookup found in a block.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    pub(crate) mark: Mark,
    pub(crate) value: Range<usize>,
}

impl Block {
    pub(crate) fn parse(content: Bytes) -> Result<Block, Bad> {
        const DAMAGED: Bad = Bad::Damaged("restart points of a block");
        if content.len() as u64 > CONTENT_BYTES_MAX {
            return Err(Bad::Damaged("length of a block"));
        }
        let (body, tail) = content.split_last_chunk::<4>().ok_or(DAMAGED)?;
        let restart_count = u32::from_le_bytes(*tail) as usize;
        let restarts_at =
            restart_count.checked_mul(4).and_then(|n| body.len().checked_sub(n)).ok_or(DAMAGED)?;
        let restarts = body[restarts_at..].chunks_exact(4);
        // Entries from the first byte on, at least one to a restart.
        let mut lowest = 0;
        for (i, chunk) in restarts.enumerate() {
            let restart = Reader::new(chunk).u32()? as usize;
            if restart < lowest || restart >= restarts_at || (i == 0 && restart != 0) {
                return Err(DAMAGED);
            }
            lowest = restart + 1;
        }
        if restart_count == 0 {
            return Err(DAMAGED);
        }
        Ok(Block { content, restarts_at, restart_count })
    }

    /// Bytes of memory held.
    pub(crate) fn bytes(&self) -> usize {
        self.content.len()
    }

    pub(crate) fn content(&self) -> &Bytes {
        &self.content
    }

    /// The entries' bytes.
    #[inline]
    pub(crate) fn entries(&self) -> &[u8] {
        &self.content[..self.restarts_at]
    }

    pub(crate) fn restart_count(&self) -> usize {
        self.restart_count
    }

    /// The offset of a restart point; `i` below the count.
    #[inline]
    pub(crate) fn restart(&self, i: usize) -> usize {
        let at = self.restarts_at + 4 * i;
        let bytes = self.content[at..].first_chunk::<4>();
        bytes.map_or(0, |b| u32::from_le_bytes(*b) as usize)
    }

    /// The last restart point before the first entry at or behind `target`.
    pub(crate) fn restart_before(&self, target: (&[u8], Mark)) -> Result<usize, Bad> {
        let entries = self.entries();
        // All restarts below `low` are before the target, all from `high` on are not.
        let (mut low, mut high) = (0, self.restart_count);
        while low < high {
            let middle = low + (high - low) / 2;
            let entry = decode_restart(entries, self.restart(middle))?;
            if order((&entries[entry.rest], entry.mark), target) == Ordering::Less {
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
        let entries = self.entries();
        let mut at = self.restart_before((user_key, mark))?;
        let (mut matched, mut key_len) = (0, 0);
        while at < entries.len() {
            let entry = decode(entries, at)?;
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
            let rest = &entries[entry.rest];
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
}

/// Decodes the entry at a restart point: it shares nothing.
#[inline]
pub(crate) fn decode_restart(entries: &[u8], at: usize) -> Result<RawEntry, Bad> {
    let entry = decode(entries, at)?;
    if entry.shared == 0 { Ok(entry) } else { Err(Bad::Damaged("entry at a restart point")) }
}

/// Decodes the entry at an offset; all its ranges lie inside `entries`.
#[inline]
pub(crate) fn decode(entries: &[u8], at: usize) -> Result<RawEntry, Bad> {
    let mut at = at;
    let shared = varint(entries, &mut at)? as usize;
    let rest = varint(entries, &mut at)? as usize;
    let value = varint(entries, &mut at)? as usize;
    let mark = Mark(varint(entries, &mut at)?);
    let left = entries.len() - at;
    if rest > left || value > left - rest {
        return Err(Bad::Damaged("entry longer than its block"));
    }
    let rest = at..at + rest;
    let value = rest.end..rest.end + value;
    Ok(RawEntry { shared, rest, mark, value })
}

#[inline]
fn varint(bytes: &[u8], at: &mut usize) -> Result<u64, Bad> {
    match bytes.get(*at) {
        Some(&byte) if byte < 0x80 => {
            *at += 1;
            Ok(byte.into())
        }
        _ => long_varint(bytes, at),
    }
}

fn long_varint(bytes: &[u8], at: &mut usize) -> Result<u64, Bad> {
    let mut reader = Reader::new(bytes.get(*at..).unwrap_or_default());
    let value = reader.varint()?;
    *at = bytes.len() - reader.rest().len();
    Ok(value)
}

/// How many bytes two keys start with in common.
#[inline]
pub(crate) fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let words = a.chunks_exact(8).zip(b.chunks_exact(8)).take_while(|(x, y)| x == y).count();
    let start = words * 8;
    let tail = a[start..].iter().zip(&b[start..]).take_while(|(x, y)| x == y).count();
    start + tail
}
