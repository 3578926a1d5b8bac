//! Which keys a memtable may hold: a Bloom filter that grows no more once it is made.
//!
//! Each key sets four bits of one word, chosen by its hash. Most lookups ask a memtable for a key
//! that it does not have; one word then answers for a search.
//!
//! 1. Bits are only set, so a key that was added stays.
//! 2. A key is added before its entry is published. So who can see the entry sees the bits.

use crate::prefetch::prefetch;
use nori_env::sync::atomic::{AtomicU64, Ordering};

/// One bit of the filter for sixteen bytes of the memtable: about twelve for each entry of 16 + 100
/// bytes, of which one stranger in fifty then passes. Entries of a fifth of that fill it up.
const SHARE: usize = 128;
/// 4 MiB of filter; memtables of more than 512 MiB get no larger one.
const WORDS_MAX: usize = (4 << 20) / 8;

/// A set of keys that may say yes to others too.
#[derive(Debug)]
pub(crate) struct Filter {
    words: Box<[AtomicU64]>,
}

impl Filter {
    /// A filter for a memtable of about so many bytes; one for 0 bytes says always yes.
    pub(crate) fn new(memtable_bytes: usize) -> Filter {
        let words = (memtable_bytes / SHARE).div_ceil(8).min(WORDS_MAX);
        Filter { words: (0..words).map(|_| AtomicU64::new(0)).collect() }
    }

    /// Its size in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.words.len() * 8
    }

    /// Asks for the word that [`Filter::add`] will change.
    #[inline]
    pub(crate) fn prefetch(&self, hash: u64) {
        if let Some(word) = self.word(hash) {
            prefetch(word);
        }
    }

    /// Adds a key, by its hash. Call it before the entry is published.
    #[inline]
    pub(crate) fn add(&self, hash: u64) {
        if let Some(word) = self.word(hash) {
            // Publishing the entry releases this (invariant 2).
            word.fetch_or(bits(hash), Ordering::Relaxed);
        }
    }

    /// Whether a key may have been added.
    #[inline]
    pub(crate) fn may_hold(&self, hash: u64) -> bool {
        let bits = bits(hash);
        self.word(hash).is_none_or(|word| word.load(Ordering::Relaxed) & bits == bits)
    }

    #[inline]
    fn word(&self, hash: u64) -> Option<&AtomicU64> {
        // The upper half chooses the word, the lower one the bits.
        let at = ((hash >> 32) * self.words.len() as u64) >> 32;
        self.words.get(at as usize)
    }
}

/// Four bits, some of which may be the same.
#[inline]
fn bits(hash: u64) -> u64 {
    (0..4).fold(0, |bits, i| bits | 1 << ((hash >> (6 * i)) & 63))
}

#[cfg(all(test, not(nori_loom)))]
mod tests {
    use super::*;

    fn hash(n: u64) -> u64 {
        nori_bloom::hash(&n.to_be_bytes())
    }

    #[test]
    fn what_was_added_passes_and_few_strangers_do() {
        // As many entries as 64 MiB hold of 16 + 100 bytes.
        let (capacity, keys) = (64 << 20, 350_000);
        let filter = Filter::new(capacity);
        assert_eq!(filter.bytes(), capacity / 128);
        (0..keys).for_each(|n| filter.add(hash(n)));
        assert!((0..keys).all(|n| filter.may_hold(hash(n))));
        let strangers = (keys..keys + 100_000).filter(|n| filter.may_hold(hash(*n))).count();
        println!("{strangers} of 100000 strangers pass");
        assert!(strangers < 5_000, "{strangers} of 100000 pass");
    }

    #[test]
    fn small_filters_are_small_and_none_says_yes() {
        let none = Filter::new(0);
        none.add(1);
        assert!(none.bytes() == 0 && none.may_hold(2));
        let small = Filter::new(4096);
        assert_eq!(small.bytes(), 32);
        assert!(!small.may_hold(hash(1)));
        small.add(hash(1));
        assert!(small.may_hold(hash(1)));
        assert_eq!(Filter::new(usize::MAX).bytes(), WORDS_MAX * 8);
    }
}
