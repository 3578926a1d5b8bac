//! The index of an open table: from a key to the one block that can hold it.
//!
//! Searched far more often than read, so it is laid out for the search: the first eight bytes of
//! each separator behind what all of them share stand in one array of numbers. A search runs over
//! that array and compares whole keys only among equal numbers.
//!
//! 1. Separators ascend strictly; `heads` ascend with them.
//! 2. Block i holds the entries e with separator i-1 < e <= separator i, and no others.
//! 3. Memory held is proportional to the index block's bytes.

use crate::block::Block;
use crate::error::Bad;
use crate::format::{Handle, Mark, TRAILER_BYTES, order};
use bytes::Bytes;
use nori_types::Reader;
use std::cmp::Ordering;
use std::ops::Range;

#[derive(Debug)]
pub(crate) struct Index {
    content: Bytes,
    /// How many bytes all separators start with in common.
    shared: usize,
    heads: Vec<u64>,
    fences: Vec<Fence>,
    data_end: u64,
}

/// The separator behind a block, and where the block starts.
#[derive(Clone, Copy, Debug)]
struct Fence {
    key_start: u32,
    key_end: u32,
    mark: Mark,
    offset: u64,
}

impl Index {
    /// Reads an index whose blocks must end exactly at `data_end`.
    pub(crate) fn parse(content: Bytes, data_end: u64) -> Result<Index, Bad> {
        let block = Block::parse(content)?;
        let mut fences = Vec::with_capacity(block.restart_count());
        let (mut at, mut offset) = (block.restart(0), 0u64);
        while at.key < block.keys_end() {
            let entry = block.decode_restart(at)?;
            at = entry.next();
            let bytes = Reader::new(&block.content()[entry.value.clone()]).varint()?;
            let (key_start, key_end) = (entry.rest.start as u32, entry.rest.end as u32);
            fences.push(Fence { key_start, key_end, mark: entry.mark, offset });
            let end = Handle { offset, bytes }.end();
            offset = end.filter(|&e| e <= data_end).ok_or(Bad::Damaged("block length in index"))?;
        }
        if offset != data_end || fences.is_empty() {
            return Err(Bad::Damaged("sum of block lengths in the index"));
        }
        let content = block.content().clone();
        let mut index = Index { content, shared: 0, heads: Vec::new(), fences, data_end };
        index.check_order()?;
        index.fill_heads();
        Ok(index)
    }

    fn check_order(&self) -> Result<(), Bad> {
        let ascends = (1..self.len())
            .all(|i| order(self.separator(i - 1), self.separator(i)) == Ordering::Less);
        if ascends { Ok(()) } else { Err(Bad::Damaged("order of the separators")) }
    }

    fn fill_heads(&mut self) {
        let (first, last) = (self.separator(0).0, self.separator(self.len() - 1).0);
        // Sorted: what the ends share, all share.
        self.shared = crate::block::common_prefix(first, last);
        let heads = (0..self.len()).map(|i| head(&self.separator(i).0[self.shared..])).collect();
        self.heads = heads;
    }

    /// How many blocks; at least one.
    pub(crate) fn len(&self) -> usize {
        self.fences.len()
    }

    /// Bytes of memory held.
    pub(crate) fn bytes(&self) -> usize {
        self.content.len() + self.len() * (size_of::<Fence>() + size_of::<u64>())
    }

    /// Where block `i` lies; `i` below the count.
    pub(crate) fn handle(&self, i: usize) -> Handle {
        let offset = self.offset(i);
        Handle { offset, bytes: self.offset(i + 1) - offset - TRAILER_BYTES as u64 }
    }

    /// Where block `i` starts; behind the last block, where data ends.
    pub(crate) fn offset(&self, i: usize) -> u64 {
        self.fences.get(i).map_or(self.data_end, |f| f.offset)
    }

    /// The separator behind block `i`; `i` below the count.
    pub(crate) fn separator(&self, i: usize) -> (&[u8], Mark) {
        let fence = self.fences[i];
        (&self.content[fence.key_start as usize..fence.key_end as usize], fence.mark)
    }

    /// The only block that can hold the first entry at or behind `target`, or end just before it;
    /// the count if all entries are before.
    pub(crate) fn find(&self, target: (&[u8], Mark)) -> usize {
        let candidates = self.candidates(target.0);
        let (mut low, mut high) = (candidates.start, candidates.end);
        while low < high {
            let middle = low + (high - low) / 2;
            if order(self.separator(middle), target) == Ordering::Less {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The separators that start like `user_key`, as far as numbers tell: all before are below
    /// it, all behind are above.
    fn candidates(&self, user_key: &[u8]) -> Range<usize> {
        let first = &self.content[self.fences[0].key_start as usize..][..self.shared];
        let start = &user_key[..user_key.len().min(self.shared)];
        match start.cmp(first) {
            Ordering::Less => 0..0,
            Ordering::Greater => self.len()..self.len(),
            Ordering::Equal => {
                let head = head(&user_key[self.shared..]);
                let low = self.heads.partition_point(|&h| h < head);
                low..self.heads.partition_point(|&h| h <= head)
            }
        }
    }
}

/// The first eight bytes as a number that orders like them; missing ones count as zeros.
fn head(key: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let len = key.len().min(8);
    bytes[..len].copy_from_slice(&key[..len]);
    u64::from_be_bytes(bytes)
}

/// A short key s with `last <= s < next`, where the user keys differ: all versions of `last` are
/// at or before (s, [`Mark::BEHIND`]), all of `next` behind it.
pub(crate) fn shortest_separator(last: &[u8], next: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(last);
    let same = crate::block::common_prefix(last, next);
    let raisable = last.len().saturating_sub(1);
    for (i, byte) in last.iter().enumerate().take(raisable).skip(same) {
        let Some(raised) = byte.checked_add(1) else { continue };
        // Where the two first differ, the raised byte must stay below `next`; behind that place
        // anything does.
        let is_below = i > same || next.get(i..).is_some_and(|n| [raised][..] < *n);
        if is_below {
            out.truncate(i);
            out.push(raised);
            return;
        }
    }
}

#[cfg(test)]
mod tests;
