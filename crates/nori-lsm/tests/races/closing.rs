//! Closing: nothing of this store touches its files once the lock is free.

use crate::barrier::stopping;
use crate::{ROOT, check, config, fill, on, open};
use nori_env::sync::thread;
use nori_env::{Fault, FaultFs, FaultRule, FileSystem, FsOp, MemFs};
use nori_lsm::{Background, Durability, ErrorKind, Lsm};
use std::time::Duration;

const A_WHILE: Duration = Duration::from_millis(150);

/// A merge on a caller's thread that outlived `close` would log its edit into the manifest of a
/// store that somebody else has opened meanwhile.
#[test]
fn closing_waits_for_a_merge_on_another_thread() {
    let disk = MemFs::new(1);
    let (fs, barrier) = stopping(&disk, FsOp::Create, ".sst");
    let store = open(fs);
    for generation in 0..3 {
        fill(&store, 20, generation);
        store.flush().expect("flushes");
    }
    barrier.shut();
    let merging = store.clone();
    let merge = thread::spawn(move || merging.compact());
    barrier.wait_for_somebody();
    let close = thread::spawn(move || store.close());
    thread::sleep(A_WHILE);
    let early = Lsm::open_with(ROOT, config(on(&disk))).map(|_| ()).map_err(|e| e.kind());
    barrier.open();
    let merged = merge.join().expect("no panic");
    assert!(merged.is_ok() || merged.is_err_and(|e| e.kind() == ErrorKind::Closed));
    close.join().expect("no panic").expect("closes");
    assert_eq!(early, Err(ErrorKind::Locked), "the lock was free while a merge was writing");
    let again = open(on(&disk));
    check(&again, 20, 2);
}

/// The same for a flush whose store could not write its last memtable when it was closed.
#[test]
fn closing_leaves_nothing_to_a_flush_on_another_thread() {
    let disk = MemFs::new(2);
    let (fs, barrier) = stopping(&disk, FsOp::Create, ".sst");
    let faults = FaultFs::new(fs);
    let store = Lsm::open_with(ROOT, config(nori_env::sync::Arc::new(faults.clone())));
    let store = store.expect("opens");
    fill(&store, 10, 0);
    faults.inject(FaultRule::new(Fault::Eio).on(FsOp::Sync).path(".sst"));
    barrier.shut();
    let flushing = store.clone();
    let flush = thread::spawn(move || flushing.flush());
    barrier.wait_for_somebody();
    let close = thread::spawn(move || store.close());
    thread::sleep(A_WHILE);
    assert!(Lsm::open_with(ROOT, config(on(&disk))).is_err(), "the lock is free too early");
    barrier.open();
    assert!(flush.join().expect("no panic").is_err());
    assert!(close.join().expect("no panic").is_err(), "the last flush failed");
    check(&open(on(&disk)), 10, 0);
}

/// Whoever is told that the store is closed may open it.
#[test]
fn a_second_close_waits_for_the_first() {
    let disk = MemFs::new(3);
    let (fs, barrier) = stopping(&disk, FsOp::Create, ".sst");
    let store = open(fs);
    fill(&store, 10, 0);
    barrier.shut();
    let (first, second) = (store.clone(), store.clone());
    let first = thread::spawn(move || first.close());
    barrier.wait_for_somebody();
    let other = disk.clone();
    let second = thread::spawn(move || {
        second.close().expect("closes");
        Lsm::open_with(ROOT, config(on(&other))).map(|_| ())
    });
    thread::sleep(A_WHILE);
    barrier.open();
    first.join().expect("no panic").expect("closes");
    second.join().expect("no panic").expect("the lock is free after any close");
}

/// A writer that waits for room must not outlive the store.
#[test]
fn closing_ends_a_stalled_writer() {
    let disk = MemFs::new(4);
    let faults = FaultFs::new(on(&disk));
    let config = config(nori_env::sync::Arc::new(faults.clone()))
        .background(Background::Threads(1))
        .stall_timeout(Duration::from_secs(30));
    let store = Lsm::open_with(ROOT, config).expect("opens");
    faults.inject(FaultRule::new(Fault::Eio).on(FsOp::Create).path(".sst"));
    let writing = store.clone();
    let writer = thread::spawn(move || {
        for n in 0.. {
            if let Err(e) = writing.put(format!("{n}"), vec![7; 700]) {
                return e.kind();
            }
        }
        ErrorKind::Io
    });
    thread::sleep(A_WHILE);
    assert!(store.close().is_err(), "what is in memory could not be written");
    assert_eq!(writer.join().expect("no panic"), ErrorKind::Closed);
}

/// A stream made after closing has nothing to wait for.
#[test]
fn events_of_a_closed_store_end() {
    let disk = MemFs::new(5);
    let store = open(on(&disk));
    let handle = store.clone();
    store.close().expect("closes");
    let (done, ended) = nori_env::sync::channel::bounded(1);
    let waiting = thread::spawn(move || {
        let count = handle.events().count();
        done.send(count).expect("heard");
    });
    let mut patience = 40;
    while ended.try_recv().is_err() {
        patience -= 1;
        assert!(patience > 0, "the stream waits for ever");
        thread::sleep(Duration::from_millis(25));
    }
    waiting.join().expect("no panic");
}

/// `destroy` takes up what an earlier one left half done.
#[test]
fn destroying_goes_on_where_it_was_stopped() {
    let disk = MemFs::new(6);
    let faults = FaultFs::new(on(&disk));
    let fs: nori_env::sync::Arc<dyn FileSystem> = nori_env::sync::Arc::new(faults.clone());
    let store = open(nori_env::sync::Arc::clone(&fs));
    fill(&store, 10, 0);
    store.flush().expect("flushes");
    store.close().expect("closes");
    faults.inject(FaultRule::new(Fault::Eio).on(FsOp::Remove).path(".sst"));
    assert!(Lsm::destroy_with(ROOT, &config(nori_env::sync::Arc::clone(&fs))).is_err());
    faults.clear();
    Lsm::destroy_with(ROOT, &config(fs)).expect("destroys the rest");
    assert!(disk.files().is_empty(), "{:?}", disk.files());
}

/// Other engines have a CURRENT too.
#[test]
fn a_foreign_directory_is_not_destroyed() {
    let disk = MemFs::new(7);
    assert!(disk.write_file("/other/CURRENT", b"MANIFEST-000007\n"));
    assert!(disk.write_file("/other/MANIFEST-000007", b"precious"));
    assert!(disk.write_file("/other/LOCK", b""));
    let refused = Lsm::destroy_with("/other", &config(on(&disk))).map_err(|e| e.kind());
    assert_eq!(refused, Err(ErrorKind::InvalidArgument));
    assert_eq!(disk.files().len(), 3);
}

/// Closing a `Buffered` store makes everything durable, whatever is under way.
#[test]
fn what_was_written_before_closing_survives_a_power_cut() {
    for seed in 0..20 {
        let disk = MemFs::new(seed);
        let config =
            config(on(&disk)).background(Background::Threads(2)).durability(Durability::Buffered);
        let store = Lsm::open_with(ROOT, config).expect("opens");
        fill(&store, 40, 1);
        store.close().expect("closes");
        let left = disk.crash(nori_env::Cut::SyncedOnly, seed);
        check(&open(on(&left)), 40, 1);
    }
}

/// The next owner of the files may remove what an old reader is about to open.
#[test]
fn a_read_that_a_close_overtakes_says_closed() {
    let disk = MemFs::new(9);
    let (fs, barrier) = stopping(&disk, FsOp::Open, ".sst");
    let config = config(fs).block_cache_bytes(0).max_open_files(1).k_global(8);
    let store = Lsm::open_with(ROOT, config).expect("opens");
    store.put("a", "1").expect("writes");
    store.flush().expect("flushes");
    store.put("b", "2").expect("writes");
    store.flush().expect("flushes");
    assert!(store.get("b").expect("reads").is_some(), "the other table is not open any more");
    barrier.shut();
    let reading = store.clone();
    let reader = thread::spawn(move || reading.get("a"));
    barrier.wait_for_somebody();
    store.close().expect("closes");
    let tables =
        disk.files().into_iter().filter(|(p, _)| p.extension().is_some_and(|e| e == "sst"));
    tables.for_each(|(path, _)| disk.remove(&path).expect("removes"));
    barrier.open();
    let error = reader.join().expect("no panic").expect_err("there is nothing to read");
    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
}
