//! Which slot a key lies in.
//!
//! A guard is the first key of a slot. Most keys of a store share a long beginning, so routing
//! compares words: the eight bytes of each guard behind what all inner guards have in common,
//! big-endian, in one flat array. Only guards with equal words are compared in full.
//!
//! Invariants:
//! 1. Guards ascend strictly; the first is the empty key, so every key has a slot.
//! 2. The inner guards are all but the first and the last. The last starts the empty slot above
//!    the highest keyspace and would only shorten what the others share.
//! 3. Word order never contradicts key order: `a < b` implies `word(a) <= word(b)`.

use bytes::Bytes;

/// The first keys of all slots, made for searching.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guards {
    keys: Vec<Bytes>,
    /// How many bytes the inner guards share.
    shared: usize,
    /// One word per inner guard.
    words: Vec<u64>,
}

impl Guards {
    /// From the slots' first keys, ascending; the first one empty.
    pub(crate) fn new(keys: Vec<Bytes>) -> Guards {
        let inner = inner(&keys);
        let shared = match (inner.first(), inner.last()) {
            // The guards ascend, so what the first and the last share is shared by all.
            (Some(a), Some(b)) => a.iter().zip(b.iter()).take_while(|(a, b)| a == b).count(),
            _ => 0,
        };
        let words = inner.iter().map(|key| word(key, shared)).collect();
        Guards { keys, shared, words }
    }

    /// `n - 1` guards that cut the keys into `n` equal parts by their first byte, or by their
    /// first two bytes where `n` is above 256; `n` above 65,536 counts as that. Right only for
    /// keys whose first bytes are evenly spread, such as hashes.
    pub fn uniform(n: usize) -> Vec<Bytes> {
        let n = n.clamp(1, 65_536);
        let two_bytes = n > 256;
        let of = if two_bytes { 65_536 } else { 256 };
        let guard = |i: usize| {
            let at = u16::try_from(i * of / n).unwrap_or(u16::MAX);
            let [high, low] = at.to_be_bytes();
            if two_bytes { Bytes::copy_from_slice(&[high, low]) } else { Bytes::from(vec![low]) }
        };
        (1..n).map(guard).collect()
    }

    /// The index of the slot that `key` lies in.
    pub fn route(&self, key: &[u8]) -> usize {
        let Some(last) = self.keys.len().checked_sub(1) else {
            return 0;
        };
        if last == 0 || key >= &self.keys[last][..] {
            return last;
        }
        let inner = inner(&self.keys);
        let Some(first) = inner.first() else {
            return 0;
        };
        // How many inner guards are at or below the key is the index, since guard 0 always is.
        let common = &first[..self.shared];
        match key.get(..self.shared) {
            Some(head) if head == common => {}
            _ if key < common => return 0,
            _ => return inner.len(),
        }
        let wanted = word(key, self.shared);
        let lower = self.words.partition_point(|w| *w < wanted);
        let equal = self.words[lower..].partition_point(|w| *w == wanted);
        lower + inner[lower..lower + equal].partition_point(|guard| &guard[..] <= key)
    }

    /// All guards, ascending.
    pub fn keys(&self) -> &[Bytes] {
        &self.keys
    }
}

fn inner(keys: &[Bytes]) -> &[Bytes] {
    keys.get(1..keys.len().saturating_sub(1)).unwrap_or_default()
}

/// The eight bytes from `skip` on, zeros where the key is shorter.
fn word(key: &[u8], skip: usize) -> u64 {
    let rest = key.get(skip..).unwrap_or_default();
    if let Some(whole) = rest.first_chunk::<8>() {
        return u64::from_be_bytes(*whole);
    }
    let mut bytes = [0; 8];
    bytes[..rest.len()].copy_from_slice(rest);
    u64::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nori_env::Rng;

    fn naive(keys: &[Bytes], key: &[u8]) -> usize {
        keys.iter().rposition(|guard| &guard[..] <= key).unwrap_or(0)
    }

    #[test]
    fn routing_agrees_with_a_scan_of_the_guards() {
        let mut rng = Rng::new(11);
        let mut compared = 0;
        for _ in 0..300 {
            // Few letters and shared beginnings: equal words and prefixes are common.
            let head = vec![b'h'; rng.below(12) as usize];
            let random = |rng: &mut Rng| -> Vec<u8> {
                let mut key = if rng.chance(90) { head.clone() } else { Vec::new() };
                key.extend((0..rng.below(14)).map(|_| b"\0a\xff"[rng.below(3) as usize]));
                key
            };
            let mut keys: Vec<Bytes> = vec![Bytes::new()];
            keys.extend((0..rng.below(40)).map(|_| Bytes::from(random(&mut rng))));
            keys.sort();
            keys.dedup();
            let guards = Guards::new(keys.clone());
            let probes: Vec<Vec<u8>> = (0..40).map(|_| random(&mut rng)).collect();
            for key in keys.iter().map(|k| k.to_vec()).chain(probes) {
                assert_eq!(guards.route(&key), naive(&keys, &key), "{key:?} in {keys:?}");
                compared += 1;
            }
        }
        println!("seed 11: {compared} keys routed");
    }

    #[test]
    fn uniform_guards_are_sorted_distinct_and_n_minus_one() {
        for n in [0, 1, 2, 3, 16, 255, 256, 257, 1000, 65_536, 100_000] {
            let guards = Guards::uniform(n);
            assert_eq!(guards.len(), n.clamp(1, 65_536) - 1, "{n}");
            assert!(guards.is_sorted_by(|a, b| a < b), "{n}");
        }
        assert_eq!(Guards::uniform(4), [&b"\x40"[..], b"\x80", b"\xc0"]);
    }
}
