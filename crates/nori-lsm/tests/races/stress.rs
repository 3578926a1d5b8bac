//! Everything at once, on threads: nothing is lost, nobody waits for ever.

use crate::{ROOT, config, key, on};
use nori_env::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use nori_env::sync::{Arc, thread};
use nori_env::{Cut, MemFs, Rng};
use nori_lsm::{Background, Durability, ErrorKind, Lsm, WriteBatch};
use nori_testkit::{env_usize, run_seeds};

const KEYS: u64 = 12;
/// Images taken in the middle of a run.
const CRASHES: usize = 12;

/// What a writer's keys hold: all the same number, in every keyspace it writes to.
fn write(store: &Lsm, writer: u64, number: u64, pad: usize) -> nori_lsm::Result<()> {
    let mut batch = WriteBatch::new();
    for n in 0..KEYS {
        let mut value = number.to_be_bytes().to_vec();
        value.resize(8 + pad, 0);
        batch.put([writer as u8, n as u8], value);
    }
    store.write(batch)
}

fn number(value: &[u8]) -> u64 {
    value.iter().take(8).fold(0, |n, b| n << 8 | u64::from(*b))
}

/// All keys of a writer as one scan shows them must hold one number.
fn whole(items: nori_lsm::Iter) -> Option<u64> {
    let values: nori_lsm::Result<Vec<_>> = items.collect();
    let values = values.expect("reads");
    let first = values.first().map(|(_, v)| number(v));
    if let Some(first) = first {
        assert_eq!(values.len() as u64, KEYS, "a batch was seen in part");
        assert!(values.iter().all(|(_, v)| number(v) == first), "a batch was seen in part");
    }
    first
}

struct Run {
    store: Lsm,
    stop: AtomicBool,
    written: [AtomicU64; 3],
}

fn writer(run: &Run, me: u64, seed: u64) {
    let mut rng = Rng::new(seed + me);
    let mut n = 0;
    while !run.stop.load(Ordering::Relaxed) {
        n += 1;
        write(&run.store, me, n, rng.below(200) as usize).expect("writes");
        run.written[me as usize].store(n, Ordering::Release);
    }
}

fn reader(run: &Run, seed: u64) {
    let mut rng = Rng::new(seed);
    let mut last = [0; 3];
    while !run.stop.load(Ordering::Relaxed) {
        let me = rng.below(3);
        let at_least = run.written[me as usize].load(Ordering::Acquire);
        let seen = match rng.below(4) {
            0 => whole(run.store.prefix([me as u8])),
            1 => whole(run.store.snapshot().prefix([me as u8])),
            2 => {
                let value = run.store.get([me as u8, rng.below(KEYS) as u8]).expect("reads");
                value.map(|v| number(&v))
            }
            _ => {
                let keys: Vec<[u8; 2]> = (0..KEYS).map(|n| [me as u8, n as u8]).collect();
                let values = run.store.multi_get(&keys).expect("reads");
                let numbers: Vec<_> = values.iter().flatten().map(|v| number(v)).collect();
                assert!(numbers.windows(2).all(|w| w[0] == w[1]), "a batch was seen in part");
                numbers.first().copied()
            }
        };
        let seen = seen.unwrap_or(0);
        assert!(seen >= at_least, "writer {me}: {seen} seen, {at_least} acknowledged");
        assert!(seen >= last[me as usize], "writer {me}: {seen} seen after {}", last[me as usize]);
        last[me as usize] = seen;
    }
}

/// Verbs that change the shape of the store.
fn shaper(run: &Run, seed: u64) {
    let mut rng = Rng::new(seed);
    let mut held = None;
    while !run.stop.load(Ordering::Relaxed) {
        let done = match rng.below(9) {
            0 => run.store.flush(),
            1 => run.store.compact(),
            2 => run.store.compact_range([rng.below(3) as u8]..),
            3 => run.store.split_at(&[[rng.below(3) as u8, rng.below(KEYS) as u8]]),
            4 => run.store.keyspace(&format!("s{}", rng.below(2))).and_then(|space| {
                space.put("k", "v")?;
                Ok(())
            }),
            5 => run.store.drop_keyspace(&format!("s{}", rng.below(2))),
            6 => {
                let snapshot = run.store.snapshot();
                let me = rng.below(3) as u8;
                let seen = whole(snapshot.prefix([me]));
                held = Some((snapshot, me, seen));
                Ok(())
            }
            7 => {
                if let Some((snapshot, me, seen)) = held.take() {
                    assert_eq!(whole(snapshot.prefix([me])), seen, "a snapshot changed");
                }
                Ok(())
            }
            _ => run.store.sync(),
        };
        if let Err(e) = done {
            let expected = [ErrorKind::InvalidArgument, ErrorKind::KeyspaceDropped];
            assert!(expected.contains(&e.kind()), "{e}");
        }
    }
}

fn run(seed: u64) -> u64 {
    let disk = MemFs::new(seed);
    let mut rng = Rng::new(seed);
    let durability = *rng.pick(&[Durability::Synced, Durability::Buffered]);
    let config = || {
        config(on(&disk))
            .background(Background::Threads(1 + (seed % 3) as usize))
            .max_sealed(1 + (seed % 2) as usize)
            .durability(durability)
    };
    let store = Lsm::open_with(ROOT, config()).expect("opens");
    let stop = AtomicBool::new(false);
    let run = Arc::new(Run { store, stop, written: std::array::from_fn(|_| AtomicU64::new(0)) });
    let spawn = |body: fn(&Run, u64), seed: u64| {
        let run = Arc::clone(&run);
        thread::spawn(move || body(&run, seed))
    };
    let mut threads = vec![
        spawn(|run, seed| writer(run, 0, seed), seed),
        spawn(|run, seed| writer(run, 1, seed), seed),
        spawn(|run, seed| writer(run, 2, seed), seed),
    ];
    threads.extend([spawn(reader, seed + 7), spawn(reader, seed + 8)]);
    threads.extend([spawn(shaper, seed + 9), spawn(shaper, seed + 10)]);
    let pause = env_usize("NORI_STRESS_MS", 400) as u64 / CRASHES as u64;
    let cut = if durability == Durability::Synced { Cut::SyncedOnly } else { Cut::Kill };
    let crashes: Vec<_> = (0..CRASHES)
        .map(|n| {
            thread::sleep(std::time::Duration::from_millis(pause));
            // Asked first: what is acknowledged until then must be in the image.
            let acknowledged = run.written.each_ref().map(|n| n.load(Ordering::Acquire));
            (acknowledged, disk.crash(cut, seed + n as u64))
        })
        .collect();
    run.stop.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().expect("no panic");
    }
    let Ok(run) = Arc::try_unwrap(run) else { panic!("all threads have ended") };
    let last = run.written.each_ref().map(|n| n.load(Ordering::Acquire));
    run.store.wait_idle().expect("comes to rest");
    assert!(run.store.verify().expect("reads").is_ok());
    run.store.close().expect("closes");
    let again = Lsm::open_with(ROOT, config()).expect("opens");
    for me in 0..3u8 {
        assert_eq!(whole(again.prefix([me])).unwrap_or(0), last[me as usize]);
    }
    drop(again);
    for (acknowledged, left) in crashes {
        let again = Lsm::open_with(ROOT, crate::config(on(&left))).expect("opens after a crash");
        for me in 0..3u8 {
            assert!(whole(again.prefix([me])).unwrap_or(0) >= acknowledged[me as usize]);
        }
    }
    last.iter().sum()
}

#[test]
fn all_verbs_at_once() {
    let mut batches = 0;
    run_seeds("-p nori-lsm --test races all_verbs_at_once", 6, |seed| batches += run(seed));
    println!("{batches} batches written beside all other verbs");
    assert!(batches > 50);
}

/// When nobody writes, nothing goes on after `wait_idle`.
#[test]
fn nothing_goes_on_in_an_idle_store() {
    let disk = MemFs::new(44);
    let config = config(on(&disk))
        .background(Background::Threads(2))
        .durability(Durability::Buffered)
        .slot_target_bytes(Some(8 << 10));
    let store = Lsm::open_with(ROOT, config).expect("opens");
    let mut early = Vec::new();
    for round in 0..400usize {
        for n in 0..40 {
            store.put(key((round * 17 + n * 31) % 500), vec![round as u8; 90]).expect("writes");
        }
        store.wait_idle().expect("works");
        let told = store.metrics();
        thread::sleep(std::time::Duration::from_micros(300));
        let later = store.metrics();
        let work = |m: &nori_lsm::Metrics| (m.flushes, m.compactions);
        if work(&told) != work(&later) {
            early.push((round, work(&told), work(&later)));
        }
    }
    assert!(early.is_empty(), "wait_idle returned while work went on: {early:?}");
}
