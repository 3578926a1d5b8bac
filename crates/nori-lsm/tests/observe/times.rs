//! How long things took: how many there were is known otherwise, and is compared.

use crate::{fill, key, open};
use nori_env::sync::Arc;
use nori_env::{ManualClock, MemFs, SystemClock};
use nori_lsm::{Durability, Latency, Lsm};

/// A thread's last sampled operations may not be counted yet.
const UNCOUNTED: u64 = 127;

fn is_about(latency: &Latency, times: u64) {
    assert!(latency.count <= times && latency.count + UNCOUNTED >= times, "{latency:?}");
}

/// Whatever was measured: shorter ones are among the longer ones, and nothing is lost.
fn is_in_order(latency: &Latency) {
    assert!(latency.buckets.is_sorted_by(|a, b| a.le_ns < b.le_ns && a.count <= b.count));
    assert!(latency.buckets.iter().all(|bucket| bucket.count <= latency.count));
    let quantiles = [latency.p50_ns, latency.p99_ns, latency.p999_ns, latency.max_ns];
    assert!(quantiles.is_sorted(), "{latency:?}");
    assert!(latency.sum_ns >= latency.max_ns && latency.max_ns > 0, "{latency:?}");
}

fn all(store: &Lsm) -> [Latency; 5] {
    let l = store.metrics().latencies;
    [l.get, l.write, l.sync, l.flush, l.compaction]
}

#[test]
fn syncs_flushes_merges_and_synced_writes_are_timed_one_by_one() {
    let disk = MemFs::new(1);
    let store = open(&disk, |c| c.clock(Arc::new(SystemClock::default())));
    (0..3).for_each(|generation| fill(&store, 300, generation));
    store.compact().expect("merges");
    (0..300).for_each(|n| drop(store.get(key(n)).expect("reads")));
    let metrics = store.metrics();
    let latencies = &metrics.latencies;
    assert_eq!(latencies.write.count, 900);
    assert!(latencies.sync.count >= metrics.groups_synced && metrics.groups_synced == 900);
    assert_eq!(latencies.flush.count, metrics.flushes);
    assert_eq!(latencies.compaction.count, metrics.compactions);
    assert!(metrics.flushes > 1 && metrics.compactions > 0);
    is_about(&latencies.get, 300);
    all(&store).iter().for_each(is_in_order);
}

#[test]
fn gets_and_buffered_writes_are_sampled_and_stand_for_all() {
    let disk = MemFs::new(2);
    let clock = Arc::new(SystemClock::default());
    let store = open(&disk, |c| c.clock(clock.clone()).durability(Durability::Buffered));
    (0..30).for_each(|generation| fill(&store, 300, generation));
    for _ in 0..20 {
        (0..300).for_each(|n| drop(store.get(key(n)).expect("reads")));
        (0..300).for_each(|n| assert!(store.snapshot().contains_key(key(n)).expect("reads")));
    }
    let latencies = store.metrics().latencies;
    is_about(&latencies.write, 9_000);
    is_about(&latencies.get, 12_000);
    is_in_order(&latencies.get);
    is_in_order(&latencies.write);
}

/// A store whose clock stands still takes no time: no other clock is looked at.
#[test]
fn times_are_those_of_the_stores_clock() {
    let (disk, clock) = (MemFs::new(3), ManualClock::default());
    let store = open(&disk, |c| c.clock(Arc::new(clock.clone())));
    fill(&store, 300, 0);
    store.compact().expect("merges");
    (0..300).for_each(|n| drop(store.get(key(n)).expect("reads")));
    for latency in all(&store) {
        assert!(latency.count > 0 && (latency.sum_ns, latency.max_ns) == (0, 0), "{latency:?}");
        let within = latency.buckets.first().map(|bucket| bucket.count);
        assert_eq!(within, Some(latency.count));
    }
}
