//! Seeded numbers: random ones, and a random order of all of 0..n.

/// SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// One whose numbers the seed explains.
    pub fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `n`; 0 for 0. The bias is below n / 2^64.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(n)) >> 64) as u64
    }
}

fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A random order of 0..n that takes no memory: a Feistel network over the next power of four,
/// walked until it comes back into the range.
#[derive(Clone, Debug)]
pub struct Shuffle {
    n: u64,
    half_bits: u32,
    seed: u64,
}

impl Shuffle {
    /// An order of 0..n that the seed explains.
    pub fn new(n: u64, seed: u64) -> Shuffle {
        let bits = u64::BITS - n.saturating_sub(1).leading_zeros();
        Shuffle { n, half_bits: bits.div_ceil(2).max(1), seed }
    }

    /// The number at position `at`, which is below n.
    pub fn at(&self, at: u64) -> u64 {
        let mut x = at;
        loop {
            x = self.rounds(x);
            if x < self.n || self.n == 0 {
                return x;
            }
        }
    }

    fn rounds(&self, x: u64) -> u64 {
        let mask = (1u64 << self.half_bits) - 1;
        let (mut left, mut right) = ((x >> self.half_bits) & mask, x & mask);
        for round in 0..4 {
            let key = self.seed.wrapping_add(round << 56).wrapping_add(right);
            (left, right) = (right, left ^ (mix(key.wrapping_mul(0x9e37_79b9_7f4a_7c15)) & mask));
        }
        (left << self.half_bits) | right
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shuffle_is_an_order_of_all_numbers() {
        for n in [1, 2, 3, 5, 64, 1000, 4097] {
            let shuffle = Shuffle::new(n, 7);
            let mut all: Vec<u64> = (0..n).map(|at| shuffle.at(at)).collect();
            let steps = all.windows(2).filter(|w| w[1] == w[0] + 1).count();
            assert!(n < 1000 || steps < 20, "{n} {steps}");
            all.sort_unstable();
            assert!(all.iter().copied().eq(0..n), "{n}");
        }
    }

    #[test]
    fn numbers_stay_below_their_bound() {
        let mut rng = Rng::new(1);
        let mut seen = [0u32; 10];
        for _ in 0..10_000 {
            seen[rng.below(10) as usize] += 1;
        }
        assert!(seen.iter().all(|n| (800..1200).contains(n)), "{seen:?}");
        assert_eq!(rng.below(0), 0);
    }
}
