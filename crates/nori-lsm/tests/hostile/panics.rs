//! Panics in what the user gave the store: its file system, its clock, keys that are asked for
//! their bytes. On any thread: nobody hangs, nothing acknowledged is lost, the lock is free again.

use crate::bomb::{Bomb, Expected, PLANNED, planned, quietly};
use crate::hook::{Hook, Hooked};
use crate::{ROOT, check, config, fill, in_time, kind, on};
use nori_env::sync::atomic::{AtomicU64, Ordering};
use nori_env::sync::{Arc, Condvar, Mutex, thread};
use nori_env::{FsOp, ManualClock, MemFs, Rng, SystemClock};
use nori_lsm::{Background, ErrorKind, Lsm, WriteBatch};
use nori_testkit::run_suite;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

/// Verbs of every kind, each of which may panic; the kinds of their errors come back.
struct Program<'a> {
    store: &'a Lsm,
    expected: &'a mut Expected,
    kinds: BTreeSet<String>,
}

impl Program<'_> {
    fn verb<T>(&mut self, verb: impl FnOnce(&Lsm) -> nori_lsm::Result<T>) -> bool {
        match planned(|| verb(self.store)) {
            Some(Ok(_)) => return true,
            Some(Err(e)) => self.kinds.insert(format!("{:?}", e.kind())),
            None => self.kinds.insert("panic".to_string()),
        };
        false
    }

    fn put(&mut self, n: u64, len: usize) {
        let (key, value) = (format!("key-{n:03}").into_bytes(), vec![n as u8; len]);
        let done = self.verb(|store| store.put(&key, &value));
        self.expected.note(&key, Some(value), done);
    }

    fn run(&mut self, seed: u64) {
        let mut rng = Rng::new(seed);
        for round in 0..3 {
            for _ in 0..12 {
                let n = rng.below(30);
                self.put(n, 1 + rng.index(300));
            }
            let key = format!("key-{:03}", rng.below(30)).into_bytes();
            let done = self.verb(|store| store.delete(&key));
            self.expected.note(&key, None, done);
            self.verb(|store| store.split_at(&["key-010", "key-020"]));
            self.verb(|store| store.keyspace("other")?.put("a", "b"));
            self.verb(Lsm::flush);
            self.verb(|store| store.iter().collect::<nori_lsm::Result<Vec<_>>>());
            self.verb(|store| store.snapshot().get("key-001"));
            self.verb(|store| store.checkpoint(format!("/copy{round}")));
            self.verb(|store| store.drop_keyspace("other"));
            self.verb(|store| store.compact());
            self.verb(Lsm::sync);
            self.verb(Lsm::verify);
            self.verb(|store| store.cursor().last());
            self.verb(Lsm::wait_idle);
        }
    }
}

/// One program; a panic at call `at`, or at every call from there on. How many calls it made.
fn run(seed: u64, at: u64, count: u64) -> u64 {
    let (disk, bomb) = (MemFs::new(seed), Bomb::default());
    let made = Lsm::open_with(ROOT, bomb.config(&disk, Arc::new(ManualClock::default())));
    drop(made.expect("opens"));
    bomb.at(at, count);
    let opened =
        planned(|| Lsm::open_with(ROOT, bomb.config(&disk, Arc::new(ManualClock::default()))));
    let mut expected = Expected::default();
    if let Some(store) = opened {
        let store = store.unwrap_or_else(|e| panic!("call {at}: {e}"));
        let mut program =
            Program { store: &store, expected: &mut expected, kinds: BTreeSet::new() };
        program.run(seed);
        let wrong = |kind: &&String| !["panic", "Poisoned", "InvalidArgument"].contains(&&***kind);
        let wrong = program.kinds.iter().find(wrong);
        assert!(wrong.is_none(), "call {at}: an error of kind {wrong:?}");
        if count == 1 && bomb.calls() > at {
            // The one panic is over: what was acknowledged is there to read.
            expected.check(&store).unwrap_or_else(|e| panic!("call {at}, still open: {e}"));
        }
        planned(|| store.close());
    }
    let calls = bomb.calls();
    bomb.at(u64::MAX, 0);
    let again = Lsm::open_with(ROOT, config(on(&disk))).unwrap_or_else(|e| panic!("{at}: {e}"));
    expected.check(&again).unwrap_or_else(|e| panic!("call {at}, opened again: {e}"));
    calls
}

#[test]
fn a_panic_in_any_call_loses_nothing_and_stops_nobody() {
    quietly();
    let test = "-p nori-lsm --test hostile a_panic_in_any_call";
    run_suite("panics", "runs", test, 2, |seed| {
        in_time("a program", move || {
            let calls = run(seed, u64::MAX, 0);
            // Every third call at first; each seed begins with another.
            let (mut runs, mut at) = (0, seed % 3);
            while at < calls {
                run(seed, at, 1);
                run(seed, at, u64::MAX);
                (runs, at) = (runs + 2, at + 3);
            }
            runs
        })
    });
}

/// Everything at once on threads, background threads too, and a panic somewhere.
fn storm(seed: u64) {
    let mut rng = Rng::new(seed);
    let (disk, bomb) = (MemFs::new(seed), Bomb::default());
    let slow = bomb.clone();
    let hook: Hook = Arc::new(move |op, path: &Path| {
        // Long enough for others to queue up behind a leader.
        if op == FsOp::Sync {
            thread::sleep(Duration::from_micros(200));
        }
        slow.tick(format_args!("{op:?} {}", path.display()));
    });
    bomb.at(u64::MAX, 0);
    let config = config(Hooked::over(on(&disk), hook))
        .background(Background::Threads(2))
        .stall_timeout(Duration::from_millis(500));
    let store = Lsm::open_with(ROOT, config).expect("opens");
    bomb.at(rng.below(600), if rng.chance(50) { 1 } else { u64::MAX });
    let writers: Vec<_> = (0..4u64)
        .map(|me| {
            let store = store.clone();
            thread::spawn(move || {
                let (mut expected, mut rng) = (Expected::default(), Rng::new(seed + me));
                for n in 0..60u64 {
                    let key = format!("{me}-{:02}", rng.below(20)).into_bytes();
                    let value = vec![n as u8; 20 + rng.index(200)];
                    let done = matches!(planned(|| store.put(&key, &value)), Some(Ok(())));
                    expected.note(&key, Some(value), done);
                    if n % 20 == 19 {
                        planned(|| store.flush());
                        planned(|| store.get(&key));
                        planned(|| store.compact());
                        planned(|| store.wait_idle());
                    }
                }
                // Each drops its handle; the last one closes the store.
                expected
            })
        })
        .collect();
    if rng.chance(50) {
        thread::sleep(Duration::from_millis(rng.below(20)));
        planned(|| store.close());
    } else {
        drop(store);
    }
    let mut all = Expected::default();
    for writer in writers {
        all.0.extend(writer.join().expect("planned panics are caught").0);
    }
    let again = Lsm::open_with(ROOT, crate::config(on(&disk))).expect("the lock is free");
    all.check(&again).unwrap_or_else(|e| panic!("opened again: {e}"));
}

#[test]
fn a_panic_among_threads_leaves_nobody_waiting() {
    quietly();
    let test = "-p nori-lsm --test hostile a_panic_among_threads";
    run_suite("panics-threads", "runs", test, 30, |seed| {
        in_time("threads", move || storm(seed));
        1
    });
}

/// Stops the first sync of the log it is told to, until it is told to panic.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<(bool, bool)>, Condvar)>);

impl Gate {
    fn arm(&self) {
        self.0.0.lock().0 = true;
    }

    /// Panics when it is let go.
    fn pass(&self) {
        let (state, changed) = &*self.0;
        let mut held = state.lock();
        if !std::mem::take(&mut held.0) {
            return;
        }
        while !held.1 {
            held = changed.wait(held);
        }
        drop(held);
        panic!("{PLANNED} of a leader");
    }

    fn let_go(&self) {
        self.0.0.lock().1 = true;
        self.0.1.notify_all();
    }
}

/// Those whom a leader commits for must not wait for ever when it panics.
#[test]
fn the_group_of_a_leader_that_panics_is_told() {
    quietly();
    in_time("a group", || {
        let (disk, gate) = (MemFs::new(1), Gate::default());
        let at = gate.clone();
        let hook: Hook = Arc::new(move |op, path: &Path| {
            if op == FsOp::Sync && path.to_string_lossy().contains("/wal/") {
                at.pass();
            }
        });
        let store = Lsm::open_with(ROOT, config(Hooked::over(on(&disk), hook))).expect("opens");
        fill(&store, 5, 0);
        let first = store.clone();
        gate.arm();
        // Leads alone and waits in its sync; the others queue up behind it.
        let alone = thread::spawn(move || planned(|| kind(first.put("alone", "1"))));
        while gate.0.0.lock().0 {
            thread::sleep(Duration::from_millis(1));
        }
        let waiting: Vec<_> = (0..3)
            .map(|n| {
                let store = store.clone();
                thread::spawn(move || kind(store.put(format!("waiting {n}"), "2")))
            })
            .collect();
        thread::sleep(Duration::from_millis(100));
        gate.let_go();
        assert_eq!(alone.join().expect("caught"), None, "its own thread hears the panic");
        for waiting in waiting {
            assert_eq!(waiting.join().expect("no panic"), Err(ErrorKind::Poisoned));
        }
        assert_eq!(kind(store.put("later", "3")), Err(ErrorKind::Poisoned));
        assert!(store.health().poisoned.is_some_and(|cause| cause.contains("panic")));
        check(&store, 5, 0);
        let _ = store.close();
        let again = Lsm::open_with(ROOT, config(on(&disk))).expect("the lock is free");
        assert_eq!(again.get("key-0004").expect("reads").as_deref(), Some(&b"0-4"[..]));
        assert_eq!(again.get("later").expect("reads"), None);
    });
}

/// The same for members of the group that panics itself.
#[test]
fn members_of_a_group_that_panics_are_told() {
    quietly();
    in_time("a group", || {
        let (disk, gate) = (MemFs::new(2), Gate::default());
        let (at, slow) = (gate.clone(), Arc::new(AtomicU64::new(0)));
        let slowly = Arc::clone(&slow);
        let hook: Hook = Arc::new(move |op, path: &Path| {
            if op == FsOp::Sync && path.to_string_lossy().contains("/wal/") {
                // The first of two groups is slow, so that the second gathers members.
                if slowly.fetch_sub(1, Ordering::SeqCst) == 2 {
                    thread::sleep(Duration::from_millis(150));
                    at.arm();
                    return;
                }
                at.pass();
            }
        });
        let store = Lsm::open_with(ROOT, config(Hooked::over(on(&disk), hook))).expect("opens");
        slow.store(2, Ordering::SeqCst);
        let writers: Vec<_> = (0..5)
            .map(|n| {
                let store = store.clone();
                thread::sleep(Duration::from_millis(10));
                thread::spawn(move || planned(|| kind(store.put(format!("writer {n}"), "2"))))
            })
            .collect();
        thread::sleep(Duration::from_millis(200));
        gate.let_go();
        let outcomes: Vec<_> = writers.into_iter().map(|w| w.join().expect("caught")).collect();
        assert_eq!(outcomes[0], Some(Ok(())), "{outcomes:?}");
        let panicked = outcomes.iter().filter(|outcome| outcome.is_none()).count();
        let told = outcomes.iter().filter(|o| **o == Some(Err(ErrorKind::Poisoned))).count();
        assert_eq!((panicked, told), (1, 3), "{outcomes:?}");
    });
}

/// A background thread that panics is no thread that is missing without a word.
#[test]
fn a_background_thread_that_panics_is_told() {
    quietly();
    in_time("waiting for quiet", || {
        let disk = MemFs::new(3);
        let hook: Hook = Arc::new(|op, path: &Path| {
            let name = thread::current().name().unwrap_or_default().to_string();
            if name.starts_with("nori-") && op == FsOp::Create && path.ends_with("000002.sst") {
                panic!("{PLANNED} of {name}");
            }
        });
        let config = config(Hooked::over(on(&disk), hook)).background(Background::Threads(1));
        let store = Lsm::open_with(ROOT, config).expect("opens");
        let refused = (0..2_000).find_map(|n| store.put(crate::key(n), vec![1; 100]).err());
        let refused = refused.map(|e| e.kind());
        if refused.is_some() {
            assert_eq!(refused, Some(ErrorKind::Poisoned));
            assert!(!store.health().is_ok());
        }
        let _ = store.wait_idle();
        assert!(store.get(crate::key(3)).expect("reads").is_some());
        drop(store);
        Lsm::open_with(ROOT, crate::config(on(&disk))).expect("the lock is free");
    });
}

/// A store that is dropped while its thread unwinds must not abort the process by a second panic.
#[test]
fn a_panic_while_dropping_for_a_panic_is_survived() {
    quietly();
    let (disk, bomb) = (MemFs::new(4), Bomb::default());
    bomb.at(u64::MAX, 0);
    let config = bomb.config(&disk, Arc::new(SystemClock::default()));
    let store = Lsm::open_with(ROOT, config).expect("opens");
    fill(&store, 5, 0);
    bomb.at(0, u64::MAX);
    let unwound = planned(move || {
        let _dropped_on_the_way = store;
        panic!("{PLANNED} of the user");
    });
    assert!(unwound.is_none());
    check(&Lsm::open_with(ROOT, crate::config(on(&disk))).expect("the lock is free"), 5, 0);
}

/// A key whose bytes cannot be had.
#[derive(Clone)]
struct Refuses;

impl AsRef<[u8]> for Refuses {
    fn as_ref(&self) -> &[u8] {
        panic!("{PLANNED} of a key")
    }
}

#[test]
fn keys_ranges_and_progress_that_panic_change_nothing() {
    quietly();
    let disk = MemFs::new(5);
    let store = Lsm::open_with(ROOT, config(on(&disk))).expect("opens");
    fill(&store, 20, 0);
    store.flush().expect("flushes");
    fill(&store, 20, 1);
    let space = store.keyspace("other").expect("creates");
    let mut batch = WriteBatch::new();
    let verbs: Vec<Box<dyn FnOnce() + '_>> = vec![
        Box::new(|| drop(store.put(Refuses, "v"))),
        Box::new(|| drop(store.put("k", Refuses))),
        Box::new(|| drop(store.get(Refuses))),
        Box::new(|| drop(store.multi_get(&[Refuses, Refuses]))),
        Box::new(|| drop(store.delete(Refuses))),
        Box::new(|| drop(store.range(Refuses..))),
        Box::new(|| drop(store.range(..Refuses))),
        Box::new(|| drop(store.prefix(Refuses))),
        Box::new(|| drop(store.cursor().seek(Refuses))),
        Box::new(|| drop(store.split_at(&[Refuses]))),
        Box::new(|| drop(store.compact_range(Refuses..))),
        Box::new(|| drop(store.approximate_bytes(Refuses..))),
        Box::new(|| drop(space.put(Refuses, "v"))),
        Box::new(|| drop(space.split_at(&[Refuses]))),
        Box::new(|| drop(store.verify_with(&mut |_| panic!("{PLANNED} of progress")))),
        Box::new(|| store.iter().for_each(|item| drop(item.map(|_| Refuses.as_ref())))),
        Box::new(|| store.iter().rev().for_each(|item| drop(item.map(|_| Refuses.as_ref())))),
        Box::new(|| _ = batch.put("good", "1").put(Refuses, "2")),
    ];
    let count = verbs.len();
    let panicked = verbs.into_iter().filter(|_| true).map(planned).filter(Option::is_none).count();
    assert_eq!(panicked, count);
    assert!(store.health().is_ok() && store.pins().is_empty());
    check(&store, 20, 1);
    // A batch is what was put into it before.
    store.write(batch).expect("writes");
    assert_eq!(store.get("good").expect("reads").as_deref(), Some(&b"1"[..]));
    store.split_at(&["key-0010"]).expect("splits");
    store.compact().expect("merges");
    drop(space);
    store.close().expect("closes");
}
