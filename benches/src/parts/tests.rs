//! The parts hold what they say.

use super::*;
use crate::key;
use nori_sstable::Compression;
use nori_types::{Lookup, SeqNo};

#[test]
fn a_merge_of_runs_holds_all_their_entries() {
    let tables = Tables::new("parts", Compression::Lz4);
    let runs = tables.runs(4, 10_001).expect("flushed");
    assert_eq!(runs.iter().map(|run| run.entries).sum::<u64>(), 10_001);
    let merged = tables.merge(&runs).expect("merged");
    assert_eq!(merged.run.entries, 10_001);
    // The trailer of each key is no user's byte, but the merge reads it.
    assert!(merged.user_bytes >= 10_001 * ENTRY_BYTES, "{merged:?}");
    let table = tables.open(&merged.run).expect("opens");
    let hash = nori_bloom::hash(&key(10_000));
    let found = table.get(&key(10_000), hash, SeqNo::MAX).expect("reads");
    assert!(matches!(found, Lookup::Found(..)));
    tables.remove(&merged.run).expect("removed");
}

#[test]
fn a_memtable_holds_each_number_once_and_slots_lie_between_guards() {
    let memtable = memtable(5..3_005, 3, 100);
    assert_eq!(memtable.len(), 1_000);
    assert!(matches!(memtable.get(&key(3_002), SeqNo::MAX), Lookup::Found(..)));
    let (version, prefix) = guarded(1_024, 10).expect("cut");
    let place = |n: u64| version.route(&[&prefix[..], &key(n)[..]].concat()).0;
    // Above the keyspace is one more.
    assert_eq!((place(0), place(9), place(10), place(10_239)), (0, 0, 1, 1_023));
    assert!(version.slot_count() >= 1_024);
    assert!(scheduler(64).pick(&|_| false).is_some());
}
