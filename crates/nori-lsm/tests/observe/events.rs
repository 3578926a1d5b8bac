//! Every kind of event is heard, with numbers that fit each other and those of the store.

use crate::{ROOT, config, fill, key, on};
use nori_env::sync::Arc;
use nori_env::{Fault, FaultFs, FaultRule, FsOp, ManualClock, MemFs};
use nori_lsm::{Background, Config, EventStream, Lsm, VizEvent};
use std::collections::BTreeSet;
use std::time::Duration;

/// What is told of everything but stalls and failures.
fn slots_at_work(told: &mut Vec<VizEvent>) -> Lsm {
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
    store.keyspace("made").expect("makes");
    store.drop_keyspace("made").expect("drops");
    store.checkpoint("/copy").expect("copies");
    store.checkpoint("/copy").expect_err("there is something");
    store.wait_idle().expect("works");
    told.extend(std::iter::from_fn(|| events.try_next()));
    assert_eq!(events.dropped(), 0);
    store
}

fn hear(events: &mut EventStream, told: &mut Vec<VizEvent>) {
    told.extend(std::iter::from_fn(|| events.try_next()));
    assert_eq!(events.dropped(), 0);
}

/// A writer waits until flushes go on, and until it gives up.
fn stalls(told: &mut Vec<VizEvent>) {
    let faults = FaultFs::new(on(&MemFs::new(34)));
    let config = config(Arc::new(faults.clone())).max_sealed(1);
    let store = Lsm::open_with(ROOT, config).expect("opens");
    let mut events = store.events();
    fill(&store, 200, 0);
    faults.inject(FaultRule::new(Fault::Eio).on(FsOp::Create).path(".sst"));
    assert!((0..1000).any(|n| store.put(key(n), [1; 100]).is_err()), "waits in vain");
    let mut own = Vec::new();
    hear(&mut events, &mut own);
    let stalls = own.iter().filter(|e| matches!(e, VizEvent::StallBegan { .. })).count();
    assert_eq!(stalls as u64, store.metrics().stalls);
    told.extend(own);
}

fn damage(told: &mut Vec<VizEvent>) {
    let disk = MemFs::new(35);
    let store = Lsm::open_with(ROOT, config(on(&disk)).block_cache_bytes(0)).expect("opens");
    fill(&store, 10, 0);
    store.flush().expect("flushes");
    let mut events = store.events();
    let mut files = disk.files().into_iter().map(|(path, _)| path);
    let table = files.rfind(|path| path.extension().is_some_and(|e| e == "sst"));
    assert!(disk.corrupt(table.expect("a table"), 3, 0xff));
    store.get(key(1)).expect_err("damaged");
    hear(&mut events, told);
}

#[test]
fn every_kind_of_event_is_told() {
    let mut told = Vec::new();
    drop(slots_at_work(&mut told));
    stalls(&mut told);
    damage(&mut told);
    let heard: BTreeSet<&str> = told.iter().map(VizEvent::name).collect();
    let all: BTreeSet<&str> = VizEvent::NAMES.iter().copied().collect();
    assert_eq!(all.difference(&heard).collect::<Vec<_>>(), Vec::<&&str>::new());
    let ended = |yes| {
        told.iter().any(|e| matches!(e, VizEvent::StallEnded { admitted, .. } if *admitted == yes))
    };
    assert!(ended(true) && ended(false));
    let copies = told.iter().filter_map(|event| match event {
        VizEvent::CheckpointEnded { sequence, error, .. } => Some((*sequence > 0, error.is_none())),
        _ => None,
    });
    assert_eq!(copies.collect::<Vec<_>>(), [(true, true), (false, false)]);
}

#[test]
fn what_is_told_adds_up_to_what_is_counted() {
    let mut told = Vec::new();
    let store = slots_at_work(&mut told);
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
    let started = |e: &&VizEvent| matches!(e, VizEvent::CompactionStarted { .. });
    assert_eq!(told.iter().filter(started).count() as u64, metrics.compactions);
    let started = |e: &&VizEvent| matches!(e, VizEvent::FlushStarted { .. });
    assert_eq!(told.iter().filter(started).count() as u64, metrics.flushes);
}

/// A store with threads tells of a merge's begin before its end.
#[test]
fn begins_are_told_before_ends() {
    let disk = MemFs::new(36);
    let with_threads = |config: Config| config.background(Background::Threads(2));
    let store = Lsm::open_with(ROOT, with_threads(config(on(&disk)))).expect("opens");
    let events = store.events();
    (0..5).for_each(|generation| fill(&store, 300, generation));
    store.compact().expect("merges");
    store.close().expect("closes");
    let (mut merging, mut flushing, mut merged) = (BTreeSet::new(), false, 0);
    for event in events {
        match event {
            VizEvent::CompactionStarted { slot, inputs, .. } => {
                assert!(!inputs.is_empty() && merging.insert(slot), "slot {slot} twice");
            }
            VizEvent::Compaction { slot, .. } => {
                assert!(merging.remove(&slot));
                merged += 1;
            }
            VizEvent::FlushStarted { .. } => assert!(!std::mem::replace(&mut flushing, true)),
            VizEvent::Flush { .. } => assert!(std::mem::replace(&mut flushing, false)),
            _ => {}
        }
    }
    assert!(merged > 0 && merging.is_empty() && !flushing);
}
