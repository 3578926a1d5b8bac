//! Handles that outlive their store, and closing against everything else at once.

use crate::{ROOT, check, config, fill, in_time, key, kind, on};
use nori_env::sync::atomic::{AtomicU64, Ordering};
use nori_env::sync::{Arc, thread};
use nori_env::{MemFs, Rng};
use nori_lsm::{
    Background, Durability, ErrorKind, Lsm, Result, Storage, StorageSnapshot, WriteBatch,
};
use nori_testkit::run_suite;
use std::ops::Bound;
use std::time::Duration;

#[test]
fn after_closing_every_verb_of_every_handle_says_so() {
    let disk = MemFs::new(1);
    let store = Lsm::open_with(ROOT, config(on(&disk))).expect("opens");
    fill(&store, 20, 0);
    store.flush().expect("flushes");
    fill(&store, 20, 1);
    let space = store.keyspace("other").expect("creates");
    let (snapshot, mut cursor) = (store.snapshot(), store.cursor());
    let view = snapshot.keyspace("other").expect("exists");
    let (mut fresh, mut begun) = (store.iter(), store.iter());
    assert!(begun.next().is_some() && begun.next_back().is_some());
    assert!(cursor.seek(key(3)).expect("moves"));
    let mut batch = WriteBatch::new();
    batch.put("k", "v").put_in(&space, "k", "v");
    store.clone().close().expect("closes");
    let closed = Err(ErrorKind::Closed);
    for (verb, outcome) in [
        ("put", kind(store.put("k", "v"))),
        ("delete", kind(store.delete("k"))),
        ("get", kind(store.get("k"))),
        ("contains", kind(store.contains_key("k"))),
        ("multi_get", kind(store.multi_get(&["k"]))),
        ("write", kind(store.write(batch.clone()))),
        ("write_with", kind(store.write_with(batch.clone(), Durability::Buffered))),
        ("try_write", kind(store.try_write(&batch))),
        ("first", kind(store.first_key_value())),
        ("last", kind(store.last_key_value())),
        ("keyspace", kind(store.keyspace("new"))),
        ("drop", kind(store.drop_keyspace("other"))),
        ("checkpoint", kind(store.checkpoint("/copy"))),
        ("sync", kind(store.sync())),
        ("flush", kind(store.flush())),
        ("compact", kind(store.compact())),
        ("range", kind(store.compact_range::<&str, _>(.."k"))),
        ("wait", kind(store.wait_idle())),
        ("step", kind(store.step())),
        ("split", kind(store.split_at(&["k"]))),
        ("approximate", kind(store.approximate_bytes::<&str, _>(..))),
        ("verify", kind(store.verify())),
        ("space put", kind(space.put("k", "v"))),
        ("space get", kind(space.get("k"))),
        ("space split", kind(space.split_at(&["k"]))),
        ("snapshot", kind(snapshot.get("k"))),
        ("view", kind(view.get("k"))),
        ("late snapshot", kind(store.snapshot().get("k"))),
        ("cursor", kind(cursor.next())),
        ("cursor seek", kind(cursor.seek("k"))),
        ("late cursor", kind(store.cursor().first())),
        ("storage", kind(Storage::get(&store, b"k"))),
        ("storage snapshot", kind(StorageSnapshot::get(&snapshot, b"k"))),
    ] {
        assert_eq!(outcome, closed, "{verb}");
    }
    let late = [store.iter(), store.range("a"..), store.prefix("k"), space.iter(), snapshot.iter()];
    for (n, mut iter) in late.into_iter().enumerate() {
        assert_eq!(iter.next().map(kind), Some(closed), "iterator {n}");
        assert!(iter.next().is_none() && iter.next_back().is_none());
    }
    for iter in [&mut fresh, &mut begun] {
        assert_eq!(iter.next_back().map(kind), Some(closed));
        assert!(iter.next().is_none() && iter.next_back().is_none());
    }
    let mut items = Storage::range(&store, Bound::Unbounded, Bound::Unbounded);
    assert_eq!(items.next().map(kind), Some(closed));
    assert_eq!(store.events().count(), 0);
    let _ = (store.metrics(), store.slots(), store.health(), store.pins(), store.pressure());
    let _ = (store.keyspaces(), store.decisions(9), store.recovery(), format!("{store:?}"));
    store.clone().close().expect("again is no error");
    // What was let go of before the handles is free.
    check(&Lsm::open_with(ROOT, config(on(&disk))).expect("the lock is free"), 20, 1);
}

#[test]
fn iterators_snapshots_and_cursors_keep_a_dropped_store_open() {
    for background in [Background::Manual, Background::Threads(1)] {
        let disk = MemFs::new(2);
        let config = || config(on(&disk)).background(background);
        let store = Lsm::open_with(ROOT, config()).expect("opens");
        fill(&store, 20, 0);
        let (iter, snapshot, mut cursor) = (store.iter(), store.snapshot(), store.cursor());
        fill(&store, 20, 1);
        store.flush().expect("flushes");
        store.compact().expect("merges");
        drop(store);
        assert_eq!(kind(Lsm::open_with(ROOT, config())), Err(ErrorKind::Locked));
        assert_eq!(iter.filter(|item| item.is_ok()).count(), 20);
        let old = snapshot.get(key(7)).expect("reads");
        assert_eq!(old.as_deref(), Some(&b"0-7"[..]));
        assert!(cursor.last().expect("moves"));
        drop(snapshot);
        let other = thread::spawn(move || cursor.first());
        assert!(other.join().expect("no panic").expect("moves"));
        check(&Lsm::open_with(ROOT, config()).expect("the lock is free"), 20, 1);
    }
}

/// Dropped at any point, from either end, an iterator leaves nothing behind.
#[test]
fn iterators_that_are_dropped_on_the_way_hold_nothing() {
    let disk = MemFs::new(3);
    let store = Lsm::open_with(ROOT, config(on(&disk))).expect("opens");
    for generation in 0..3 {
        fill(&store, 30, generation);
        store.flush().expect("flushes");
    }
    for taken in 0..31 {
        assert_eq!(store.iter().take(taken).filter(|item| item.is_ok()).count(), taken.min(30));
        let mut both = store.iter();
        (0..taken / 2).for_each(|_| assert!(both.next().is_some() && both.next_back().is_some()));
        drop(both);
        let found = store.range(key(taken)..).find(|item| item.is_err());
        assert!(found.is_none());
    }
    store.compact().expect("merges");
    while store.step().expect("cleans") {}
    let tables =
        disk.files().iter().filter(|(p, _)| p.extension().is_some_and(|e| e == "sst")).count();
    assert_eq!(tables as u64, store.metrics().tables, "a dropped iterator holds tables");
}

/// One of all verbs; an error must be one that closing explains.
fn some_verb(store: &Lsm, rng: &mut Rng, me: u64) -> Result<()> {
    let key = key(rng.index(40));
    match rng.below(22) {
        0..6 => store.put(&key, vec![me as u8; rng.index(300)]),
        6 => store.delete(&key),
        7 => store.flush(),
        8 => store.compact(),
        9 => store.sync(),
        10 => store.iter().try_for_each(|item| item.map(drop)),
        11 => store.iter().rev().take(5).try_for_each(|item| item.map(drop)),
        12 => store.snapshot().get(&key).map(drop),
        13 => store.split_at(&[key]),
        14 => store.keyspace("other")?.put(&key, "v"),
        15 => store.checkpoint(format!("/copy-{me}-{}", rng.next_u64())).map(drop),
        16 => store.wait_idle(),
        17 => store.verify().map(drop),
        18 => store.cursor().seek(&key).map(drop),
        19 => {
            let mut batch = WriteBatch::new();
            batch.put(&key, "1").delete("nothing");
            store.try_write(&batch)
        }
        20 => store.step().map(drop),
        _ => store.get(&key).map(drop),
    }
}

/// Closing and dropping against every verb on other threads.
#[test]
fn closing_races_with_every_verb() {
    let test = "-p nori-lsm --test hostile closing_races_with_every_verb";
    run_suite("closing-races", "verbs", test, 60, |seed| {
        in_time("closing", move || {
            let (disk, mut rng) = (MemFs::new(seed), Rng::new(seed));
            let background = match seed % 3 {
                0 => Background::Manual,
                n => Background::Threads(n as usize),
            };
            let config = || {
                let durable = [Durability::Synced, Durability::Buffered];
                config(on(&disk)).background(background).durability(durable[seed as usize % 2])
            };
            let store = Lsm::open_with(ROOT, config()).expect("opens");
            let verbs = Arc::new(AtomicU64::new(0));
            let users: Vec<_> = (0..6)
                .map(|me| {
                    let (store, verbs) = (store.clone(), Arc::clone(&verbs));
                    let mut rng = Rng::new(seed * 31 + me);
                    thread::spawn(move || {
                        for _ in 0..150 {
                            verbs.fetch_add(1, Ordering::Relaxed);
                            match some_verb(&store, &mut rng, me) {
                                Ok(()) => {}
                                Err(e) if e.kind() == ErrorKind::Closed => return,
                                Err(e) => assert_eq!(e.kind(), ErrorKind::Stalled, "{e}"),
                            }
                        }
                    })
                })
                .collect();
            thread::sleep(Duration::from_micros(rng.below(4_000)));
            match seed % 4 {
                0 => drop(store),
                1 => {
                    let other = store.clone();
                    let closer = thread::spawn(move || other.close());
                    store.close().expect("closes");
                    closer.join().expect("no panic").expect("closes");
                }
                _ => store.close().expect("closes"),
            }
            if seed % 4 > 0 {
                // The lock is free once `close` has returned, whatever the others still do.
                drop(Lsm::open_with(ROOT, config()).expect("the lock is free"));
            }
            users.into_iter().for_each(|user| user.join().expect("no panic"));
            let store = Lsm::open_with(ROOT, config()).expect("the lock is free");
            assert!(store.verify().expect("reads").is_ok());
            verbs.load(Ordering::Relaxed)
        })
    });
}
