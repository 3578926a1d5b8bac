//! Scenes about slots: who may change one, and that its books hold everything.

use crate::scenes::{expect, settle};
use nori_env::MemFs;
use nori_env::sync::{Arc, Mutex, thread};
use nori_lsm::{Background, Compression, Config, Lsm, Point, at, current, plant};
use std::time::Duration;

type Scene = fn() -> Result<(), String>;

pub(crate) const ALL: &[(&str, Scene)] = &[
    ("a fragment that overlaps what is there", fragment_that_overlaps),
    ("a flush that would fit, while its slot is merged", flush_that_fits_while_merging),
    ("a cut while its slot is merged", cut_while_merging),
    ("a tombstone in a merge that leaves out the oldest run", tombstone_above_the_oldest),
    ("two cuts in one group", two_cuts_in_one_group),
    ("the books of a flush over two slots", books_of_a_flush),
    ("readers of a slot that joins another", readers_of_a_joined_slot),
    ("a join while others look for one", join_over_join),
];

fn config(target: u64) -> Config {
    Config::default()
        .background(Background::Manual)
        .memtable_bytes(4096)
        .max_sealed(3)
        .block_bytes(256)
        .table_bytes(1024)
        .k_global(2)
        .alpha(100.0)
        .slot_target_bytes(Some(target))
        .compression(Compression::None)
        .disk_reserve_bytes(Some(0))
}

fn open_on(disk: &MemFs, target: u64) -> Lsm {
    let config = config(target).file_system(Arc::new(disk.clone()));
    Lsm::open_with("/store", config).expect("opens")
}

fn open(target: u64) -> Lsm {
    open_on(&MemFs::new(1), target)
}

fn put(store: &Lsm, key: &str, value: &str) {
    store.put(key, value).expect("writes");
}

fn flush(store: &Lsm) {
    store.flush().expect("flushes");
}

/// Some tables, in about `kilobytes` kilobytes.
fn fill(store: &Lsm, kilobytes: u32) {
    for n in 0..2 * kilobytes {
        store.put(format!("key {n:04}"), [n as u8; 500]).expect("writes");
    }
    flush(store);
}

fn fragment_that_overlaps() -> Result<(), String> {
    let store = open(1 << 20);
    put(&store, "k", "old");
    flush(&store);
    put(&store, "k", "new");
    flush(&store);
    expect(store.get("k").expect("reads"), &["new"])
}

fn flush_that_fits_while_merging() -> Result<(), String> {
    let store = open(1 << 20);
    put(&store, "k", "v");
    flush(&store);
    let other = store.clone();
    at(Point::MergeWritten, move || {
        put(&other, "z", "behind all others");
        flush(&other);
    });
    store.compact().map_err(|e| e.to_string())?;
    expect(store.get("k").expect("reads"), &["v"])?;
    expect(store.get("z").expect("reads"), &["behind all others"])
}

fn cut_while_merging() -> Result<(), String> {
    let store = open(1024);
    fill(&store, 12);
    put(&store, "key 0000", "new");
    flush(&store);
    let (other, slots) = (store.clone(), store.slots().len());
    at(Point::MergeWritten, move || {
        other.step().expect("works");
    });
    store.compact().map_err(|e| e.to_string())?;
    settle(&store);
    if store.slots().len() <= slots {
        return Err("the slot was never cut".to_string());
    }
    expect(store.get("key 0000").expect("reads"), &["new"])
}

fn tombstone_above_the_oldest() -> Result<(), String> {
    let store = open(1 << 20);
    fill(&store, 20);
    settle(&store);
    store.delete("key 0007").expect("deletes");
    flush(&store);
    put(&store, "key 0008", "new");
    flush(&store);
    let before = store.metrics().compactions;
    settle(&store);
    let last = store.decisions(1).pop().ok_or("nothing was merged")?;
    if store.metrics().compactions == before || last.runs == last.runs_before {
        return Err(format!("the scene needs a merge of the newer runs, not {last:?}"));
    }
    let shown = store.get("key 0007").expect("reads");
    if shown.is_none() { Ok(()) } else { Err("a deleted key came back".to_string()) }
}

fn two_cuts_in_one_group() -> Result<(), String> {
    let store = open(1 << 20);
    store.split_at(&["m"]).expect("cuts");
    let threads = Arc::new(Mutex::new(Vec::new()));
    let (other, started) = (store.clone(), Arc::clone(&threads));
    // Edits that arrive while one is logged wait, and are logged together.
    at(Point::Logged, move || {
        let fault = current();
        let cut = |key: &'static str| {
            let store = other.clone();
            thread::spawn(move || {
                plant(fault);
                store.split_at(&[key]).map_err(|e| e.to_string())
            })
        };
        started.lock().extend(["c", "t"].map(cut));
        thread::sleep(Duration::from_millis(200));
    });
    store.keyspace("s").expect("creates");
    let threads = std::mem::take(&mut *threads.lock());
    for thread in threads {
        thread.join().map_err(|_| "a panic".to_string())??;
    }
    let slots = store.slots().len();
    // "default" has four, the new keyspace one, and one is above all.
    if slots == 6 { Ok(()) } else { Err(format!("{slots} slots")) }
}

fn books_of_a_flush() -> Result<(), String> {
    let store = open(1 << 20);
    store.split_at(&["m"]).expect("cuts");
    put(&store, "a", "v");
    put(&store, "z", "v");
    flush(&store);
    let booked: u64 = store.slots().iter().map(|slot| slot.ledger.flush_bytes).sum();
    let written = store.metrics().flush_bytes;
    if booked == written { Ok(()) } else { Err(format!("{booked} of {written} bytes booked")) }
}

fn readers_of_a_joined_slot() -> Result<(), String> {
    let disk = MemFs::new(2);
    let store = open_on(&disk, 1024);
    fill(&store, 8);
    settle(&store);
    store.close().expect("closes");
    let store = open_on(&disk, 1 << 20);
    let slots = store.slots().len();
    let mut iters: Vec<_> = (0..200).map(|_| store.iter()).collect();
    iters.iter_mut().for_each(|iter| drop(iter.next()));
    settle(&store);
    if store.slots().len() >= slots {
        return Err("no slot joined another".to_string());
    }
    let before = store.metrics().scans;
    iters.into_iter().for_each(|iter| assert_eq!(iter.count(), 15));
    let counted = store.metrics().scans - before;
    // One read in sixteen is counted, for those that are not.
    if counted >= 169 { Ok(()) } else { Err(format!("{counted} of 200 scans were counted")) }
}

/// A store of many small slots, opened for larger ones.
fn shrunk() -> Lsm {
    let disk = MemFs::new(3);
    let store = open_on(&disk, 1024);
    fill(&store, 8);
    settle(&store);
    store.close().expect("closes");
    open_on(&disk, 1 << 20)
}

fn join_over_join() -> Result<(), String> {
    let store = shrunk();
    let (other, before) = (store.clone(), store.slots().len());
    at(Point::JoinStarts, move || {
        // Slots are looked over after a change.
        put(&other, "key 0003", "new");
        flush(&other);
        settle(&other);
    });
    (0..50).try_for_each(|_| store.step().map(|_| ()).map_err(|e| e.to_string()))?;
    if store.slots().len() >= before {
        return Err("no slot joined another".to_string());
    }
    expect(store.get("key 0003").expect("reads"), &["new"])
}
