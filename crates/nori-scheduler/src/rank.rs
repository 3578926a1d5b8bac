//! Which runs to merge: the rank rule.
//!
//! Keeping at most K sorted runs of equal batches has an optimal strategy, the binomial counter
//! (J. L. Bentley and J. B. Saxe, "Decomposable searching problems I", 1980): the run at position
//! i from the newest end grows through C(c+i-1, i) batches, c = 1, 2, 3, ... The number c a run has
//! reached is its *rank*, and it can be read off its size. A merge swallows the next older run
//! while it would outgrow it in rank. Sizes are in *units*, the typical fragment of the slot.
//!
//! 1. The choice depends on sizes only, so it needs no counters and survives splits, restarts,
//!    changes of K and unequal batches.
//! 2. A choice for K runs leaves at most K runs, and takes all fragments.

use crate::run::{RunView, first_fragment};

/// Larger runs are all of one rank.
const UNITS_MAX: f64 = (1u64 << 20) as f64;

/// A unit is at least this many bytes.
pub(crate) const UNIT_MIN: f64 = 1024.0;

/// The largest c with C(c+position-1, position) <= units; position 1 is the newest.
pub(crate) fn rank(units: f64, position: usize) -> u32 {
    let size = (units * 1.0001).min(UNITS_MAX);
    // The first two rungs have a closed form; there the ladder would be long.
    match position {
        0 | 1 => return size as u32,
        2 => return (((8.0 * size + 1.0).sqrt() - 1.0) / 2.0) as u32,
        _ => {}
    }
    let (mut c, mut ladder) = (0u32, 1.0f64);
    while ladder <= size {
        c += 1;
        ladder *= f64::from(c) + position as f64;
        ladder /= f64::from(c);
    }
    c
}

/// The index of the oldest run of a merge that leaves at most `k` runs. Runs are oldest first.
pub(crate) fn choose(runs: &[RunView], k: usize, unit: f64) -> usize {
    let (k, unit) = (k.max(1), unit.max(UNIT_MIN));
    let size = |run: &RunView| run.bytes as f64 / unit;
    let mut first = k.min(runs.len()).saturating_sub(1);
    let mut merged: f64 = runs[first..].iter().map(size).sum();
    while first > 0 {
        let older = size(&runs[first - 1]);
        if rank(merged, k - first) <= rank(older, k - first + 1) {
            break;
        }
        first -= 1;
        merged += older;
    }
    first_fragment(runs).map_or(first, |fragment| first.min(fragment))
}

#[cfg(test)]
mod tests;
