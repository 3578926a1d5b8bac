//! A store whose directory is removed, renamed or copied while it is open.

use crate::misplaced::copy_dir;
use crate::{check, fill, in_time, key, kind, tiny};
use nori_env::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use nori_env::sync::{Arc, thread};
use nori_lsm::{Background, Config, Durability, ErrorKind, Lsm, Result, WriteBatch};
use nori_testkit::{TempDir, run_suite};
use std::fs;
use std::path::Path;
use std::time::Duration;

fn real(background: Background) -> Config {
    let config = tiny(Config::default()).background(background).block_cache_bytes(0);
    config.stall_timeout(Duration::from_millis(20))
}

const BOTH: [Background; 2] = [Background::Manual, Background::Threads(2)];

/// Everything once; an error is that of a file that is missing, or what follows from it.
fn every_verb(store: &Lsm, n: usize) {
    let outcomes: Vec<(&str, Result<()>)> = vec![
        ("put", store.put(key(n), "x")),
        ("get", store.get(key(3)).map(drop)),
        ("iter", store.iter().collect::<Result<Vec<_>>>().map(drop)),
        ("flush", store.flush()),
        ("delete", store.delete(key(n))),
        ("compact", store.compact()),
        ("keyspace", store.keyspace("other").map(drop)),
        ("split", store.split_at(&["m"])),
        ("sync", store.sync()),
        ("step", store.step().map(drop)),
        ("wait", store.wait_idle()),
        ("verify", store.verify().map(drop)),
    ];
    for (verb, outcome) in outcomes {
        if let Err(e) = outcome {
            let typed = [ErrorKind::Io, ErrorKind::Poisoned, ErrorKind::Stalled];
            assert!(typed.contains(&e.kind()), "{verb}: {e}");
        }
    }
    let _ = (store.metrics(), store.health(), store.slots(), store.pressure(), store.pins());
}

#[test]
fn a_directory_that_is_removed_underneath() {
    for background in BOTH {
        in_time("a store that is gone", move || {
            let dir = TempDir::new("gone");
            let root = dir.path().join("store");
            let store = Lsm::open_with(&root, real(background)).expect("opens");
            fill(&store, 30, 0);
            store.flush().expect("flushes");
            let (snapshot, mut iter) = (store.snapshot(), store.iter());
            check(&store, 30, 0);
            assert!(iter.next().is_some());
            fs::remove_dir_all(&root).expect("removes");
            // Its tables are open: reads go on.
            check(&store, 30, 0);
            assert_eq!(iter.filter(|item| item.is_ok()).count(), 29);
            assert!(snapshot.get(key(29)).expect("reads").is_some());
            (30..60).for_each(|n| every_verb(&store, n));
            assert!(!store.health().is_ok(), "nobody says that the directory is gone");
            drop(snapshot);
            let _ = store.close();
            // Nothing of it came back, and the place is free for another.
            let again = Lsm::open_with(&root, real(background)).expect("a new store");
            assert_eq!(again.iter().count(), 0);
        });
    }
}

#[test]
fn a_directory_that_is_renamed_underneath_keeps_what_was_acknowledged() {
    for background in BOTH {
        in_time("a store that has moved", move || {
            let dir = TempDir::new("moved");
            let (root, other) = (dir.path().join("store"), dir.path().join("other"));
            let store = Lsm::open_with(&root, real(background)).expect("opens");
            fill(&store, 30, 0);
            fs::rename(&root, &other).expect("renames");
            let mut acknowledged = 30;
            while acknowledged < 500 && store.put(key(acknowledged), "moved").is_ok() {
                acknowledged += 1;
            }
            every_verb(&store, 1000);
            assert_eq!(kind(Lsm::open_with(&other, real(background))), Err(ErrorKind::Locked));
            let _ = store.close();
            let again = Lsm::open_with(&other, real(background)).expect("the lock is free");
            for n in 0..acknowledged {
                assert!(again.get(key(n)).expect("reads").is_some(), "key {n} of {acknowledged}");
            }
            assert!(!root.exists(), "the old place came back");
        });
    }
}

/// Single files that go away under a running store.
#[test]
fn files_that_are_removed_underneath() {
    for part in ["CURRENT", "LOCK", "wal", "sst", "HEAT"] {
        for background in BOTH {
            in_time("a store without some files", move || {
                let dir = TempDir::new("parts");
                let root = dir.path().join("store");
                let store = Lsm::open_with(&root, real(background)).expect("opens");
                fill(&store, 60, 0);
                store.flush().expect("flushes");
                let path = root.join(part);
                if path.is_dir() {
                    fs::remove_dir_all(&path).expect("removes");
                } else if path.exists() {
                    fs::remove_file(&path).expect("removes");
                }
                (60..80).for_each(|n| every_verb(&store, n));
                let _ = store.close();
                match Lsm::open_with(&root, real(background)) {
                    Ok(again) => {
                        let items: Result<Vec<_>> = again.iter().collect();
                        let whole = items.is_ok_and(|items| items.len() >= 60);
                        assert!(whole, "without {part}: shown, and not whole");
                    }
                    Err(e) => {
                        let typed = matches!(e.kind(), ErrorKind::Corruption | ErrorKind::Io);
                        assert!(typed, "without {part}: {e}");
                    }
                }
            });
        }
    }
}

const KEYS: usize = 12;

fn copied(root: &Path, to: &Path, reversed: bool) {
    if !reversed {
        return copy_dir(root, to);
    }
    for part in ["sst", "wal"] {
        copy_dir(&root.join(part), &to.join(part));
    }
    copy_dir(root, to);
}

/// A copy that was made while the store was written to is no backup, but it is no lie either.
#[test]
fn a_copy_of_an_open_store_is_a_prefix_or_an_error() {
    let test = "-p nori-lsm --test hostile a_copy_of_an_open_store";
    let (mut opened, mut refused) = (0, 0);
    run_suite("copied-while-open", "copies", test, 3, |seed| {
        let dir = TempDir::new("copies");
        let root = dir.path().join("store");
        // Fast, so that files come and go while they are copied.
        let config = real(Background::Threads(1)).durability(Durability::Buffered);
        let store = Lsm::open_with(&root, config).expect("opens");
        let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let writer = {
            let (store, stop, written) = (store.clone(), Arc::clone(&stop), Arc::clone(&written));
            thread::spawn(move || {
                for n in 1u64.. {
                    let mut batch = WriteBatch::new();
                    for k in 0..KEYS {
                        batch.put(key(k), [&n.to_be_bytes()[..], &[7; 90]].concat());
                    }
                    written.store(n, Ordering::SeqCst);
                    if let Err(e) = store.write(batch) {
                        assert_eq!(e.kind(), ErrorKind::Stalled, "{e}");
                    }
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                }
            })
        };
        for n in 0..10 {
            let copy = dir.path().join(format!("copy {n}"));
            copied(&root, &copy, (seed + n) % 2 == 0);
            let last = written.load(Ordering::SeqCst);
            match Lsm::open_with(&copy, real(Background::Manual)) {
                Err(e) => {
                    assert!(matches!(e.kind(), ErrorKind::Corruption | ErrorKind::Io), "{e}");
                    refused += 1;
                }
                Ok(store) => {
                    let items: Result<Vec<_>> = store.iter().collect();
                    let items = match items {
                        Ok(items) => items,
                        // A table that was copied while it was written.
                        Err(e) => {
                            assert_eq!(e.kind(), ErrorKind::Corruption, "{e}");
                            refused += 1;
                            continue;
                        }
                    };
                    assert!(items.is_empty() || items.len() == KEYS, "part of a batch");
                    let numbers = items
                        .iter()
                        .map(|(_, v)| v[..8].iter().fold(0, |n, b| n << 8 | u64::from(*b)));
                    let numbers: Vec<u64> = numbers.collect();
                    let first = numbers.first().copied().unwrap_or(0);
                    assert!(numbers.iter().all(|n| *n == first), "parts of batches");
                    assert!(first <= last, "a batch that was never written");
                    opened += 1;
                }
            }
        }
        stop.store(true, Ordering::SeqCst);
        writer.join().expect("no panic");
        store.close().expect("closes");
        10
    });
    println!("{opened} copies opened, {refused} were refused");
}
