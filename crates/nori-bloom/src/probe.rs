//! From a key to its bits. Part of the format.
//!
//! 1. The block comes from the upper bits of the hash (multiply and take the high half), the
//!    positions from all bits, multiplied again: seven positions of nine bits from each product.
//! 2. A hash has far more bits than block and positions consume together in any filter that fits
//!    in memory, so keys of one block still differ in their positions.

use crate::format::BLOCK_BYTES;

/// An aligned cache line of bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(64))]
pub(crate) struct Block(pub(crate) [u8; BLOCK_BYTES]);

impl Block {
    pub(crate) const ZERO: Block = Block([0; BLOCK_BYTES]);
}

/// The hash of a key that every filter takes: XXH3, 64 bits.
#[inline]
pub fn hash(key: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(key)
}

/// Which of `blocks` a hash belongs to; below `blocks`, 0 if there are none.
#[inline]
pub(crate) fn block_of(hash: u64, blocks: usize) -> usize {
    ((u128::from(hash) * blocks as u128) >> 64) as usize
}

/// The bit positions of a hash, below 512.
#[inline]
pub(crate) fn positions(hash: u64, probes: u8) -> impl Iterator<Item = usize> {
    const POSITION_BITS: u32 = 9;
    const PER_WORD: u8 = 7;
    let mut word = mix(hash);
    (0..probes).map(move |i| {
        if i > 0 && i % PER_WORD == 0 {
            word = mix(word);
        }
        let position = (word >> (64 - POSITION_BITS)) as usize;
        word = word.rotate_left(POSITION_BITS);
        position
    })
}

/// A bijection that spreads low bits upwards and high bits downwards.
#[inline]
fn mix(word: u64) -> u64 {
    (word ^ (word >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
