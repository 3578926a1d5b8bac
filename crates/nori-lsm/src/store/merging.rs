//! The merges that run now, and how far they are.
//!
//! 1. A merge is listed from before its first read until its edit is logged or it failed, also when
//!    it panics.
//! 2. Whoever asks waits for no merge, and a merge waits for nobody who asks: it only adds to a
//!    counter on its way.

use crate::metrics::MergeInfo;
use nori_env::sync::atomic::{AtomicU64, Ordering};
use nori_env::sync::{Arc, Mutex};
use std::collections::BTreeMap;
use std::time::Duration;

/// One merge that runs.
#[derive(Debug)]
struct Merge {
    runs: usize,
    table_bytes: u64,
    entry_bytes_read: AtomicU64,
    /// By the store's clock.
    began: Duration,
}

/// All merges that run, by slot: a slot has one at a time.
#[derive(Debug, Default)]
pub(crate) struct Merging {
    merges: Mutex<BTreeMap<u64, Arc<Merge>>>,
}

/// Lists a merge until it is dropped.
#[derive(Debug)]
pub(crate) struct Listed<'a> {
    all: &'a Merging,
    slot: u64,
    merge: Arc<Merge>,
}

impl Merging {
    /// A merge of `runs` runs with `table_bytes` bytes of tables begins.
    pub(crate) fn begin(
        &self,
        slot: u64,
        runs: usize,
        table_bytes: u64,
        began: Duration,
    ) -> Listed<'_> {
        let merge = Merge { runs, table_bytes, entry_bytes_read: AtomicU64::new(0), began };
        let merge = Arc::new(merge);
        self.merges.lock().insert(slot, Arc::clone(&merge));
        Listed { all: self, slot, merge }
    }

    /// The merges that run, by slot.
    pub(crate) fn list(&self, now: Duration) -> Vec<MergeInfo> {
        let merges = self.merges.lock();
        let infos = merges.iter().map(|(slot, merge)| MergeInfo {
            slot: *slot,
            runs: merge.runs,
            table_bytes: merge.table_bytes,
            entry_bytes_read: merge.entry_bytes_read.load(Ordering::Relaxed),
            elapsed: now.saturating_sub(merge.began),
        });
        infos.collect()
    }
}

impl Listed<'_> {
    /// So many bytes of entries more were read.
    pub(crate) fn read(&self, bytes: u64) {
        self.merge.entry_bytes_read.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        self.all.merges.lock().remove(&self.slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merge_is_listed_while_it_runs() {
        let merging = Merging::default();
        let one = merging.begin(7, 3, 1000, Duration::from_secs(1));
        let two = merging.begin(9, 2, 50, Duration::from_secs(4));
        one.read(256);
        one.read(100);
        let told = merging.list(Duration::from_secs(5));
        assert_eq!((told.len(), told[0].slot, told[0].runs), (2, 7, 3));
        assert_eq!((told[0].table_bytes, told[0].entry_bytes_read), (1000, 356));
        assert_eq!(told[0].elapsed, Duration::from_secs(4));
        drop(one);
        assert_eq!(merging.list(Duration::ZERO).iter().map(|m| m.slot).collect::<Vec<_>>(), [9]);
        drop(two);
        assert!(merging.list(Duration::ZERO).is_empty());
    }
}
