//! Work that fails gives back what it charged.

use crate::{ROOT, check_at_rest, config, key, memory, on};
use nori_env::sync::{Arc, thread};
use nori_env::{Fault, FaultFs, FaultRule, FsOp, MemFs};
use nori_lsm::{Background, ErrorKind, Lsm};

fn fill(store: &Lsm, keys: u64) {
    (0..keys).for_each(|n| store.put(key(n), [n as u8; 200]).expect("writes"));
}

fn faulty(seed: u64) -> (FaultFs, Lsm) {
    let faults = FaultFs::new(on(&MemFs::new(seed)));
    let store = Lsm::open_with(ROOT, config(Arc::new(faults.clone()))).expect("opens");
    (faults, store)
}

#[test]
fn a_flush_and_a_merge_that_fail() {
    let (faults, store) = faulty(1);
    fill(&store, 2_000);
    store.flush().expect("flushes");
    fill(&store, 300);
    for op in [FsOp::Create, FsOp::Write, FsOp::Sync, FsOp::Read] {
        faults.inject(FaultRule::new(Fault::Eio).on(op).path(".sst"));
        for _ in 0..5 {
            let _ = store.flush();
            let _ = store.compact();
            let _ = store.step();
            let memory = memory(&store);
            assert_eq!((memory.jobs_bytes, memory.iterators_bytes), (0, 0), "{op:?} {memory:?}");
        }
        faults.clear();
    }
    // The memtable that could not be flushed is still charged, and then no more.
    store.compact().expect("merges");
    check_at_rest(&store);
    assert_eq!(store.iter().count(), 2_000);
}

#[test]
fn an_iterator_that_meets_an_error() {
    let (faults, store) = faulty(2);
    fill(&store, 2_000);
    store.compact().expect("merges");
    faults.inject(FaultRule::new(Fault::Eio).on(FsOp::Read).path(".sst"));
    let mut iters: Vec<_> = (0..50).map(|n| store.range(key(n * 40)..)).collect();
    assert!(iters.iter_mut().any(|iter| iter.next().is_some_and(|item| item.is_err())));
    drop(iters);
    faults.clear();
    check_at_rest(&store);
}

#[test]
fn a_poisoned_store() {
    let (faults, store) = faulty(3);
    fill(&store, 1_000);
    faults.inject(FaultRule::new(Fault::Eio).on(FsOp::Sync).path("/wal/"));
    let refused = (0..1000).find_map(|n| store.put(key(n), [1; 200]).err());
    assert_eq!(refused.map(|e| e.kind()), Some(ErrorKind::Io));
    faults.clear();
    assert_eq!(store.put("a", "b").expect_err("poisoned").kind(), ErrorKind::Poisoned);
    let _ = store.flush();
    check_at_rest(&store);
    assert_eq!(store.iter().count(), 1_000);
    check_at_rest(&store);
}

/// Closing cancels the merge that runs; the handle that is left still counts.
#[test]
fn a_store_that_is_closed_over_its_work() {
    let disk = MemFs::new(4);
    let config = config(on(&disk)).background(Background::Threads(1)).memory_budget(10 << 20);
    for round in 0..10u64 {
        let store = Lsm::open_with(ROOT, config.clone()).expect("opens");
        fill(&store, 3_000);
        let (merging, iter, snapshot) = (store.clone(), store.iter(), store.snapshot());
        let merge = thread::spawn(move || merging.compact());
        for _ in 0..round * 1000 {
            thread::yield_now();
        }
        let left = store.clone();
        store.close().expect("closes");
        let _ = merge.join().expect("no panic");
        drop((iter, snapshot));
        let memory = memory(&left);
        assert_eq!((memory.jobs_bytes, memory.iterators_bytes), (0, 0), "{round}: {memory:?}");
    }
}
