//! Counting the reads of each slot at next to no cost.
//!
//! Of about sixteen reads one is counted, for all that passed since the last one counted: sums
//! are exact but for the few that are still on the way, and the slot's counters, which all threads
//! share, are touched rarely. Which read is counted is drawn, so that no pattern of reads can
//! hide from it.
//!
//! 1. The counts of a slot are taken by the policy alone; a reader only adds.
//! 2. A thread's countdown lies in a cache line that few other threads use. Two that share one
//!    may lose a count to each other; nothing is decided on a single one.
//! 3. The draws start from the store's seed, so that one thread's reads count alike in every run.

use nori_env::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use nori_scheduler::Reads;
#[cfg(not(nori_shuttle))]
use std::cell::Cell;

/// Reads between two counted ones are drawn from 1 to this.
const GAP_MAX: u32 = 31;

/// Countdowns; threads are spread over them.
const SHARDS: usize = 16;

/// The reads of one slot since they were last taken.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct SlotReads {
    points: AtomicU64,
    scans: AtomicU64,
    probes: AtomicU64,
    visible: AtomicU64,
}

impl SlotReads {
    /// `weight` point reads that looked into `probes` of the slot's `visible` runs.
    #[cold]
    pub(crate) fn add_points(&self, weight: u32, probes: usize, visible: usize) {
        let weight = u64::from(weight);
        self.points.fetch_add(weight, Ordering::Relaxed);
        self.probes.fetch_add(weight * probes as u64, Ordering::Relaxed);
        self.visible.fetch_add(weight * visible as u64, Ordering::Relaxed);
    }

    /// `weight` scans that came through the slot.
    #[cold]
    pub(crate) fn add_scans(&self, weight: u32) {
        self.scans.fetch_add(u64::from(weight), Ordering::Relaxed);
    }

    /// What was counted since the last call.
    pub(crate) fn take(&self) -> Reads {
        // Mostly nothing: a load leaves the line with the readers.
        let take = |counter: &AtomicU64| match counter.load(Ordering::Relaxed) {
            0 => 0,
            _ => counter.swap(0, Ordering::Relaxed),
        };
        Reads {
            points: take(&self.points),
            scans: take(&self.scans),
            probes: take(&self.probes),
            visible: take(&self.visible),
        }
    }
}

#[derive(Debug)]
#[repr(align(128))]
struct Shard {
    left: AtomicU32,
    gap: AtomicU32,
    state: AtomicU64,
}

/// Draws which reads are counted.
#[derive(Debug)]
pub(crate) struct Sampler {
    shards: [Shard; SHARDS],
    gap_max: u32,
}

impl Sampler {
    pub(crate) fn new(seed: u64) -> Sampler {
        Sampler::with_gap(seed, GAP_MAX)
    }

    /// One that draws from 1 to `gap_max` how many reads, or whatever it is asked about, are
    /// between two counted ones.
    pub(crate) fn with_gap(seed: u64, gap_max: u32) -> Sampler {
        let shard = || Shard {
            left: AtomicU32::new(0),
            gap: AtomicU32::new(0),
            state: AtomicU64::new(seed | 1),
        };
        Sampler { shards: std::array::from_fn(|_| shard()), gap_max: gap_max.max(1) }
    }

    /// Called at each read: for how many reads this one counts, mostly none.
    #[inline]
    pub(crate) fn weight(&self) -> Option<u32> {
        let shard = &self.shards[own_shard()];
        let left = shard.left.load(Ordering::Relaxed);
        if left > 0 {
            shard.left.store(left - 1, Ordering::Relaxed);
            return None;
        }
        Some(shard.draw(self.gap_max))
    }
}

impl Shard {
    /// Draws when the next read is counted; tells for how many this one is.
    #[cold]
    fn draw(&self, gap_max: u32) -> u32 {
        // Marsaglia's xorshift: enough for spreading samples.
        let mut x = self.state.load(Ordering::Relaxed);
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.state.store(x, Ordering::Relaxed);
        let gap = u32::try_from(x >> 32).unwrap_or(0) % gap_max;
        self.left.store(gap, Ordering::Relaxed);
        self.gap.swap(gap, Ordering::Relaxed) + 1
    }
}

/// The countdown of the running thread. Shuttle runs its threads on one; which one must not matter.
#[cfg(nori_shuttle)]
fn own_shard() -> usize {
    0
}

/// The countdown of the running thread.
#[cfg(not(nori_shuttle))]
fn own_shard() -> usize {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static SHARD: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    SHARD.with(|shard| {
        if shard.get() == usize::MAX {
            shard.set(NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS);
        }
        shard.get()
    })
}

/// For the benches: counts reads of one slot as every point read does, on some threads at once,
/// and tells how many were counted.
#[doc(hidden)]
pub fn count_reads(threads: usize, times: u64) -> u64 {
    let (sampler, slot) = (Sampler::new(1), SlotReads::default());
    let count = || {
        for _ in 0..times {
            if let Some(weight) = std::hint::black_box(&sampler).weight() {
                slot.add_points(weight, 1, 2);
            }
        }
    };
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(count))));
    slot.take().points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counted_reads_stand_for_all_reads_whatever_their_pattern() {
        // Sixteen slots read in turn: a fixed gap of sixteen would see one of them only.
        let sampler = Sampler::new(7);
        let slots: Vec<SlotReads> = (0..16).map(|_| SlotReads::default()).collect();
        let reads = 160_000;
        for read in 0..reads {
            if let Some(weight) = sampler.weight() {
                slots[read % 16].add_points(weight, 2, 3);
            }
        }
        let taken: Vec<Reads> = slots.iter().map(SlotReads::take).collect();
        let all: u64 = taken.iter().map(|t| t.points).sum();
        assert!(all <= reads as u64 && all + u64::from(GAP_MAX) >= reads as u64, "{all}");
        for reads in &taken {
            assert!((7_000..13_000).contains(&reads.points), "{reads:?}");
            assert_eq!((reads.probes, reads.visible), (2 * reads.points, 3 * reads.points));
        }
        assert!(slots.iter().all(|slot| slot.take().points == 0));
    }
}
