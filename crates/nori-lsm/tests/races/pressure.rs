//! Writers who outrun the disk, and what a store tells of its work.

use crate::{ROOT, config, key, on};
use nori_env::sync::Arc;
use nori_env::{Fault, FaultFs, FaultRule, FsOp, ManualClock, MemFs};
use nori_lsm::{Background, Durability, ErrorKind, Lsm, PressureZone, VizEvent, WriteBatch};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// A disk that takes long over tables: writers are slowed down in small steps and lose nothing,
/// and the zones they come through follow each other.
#[test]
#[allow(clippy::disallowed_methods)] // How long a put takes is what this is about.
fn a_slow_disk_slows_writers_a_little_each() {
    let disk = MemFs::new(31);
    let faults = FaultFs::new(on(&disk));
    let slow = Fault::Latency(Duration::from_millis(2));
    faults.inject(FaultRule::new(slow).on(FsOp::Sync).path(".sst"));
    faults.inject(FaultRule::new(slow).on(FsOp::Create).path(".sst"));
    let config = config(Arc::new(faults))
        .background(Background::Threads(1))
        .durability(Durability::Buffered)
        .memtable_bytes(64 << 10)
        .table_bytes(64 << 10)
        .block_bytes(4096);
    let store = Lsm::open_with(ROOT, config).expect("opens");
    let mut events = store.events();
    let (mut worst, mut stalled) = (Duration::ZERO, 0u32);
    for n in 0..6_000 {
        let start = Instant::now();
        store.put(key(n), vec![n as u8; 1000]).expect("writes");
        let took = start.elapsed();
        worst = worst.max(took);
        stalled += u32::from(took > Duration::from_millis(500));
    }
    let metrics = store.metrics();
    assert!(metrics.paced_us > 0, "nobody was slowed down: {metrics:?}");
    assert!(stalled < 3, "{stalled} puts of more than half a second, the worst {worst:?}");
    store.wait_idle().expect("works");
    let mut zone = PressureZone::Green;
    let mut seen = BTreeSet::new();
    while let Some(event) = events.try_next() {
        if let VizEvent::PressureZone { before, after, pressure } = event {
            assert_eq!(before, zone, "the zones must follow each other");
            let zones = [0.5, 0.75, 0.9].map(|end| pressure >= end);
            let expected = zones.iter().filter(|reached| **reached).count();
            assert_eq!(after as usize, expected, "{pressure} is not in {after:?}");
            zone = after;
            seen.insert(after);
        }
    }
    assert!(seen.contains(&PressureZone::Yellow), "{seen:?}");
    for n in 0..6_000 {
        assert_eq!(store.get(key(n)).expect("reads"), Some(vec![n as u8; 1000].into()));
    }
    let info = store.pressure();
    assert!(info.pressure < 0.5 && info.pace_bytes_per_s.is_none(), "{info:?}");
}

/// Where nothing can be flushed, writes end at the limit; those that only delete go a little
/// further, and what was refused was not written.
#[test]
fn a_store_that_is_stuck_takes_deletes_for_a_while() {
    let disk = MemFs::new(32);
    let faults = FaultFs::new(on(&disk));
    let store = Lsm::open_with(ROOT, config(Arc::new(faults.clone()))).expect("opens");
    faults.inject(FaultRule::new(Fault::Eio).on(FsOp::Create).path(".sst"));
    let mut written = 0;
    let refused = loop {
        let mut batch = WriteBatch::new();
        batch.put(key(written), [1; 100]);
        match store.try_write(&batch) {
            Ok(()) => written += 1,
            Err(e) => break e,
        }
    };
    assert_eq!(refused.kind(), ErrorKind::Stalled);
    assert!(store.pressure().pressure >= 1.0 && store.pressure().zone == PressureZone::Red);
    let mut deleted = 0;
    for n in 0..written {
        let mut batch = WriteBatch::new();
        batch.delete(key(n));
        match store.try_write(&batch) {
            Ok(()) => deleted += 1,
            Err(e) => {
                assert_eq!(e.kind(), ErrorKind::Stalled);
                break;
            }
        }
    }
    assert!(deleted > 0 && deleted < written, "{deleted} of {written}");
    faults.clear();
    store.wait_idle().expect("works again");
    assert_eq!(store.iter().count(), written - deleted);
    assert_eq!(store.get(key(written)).expect("reads"), None, "it was refused");
}

/// Every kind of event that the work of slots makes is heard, with numbers that fit each other.
#[test]
fn the_work_of_slots_is_told() {
    let disk = MemFs::new(33);
    let clock = ManualClock::default();
    let config = config(on(&disk))
        .clock(Arc::new(clock.clone()))
        .k_global(4)
        .slot_target_bytes(Some(16 << 10))
        .half_life(Some(Duration::from_secs(20)))
        .bandit_epsilon(0.3);
    let store = Lsm::open_with(ROOT, config).expect("opens");
    let mut events = store.events();
    let mut told: Vec<VizEvent> = Vec::new();
    for round in 0..40usize {
        for n in 0..200 {
            store.put(key((n * 7 + round * 13) % 1000), vec![round as u8; 90]).expect("writes");
            store.get(key(n % 50)).expect("reads");
            clock.advance(Duration::from_millis(20));
        }
        drop(store.snapshot());
        store.wait_idle().expect("works");
        told.extend(std::iter::from_fn(|| events.try_next()));
    }
    (0..1000).for_each(|n| store.delete(key(n)).expect("deletes"));
    store.flush().expect("flushes");
    store.compact().expect("merges");
    store.sync().expect("syncs");
    store.wait_idle().expect("works");
    told.extend(std::iter::from_fn(|| events.try_next()));
    assert_eq!(events.dropped(), 0);
    let name = |event: &VizEvent| format!("{event:?}").split([' ', '{']).next().map(String::from);
    let names: BTreeSet<String> = told.iter().filter_map(name).collect();
    let expected = [
        "BanditReward",
        "BanditSelection",
        "Compaction",
        "Flush",
        "HeatChanged",
        "MemtableRotated",
        "PressureZone",
        "SlotSplit",
        "SlotsMerged",
        "SnapshotCreated",
        "SnapshotReleased",
        "TableCreated",
        "TableDeleted",
        "WalSegmentDeleted",
        "WalSynced",
    ];
    assert_eq!(names, expected.map(String::from).into());
    let metrics = store.metrics();
    let sum = |of: fn(&VizEvent) -> u64| told.iter().map(of).sum::<u64>();
    let written = sum(|e| match e {
        VizEvent::Compaction { bytes_written, .. } => *bytes_written,
        _ => 0,
    });
    assert_eq!(written, metrics.compaction_bytes_written);
    let guards = sum(|e| match e {
        VizEvent::SlotSplit { guards, .. } => *guards,
        _ => 0,
    });
    assert_eq!(guards, metrics.slot_splits);
    let joins = told.iter().filter(|e| matches!(e, VizEvent::SlotsMerged { .. })).count();
    assert_eq!(joins as u64, metrics.slot_joins);
    let explored = |e: &&VizEvent| matches!(e, VizEvent::BanditSelection { explored: true, .. });
    assert!(told.iter().any(|e| explored(&e)), "nothing was drawn");
}
