//! Seeded randomness: the same seed gives the same numbers on every machine and in every release.
//!
//! The generator is xoshiro256++ (Blackman and Vigna, 2019), its state filled by splitmix64. It
//! is for tests, simulation and the scheduler's dice, not for secrets: salts and table ids come
//! from [`FileSystem::random`](crate::FileSystem::random).
//!
//! 1. Integers only, no floating point and no `usize` arithmetic: results do not depend on the
//!    platform. A golden test holds the first values.

/// A seeded source of numbers.
///
/// ```
/// use nori_env::Rng;
///
/// let (mut a, mut b) = (Rng::new(7), Rng::new(7));
/// assert_eq!(a.next_u64(), b.next_u64());
/// assert!(a.below(10) < 10);
/// ```
#[derive(Clone, Debug)]
pub struct Rng {
    state: [u64; 4],
}

/// One step of splitmix64: spreads a seed, or mixes two numbers.
pub(crate) fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Rng {
    /// The sequence that belongs to a seed. Neighbouring seeds give unrelated sequences.
    pub fn new(seed: u64) -> Rng {
        let mut s = seed;
        Rng { state: [splitmix(&mut s), splitmix(&mut s), splitmix(&mut s), splitmix(&mut s)] }
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        let (b2, a2) = (b ^ c, a ^ d);
        self.state = [a2, b2, c ^ (b << 17), d.rotate_left(45)];
        result
    }

    /// A number below `n`; 0 when `n` is 0. The bias is below n / 2^64.
    pub fn below(&mut self, n: u64) -> u64 {
        let wide = u128::from(self.next_u64()) * u128::from(n);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// An index below `n`; 0 when `n` is 0.
    pub fn index(&mut self, n: usize) -> usize {
        let below = self.below(u64::try_from(n).unwrap_or(u64::MAX));
        usize::try_from(below).unwrap_or(0)
    }

    /// True in `percent` of 100 cases; never for 0, always from 100 on.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// Random bytes.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for part in bytes.chunks_mut(8) {
            let word = self.next_u64().to_le_bytes();
            part.iter_mut().zip(word).for_each(|(to, from)| *to = from);
        }
    }

    /// One of the items.
    ///
    /// # Panics
    /// If there is none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        assert!(!items.is_empty(), "pick from nothing");
        &items[self.index(items.len())]
    }

    /// Puts the items into random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.index(last + 1));
        }
    }

    /// A generator of its own for a part of a run, so that what one part draws does not shift
    /// what another sees.
    pub fn fork(&mut self) -> Rng {
        Rng::new(self.next_u64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_values_never_change() {
        let mut rng = Rng::new(0);
        let first: Vec<u64> = (0..4).map(|_| rng.next_u64()).collect();
        assert_eq!(first, GOLDEN_0);
        let mut rng = Rng::new(42);
        let below: Vec<u64> = (0..8).map(|_| rng.below(1_000)).collect();
        assert_eq!(below, GOLDEN_42);
        let mut bytes = [61, 145, 174, 42, 0, 26, 44, 14, 20, 158, 78];
        Rng::new(7).fill(&mut bytes);
        assert_eq!(bytes, GOLDEN_7);
    }

    const GOLDEN_0: [u64; 4] = [
        5_987_356_902_031_041_503,
        7_051_070_477_665_621_255,
        6_633_766_593_972_829_180,
        211_316_841_551_650_330,
    ];
    const GOLDEN_42: [u64; 8] = [814, 318, 983, 701, 793, 588, 125, 605];
    const GOLDEN_7: [u8; 11] = [61, 145, 174, 42, 0, 26, 44, 14, 20, 158, 78];

    #[test]
    fn numbers_stay_below_their_bound_and_reach_all_of_it() {
        let mut rng = Rng::new(1);
        let mut seen = [0_u32; 7];
        for _ in 0..7_000 {
            seen[rng.index(7)] += 1;
        }
        assert!(seen.iter().all(|&n| (800..1_200).contains(&n)), "{seen:?}");
        assert_eq!(rng.below(0), 0);
        assert_eq!(rng.below(1), 0);
        assert_eq!(rng.index(0), 0);
    }

    #[test]
    fn chance_honours_its_ends() {
        let mut rng = Rng::new(2);
        assert!((0..1_000).all(|_| !rng.chance(0)));
        assert!((0..1_000).all(|_| rng.chance(100)));
        let hits = (0..10_000).filter(|_| rng.chance(30)).count();
        assert!((2_700..3_300).contains(&hits), "{hits}");
    }

    #[test]
    fn shuffling_loses_nothing() {
        let mut items: Vec<u32> = (0..100).collect();
        Rng::new(3).shuffle(&mut items);
        assert_ne!(items, (0..100).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn forks_are_unrelated_and_repeatable() {
        let (mut a, mut b) = (Rng::new(9), Rng::new(9));
        let (mut fork_a, mut fork_b) = (a.fork(), b.fork());
        assert_eq!(fork_a.next_u64(), fork_b.next_u64());
        assert_ne!(fork_a.next_u64(), a.next_u64());
    }
}
