//! Keys that are hard to keep in order, for the tests of this crate.

use nori_env::Rng;
use nori_types::{SeqNo, ValueKind};

/// Empty keys, zeros, ends around the words and prefixes that are compared apart, long common
/// prefixes, keys of the greatest length.
pub(crate) fn key_pool() -> Vec<Vec<u8>> {
    let mut pool = vec![Vec::new()];
    for len in [1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 55, 56, 57, 64, 69] {
        for byte in [0, 1, b'a', 0x7f, 0x80, 0xff] {
            pool.push(vec![byte; len]);
            // Differs from the former in the last byte only, then in the length only.
            let mut other = vec![byte; len];
            other[len - 1] ^= 1;
            pool.push(other.clone());
            other.push(0);
            pool.push(other);
        }
    }
    for shared in [100, 65_530] {
        let mut key = vec![b'p'; shared];
        pool.push(key.clone());
        for end in [&[0][..], &[0, 0], &[1], b"end", &[0xff, 0xff, 0xff, 0xff, 0xff]] {
            key.truncate(shared);
            key.extend_from_slice(end);
            pool.push(key.clone());
        }
    }
    // Keyspace id, then a big-endian counter.
    pool.extend((0..40_u64).map(|n| [&[0][..], &(n * 37).to_be_bytes()].concat()));
    pool
}

/// Versions of keys of a pool: few numbers, so that keys have several.
pub(crate) fn versions(
    pool: &[Vec<u8>],
    seed: u64,
    count: usize,
) -> Vec<(Vec<u8>, SeqNo, ValueKind)> {
    let mut rng = Rng::new(seed);
    let mut one = || {
        let seq = *rng.pick(&[0, 1, 2, 255, 256, SeqNo::MAX.get() - 1, SeqNo::MAX.get()]);
        let kind = *rng.pick(&[ValueKind::Value, ValueKind::Tombstone]);
        (rng.pick(pool).clone(), SeqNo::new(seq), kind)
    };
    (0..count).map(|_| one()).collect()
}
