//! A filter in memory, ready to be asked.
//!
//! 1. Blocks are aligned to cache lines: a probe touches one line.
//! 2. `may_contain` never says `false` for a hash that was added.
//! 3. Immutable after `parse`, so any number of threads may ask.

use crate::format::{BLOCK_BYTES, Header};
use crate::probe::{Block, block_of, positions};
use crate::{Error, Result};

/// A set of hashes, with false positives.
#[derive(Clone, Debug)]
pub struct Filter {
    blocks: Box<[Block]>,
    probes: u8,
    keys: u64,
    /// There is no filter: everything may be in the set.
    is_none: bool,
}

impl Filter {
    /// The filter that holds everything back from nobody: each key may be in the set.
    pub fn none() -> Filter {
        Filter { blocks: Box::default(), probes: 0, keys: 0, is_none: true }
    }

    /// Reads what [`FilterBuilder::finish`](crate::FilterBuilder::finish) made; no bytes give
    /// [`Filter::none`]. Copies the blocks, after their length has been checked.
    pub fn parse(bytes: &[u8]) -> Result<Filter> {
        if bytes.is_empty() {
            return Ok(Filter::none());
        }
        let (header, bits) = Header::decode(bytes)?;
        let (chunks, rest) = bits.as_chunks::<BLOCK_BYTES>();
        if !rest.is_empty() {
            let found = rest.len() as u64;
            return Err(Error::Invalid { what: "bytes behind the blocks", expected: 0, found });
        }
        let blocks = chunks.iter().map(|chunk| Block(*chunk)).collect();
        Ok(Filter { blocks, probes: header.probes, keys: header.keys, is_none: false })
    }

    /// Whether a key with this hash may have been added.
    #[inline]
    pub fn may_contain(&self, hash: u64) -> bool {
        let Some(Block(block)) = self.blocks.get(block_of(hash, self.blocks.len())) else {
            return self.is_none;
        };
        // All probes without a branch: they share one cache line, a mispredicted exit costs more.
        let found = positions(hash, self.probes)
            .fold(1, |all, position| all & (block[position / 8] >> (position % 8)));
        found & 1 == 1
    }

    /// Whether this is no filter at all.
    pub fn is_none(&self) -> bool {
        self.is_none
    }

    /// How many distinct hashes were added.
    pub fn keys(&self) -> u64 {
        self.keys
    }

    /// Bits tested per question.
    pub fn probes(&self) -> u8 {
        self.probes
    }

    /// Bytes of memory held.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.blocks)
    }
}
