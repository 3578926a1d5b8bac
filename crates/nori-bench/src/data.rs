//! Keys and values of a bench.

use crate::numbers::{Rng, Shuffle};
use crate::zipf::Zipf;

/// Values are pieces of a pool this large, or twice a value where that is more.
const POOL_BYTES: usize = 1 << 20;
/// The pool is made of pieces of this length, each of random bytes and the same bytes again, so
/// that half of it compresses: what db_bench of LevelDB and RocksDB makes.
const PIECE_BYTES: usize = 100;

/// Zipf's hot ranges of keys: the key space is cut into so many.
const RANGES: u64 = 1024;

/// What keys and values are made from: numbers, and a seed.
#[derive(Clone, Debug)]
pub struct Data {
    /// How many keys there are.
    pub keys: u64,
    key_bytes: usize,
    value_bytes: usize,
    seed: u64,
    pool: Vec<u8>,
}

impl Data {
    /// Keys of `key_bytes`, as many as digits of their numbers need, and values of `value_bytes`.
    pub fn new(keys: u64, key_bytes: u64, value_bytes: u64, seed: u64) -> Data {
        // The ranges of the arguments keep both far below the size of memory.
        let value_bytes = usize::try_from(value_bytes).unwrap_or(POOL_BYTES);
        let key_bytes = usize::try_from(key_bytes).unwrap_or(16);
        let mut rng = Rng::new(seed);
        let mut pool = Vec::with_capacity(POOL_BYTES.max(2 * value_bytes) + PIECE_BYTES);
        while pool.len() < POOL_BYTES.max(2 * value_bytes) {
            let start = pool.len();
            pool.extend((0..PIECE_BYTES / 2).map(|_| rng.next_u64() as u8));
            pool.extend_from_within(start..);
        }
        Data { keys, key_bytes, value_bytes, seed, pool }
    }

    /// Writes key number `i` into `key`: decimal digits, so numbers and keys have one order.
    pub fn key(&self, i: u64, key: &mut Vec<u8>) {
        key.clear();
        key.resize(self.key_bytes, b'0');
        let mut rest = i;
        for digit in key.iter_mut().rev() {
            if rest == 0 {
                break;
            }
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
    }

    /// A key behind key number `i` and before the next, which no workload writes.
    pub fn missing_key(&self, i: u64, key: &mut Vec<u8>) {
        self.key(i, key);
        key.push(b'x');
    }

    /// A value, another one for each number.
    pub fn value(&self, number: u64) -> &[u8] {
        let last = self.pool.len() - self.value_bytes;
        let piece = (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) as usize;
        let at = piece % (last / PIECE_BYTES + 1) * PIECE_BYTES;
        &self.pool[at..at + self.value_bytes]
    }

    /// Draws keys of which some ranges, each without gaps, are hot: which range is Zipf's draw, and
    /// within one all keys are alike. The hot ranges do not lie side by side.
    pub fn hot_ranges(&self) -> impl Fn(&mut Rng) -> u64 + use<> {
        let (keys, ranges) = (self.keys, RANGES.min(self.keys));
        let (zipf, places) = (Zipf::new(ranges), Shuffle::new(ranges, self.seed));
        let edge = move |range: u64| {
            (u128::from(keys) * u128::from(range) / u128::from(ranges.max(1))) as u64
        };
        move |rng| {
            let range = places.at(zipf.draw(rng));
            edge(range) + rng.below(edge(range + 1) - edge(range))
        }
    }

    /// Bytes of one entry.
    pub fn entry_bytes(&self) -> u64 {
        (self.key_bytes + self.value_bytes) as u64
    }

    /// A random order of all keys.
    pub fn shuffle(&self) -> Shuffle {
        Shuffle::new(self.keys, self.seed)
    }

    /// Random numbers of one thread of one workload.
    pub fn rng(&self, workload: u64, thread: u64) -> Rng {
        Rng::new(self.seed.wrapping_add(workload << 32).wrapping_add(thread << 16))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stand_in_the_order_of_their_numbers() {
        let data = Data::new(1000, 12, 100, 1);
        let (mut last, mut key, mut between) = (Vec::new(), Vec::new(), Vec::new());
        for i in [0, 1, 9, 10, 11, 999, 1000, 999_999_999_999] {
            data.key(i, &mut key);
            assert!(key.len() == 12 && key > last, "{i}");
            data.missing_key(i, &mut between);
            assert!(between > key, "{i}");
            last.clone_from(&between);
        }
        data.key(42, &mut key);
        assert_eq!(key, b"000000000042");
    }

    #[test]
    fn values_differ_and_a_seed_explains_them() {
        let (data, other) = (Data::new(10, 16, 100, 1), Data::new(10, 16, 100, 2));
        let again = Data::new(10, 16, 100, 1);
        for n in 0..1000 {
            assert_eq!(data.value(n), again.value(n));
            assert_eq!(data.value(n).len(), 100);
            assert_ne!(data.value(n), other.value(n));
            assert_ne!(data.value(n), data.value(n + 1));
            let (half, again) = data.value(n).split_at(50);
            assert_eq!(half, again, "the second half compresses");
            assert!((0..50).any(|i| half[i] != half[0]), "the first does not");
        }
        assert_eq!(Data::new(10, 16, 0, 1).value(3), b"");
        assert_eq!(Data::new(10, 16, 3 << 20, 1).value(3).len(), 3 << 20);
    }

    /// The hot keys lie beside each other; the hot ranges do not.
    #[test]
    fn hot_ranges_have_no_gaps() {
        let data = Data::new(102_400, 16, 100, 3);
        let (draw, mut rng) = (data.hot_ranges(), data.rng(1, 0));
        let mut ranges = vec![(0u64, 0u64); 1024];
        for _ in 0..200_000 {
            let key = draw(&mut rng);
            let (low, high) = &mut ranges[(key / 100) as usize];
            if key % 100 < 50 { *low += 1 } else { *high += 1 }
        }
        let mut hottest: Vec<usize> = (0..1024).collect();
        hottest.sort_by_key(|at| std::cmp::Reverse(ranges[*at].0 + ranges[*at].1));
        let share: u64 = hottest[..100].iter().map(|at| ranges[*at].0 + ranges[*at].1).sum();
        assert!((120_000..150_000).contains(&share), "a tenth of the ranges has {share}");
        for at in &hottest[..10] {
            let (low, high) = ranges[*at];
            assert!(low.abs_diff(high) < (low + high) / 10, "{at}: {low} {high}");
        }
        assert!(hottest[0].abs_diff(hottest[1]) > 1, "{hottest:?}");
        for keys in [1, 3, 1000, 1025] {
            let data = Data::new(keys, 16, 0, 1);
            let (draw, mut rng) = (data.hot_ranges(), data.rng(1, 0));
            let all =
                (0..100_000).map(|_| draw(&mut rng)).collect::<std::collections::BTreeSet<_>>();
            assert_eq!(all.len() as u64, keys, "{keys}");
        }
    }
}
