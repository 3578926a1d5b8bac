//! The live snapshots, and what work on tables may forget.
//!
//! Invariants:
//! 1. A snapshot's number is loaded and registered in one step under the lock, and a job reads
//!    the registered numbers and the visible one under the same lock. So a snapshot registered
//!    after a job looked is at or above the visible number that the job saw.
//! 2. A job pins its input first and looks second: then every input is at or below that number.

use nori_env::sync::{Arc, Mutex};
use nori_types::SeqNo;
use std::collections::BTreeMap;

/// The registry of live snapshots. A clone is the same registry.
#[derive(Clone, Debug)]
pub struct Snapshots {
    live: Arc<Mutex<BTreeMap<SeqNo, usize>>>,
}

impl Snapshots {
    /// No snapshot lives.
    pub fn new() -> Snapshots {
        Snapshots { live: Arc::new(Mutex::new(BTreeMap::new())) }
    }

    /// Registers a snapshot at the visible sequence number, which `visible` loads under the lock.
    pub fn register(&self, visible: impl FnOnce() -> SeqNo) -> SnapshotGuard {
        let mut live = self.live.lock();
        let seq = visible();
        *live.entry(seq).or_insert(0) += 1;
        SnapshotGuard { seq, registry: self.clone() }
    }

    /// The ends of the stripes within which work on tables keeps only the newest version of a
    /// key: the live snapshots and the visible number, ascending, each once. Call it only after
    /// the input is pinned. `visible` runs under the lock.
    pub fn stripes(&self, visible: impl FnOnce() -> SeqNo) -> Vec<SeqNo> {
        let live = self.live.lock();
        let visible = visible();
        let mut ends: Vec<SeqNo> = live.keys().copied().collect();
        if let Err(place) = ends.binary_search(&visible) {
            ends.insert(place, visible);
        }
        ends
    }

    /// The oldest live snapshot.
    pub fn oldest(&self) -> Option<SeqNo> {
        self.live.lock().first_key_value().map(|(seq, _)| *seq)
    }

    /// The live snapshots' numbers, ascending, and how many are at each.
    pub fn live(&self) -> Vec<(SeqNo, usize)> {
        self.live.lock().iter().map(|(seq, count)| (*seq, *count)).collect()
    }

    /// How many snapshots live.
    pub fn len(&self) -> usize {
        self.live.lock().values().sum()
    }

    /// Whether none lives.
    pub fn is_empty(&self) -> bool {
        self.live.lock().is_empty()
    }
}

impl Default for Snapshots {
    fn default() -> Snapshots {
        Snapshots::new()
    }
}

/// A live snapshot; dropping it ends it.
#[derive(Debug)]
pub struct SnapshotGuard {
    seq: SeqNo,
    registry: Snapshots,
}

impl SnapshotGuard {
    /// The snapshot sees writes up to this one.
    pub fn seq(&self) -> SeqNo {
        self.seq
    }
}

impl Drop for SnapshotGuard {
    fn drop(&mut self) {
        let mut live = self.registry.live.lock();
        if let Some(count) = live.get_mut(&self.seq) {
            *count -= 1;
            if *count == 0 {
                live.remove(&self.seq);
            }
        }
    }
}

#[cfg(all(test, not(nori_loom)))]
mod tests {
    use super::*;

    fn seqs(numbers: &[u64]) -> Vec<SeqNo> {
        numbers.iter().copied().map(SeqNo::new).collect()
    }

    #[test]
    fn stripes_hold_each_snapshot_once_and_the_visible_number() {
        let snapshots = Snapshots::new();
        let at = |n: u64| snapshots.register(|| SeqNo::new(n));
        let (a, b, c) = (at(5), at(5), at(9));
        assert_eq!(snapshots.stripes(|| SeqNo::new(12)), seqs(&[5, 9, 12]));
        assert_eq!(snapshots.stripes(|| SeqNo::new(9)), seqs(&[5, 9]));
        assert_eq!((snapshots.oldest(), snapshots.len()), (Some(SeqNo::new(5)), 3));
        drop(a);
        assert_eq!(snapshots.oldest(), Some(b.seq()), "one of two at 5 still lives");
        drop(b);
        assert_eq!(snapshots.stripes(|| SeqNo::new(12)), seqs(&[9, 12]));
        drop(c);
        assert_eq!(snapshots.stripes(|| SeqNo::new(12)), seqs(&[12]));
        assert!(snapshots.is_empty());
    }
}
