//! That shuttle sees through `nori_env::sync`: random schedules meet every outcome.
//!
//!     RUSTFLAGS="--cfg nori_shuttle" CARGO_TARGET_DIR=target/shuttle \
//!         cargo test -p nori-env --test shuttle_sync
#![cfg(nori_shuttle)]
#![allow(clippy::unwrap_used, clippy::disallowed_types, clippy::disallowed_methods)]

use nori_env::sync::atomic::{AtomicU64, Ordering};
use nori_env::sync::channel::bounded;
use nori_env::sync::{Arc, Condvar, Mutex, shuttle, thread};
use nori_env::{Cut, FileSystem, MemFs, OpenMode};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

fn outcomes<T: Ord + Send + 'static>(model: impl Fn() -> T + Send + Sync + 'static) -> BTreeSet<T> {
    let seen = Arc::new(std::sync::Mutex::new(BTreeSet::new()));
    let log = seen.clone();
    let run = move || {
        let outcome = model();
        log.lock().unwrap().insert(outcome);
    };
    shuttle::check_random(run, 500);
    std::mem::take(&mut *seen.lock().unwrap())
}

#[test]
fn a_lost_update_is_seen() {
    let seen = outcomes(|| {
        let count = Arc::new(AtomicU64::new(0));
        let add = |count: &AtomicU64| {
            let old = count.load(Ordering::SeqCst);
            count.store(old + 1, Ordering::SeqCst);
        };
        let other = count.clone();
        let thread = thread::spawn(move || add(&other));
        add(&count);
        thread.join().unwrap();
        count.load(Ordering::SeqCst)
    });
    assert_eq!(seen, BTreeSet::from([1, 2]));
}

#[test]
fn locks_and_conditions_work() {
    outcomes(|| {
        let gate = Arc::new((Mutex::new(0), Condvar::new()));
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let gate = gate.clone();
                thread::spawn(move || {
                    *gate.0.lock() += 1;
                    gate.1.notify_all();
                })
            })
            .collect();
        let mut arrived = gate.0.lock();
        while *arrived < 3 {
            arrived = gate.1.wait(arrived);
        }
        drop(arrived);
        threads.into_iter().for_each(|t| t.join().unwrap());
    });
}

#[test]
fn a_wait_with_a_limit_ends_both_ways() {
    let seen = outcomes(|| {
        let gate = Arc::new((Mutex::new(()), Condvar::new()));
        let other = gate.clone();
        let notifier = thread::spawn(move || other.1.notify_all());
        let (guard, timed_out) = gate.1.wait_timeout(gate.0.lock(), Duration::from_secs(1));
        drop(guard);
        notifier.join().unwrap();
        timed_out
    });
    assert_eq!(seen, BTreeSet::from([false, true]));
}

#[test]
fn channels_keep_each_senders_order() {
    let seen = outcomes(|| {
        let (tx, rx) = bounded(2);
        let senders: Vec<_> = (0..2)
            .map(|who| {
                let tx = tx.clone();
                thread::spawn(move || (0..3).for_each(|n| tx.send((who, n)).unwrap()))
            })
            .collect();
        drop(tx);
        let got: Vec<(usize, i32)> = rx.iter().collect();
        senders.into_iter().for_each(|s| s.join().unwrap());
        for who in 0..2 {
            let order: Vec<i32> = got.iter().filter(|g| g.0 == who).map(|g| g.1).collect();
            assert_eq!(order, [0, 1, 2]);
        }
        got
    });
    assert!(seen.len() > 5, "{} orders", seen.len());
}

#[test]
fn crashes_fall_between_operations_of_threads() {
    let seen = outcomes(|| {
        let fs = MemFs::new(1);
        let file = fs.open(Path::new("/a"), OpenMode::CreateNew).unwrap();
        fs.sync_dir(Path::new("/")).unwrap();
        let writer = thread::spawn(move || {
            file.write_at(b"x", 0).unwrap();
            file.sync_data().unwrap();
            file.write_at(b"y", 1).unwrap();
            file.sync_data().unwrap();
        });
        let after = fs.crash(Cut::SyncedOnly, 1).read_file("/a").unwrap().len();
        writer.join().unwrap();
        after
    });
    assert_eq!(seen, BTreeSet::from([0, 1, 2]));
}
