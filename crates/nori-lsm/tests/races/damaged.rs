//! A store that lives on with a damaged table: who is told, and what goes on.

use crate::{config, files, on};
use nori_env::sync::{Arc, thread};
use nori_env::{Clock, Fault, FaultFs, FaultRule, FsOp, MemFs, SystemClock};
use nori_lsm::{Background, Config, Error, ErrorKind, Lsm, VizEvent};
use std::path::PathBuf;
use std::time::Duration;

const ROOT: &str = crate::ROOT;

fn tables(disk: &MemFs) -> Vec<PathBuf> {
    let paths = disk.files().into_iter().map(|(path, _)| path);
    paths.filter(|path| path.extension().is_some_and(|e| e == "sst")).collect()
}

/// Keys below `m` in one slot with a damaged table, keys above in another.
fn damaged(disk: &MemFs, config: Config) -> (Lsm, PathBuf) {
    let store = Lsm::open_with(ROOT, config.block_cache_bytes(0)).expect("opens");
    store.split_at(&["m"]).expect("splits");
    store.put("bad", "damaged").expect("writes");
    store.flush().expect("flushes");
    let table = tables(disk).pop().expect("one table");
    store.put("good", "value").expect("writes");
    store.put("zebra", "value").expect("writes");
    store.flush().expect("flushes");
    assert!(disk.corrupt(&table, 3, 0xff));
    (store, table)
}

fn is_in(error: &Error, table: &PathBuf) -> bool {
    matches!(error, Error::Corruption { path, offset: 0, .. } if path == table)
}

#[test]
fn readers_tell_of_damage_once_for_each_place() {
    let disk = MemFs::new(31);
    let (store, table) = damaged(&disk, config(on(&disk)).k_global(12));
    assert!(store.health().is_ok(), "nobody has met it");
    let mut events = store.events();
    let is_damage = |event: &VizEvent| matches!(event, VizEvent::Corruption { .. });
    assert!(is_in(&store.get("bad").expect_err("damaged"), &table));
    assert!(is_in(&store.multi_get(&["good", "bad"]).expect_err("damaged"), &table));
    assert!(store.iter().any(|item| item.is_err_and(|e| is_in(&e, &table))));
    assert!(store.iter().rev().any(|item| item.is_err_and(|e| is_in(&e, &table))));
    assert!(is_in(&store.cursor().first().expect_err("damaged"), &table));
    assert!(is_in(&store.snapshot().get("bad").expect_err("damaged"), &table));
    let told: Vec<_> = std::iter::from_fn(|| events.try_next()).filter(is_damage).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    let health = store.health();
    assert!(!health.is_ok() && health.failing.is_empty() && health.poisoned.is_none());
    assert!(health.corruption.len() == 1 && is_in(&health.corruption[0], &table), "{health:?}");
    // Everything else goes on.
    assert_eq!(store.get("good").expect("reads").as_deref(), Some(&b"value"[..]));
    assert_eq!(store.range("m"..).count(), 1);
    store.put("bad", "new").expect("writes");
    assert_eq!(store.get("bad").expect("reads").as_deref(), Some(&b"new"[..]));
}

#[test]
fn damage_is_forgotten_with_its_file() {
    let disk = MemFs::new(32);
    let store = Lsm::open_with(ROOT, config(on(&disk)).block_cache_bytes(0)).expect("opens");
    let space = store.keyspace("s").expect("makes");
    space.put("k", "v").expect("writes");
    store.flush().expect("flushes");
    assert!(disk.corrupt(&tables(&disk)[0], 3, 0xff));
    assert_eq!(space.get("k").expect_err("damaged").kind(), ErrorKind::Corruption);
    assert!(!store.health().is_ok());
    store.drop_keyspace("s").expect("drops");
    store.wait_idle().expect("purges");
    assert_eq!(files(&disk, ".sst"), 0);
    assert!(store.health().is_ok(), "{:?}", store.health());
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let patience = SystemClock::default();
    while !is_so() {
        assert!(patience.now() < Duration::from_secs(20), "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A slot whose merges fail waits longer and longer; the others are merged at once, their success
/// does not hide the failure, and what fails no more is well again without opening.
#[test]
fn a_failing_slot_waits_by_itself_and_heals() {
    let disk = MemFs::new(33);
    let faults = FaultFs::new(on(&disk));
    let clock = Arc::new(nori_env::ManualClock::default());
    let config = config(Arc::new(faults.clone()))
        .clock(clock.clone())
        .background(Background::Threads(1))
        .block_cache_bytes(0);
    let store = Lsm::open_with(ROOT, config).expect("opens");
    store.split_at(&["m"]).expect("splits");
    let write = |key: &str| {
        for n in 0..4u8 {
            store.put(key, [n; 10]).expect("writes");
            store.flush().expect("flushes");
        }
    };
    write("left");
    store.wait_idle().expect("merges");
    // Only merges read tables that are there: the left slot's cannot be read from now on.
    let left = tables(&disk).pop().expect("a table").display().to_string();
    faults.inject(FaultRule::new(Fault::Eio).on(FsOp::Read).path(&left));
    write("left");
    until("the left slot fails", || !store.health().failing.is_empty());
    let merged = store.metrics().compactions;
    write("right");
    until("the right slot is merged", || store.metrics().compactions > merged);
    let health = store.health();
    assert!(health.failing[0].contains("compaction of slot"), "{health:?}");
    assert!(store.wait_idle().is_err(), "whoever waits is told");
    let tries = faults.hits().len();
    write("right");
    thread::sleep(Duration::from_millis(100));
    assert_eq!(faults.hits().len(), tries, "tried again before its time");
    faults.clear();
    clock.advance(Duration::from_secs(6));
    until("the left slot is well again", || store.wait_idle().is_ok());
    assert!(store.health().is_ok());
}
