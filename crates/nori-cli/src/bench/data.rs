//! Keys and values of a bench.

use crate::numbers::{Rng, Shuffle};

/// Values are pieces of a pool this large, or twice a value where that is more.
const POOL_BYTES: usize = 1 << 20;
/// Random and plain bytes take turns in pieces of this many, so that half of any value compresses.
const PIECE_BYTES: usize = 25;

/// What keys and values are made from.
pub(super) struct Data {
    pub(super) keys: u64,
    key_bytes: usize,
    value_bytes: usize,
    seed: u64,
    pool: Vec<u8>,
}

impl Data {
    pub(super) fn new(keys: u64, key_bytes: u64, value_bytes: u64, seed: u64) -> Data {
        // The ranges of the arguments keep both far below the size of memory.
        let value_bytes = usize::try_from(value_bytes).unwrap_or(POOL_BYTES);
        let key_bytes = usize::try_from(key_bytes).unwrap_or(16);
        let mut rng = Rng::new(seed);
        let pool = (0..POOL_BYTES.max(2 * value_bytes))
            .map(|at| (at / PIECE_BYTES).is_multiple_of(2))
            .map(|random| if random { rng.next() as u8 } else { b'.' })
            .collect();
        Data { keys, key_bytes, value_bytes, seed, pool }
    }

    /// Writes key number `i` into `key`: decimal digits, so numbers and keys have one order.
    pub(super) fn key(&self, i: u64, key: &mut Vec<u8>) {
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
    pub(super) fn missing_key(&self, i: u64, key: &mut Vec<u8>) {
        self.key(i, key);
        key.push(b'x');
    }

    /// A value, another one for each number.
    pub(super) fn value(&self, number: u64) -> &[u8] {
        let last = self.pool.len() - self.value_bytes;
        let at = (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) as usize % (last + 1);
        &self.pool[at..at + self.value_bytes]
    }

    /// Bytes of one entry.
    pub(super) fn entry_bytes(&self) -> u64 {
        (self.key_bytes + self.value_bytes) as u64
    }

    /// A random order of all keys.
    pub(super) fn shuffle(&self) -> Shuffle {
        Shuffle::new(self.keys, self.seed)
    }

    /// Random numbers of one thread of one workload.
    pub(super) fn rng(&self, workload: u64, thread: u64) -> Rng {
        Rng::new(self.seed.wrapping_add(workload << 32).wrapping_add(thread << 16))
    }
}
