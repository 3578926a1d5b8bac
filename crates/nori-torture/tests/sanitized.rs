//! Threads of a store, for ThreadSanitizer and AddressSanitizer.
//!
//! No test harness: the only threads are the store's and those spawned and joined here. Runs as
//! an ordinary test too, and tells its one name to runners that ask. `NORI_SEEDS` says how many
//! rounds; `NORI_RACE=1` plants a race that ThreadSanitizer must report.

// The planted race, and nothing else, is unsafe.
#![allow(unsafe_code)]

use nori_env::sync::Arc;
use nori_env::{MemFs, Rng};
use nori_lsm::{Background, Config, Durability, Lsm, WriteBatch};
use nori_testkit::{env_usize, run_suite};
use std::time::Duration;

const STEPS: u64 = 400;

fn write(store: &Lsm, rng: &mut Rng, n: u64) {
    let key = format!("key-{:03}", rng.below(200));
    match rng.below(10) {
        0 => store.delete(&key).expect("deletes"),
        1 | 2 => {
            let mut batch = WriteBatch::new();
            for part in 0..rng.below(6) {
                batch.put(format!("{key}/{part}"), n.to_be_bytes());
            }
            store.write(batch).expect("writes");
        }
        _ => store.put(&key, vec![n as u8; rng.below(300) as usize]).expect("puts"),
    }
}

fn read(store: &Lsm, rng: &mut Rng) {
    let key = format!("key-{:03}", rng.below(200));
    match rng.below(6) {
        0 => assert!(store.iter().take(60).all(|item| item.is_ok())),
        1 => assert!(store.iter().rev().take(60).all(|item| item.is_ok())),
        2 => {
            let snapshot = store.snapshot();
            let first = snapshot.get(&key).expect("gets");
            assert_eq!(snapshot.get(&key).expect("gets"), first);
        }
        3 => drop(store.multi_get(&[&key, &key]).expect("gets")),
        4 => drop((store.metrics(), store.slots(), store.pressure(), store.health())),
        _ => drop(store.get(&key).expect("gets")),
    }
}

fn upkeep(store: &Lsm, rng: &mut Rng) {
    match rng.below(5) {
        0 => store.flush().expect("flushes"),
        1 => store.compact().expect("merges"),
        2 => store.split_at(&[format!("key-{:03}", rng.below(200))]).expect("cuts"),
        3 => {
            let name = format!("space-{}", rng.below(3));
            let space = store.keyspace(&name).expect("makes");
            space.put("k", "v").expect("puts");
            store.drop_keyspace(&name).expect("drops");
        }
        _ => store.sync().expect("syncs"),
    }
}

fn round(seed: u64) -> u64 {
    let durability = match seed % 3 {
        0 => Durability::Synced,
        1 => Durability::Buffered,
        _ => Durability::Interval(Duration::from_millis(3)),
    };
    // The cache's locks wait in std too, where ThreadSanitizer does not see them.
    let cache = if cfg!(nori_tsan) { 0 } else { 1 << 20 };
    let config = Config::default()
        .block_cache_bytes(cache)
        .file_system(Arc::new(MemFs::new(seed)))
        .memtable_bytes(4096)
        .block_bytes(256)
        .table_bytes(4096)
        .slot_target_bytes(Some(4096))
        .k_global(2)
        .durability(durability)
        .background(Background::Threads(2));
    let store = Lsm::open_with("/store", config).expect("opens");
    let spawn = |n: u64| {
        let store = store.clone();
        nori_env::sync::thread::spawn(move || {
            let mut rng = Rng::new(seed * 16 + n);
            for step in 0..STEPS {
                match n {
                    0..=2 => write(&store, &mut rng, step),
                    3 | 4 => read(&store, &mut rng),
                    _ if step % 16 == 0 => upkeep(&store, &mut rng),
                    _ => {}
                }
            }
        })
    };
    let threads: Vec<_> = (0..6).map(spawn).collect();
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    store.close().expect("closes");
    6 * STEPS
}

/// Two threads add to one word that is no atomic.
fn race() {
    struct Word(std::cell::UnsafeCell<u64>);
    // SAFETY: not so; it is the race that must be found.
    unsafe impl Sync for Word {}
    let word = Arc::new(Word(std::cell::UnsafeCell::new(0)));
    let add = |word: &Word| {
        for _ in 0..1000 {
            // SAFETY: none; see above.
            unsafe { *word.0.get() += 1 };
        }
    };
    let other = Arc::clone(&word);
    let thread = nori_env::sync::thread::spawn(move || add(&other));
    add(&word);
    thread.join().expect("no panic");
    // SAFETY: the other thread has ended.
    println!("raced to {}", unsafe { *word.0.get() });
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    if has("--list") {
        if !has("--ignored") {
            println!("sanitized: test");
        }
        return;
    }
    if env_usize("NORI_RACE", 0) > 0 {
        race();
        return;
    }
    run_suite("sanitized", "calls", "-p nori-torture --test sanitized", 2, round);
}
