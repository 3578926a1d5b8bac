//! How long something took: a histogram of fixed size that threads add to without a lock.
//!
//! Durations are nanoseconds. Up to 15 each has a bucket of its own; above, each power of two is
//! cut into 16 buckets of equal width, up to 137 seconds; what took longer is in the last one. So a
//! quantile is too high by less than a sixteenth, never too low.
//!
//! ```text
//! bucket    0 ..  15     16 ..  31     32 ..  47         ...   528 .. 543
//! ns        0 ..  15     16 ..  31     32, 34 .. 62      ...   2^36 .. 2^37 - 1, and above
//! ```
//!
//! 1. Nothing here decides anything: the atomics are std's in every build, and relaxed, as orders
//!    of counts are nothing that a checker of interleavings should try.
//! 2. What is read while others add may miss what is being added; the buckets read are consistent
//!    with the count read, which is their sum.

use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};

/// Buckets in each power of two, and for 0 to 15.
const STEPS: u64 = 16;
const STEPS_LOG2: u32 = STEPS.ilog2();

/// The last power of two that is told apart.
const TOP: u32 = 36;

const BUCKETS: usize = ((TOP - STEPS_LOG2 + 1) as usize + 1) * STEPS as usize;

/// The buckets that are shown end at these powers of two.
const SHOWN: std::ops::RangeInclusive<u32> = 8..=TOP;

/// Something that was measured many times.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Latency {
    /// How often it happened. Where only some are measured, each of those stands for as many as
    /// passed since the one before it, so that the count is that of all, but for the last few.
    pub count: u64,
    /// Nanoseconds, all together; estimated likewise.
    pub sum_ns: u64,
    /// The longest that was measured, in nanoseconds.
    pub max_ns: u64,
    /// Half took no longer, in nanoseconds. This and the others are too high by up to 7 %.
    pub p50_ns: u64,
    /// Of a hundred 99 took no longer.
    pub p99_ns: u64,
    /// Of a thousand 999 took no longer.
    pub p999_ns: u64,
    /// How many took no longer than each of 29 bounds from 255 nanoseconds to 69 seconds.
    pub buckets: Vec<LatencyBucket>,
}

/// How many took no longer than a bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LatencyBucket {
    /// The bound in nanoseconds, inclusive.
    pub le_ns: u64,
    /// How many took no longer; those of the smaller bounds included.
    pub count: u64,
}

/// What threads add to.
#[derive(Debug)]
pub(crate) struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    sum: AtomicU64,
    max: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        let buckets = std::array::from_fn(|_| AtomicU64::new(0));
        Histogram { buckets, sum: AtomicU64::new(0), max: AtomicU64::new(0) }
    }
}

fn bucket_of(ns: u64) -> usize {
    if ns < STEPS {
        return ns as usize;
    }
    let top = ns.ilog2();
    if top > TOP {
        return BUCKETS - 1;
    }
    let step = (ns >> (top - STEPS_LOG2)) % STEPS;
    (u64::from(top - STEPS_LOG2 + 1) * STEPS + step) as usize
}

/// The largest duration of a bucket.
fn end_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < STEPS {
        return bucket;
    }
    let width_log2 = bucket / STEPS - 1;
    ((STEPS + bucket % STEPS + 1) << width_log2) - 1
}

impl Histogram {
    /// Something took so long, and stands for `weight` of its kind.
    pub(crate) fn add(&self, ns: u64, weight: u32) {
        let weight = u64::from(weight);
        self.buckets[bucket_of(ns)].fetch_add(weight, Ordering::Relaxed);
        self.sum.fetch_add(ns.saturating_mul(weight), Ordering::Relaxed);
        self.max.fetch_max(ns, Ordering::Relaxed);
    }

    /// How many of each bucket there were, and the longest that the bucket holds.
    fn counts(&self) -> impl Iterator<Item = (u64, u64)> {
        let load = |(at, count): (usize, &AtomicU64)| (end_of(at), count.load(Ordering::Relaxed));
        self.buckets.iter().enumerate().map(load)
    }

    /// What was added so far.
    pub(crate) fn read(&self) -> Latency {
        let counts: Vec<(u64, u64)> = self.counts().filter(|(_, count)| *count > 0).collect();
        let count = counts.iter().map(|(_, count)| count).sum();
        let max_ns = self.max.load(Ordering::Relaxed);
        let at = |per_mille| quantile(&counts, count, per_mille).min(max_ns);
        let buckets = SHOWN.map(|power| {
            let le_ns = (1 << power) - 1;
            let within = counts.iter().filter(|(end, _)| *end <= le_ns);
            LatencyBucket { le_ns, count: within.map(|(_, count)| count).sum() }
        });
        Latency {
            count,
            sum_ns: self.sum.load(Ordering::Relaxed),
            max_ns,
            p50_ns: at(500),
            p99_ns: at(990),
            p999_ns: at(999),
            buckets: buckets.collect(),
        }
    }
}

/// The end of the bucket that holds the one of `count` below which so many of a thousand are.
fn quantile(counts: &[(u64, u64)], count: u64, per_mille: u64) -> u64 {
    let rank = (u128::from(count) * u128::from(per_mille)).div_ceil(1000);
    let mut below = 0u128;
    for (end, n) in counts {
        below += u128::from(*n);
        if below >= rank {
            return *end;
        }
    }
    0
}

#[cfg(test)]
mod tests;
