//! Which keys are hot, when.

use nori_bench::{Rng, Shuffle};

/// The key space is cut into so many ranges, of which one is hot.
const RANGES: u64 = 20;
const HOT_WRITES_PERCENT: u64 = 80;
const HOT_READS_PERCENT: u64 = 90;

/// Picks keys for one thread.
pub(super) struct Plan {
    keys: u64,
    moves: u64,
    places: Shuffle,
}

impl Plan {
    pub(super) fn new(keys: u64, moves: u64, seed: u64) -> Plan {
        Plan { keys, moves, places: Shuffle::new(RANGES, seed) }
    }

    /// How often the hot spot has moved when `put` of `keys` puts have been made.
    pub(super) fn phase(&self, put: u64) -> u64 {
        let phases = u128::from(self.moves) + 1;
        let phase = u128::from(put) * phases / u128::from(self.keys.max(1));
        phase.min(phases - 1) as u64
    }

    /// The key of a write.
    pub(super) fn written(&self, phase: u64, rng: &mut Rng) -> u64 {
        self.pick(phase, HOT_WRITES_PERCENT, rng)
    }

    /// The key of a read.
    pub(super) fn read(&self, phase: u64, rng: &mut Rng) -> u64 {
        self.pick(phase, HOT_READS_PERCENT, rng)
    }

    fn pick(&self, phase: u64, hot_percent: u64, rng: &mut Rng) -> u64 {
        if rng.below(100) >= hot_percent {
            return rng.below(self.keys);
        }
        let width = self.keys / RANGES;
        self.places.at(phase % RANGES) * width + rng.below(width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_twentieth_is_hot_and_moves() {
        let (plan, mut rng) = (Plan::new(10_000, 4, 3), Rng::new(1));
        let mut places = Vec::new();
        for phase in 0..5 {
            let mut counts = [0; 20];
            for _ in 0..10_000 {
                counts[(plan.written(phase, &mut rng) / 500) as usize] += 1;
            }
            let hot: Vec<usize> = (0..20).filter(|&at| counts[at] > 1_000).collect();
            assert_eq!(hot.len(), 1, "{counts:?}");
            // 80 percent, and its part of the rest.
            assert!((7_900..8_300).contains(&counts[hot[0]]), "{counts:?}");
            places.push(hot[0]);
        }
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), 5);
        let phases: Vec<u64> = [0, 1_999, 2_000, 9_999, 10_000].map(|n| plan.phase(n)).into();
        assert_eq!(phases, [0, 0, 1, 4, 4]);
    }
}
