//! Latencies: a histogram of nanoseconds with a bounded error.
//!
//! A power of two is cut into 64 buckets of equal width, so a bucket is at most 1/64 of its value
//! wide: percentiles are at most 1.6 % too high, never too low, and the largest value is exact.

use serde::Serialize;

const CUTS: usize = 64;
const CUT_BITS: u32 = CUTS.trailing_zeros();
/// One group of exact values below 64, and one for each higher bit.
const BUCKETS: usize = (64 - CUT_BITS as usize + 1) * CUTS;

/// How often each latency was seen.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max: u64,
}

/// What is told of a histogram, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// Half of all took no longer.
    pub p50_ns: u64,
    /// 99 of 100 took no longer.
    pub p99_ns: u64,
    /// 999 of 1000 took no longer.
    pub p999_ns: u64,
    /// The longest.
    pub max_ns: u64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram::new()
    }
}

impl Histogram {
    /// An empty one.
    pub fn new() -> Histogram {
        Histogram { counts: vec![0; BUCKETS], total: 0, max: 0 }
    }

    /// Counts one value.
    pub fn record(&mut self, ns: u64) {
        self.counts[bucket(ns)] += 1;
        self.total += 1;
        self.max = self.max.max(ns);
    }

    /// Takes over what another one counted.
    pub fn merge(&mut self, other: &Histogram) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.total += other.total;
        self.max = self.max.max(other.max);
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.counts.fill(0);
        (self.total, self.max) = (0, 0);
    }

    /// What was counted, as pairs of a bucket and its count.
    pub(crate) fn sparse(&self) -> Vec<(u32, u32)> {
        let counts = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        counts.map(|(at, n)| (at as u32, u32::try_from(*n).unwrap_or(u32::MAX))).collect()
    }

    /// One that counted these pairs; of the largest value only its bucket is known.
    pub(crate) fn of_sparse(pairs: &[(u32, u32)]) -> Histogram {
        let mut all = Histogram::new();
        for (at, count) in pairs {
            all.counts[*at as usize] += u64::from(*count);
            all.total += u64::from(*count);
            all.max = all.max.max(highest(*at as usize));
        }
        all
    }

    /// How many values were counted.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The value that `per_mille` thousandths of all values do not exceed.
    pub fn percentile(&self, per_mille: u64) -> u64 {
        let wanted = (u128::from(self.total) * u128::from(per_mille)).div_ceil(1000).max(1);
        let mut seen = 0;
        for (at, count) in self.counts.iter().enumerate() {
            seen += u128::from(*count);
            if seen >= wanted {
                return highest(at).min(self.max);
            }
        }
        self.max
    }

    /// The percentiles that are told.
    pub fn latency(&self) -> Latency {
        Latency {
            p50_ns: self.percentile(500),
            p99_ns: self.percentile(990),
            p999_ns: self.percentile(999),
            max_ns: self.max,
        }
    }
}

fn bucket(ns: u64) -> usize {
    let bits = u64::BITS - ns.leading_zeros();
    let shift = bits.saturating_sub(CUT_BITS + 1);
    // Below 128 the value itself; above, its group and its seven highest bits.
    shift as usize * CUTS + (ns >> shift) as usize
}

/// The highest value of a bucket.
fn highest(bucket: usize) -> u64 {
    if bucket < 2 * CUTS {
        return bucket as u64;
    }
    let shift = bucket / CUTS - 1;
    let top = (bucket - shift * CUTS) as u128;
    u64::try_from(((top + 1) << shift) - 1).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other_and_are_narrow() {
        let mut last = 0;
        for ns in (0..4096u64).chain((12..64).flat_map(|b| [(1 << b) - 1, 1 << b, (1 << b) + 1])) {
            let at = bucket(ns);
            assert!(at < BUCKETS && (at == last || at == last + 1 || ns > 4096), "{ns}");
            let high = highest(at);
            assert!(high >= ns && (high - ns) as f64 <= ns as f64 / 63.0, "{ns} {high}");
            last = at;
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
        assert_eq!(highest(BUCKETS - 1), u64::MAX);
    }

    #[test]
    fn percentiles_agree_with_sorting() {
        let mut histogram = Histogram::new();
        let (mut half, mut other) = (Histogram::new(), Histogram::new());
        let mut state = 9u64;
        let mut values: Vec<u64> = (0..10_000)
            .map(|_| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                (state >> 40) % 1_000_000
            })
            .collect();
        for (at, value) in values.iter().enumerate() {
            if at % 2 == 0 { half.record(*value) } else { other.record(*value) }
        }
        histogram.merge(&half);
        histogram.merge(&other);
        values.sort_unstable();
        assert_eq!(histogram.total(), 10_000);
        for per_mille in [1, 500, 990, 999, 1000] {
            let exact = values[per_mille as usize * 10 - 1];
            let told = histogram.percentile(per_mille);
            assert!(told >= exact && told as f64 <= exact as f64 * 1.016 + 1.0, "{told} {exact}");
        }
        assert_eq!(histogram.latency().max_ns, values[9_999]);
        assert_eq!(Histogram::new().percentile(500), 0);
        // Halves that were kept in short give the same again.
        let pairs = [half.sparse(), other.sparse()].concat();
        let again = Histogram::of_sparse(&pairs);
        assert_eq!(again.total(), 10_000);
        assert_eq!(again.percentile(990), histogram.percentile(990));
        histogram.clear();
        assert_eq!((histogram.total(), histogram.percentile(990)), (0, 0));
    }
}
