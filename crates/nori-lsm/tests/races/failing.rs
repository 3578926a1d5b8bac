//! Failures that repeat: they are waited out, cost no disk and stop nothing else.

// How long a real thread waits is what some of these are about.
#![allow(clippy::disallowed_methods)]

use crate::{ROOT, check, config, files, fill, key, on, open};
use nori_env::sync::{Arc, thread};
use nori_env::{Clock, Cut, Fault, FaultFs, FaultRule, FileSystem, FsOp, MemFs, SystemClock};
use nori_lsm::{Background, Config, Durability, ErrorKind, Lsm, VizEvent};
use std::time::Duration;

fn faulty(seed: u64) -> (MemFs, FaultFs, Config) {
    let disk = MemFs::new(seed);
    let faults = FaultFs::new(on(&disk));
    let config = config(Arc::new(faults.clone()));
    (disk, faults, config)
}

/// Without a pause a failing flush would write table after table.
#[test]
fn a_flush_that_fails_is_not_tried_again_at_once() {
    let (_, faults, config) = faulty(1);
    let store = Lsm::open_with(ROOT, config.background(Background::Threads(1))).expect("opens");
    faults.inject(FaultRule::new(Fault::Eio).on(FsOp::Create).path(".sst"));
    fill(&store, 100, 0);
    thread::sleep(Duration::from_millis(700));
    let tries = faults.hits().len();
    assert!((2..=6).contains(&tries), "{tries} tries in 0.7 s; the waits are 50, 100, 200, 400 ms");
    faults.clear();
    store.flush().expect("flushes");
    check(&store, 100, 0);
}

/// Tables of edits that could not be logged must not pile up: they cannot be deleted before a new
/// manifest is there.
#[test]
fn a_manifest_that_cannot_be_written_costs_no_disk() {
    let (disk, faults, config) = faulty(2);
    let store = Lsm::open_with(ROOT, config).expect("opens");
    fill(&store, 10, 0);
    faults.inject(FaultRule::new(Fault::Eio).on(FsOp::Write).path("MANIFEST"));
    for _ in 0..10 {
        assert!(store.flush().is_err());
        let _ = store.compact();
        let _ = store.step();
    }
    assert!(files(&disk, ".sst") <= 1, "{} tables of one memtable", files(&disk, ".sst"));
    faults.clear();
    store.flush().expect("flushes");
    while store.step().expect("cleans") {}
    assert_eq!(files(&disk, ".sst") as u64, store.metrics().tables);
    check(&store, 10, 0);
}

/// A flush whose table is in the manifest has not failed because an old segment of the log could
/// not be taken away.
#[test]
fn segments_that_stay_fail_no_flush() {
    let (disk, faults, config) = faulty(11);
    let store = Lsm::open_with(ROOT, config).expect("opens");
    fill(&store, 10, 0);
    faults.inject(FaultRule::new(Fault::Eio).on(FsOp::Rename).path(".spare"));
    faults.inject(FaultRule::new(Fault::Eio).on(FsOp::Remove).path(".wal"));
    store.flush().expect("flushes");
    assert_eq!(store.metrics().tables, 1);
    assert!(!store.health().is_ok());
    faults.clear();
    while store.step().expect("cleans") {}
    assert!(store.health().is_ok());
    assert_eq!(files(&disk, ".wal"), 1);
}

/// The same for good: once CURRENT could not be replaced, no edit is logged any more.
#[test]
fn a_lost_current_costs_no_disk_and_is_told_to_writers() {
    let (disk, faults, config) = faulty(3);
    let config = config.background(Background::Threads(1)).stall_timeout(Duration::from_secs(30));
    let store = Lsm::open_with(ROOT, config).expect("opens");
    fill(&store, 10, 0);
    faults.inject(FaultRule::new(Fault::Eio).on(FsOp::Write).path("MANIFEST").nth(0));
    faults.inject(FaultRule::new(Fault::Eio).on(FsOp::Rename).path("CURRENT"));
    for _ in 0..10 {
        assert!(store.flush().is_err());
    }
    assert!(files(&disk, ".sst") <= 2, "{} tables of one memtable", files(&disk, ".sst"));
    let start = SystemClock::default();
    let refused = (0..500).find_map(|n| store.put(key(n), vec![1; 100]).err());
    assert_eq!(refused.map(|e| e.kind()), Some(ErrorKind::Poisoned));
    assert!(start.now() < Duration::from_secs(10), "the writer waited for what cannot come");
    drop(store);
    faults.clear();
    let again = open(on(&disk));
    check(&again, 10, 0);
}

/// A writer that waits for a flush is told when the log is poisoned meanwhile.
#[test]
fn a_stalled_writer_hears_of_the_poison() {
    let (_, faults, config) = faulty(4);
    let config = config
        .background(Background::Threads(1))
        .durability(Durability::Buffered)
        .stall_timeout(Duration::from_secs(30));
    let store = Lsm::open_with(ROOT, config).expect("opens");
    faults.inject(FaultRule::new(Fault::Eio).on(FsOp::Create).path(".sst"));
    let writing = store.clone();
    let writer = thread::spawn(move || {
        (0..).find_map(|n: usize| writing.put(n.to_be_bytes(), vec![7; 700]).err())
    });
    let patience = SystemClock::default();
    while store.metrics().stalls == 0 {
        assert!(patience.now() < Duration::from_secs(20), "nobody stalls");
        thread::sleep(Duration::from_millis(10));
    }
    faults.inject(FaultRule::new(Fault::Eio).on(FsOp::Sync).path("/wal/"));
    assert!(store.sync().is_err());
    let start = SystemClock::default();
    let error = writer.join().expect("no panic").expect("ends by an error");
    assert_eq!(error.kind(), ErrorKind::Poisoned, "{error}");
    assert!(start.now() < Duration::from_secs(12));
}

/// One damaged table must not keep the other slots from being merged, nor anything from being
/// cleaned up.
#[test]
fn a_slot_that_cannot_be_merged_stops_no_other_work() {
    let disk = MemFs::new(5);
    let store = Lsm::open_with(ROOT, config(on(&disk)).block_cache_bytes(0)).expect("opens");
    store.split_at(&["key-0010"]).expect("splits");
    // The first slot: more runs than the second, one of them damaged.
    store.put(key(0), "damaged").expect("writes");
    store.flush().expect("flushes");
    let mut tables =
        disk.files().into_iter().filter(|(p, _)| p.extension().is_some_and(|e| e == "sst"));
    let (table, _) = tables.next_back().expect("one table");
    for _ in 0..6 {
        store.put(key(1), "left").expect("writes");
        store.flush().expect("flushes");
    }
    for _ in 0..4 {
        store.put(key(20), "right").expect("writes");
        store.flush().expect("flushes");
    }
    assert!(disk.corrupt(&table, 3, 0xff));
    for _ in 0..40 {
        let _ = store.step();
    }
    let slots = store.slots();
    assert_eq!(slots[1].runs, 1, "the slot without damage is merged: {slots:?}");
    assert!(slots[0].runs > 2, "the damaged slot cannot be merged");
    assert_eq!(files(&disk, ".sst") as u64, store.metrics().tables, "tables are left lying");
    assert!(!store.health().is_ok());
    assert_eq!(store.get(key(1)).expect("reads").as_deref(), Some(&b"left"[..]));
}

/// A periodic sync does not wait for a flush that keeps failing.
#[test]
fn periodic_syncs_go_on_while_flushes_fail() {
    let (disk, faults, config) = faulty(6);
    let config = config
        .background(Background::Threads(1))
        .durability(Durability::Interval(Duration::from_millis(20)))
        .max_sealed(4);
    let store = Lsm::open_with(ROOT, config).expect("opens");
    faults.inject(FaultRule::new(Fault::Eio).on(FsOp::Create).path(".sst"));
    fill(&store, 60, 0);
    // By now the flush waits for most of a second between two tries.
    thread::sleep(Duration::from_millis(1200));
    store.put("late", "value").expect("writes");
    thread::sleep(Duration::from_millis(300));
    let left = disk.crash(Cut::SyncedOnly, 6);
    let again = open(on(&left));
    assert_eq!(again.get("late").expect("reads").as_deref(), Some(&b"value"[..]));
}

/// Names with numbers that leave nothing to count on are not ours.
#[test]
fn the_highest_numbers_in_names_are_survived() {
    for name in ["sst/18446744073709551615.sst", "MANIFEST-18446744073709551615"] {
        let disk = MemFs::new(7);
        let store = open(on(&disk));
        fill(&store, 10, 0);
        store.close().expect("closes");
        assert!(disk.write_file(format!("{ROOT}/{name}"), b"x"));
        match Lsm::open_with(ROOT, config(on(&disk))) {
            Ok(store) => check(&store, 10, 0),
            Err(e) => assert_eq!(e.kind(), ErrorKind::Corruption, "{name}: {e}"),
        }
    }
    for name in ["18446744073709551615.wal", "18446744073709551615.spare"] {
        for exists in [true, false] {
            let disk = MemFs::new(7);
            if exists {
                open(on(&disk)).close().expect("closes");
            }
            assert!(disk.write_file(format!("{ROOT}/wal/{name}"), b"x"));
            if let Err(e) = Lsm::open_with(ROOT, config(on(&disk))) {
                assert_eq!(e.kind(), ErrorKind::Corruption, "{name}: {e}");
            }
        }
    }
}

/// A manifest that a later nori lets this one read, but not write, is not written.
#[test]
fn a_store_that_may_only_be_read_is_not_opened_for_writing() {
    let disk = MemFs::new(8);
    let store = open(on(&disk));
    fill(&store, 10, 0);
    store.close().expect("closes");
    let mut manifests =
        disk.files().into_iter().filter(|(p, _)| p.to_string_lossy().contains("MANIF"));
    let (path, _) = manifests.next_back().expect("one manifest");
    let number: u64 =
        path.to_string_lossy().rsplit('-').next().expect("a number").parse().expect("is");
    let mut bytes = disk.read_file(&path).expect("is there");
    let magic: [u8; 4] = bytes[..4].try_into().expect("four bytes");
    let format = nori_wal::LogFormat { magic, version: 2, incompatible: 0, what: "manifest" };
    let mut header = nori_wal::LogHeader::decode(&bytes, &format, number, &path).expect("decodes");
    header.features.read_compatible |= 1 << 9;
    let encoded = header.encode(&format);
    bytes[..encoded.len()].copy_from_slice(&encoded);
    assert!(disk.write_file(&path, &bytes));
    let refused = Lsm::open_with(ROOT, config(on(&disk))).map(|_| ()).map_err(|e| e.kind());
    assert_eq!(refused, Err(ErrorKind::FormatTooNew));
    let reader = Lsm::open_read_only_with(ROOT, config(on(&disk))).expect("reads");
    check(&reader, 10, 0);
}

/// A keyspace is in the manifest before any batch names it: a batch of an unknown one is damage.
#[test]
fn a_logged_batch_of_an_unknown_keyspace_is_corruption() {
    let disk = MemFs::new(10);
    open(on(&disk)).close().expect("closes");
    let mut segments =
        disk.files().into_iter().filter(|(p, _)| p.extension().is_some_and(|e| e == "wal"));
    let (path, _) = segments.next_back().expect("one segment");
    let mut bytes = disk.read_file(&path).expect("is there");
    let name = path.file_stem().expect("a number").to_string_lossy().into_owned();
    let format = nori_wal::LogFormat { magic: *b"nWAL", version: 1, incompatible: 0, what: "log" };
    let header = nori_wal::LogHeader::decode(&bytes, &format, name.parse().expect("is"), &path);
    let header = header.expect("decodes");
    // One put of the empty value to the key "k" of keyspace 9.
    let batch = [5, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 2, 0, 9, b'k'];
    bytes.truncate(64);
    nori_wal::frame(&mut bytes, &header, 64, &batch, nori_wal::Position::default());
    assert!(disk.write_file(&path, &bytes));
    let refused = Lsm::open_with(ROOT, config(on(&disk))).map(|_| ()).map_err(|e| e.kind());
    assert_eq!(refused, Err(ErrorKind::Corruption));
}

/// A full disk in every call that needs room, with threads: no hang, and it goes on by itself.
#[test]
fn writing_resumes_when_a_full_disk_has_room_again() {
    let disk = MemFs::new(9);
    let fs: Arc<dyn FileSystem> = on(&disk);
    let config =
        config(fs).background(Background::Threads(1)).stall_timeout(Duration::from_millis(200));
    let store = Lsm::open_with(ROOT, config).expect("opens");
    fill(&store, 20, 0);
    disk.set_capacity(Some(disk.total_bytes() + 6_000));
    let mut refused = None;
    for n in 20..2_000 {
        if let Err(e) = store.put(key(n), vec![9; 300]) {
            refused = Some((n, e.kind()));
            break;
        }
    }
    let (n, kind) = refused.expect("the disk is full at some point");
    assert!(matches!(kind, ErrorKind::DiskFull | ErrorKind::Stalled), "{kind:?}");
    disk.set_capacity(None);
    let patience = SystemClock::default();
    while store.put(key(n), vec![9; 300]).is_err() {
        assert!(patience.now() < Duration::from_secs(20), "{:?}", store.health());
    }
    for m in 20..=n {
        assert_eq!(store.get(key(m)).expect("reads").map(|v| v.len()), Some(300));
    }
    store.close().expect("closes");
}

/// A log that piles up in the page cache makes one sync expensive for whoever needs it, so it is
/// written back though nobody asked for a sync.
#[test]
fn a_buffered_log_is_written_back_in_the_background() {
    let disk = MemFs::new(24);
    let config = config(on(&disk))
        .durability(Durability::Buffered)
        .background(Background::Threads(1))
        .memtable_bytes(64 << 20);
    let store = Lsm::open_with(ROOT, config).expect("opens");
    let mut events = store.events();
    for n in 0..12 {
        store.put(key(n), vec![7; 1 << 20]).expect("writes");
    }
    let mut tries = 0..500;
    let synced = tries.any(|_| {
        let event = events.try_next();
        if event.is_none() {
            thread::sleep(Duration::from_millis(10));
        }
        matches!(event, Some(VizEvent::WalSynced { .. }))
    });
    assert!(synced, "12 MiB of log were left to the operating system");
    assert_eq!(store.metrics().flushes, 0, "the sync had another reason");
}

/// A damaged table in a slot that has grown far too large keeps that slot from being cut, but not
/// the others from being merged; and whoever waits is told.
#[test]
fn a_slot_that_cannot_be_cut_stops_no_other_work() {
    let disk = MemFs::new(25);
    let config = config(on(&disk)).block_cache_bytes(0);
    let config = config.slot_target_bytes(Some(64 << 10)).table_bytes(1 << 20);
    let store = Lsm::open_with(ROOT, config.clone()).expect("opens");
    store.split_at(&["key-0500"]).expect("splits");
    // Values that do not shrink, in one table of the first slot.
    let mut rng = nori_env::Rng::new(25);
    let mut value = || (0..2000).map(|_| rng.next_u64() as u8).collect::<Vec<u8>>();
    (0..30).for_each(|n| store.put(key(n), value()).expect("writes"));
    store.compact().expect("merges");
    store.close().expect("closes");
    let tables: Vec<_> = disk
        .files()
        .into_iter()
        .filter(|(p, _)| p.extension().is_some_and(|e| e == "sst"))
        .collect();
    for (table, len) in &tables {
        assert!(disk.corrupt(table, len - 20, 0xff));
    }
    let config = config.slot_target_bytes(Some(8 << 10));
    let store = Lsm::open_with(ROOT, config).expect("opens");
    for _ in 0..6 {
        store.put(key(600), "right").expect("writes");
        store.flush().expect("flushes");
    }
    for _ in 0..40 {
        let _ = store.step();
    }
    let slots = store.slots();
    let last = slots.last().expect("some");
    let right = slots.iter().find(|s| s.lo == b"key-0500").unwrap_or(last);
    assert_eq!(right.runs, 1, "the slot without damage is merged: {slots:?}");
    assert!(!store.health().is_ok(), "nobody is told of the damage");
}

/// A cut that could not be logged was none.
#[test]
fn a_cut_that_failed_is_not_counted() {
    let (_, faults, config) = faulty(26);
    let config = config.slot_target_bytes(Some(4 << 10)).k_global(12);
    let store = Lsm::open_with(ROOT, config).expect("opens");
    (0..200).for_each(|n| store.put(key(n), n.to_string().repeat(40)).expect("writes"));
    store.flush().expect("flushes");
    let before = store.metrics().slot_splits;
    faults.inject(FaultRule::new(Fault::Eio).on(FsOp::Write).path("MANIFEST"));
    assert!(store.compact().is_err());
    assert_eq!((store.metrics().slot_splits, store.slots().len()), (before, before as usize + 2));
    faults.clear();
    store.compact().expect("merges");
    let splits = store.metrics().slot_splits;
    assert!(splits > before, "nothing was cut");
    assert_eq!(store.slots().len(), splits as usize + 2);
}
