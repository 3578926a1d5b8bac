//! Real threads on a real store of tiny limits, flushing and merging all the time.
//!
//! `linearizable`: calls of four threads on three keys must have an order that explains them.
//! `snapshots`: each writer counts up, one batch over several keys for each number. A snapshot, an
//! iterator and a `multi_get` see batches whole, at least what was acknowledged before and at most
//! what was begun behind them, and never go back.

use nori_env::sync::Arc;
use nori_env::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use nori_env::{Clock, Rng, SystemClock};
use nori_lsm::{Background, CompactionMode, Config, Durability, Lsm, WriteBatch};
use nori_testkit::{TempDir, env_usize, run_suite};
use nori_torture::{Call, History};
use std::time::Duration;

const THREADS: usize = 4;
const KEYS: usize = 3;
/// Calls of a thread in one history.
const CALLS: usize = 1500;

fn open(dir: &TempDir, rng: &mut Rng) -> Lsm {
    let modes = [CompactionMode::Atll, CompactionMode::Leveled, CompactionMode::Tiered];
    let config = Config::default()
        .memtable_bytes(4096)
        .block_bytes(256)
        .table_bytes(4096)
        .k_global(1 + rng.index(4))
        .block_cache_bytes(*rng.pick(&[0, 1 << 20]))
        .slot_target_bytes(Some(4096))
        .compaction(*rng.pick(&modes))
        .durability(Durability::Buffered)
        .background(Background::Threads(2));
    Lsm::open_with(dir.path().join("store"), config).expect("opens")
}

/// The number in a value, which is longer than a number so that memtables fill.
fn number(value: &[u8]) -> u64 {
    u64::from_be_bytes(value[..8].try_into().expect("eight bytes"))
}

fn value(number: u64) -> Vec<u8> {
    let mut value = number.to_be_bytes().to_vec();
    value.resize(8 + (number % 90) as usize, number as u8);
    value
}

/// The calls of one thread: key, begin, end, call.
fn calls(store: &Lsm, thread: usize, seed: u64) -> Vec<(usize, u64, u64, Call)> {
    let mut rng = Rng::new(seed * 100 + thread as u64);
    // A key meets at most CALLS writes of a thread, each with a number of its own.
    let mut next = (thread as u64 + 1) << 32;
    let mut made = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let key = rng.index(KEYS);
        let name = [b'k', key as u8];
        let dice = rng.below(100);
        let begin = now();
        let call = if dice < 35 {
            next += 1;
            store.put(name, value(next)).expect("puts");
            Call::Put(next)
        } else if dice < 45 {
            store.delete(name).expect("deletes");
            Call::Delete
        } else if dice < 70 {
            Call::Get(store.get(name).expect("gets").map(|value| number(&value)))
        } else if dice < 85 {
            let mut found = store.multi_get(&[name]).expect("gets");
            Call::Get(found.pop().flatten().map(|value| number(&value)))
        } else {
            let found = store.range(name..=name).next().transpose().expect("scans");
            Call::Get(found.map(|(_, value)| number(&value)))
        };
        made.push((key, begin, now(), call));
    }
    made
}

fn now() -> u64 {
    static CLOCK: std::sync::LazyLock<SystemClock> = std::sync::LazyLock::new(SystemClock::default);
    CLOCK.now().as_nanos() as u64
}

#[test]
fn linearizable() {
    let test = "-p nori-torture --test linearizable -- --exact linearizable";
    run_suite("linearizable", "calls", test, 3, |seed| {
        let dir = TempDir::new("linear");
        let store = open(&dir, &mut Rng::new(seed));
        let runs: Vec<_> = (0..THREADS)
            .map(|thread| {
                let store = store.clone();
                nori_env::sync::thread::spawn(move || calls(&store, thread, seed))
            })
            .collect();
        let mut histories: Vec<History> = (0..KEYS).map(|_| History::default()).collect();
        let mut count = 0;
        for (thread, run) in runs.into_iter().enumerate() {
            for (key, begin, end, call) in run.join().expect("no panic") {
                histories[key].add(thread, begin, end, call);
                count += 1;
            }
        }
        for (key, history) in histories.iter().enumerate() {
            history.check().unwrap_or_else(|e| panic!("seed {seed}, key {key}: {e}"));
        }
        let metrics = store.metrics();
        assert!(metrics.flush_bytes > 0, "nothing was flushed");
        count
    });
}

/// A store that forgets one put now and then would be seen.
#[test]
fn a_lost_put_is_seen() {
    let mut history = History::default();
    let mut time = 0;
    let mut add = |history: &mut History, call| {
        time += 10;
        history.add(0, time, time + 5, call);
    };
    for n in 1..100 {
        add(&mut history, Call::Put(n));
        add(&mut history, Call::Get(Some(n)));
    }
    assert!(history.check().is_ok());
    add(&mut history, Call::Put(100));
    add(&mut history, Call::Get(Some(99)));
    assert!(history.check().is_err());
}

/// Keys of a writer's batch.
const WIDTH: u64 = 4;

struct Counters {
    begun: [AtomicU64; 3],
    acked: [AtomicU64; 3],
    is_over: AtomicBool,
}

fn key(writer: usize, part: u64) -> Vec<u8> {
    format!("w{writer}/{part}").into_bytes()
}

fn count_up(store: &Lsm, counters: &Counters, writer: usize) {
    let mut n = 0;
    while !counters.is_over.load(Ordering::Acquire) {
        n += 1;
        let mut batch = WriteBatch::new();
        for part in 0..WIDTH {
            batch.put(key(writer, part), value(n));
        }
        counters.begun[writer].store(n, Ordering::SeqCst);
        store.write(batch).expect("writes");
        counters.acked[writer].store(n, Ordering::SeqCst);
    }
}

/// One look of one of three kinds: the number of each key, writer by writer.
fn look(store: &Lsm, kind: u64) -> Vec<Vec<u64>> {
    let keys = |writer| (0..WIDTH).map(move |part| key(writer, part));
    let read = |value: Option<Vec<u8>>| value.map_or(0, |value| number(&value));
    match kind {
        0 => {
            let snapshot = store.snapshot();
            // Time for what comes later to get in, if it can.
            nori_env::sync::thread::sleep(Duration::from_micros(300));
            let get = |key| read(snapshot.get(key).expect("gets").map(|v| v.to_vec()));
            (0..3).map(|writer| keys(writer).map(get).collect()).collect()
        }
        1 => {
            let all: Vec<Vec<u8>> = (0..3).flat_map(keys).collect();
            let found = store.multi_get(&all).expect("gets");
            let found: Vec<u64> = found.into_iter().map(|v| read(v.map(|v| v.to_vec()))).collect();
            found.chunks(WIDTH as usize).map(<[u64]>::to_vec).collect()
        }
        _ => {
            let mut found = vec![vec![0; WIDTH as usize]; 3];
            for item in store.prefix("w") {
                let (key, value) = item.expect("scans");
                let (writer, part) = (key[1] - b'0', key[3] - b'0');
                found[usize::from(writer)][usize::from(part)] = number(&value);
            }
            found
        }
    }
}

/// Looks until the writers end; how often.
fn watch(store: &Lsm, counters: &Counters, seed: u64) -> u64 {
    let mut rng = Rng::new(seed);
    let mut last = [0; 3];
    let mut looks = 0;
    while !counters.is_over.load(Ordering::Acquire) {
        let load = |counts: &[AtomicU64; 3]| counts.each_ref().map(|n| n.load(Ordering::SeqCst));
        let floor = load(&counters.acked);
        let found = look(store, rng.below(3));
        let ceiling = load(&counters.begun);
        for (writer, parts) in found.iter().enumerate() {
            let n = parts[0];
            assert!(parts.iter().all(|part| *part == n), "half a batch: {found:?}");
            assert!(n >= last[writer], "writer {writer} goes back from {} to {n}", last[writer]);
            let (floor, ceiling) = (floor[writer], ceiling[writer]);
            assert!(floor <= n && n <= ceiling, "{n} is not in {floor}..={ceiling}");
            last[writer] = n;
        }
        looks += 1;
    }
    looks
}

#[test]
fn snapshots() {
    let test = "-p nori-torture --test linearizable -- --exact snapshots";
    let millis = env_usize("NORI_MILLIS", 400) as u64;
    run_suite("snapshots", "looks", test, 3, |seed| {
        let dir = TempDir::new("snapshots");
        let store = open(&dir, &mut Rng::new(seed));
        let (begun, acked) = Default::default();
        let counters = Arc::new(Counters { begun, acked, is_over: AtomicBool::new(false) });
        let spawn = |run: fn(&Lsm, &Counters, u64) -> u64, n: u64| {
            let (store, counters) = (store.clone(), Arc::clone(&counters));
            nori_env::sync::thread::spawn(move || run(&store, &counters, n))
        };
        let writer = |store: &Lsm, counters: &Counters, n: u64| {
            count_up(store, counters, n as usize);
            0
        };
        let mut threads: Vec<_> = (0..3).map(|n| spawn(writer, n)).collect();
        threads.extend((0..2).map(|n| spawn(watch, seed * 10 + n)));
        nori_env::sync::thread::sleep(Duration::from_millis(millis));
        counters.is_over.store(true, Ordering::Release);
        let looks: u64 = threads.into_iter().map(|t| t.join().expect("no panic")).sum();
        assert!(looks > 0, "nobody looked");
        looks
    });
}
