//! A disk that is really full: a small ext4 on a loop device, filled by a store and a ballast.
//!
//! Writes are refused with `DiskFull` and change nothing, reads go on and are right, and when
//! there is room again writes go on without opening again. Needs root; elsewhere the suite says so
//! and passes.

// What takes the room is not the store's.
#![allow(clippy::disallowed_methods)]

use nori_env::Rng;
use nori_lsm::{Background, Config, Durability, ErrorKind, Lsm, WriteBatch};
use nori_testkit::{run_suite, skip_suite};
use nori_torture::{Disk, Kind};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

const MIB: usize = 1 << 20;
/// How long writes may be refused when there is room again.
const HEAL_MAX: Duration = Duration::from_secs(60);

fn disk() -> Result<Disk, String> {
    Disk::new(Kind::Ext4, 64 << 20, "")
}

fn config(rng: &mut Rng) -> Config {
    Config::default()
        .memtable_bytes(*rng.pick(&[64 << 10, 1 << 20]))
        .table_bytes(*rng.pick(&[64 << 10, 1 << 20]))
        .slot_target_bytes(Some(1 << 20))
        .disk_reserve_bytes(*rng.pick(&[None, Some(0), Some(4 << 20)]))
        .durability(*rng.pick(&[Durability::Synced, Durability::Buffered]))
        .background(Background::Threads(2))
        .stall_timeout(Duration::from_secs(5))
}

fn check(store: &Lsm, model: &Model, when: &str) {
    let mut expected = model.iter();
    for item in store.iter() {
        let (key, value) = item.unwrap_or_else(|e| panic!("{when}: a scan: {e}"));
        let (k, v) = expected.next().unwrap_or_else(|| panic!("{when}: a key too many"));
        assert!(key == k[..] && value == v[..], "{when}: {}", key.escape_ascii());
    }
    assert!(expected.next().is_none(), "{when}: keys are missing");
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Written,
    Full,
    Stalled,
}

/// One batch. It is in the model exactly if it was acknowledged.
fn write(store: &Lsm, model: &mut Model, rng: &mut Rng) -> Told {
    let (mut batch, mut edits) = (WriteBatch::new(), Vec::new());
    for _ in 0..1 + rng.below(8) {
        let key = format!("key-{:06}", rng.below(20_000)).into_bytes();
        let mut value = vec![0; *rng.pick(&[10, 1_000, 30_000])];
        rng.fill(&mut value);
        batch.put(&key, &value);
        edits.push((key, value));
    }
    match store.write(batch) {
        Ok(()) => {
            model.extend(edits);
            Told::Written
        }
        Err(e) if e.kind() == ErrorKind::DiskFull => Told::Full,
        // What is to be flushed finds no room either.
        Err(e) if e.kind() == ErrorKind::Stalled => Told::Stalled,
        Err(e) => panic!("a full disk was told as {e}"),
    }
}

/// Writes until there is no room, which must be told as that.
fn fill(store: &Lsm, model: &mut Model, rng: &mut Rng) -> u64 {
    let start = Instant::now();
    let mut writes = 0;
    loop {
        while write(store, model, rng) == Told::Written {
            writes += 1;
            assert!(writes < 100_000, "the disk does not become full");
        }
        if write(store, model, rng) == Told::Full {
            return writes;
        }
        assert!(start.elapsed() < HEAL_MAX, "a full disk is only told as a stall");
    }
}

/// Waits until a write goes through.
fn heal(store: &Lsm, model: &mut Model, rng: &mut Rng) {
    let start = Instant::now();
    while write(store, model, rng) != Told::Written {
        assert!(start.elapsed() < HEAL_MAX, "writes do not go on: {:?}", store.health());
        std::thread::sleep(Duration::from_millis(20));
    }
    while !store.health().is_ok() {
        assert!(start.elapsed() < HEAL_MAX, "health stays {:?}", store.health());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn ballast(path: &Path, bytes: usize) {
    // It may not fit any more; then it takes what is left.
    let _ = std::fs::write(path, vec![7; bytes]);
}

fn run(seed: u64) -> u64 {
    let mut rng = Rng::new(seed);
    let disk = disk().expect("it could be made before");
    let (root, weight) = (disk.path().join("store"), disk.path().join("ballast"));
    let mut model = Model::new();
    ballast(&weight, 24 * MIB);
    let store = Lsm::open_with(&root, config(&mut rng)).expect("opens");
    let mut writes = 0;
    for round in 0..2 {
        writes += fill(&store, &mut model, &mut rng);
        check(&store, &model, "on a full disk");
        std::fs::remove_file(&weight).expect("is there");
        heal(&store, &mut model, &mut rng);
        check(&store, &model, "with room again");
        if round == 0 {
            // All of it goes, so that the ballast fits again.
            for key in model.keys() {
                store.delete(key).expect("deletes");
            }
            model.clear();
            store.compact().expect("merges");
            ballast(&weight, 20 * MIB);
        }
    }
    // Full once more, and opened like that.
    ballast(&weight, 64 * MIB);
    check(&store, &model, "before closing");
    // Closing may have to write, and may find no room for it.
    if let Err(e) = store.close() {
        assert_eq!(e.kind(), ErrorKind::DiskFull, "{e}");
    }
    match Lsm::open_with(&root, config(&mut rng)) {
        Ok(store) => check(&store, &model, "opened on a full disk"),
        Err(e) => assert_eq!(e.kind(), ErrorKind::DiskFull, "opening: {e}"),
    }
    let other = Lsm::open(disk.path().join("other")).and_then(|store| store.put("k", [1; MIB]));
    let other = other.expect_err("there is no room for another store");
    assert_eq!(other.kind(), ErrorKind::DiskFull, "{other}");
    let reader = Lsm::open_read_only(&root).expect("reading takes no room");
    check(&reader, &model, "read on a full disk");
    drop(reader);
    std::fs::remove_file(&weight).expect("is there");
    let store = Lsm::open_with(&root, config(&mut rng)).expect("opens");
    check(&store, &model, "opened with room");
    assert_eq!(write(&store, &mut model, &mut rng), Told::Written);
    store.close().expect("closes");
    writes
}

#[test]
fn full_disk() {
    if let Err(reason) = disk() {
        skip_suite("full-disk", &reason);
        return;
    }
    run_suite("full-disk", "writes", "-p nori-torture --test full_disk", 1, run);
}
