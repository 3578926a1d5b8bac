//! That loom sees through `nori_env::sync`: each model meets every outcome it is about, and its
//! weakened twin fails.
//!
//!     RUSTFLAGS="--cfg nori_loom" CARGO_TARGET_DIR=target/loom \
//!         cargo test -p nori-env --test loom_sync
#![cfg(nori_loom)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_types,
    clippy::disallowed_methods
)]
#![allow(unsafe_code)] // The point of a cell is the access that loom watches.

use nori_env::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use nori_env::sync::cell::UnsafeCell;
use nori_env::sync::channel::{RecvError, RecvTimeoutError, TryRecvError, bounded, unbounded};
use nori_env::sync::{Arc, Condvar, Mutex, RwLock, TrackedArc, loom, thread};
use nori_env::{Cut, FileSystem, MemFs, OpenMode};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

/// What the executions of a model returned, and how many there were.
type Seen<T> = Arc<std::sync::Mutex<(BTreeSet<T>, u64)>>;

fn run<T: Ord + Send + 'static>(seen: &Seen<T>, model: impl Fn() -> T + Send + Sync + 'static) {
    let log = seen.clone();
    loom::model(move || {
        log.lock().unwrap().1 += 1;
        let outcome = model();
        log.lock().unwrap().0.insert(outcome);
    });
}

/// Runs a model, gathers what it returns, and requires more than one execution.
fn outcomes<T: Ord + Send + 'static>(
    name: &str,
    model: impl Fn() -> T + Send + Sync + 'static,
) -> BTreeSet<T> {
    let seen = Seen::default();
    run(&seen, model);
    let (outcomes, executions) = std::mem::take(&mut *seen.lock().unwrap());
    println!("loom: MODEL name={name} executions={executions}");
    assert!(executions > 1, "a model with one execution shows nothing");
    outcomes
}

/// Runs a weakened twin, and requires that it fails for the reason that it was weakened for.
fn must_fail<T: Ord + Send + 'static>(
    name: &str,
    reason: &str,
    model: impl Fn() -> T + Send + Sync + 'static,
) {
    let seen = Seen::default();
    let failure = catch_unwind(AssertUnwindSafe(|| run(&seen, model)));
    let after = seen.lock().unwrap_or_else(|e| e.into_inner()).1;
    let failure = failure.expect_err("the twin was not caught");
    let text = failure.downcast_ref::<String>().cloned();
    let text = text.or_else(|| failure.downcast_ref::<&str>().map(|t| t.to_string()));
    let text = text.unwrap_or_default();
    assert!(text.contains(reason), "{text:?} is not {reason:?}");
    println!("loom: TWIN name={name} caught after={after}");
}

#[test]
fn a_race_has_two_outcomes() {
    let seen = outcomes("race", || {
        let flag = Arc::new(AtomicBool::new(false));
        let other = flag.clone();
        let writer = thread::spawn(move || other.store(true, Ordering::Release));
        let seen = flag.load(Ordering::Acquire);
        writer.join().unwrap();
        seen
    });
    assert_eq!(seen, BTreeSet::from([false, true]));
}

struct Slot {
    ready: AtomicBool,
    value: UnsafeCell<u64>,
}

// SAFETY: `value` is written before `ready` is set and read only after it was seen set.
unsafe impl Sync for Slot {}

fn publish(store: Ordering) -> Option<u64> {
    let slot = Arc::new(Slot { ready: AtomicBool::new(false), value: UnsafeCell::new(0) });
    let reader = {
        let slot = slot.clone();
        thread::spawn(move || {
            let is_ready = slot.ready.load(Ordering::Acquire);
            // SAFETY: `ready` was seen set (see `Slot`).
            is_ready.then(|| slot.value.with(|value| unsafe { *value }))
        })
    };
    // SAFETY: nobody reads before `ready` is set (see `Slot`).
    slot.value.with_mut(|value| unsafe { *value = 7 });
    slot.ready.store(true, store);
    reader.join().unwrap()
}

#[test]
fn release_publishes_a_cell_and_relaxed_does_not() {
    let seen = outcomes("publish", || publish(Ordering::Release));
    assert_eq!(seen, BTreeSet::from([None, Some(7)]));
    must_fail("publish_relaxed", "Causality violation", || publish(Ordering::Relaxed));
}

#[test]
fn fences_publish_too() {
    let seen = outcomes("fences", || {
        let (data, flag) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (data2, flag2) = (data.clone(), flag.clone());
        let writer = thread::spawn(move || {
            data2.store(7, Ordering::Relaxed);
            fence(Ordering::Release);
            flag2.store(true, Ordering::Relaxed);
        });
        let seen = flag.load(Ordering::Relaxed).then(|| {
            fence(Ordering::Acquire);
            data.load(Ordering::Relaxed)
        });
        writer.join().unwrap();
        seen
    });
    assert_eq!(seen, BTreeSet::from([None, Some(7)]));
}

#[test]
fn locks_exclude_and_order() {
    let seen = outcomes("mutex", || {
        let log = Arc::new(Mutex::new(Vec::new()));
        let other = log.clone();
        let thread = thread::Builder::new().name("other".into()).spawn(move || {
            let mut log = other.lock();
            log.push('a');
            log.push('b');
        });
        log.lock().push('x');
        thread.unwrap().join().unwrap();
        log.lock().iter().collect::<String>()
    });
    assert_eq!(seen, BTreeSet::from(["abx".to_string(), "xab".to_string()]));
}

#[test]
fn readers_share_and_writers_do_not() {
    let seen = outcomes("rwlock", || {
        let pair = Arc::new(RwLock::new((0, 0)));
        let other = pair.clone();
        let writer = thread::spawn(move || {
            let mut pair = other.write();
            pair.0 += 1;
            pair.1 += 1;
        });
        let seen = *pair.read();
        writer.join().unwrap();
        seen
    });
    assert_eq!(seen, BTreeSet::from([(0, 0), (1, 1)]));
}

#[test]
fn a_condition_is_waited_for() {
    outcomes("condvar", || {
        let gate = Arc::new((Mutex::new(false), Condvar::new()));
        let other = gate.clone();
        let opener = thread::spawn(move || {
            *other.0.lock() = true;
            other.1.notify_one();
        });
        let mut open = gate.0.lock();
        while !*open {
            open = gate.1.wait(open);
        }
        drop(open);
        opener.join().unwrap();
    });
}

#[test]
fn a_lost_notification_is_found() {
    must_fail("condition_not_under_lock", "deadlock", || {
        let gate = Arc::new((Mutex::new(false), Condvar::new()));
        let other = gate.clone();
        let opener = thread::spawn(move || {
            *other.0.lock() = true;
            other.1.notify_one();
        });
        // The planted mistake: the condition is not asked under the lock that waits.
        let open = *gate.0.lock();
        if !open {
            drop(gate.1.wait(gate.0.lock()));
        }
        opener.join().unwrap();
    });
}

#[test]
fn a_wait_with_a_limit_ends_both_ways() {
    let seen = outcomes("wait_timeout", || {
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
fn channels_deliver_and_disconnect() {
    let seen = outcomes("channel", || {
        let (tx, rx) = bounded(1);
        let sender = thread::spawn(move || {
            tx.send(1).unwrap();
            tx.send(2).unwrap();
        });
        let first = rx.try_recv();
        let rest: Vec<i32> = rx.iter().collect();
        sender.join().unwrap();
        assert_eq!(rx.recv(), Err(RecvError));
        assert_eq!(rest.len() + usize::from(first.is_ok()), 2);
        match first {
            Ok(message) => message,
            Err(TryRecvError::Empty) => 0,
            Err(TryRecvError::Disconnected) => panic!("the sender had not sent"),
        }
    });
    assert_eq!(seen, BTreeSet::from([0, 1]));
}

#[test]
fn a_receive_with_a_limit_ends_in_three_ways() {
    let seen = outcomes("recv_timeout", || {
        let (tx, rx) = unbounded();
        let sender = thread::spawn(move || {
            if rx_is_watched(&tx) {
                tx.send(()).unwrap();
            }
        });
        let first = rx.recv_timeout(Duration::from_secs(1));
        let second = rx.recv_timeout(Duration::from_secs(1));
        sender.join().unwrap();
        [first, second].map(|r| match r {
            Ok(()) => 'm',
            Err(RecvTimeoutError::Timeout) => 't',
            Err(RecvTimeoutError::Disconnected) => 'd',
        })
    });
    for wanted in [['m', 'd'], ['t', 't'], ['t', 'm'], ['m', 't']] {
        assert!(seen.contains(&wanted), "{wanted:?} in {seen:?}");
    }
}

/// Always true; a look at the queue gives the other thread a turn.
fn rx_is_watched<T>(tx: &nori_env::sync::channel::Sender<T>) -> bool {
    tx.is_empty()
}

#[test]
fn tracked_counts_see_who_drops_last() {
    let seen = outcomes("tracked_arc", || {
        let value = TrackedArc::new(5);
        let other = value.clone();
        let thread = thread::spawn(move || TrackedArc::try_unwrap(other).is_ok());
        let here = TrackedArc::try_unwrap(value).is_ok();
        (thread.join().unwrap(), here)
    });
    assert!(seen.contains(&(true, false)) && seen.contains(&(false, true)), "{seen:?}");
}

#[test]
fn simulated_files_work_inside_models() {
    let seen = outcomes("mem_fs", || {
        let fs = MemFs::new(1);
        let file = fs.open(Path::new("/a"), OpenMode::CreateNew).unwrap();
        fs.sync_dir(Path::new("/")).unwrap();
        let writer = thread::spawn(move || {
            file.write_at(b"x", 0).unwrap();
            file.sync_data().unwrap();
        });
        let after = fs.crash(Cut::SyncedOnly, 1).read_file("/a").unwrap().len();
        writer.join().unwrap();
        after
    });
    assert_eq!(seen, BTreeSet::from([0, 1]));
}
