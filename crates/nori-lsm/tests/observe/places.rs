//! Where the bytes are: beside what the file system and the slots say.

use crate::{ROOT, fill, key, on, open};
use nori_env::{Cut, MemFs};
use nori_lsm::{Config, Lsm, PinKind, VizEvent};
use std::path::Path;

fn same(config: Config) -> Config {
    config
}

/// Bytes and number of the files below a directory.
fn below(disk: &MemFs, dir: &str, end: &str) -> (u64, u64) {
    let dir = Path::new(ROOT).join(dir);
    let files = disk.files().into_iter().filter(|(path, _)| path.parent() == Some(&*dir));
    let files = files.filter(|(path, _)| path.to_string_lossy().ends_with(end));
    files.fold((0, 0), |(n, sum), (_, bytes)| (n + 1, sum + bytes))
}

#[test]
fn every_file_is_counted_once_and_where_it_belongs() {
    let disk = MemFs::new(11);
    let store = open(&disk, same);
    fill(&store, 400, 0);
    store.flush().expect("flushes");
    fill(&store, 20, 1);
    let info = store.disk().expect("looks");
    let all: u64 = disk.files().iter().map(|(_, bytes)| *bytes).sum();
    assert_eq!(info.total_bytes, all, "{info:?}");
    assert_eq!((info.tables, info.tables_bytes), below(&disk, "sst", ".sst"));
    assert_eq!(info.tables_bytes, store.metrics().table_bytes);
    let wal = info.wal_live_bytes + info.wal_retained_bytes + info.wal_spare_bytes;
    assert_eq!(wal, below(&disk, "wal", "").1);
    assert_eq!(info.wal_live, store.metrics().wal_segments);
    assert!(info.manifest_bytes > 0 && info.free_bytes > 0 && info.lost == 0, "{info:?}");
    let store = Lsm::open_read_only_with(ROOT, crate::config(on(&disk))).expect("opens");
    assert_eq!(store.disk().expect("looks").total_bytes, all);
}

#[test]
fn who_holds_old_files_is_listed_until_he_lets_go() {
    let disk = MemFs::new(12);
    let store = open(&disk, same);
    fill(&store, 200, 0);
    store.compact().expect("merges");
    let idle = || while store.step().expect("works") {};
    idle();
    let snapshot = store.snapshot();
    assert_eq!(store.pins().len(), 1);
    let (iter, cursor) = (store.iter(), store.cursor());
    assert_eq!(store.pins().len(), 1, "what is current is pinned by nobody");
    fill(&store, 200, 1);
    store.compact().expect("merges");
    idle();
    let pins = store.pins();
    assert_eq!(pins[0].kind, PinKind::Snapshot);
    assert_eq!((pins[0].sequence, pins[0].holders, pins[0].table_bytes), (200, 1, 0));
    let readers: Vec<_> = pins.iter().filter(|pin| pin.kind == PinKind::Readers).collect();
    assert_eq!(readers.len(), 1, "{readers:?}");
    assert_eq!(readers[0].holders, 3, "an iterator's two ends and a cursor");
    let info = store.disk().expect("looks");
    assert!(info.tables_other > 0, "{info:?}");
    assert_eq!(readers[0].tables, info.tables_other);
    assert_eq!(readers[0].table_bytes, info.tables_other_bytes);
    drop(iter);
    assert_eq!(store.pins()[1].holders, 1);
    drop((cursor, snapshot));
    idle();
    assert!(store.pins().is_empty());
    assert_eq!(store.disk().expect("looks").tables_other, 0);
}

/// An iterator keeps the memtable that it began in.
#[test]
fn memtables_that_readers_hold_are_listed() {
    let disk = MemFs::new(13);
    let store = open(&disk, same);
    store.put("a", "1").expect("writes");
    let iter = store.iter();
    store.flush().expect("flushes");
    let pins = store.pins();
    assert!(pins.len() == 1 && pins[0].memtable_bytes > 0 && pins[0].tables == 0, "{pins:?}");
    drop(iter);
    assert!(store.pins().is_empty());
}

#[test]
fn keyspaces_are_the_sums_of_their_slots() {
    let disk = MemFs::new(14);
    let store = open(&disk, same);
    let other = store.keyspace("other").expect("makes");
    store.keyspace("empty").expect("makes");
    store.split_at(&[key(100), key(150)]).expect("splits");
    fill(&store, 200, 0);
    (0..50).for_each(|n| other.put(key(n), "v").expect("writes"));
    (0..50).for_each(|n| other.delete(key(n)).expect("writes"));
    store.flush().expect("flushes");
    (0..50).for_each(|n| drop(other.get(key(n)).expect("reads")));
    let infos = store.keyspace_metrics();
    let names: Vec<&str> = infos.iter().map(|info| &*info.name).collect();
    assert_eq!(names, ["default", "empty", "other"]);
    for info in &infos {
        let slots = store.keyspace(&info.name).expect("is there").slots();
        assert_eq!(info.slots, slots.len() as u64, "{}", info.name);
        assert_eq!(info.bytes, slots.iter().map(|s| s.bytes).sum::<u64>());
        assert_eq!(info.entries, slots.iter().map(|s| s.entries).sum::<u64>());
        assert_eq!(info.tombstones, slots.iter().map(|s| s.tombstones).sum::<u64>());
        let flushed: u64 = slots.iter().map(|s| s.ledger.flush_bytes).sum();
        assert_eq!(info.ledger.flush_bytes, flushed);
        let runs = slots.iter().map(|s| s.runs as u64).max();
        assert_eq!(Some(info.runs_max), runs);
    }
    assert!(infos[0].slots >= 3 && infos[0].entries > 180, "{:?}", infos[0]);
    assert_eq!((infos[1].bytes, infos[1].entries), (0, 0));
    assert!(infos[2].tombstones == 50 && infos[2].bytes > 0, "{:?}", infos[2]);
    let metrics = store.metrics();
    assert_eq!(metrics.keyspaces.len(), 3);
    assert_eq!(metrics.memory, store.memory());
    store.drop_keyspace("other").expect("drops");
    assert_eq!(store.keyspace_metrics().len(), 2);
}

/// Every slot tells all that is known of it.
#[test]
fn slots_tell_reads_writes_and_their_books() {
    let disk = MemFs::new(15);
    let clock = nori_env::ManualClock::default();
    let store = open(&disk, |c| c.clock(nori_env::sync::Arc::new(clock.clone())));
    for generation in 0..4 {
        fill(&store, 300, generation);
        (0..3000).for_each(|n| drop(store.get(key(n % 300)).expect("reads")));
        clock.advance(std::time::Duration::from_secs(10));
        while store.step().expect("works") {}
    }
    store.flush().expect("flushes");
    let slots = store.slots();
    let slot = slots.iter().find(|slot| slot.keyspace == "default").expect("is there");
    assert!(slot.runs > 0 && slot.tables > 0 && slot.bytes > 0 && slot.entries >= 300, "{slot:?}");
    assert!(slot.k > 0 && slot.heat >= 0.0 && slot.space_amplification >= 1.0, "{slot:?}");
    assert!(slot.reads_per_s > 0.0 && slot.writes_per_s > 0.0, "{slot:?}");
    assert!(slot.ledger.write_amplification() > 0.0 && slot.ledger.read_amplification() > 0.0);
    assert!(slot.ledger.point_reads > 0 && slot.ledger.flushed_user_bytes > 0, "{slot:?}");
}

#[test]
fn a_reader_tells_from_how_many_segments_it_read() {
    let disk = MemFs::new(16);
    let store = open(&disk, |c| c.memtable_bytes(1 << 20));
    fill(&store, 50, 0);
    let image = disk.crash(Cut::AllWritten, 1);
    drop(store);
    let reader = Lsm::open_read_only_with(ROOT, crate::config(on(&image))).expect("opens");
    assert_eq!((reader.metrics().wal_segments, reader.recovery().segments), (1, 1));
    assert_eq!(reader.recovery().operations, 50);
}

#[test]
fn what_a_verification_finds_shows_in_health_and_as_an_event() {
    let disk = MemFs::new(17);
    let store = open(&disk, |c| c.block_cache_bytes(0));
    fill(&store, 400, 0);
    store.compact().expect("merges");
    let mut files = disk.files().into_iter().map(|(path, _)| path);
    let table = files.rfind(|path| path.extension().is_some_and(|e| e == "sst"));
    let table = table.expect("there is a table");
    assert!(store.verify().expect("reads").is_ok() && store.health().is_ok());
    let mut events = store.events();
    assert!(disk.corrupt(&table, 40, 0xff));
    let report = store.verify().expect("reads");
    assert!(!report.is_ok());
    let health = store.health();
    assert_eq!(health.corruption.len(), report.problems.len(), "{health:?}");
    assert_eq!(store.metrics().corruptions, report.problems.len() as u64);
    let error = health.corruption[0].to_string();
    assert!(error.contains(&table.display().to_string()), "{error}");
    let told: Vec<VizEvent> = std::iter::from_fn(|| events.try_next()).collect();
    assert!(told.contains(&VizEvent::Corruption { error }), "{told:?}");
    // Told once, however often it is looked for.
    store.verify().expect("reads");
    assert_eq!(events.try_next(), None);
}
