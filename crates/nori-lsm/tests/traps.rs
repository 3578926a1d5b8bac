//! What adaptive stores are known to get wrong: heat that only grows, exploring that finds work
//! where there is none, one slot that ends up with everything, readers that nobody counts. And
//! the file of what was learned, which may be missing, damaged or somebody else's.

#![cfg(not(any(nori_loom, nori_shuttle)))]

use nori_env::sync::Arc;
use nori_env::{ManualClock, MemFs, Rng};
use nori_lsm::{Background, CompactionMode, Compression, Config, Lsm, SlotInfo};
use std::time::Duration;

const TARGET: u64 = 8 << 10;
const MODES: [CompactionMode; 3] =
    [CompactionMode::Atll, CompactionMode::Leveled, CompactionMode::Tiered];

struct Stage {
    fs: Arc<MemFs>,
    clock: ManualClock,
}

impl Stage {
    fn new(seed: u64) -> Stage {
        Stage { fs: Arc::new(MemFs::new(seed)), clock: ManualClock::default() }
    }

    fn config(&self) -> Config {
        Config::default()
            .file_system(Arc::<MemFs>::clone(&self.fs))
            .clock(Arc::new(self.clock.clone()))
            .background(Background::Manual)
            .memtable_bytes(8 << 10)
            .table_bytes(8 << 10)
            .block_bytes(256)
            .k_global(4)
            .slot_target_bytes(Some(TARGET))
            .half_life(Some(Duration::from_secs(10)))
            .compression(Compression::None)
            .disk_reserve_bytes(Some(0))
    }

    fn open(&self, config: Config) -> Lsm {
        Lsm::open_with("/store", config).expect("opens")
    }

    /// Lets time pass second by second, and every step that comes due.
    fn pass(&self, store: &Lsm, seconds: u64, mut each: impl FnMut()) {
        for _ in 0..seconds {
            each();
            self.clock.advance(Duration::from_secs(1));
            while store.step().expect("works") {}
        }
    }
}

fn key(n: u64) -> String {
    format!("key/{n:06}")
}

fn put(store: &Lsm, n: u64, value: u64) {
    store.put(key(n), [value as u8; 100]).expect("writes");
}

fn load(store: &Lsm, keys: u64) {
    (0..keys).for_each(|n| put(store, n, n));
    store.flush().expect("flushes");
    store.wait_idle().expect("works");
}

fn slot_of(store: &Lsm, n: u64) -> SlotInfo {
    let key = key(n).into_bytes();
    let mut slots = store.slots().into_iter().rev().filter(|slot| slot.keyspace == "default");
    slots.find(|slot| slot.lo <= key).expect("slots cover all keys")
}

/// Heat is a rate: it does not matter for how long a slot was read, and it goes when readers go.
#[test]
fn heat_neither_saturates_nor_stays() {
    let stage = Stage::new(1);
    let store = stage.open(stage.config());
    load(&store, 400);
    let read = || (0..500).for_each(|_| assert!(store.get(key(7)).expect("reads").is_some()));
    let (mut rates, mut hottest) = (Vec::new(), 0.0f64);
    for round in 0..20 {
        stage.pass(&store, 20, read);
        // Writes elsewhere and here: what is hot is so against what is written.
        (0..20).for_each(|n| put(&store, 20 * n, round));
        store.flush().expect("flushes");
        let slot = slot_of(&store, 7);
        rates.push(slot.reads_per_s);
        hottest = hottest.max(slot.heat);
    }
    // After a few half-lives it stands at what is read, and stays there.
    assert!(rates[4..].iter().all(|rate| (470.0..530.0).contains(rate)), "{rates:?}");
    assert!(hottest > 0.6, "{hottest}");
    // Others are as cold as before: the heat is of one slot.
    let cold = store.slots().into_iter().filter(|s| s.bytes > 0 && s.reads_per_s < 1.0).count();
    assert!(cold > 2, "{:?}", store.slots());
    for round in 0..20 {
        stage.pass(&store, 10, || ());
        (0..20).for_each(|n| put(&store, 20 * n, round));
        store.flush().expect("flushes");
    }
    let slot = slot_of(&store, 7);
    assert!(slot.reads_per_s < 1.0 && slot.heat < 0.1 && slot.k == 4, "{slot:?}");
}

/// A store that only explores explores what would do some good, and then is quiet.
#[test]
fn exploring_never_merges_what_needs_no_merge() {
    let mut explored = 0;
    for seed in 1..=6 {
        let stage = Stage::new(seed);
        let config = stage.config().bandit_epsilon(1.0).bandit_ucb_c(100.0).seed(seed);
        let store = stage.open(config);
        let mut rng = Rng::new(seed);
        load(&store, 400);
        for _ in 0..60 {
            stage.pass(&store, 2, || {
                (0..100).for_each(|_| drop(store.get(key(rng.below(40))).expect("reads")));
            });
            (0..10).for_each(|_| put(&store, rng.below(400), 1));
            if rng.chance(20) {
                store.delete(key(rng.below(400))).expect("deletes");
            }
            store.flush().expect("flushes");
        }
        store.wait_idle().expect("works");
        for done in store.decisions(256) {
            let useful = done.runs > 1 || done.bytes_written < done.bytes_read;
            assert!(useful || done.reason == "asked for", "{done:?}");
            explored += u32::from(done.explored);
        }
        // Reads alone may make it tidier, but not for ever.
        let read = || (0..100).for_each(|n| drop(store.get(key(n)).expect("reads")));
        stage.pass(&store, 300, read);
        let settled = store.metrics().compactions;
        stage.pass(&store, 2_000, read);
        stage.pass(&store, 2_000, || ());
        assert_eq!(store.metrics().compactions, settled, "seed {seed}");
    }
    assert!(explored > 50, "{explored}");
}

/// However the data comes, no slot ends up with everything.
#[test]
fn no_slot_holds_everything() {
    type Keys = fn(u64, &mut Rng) -> u64;
    let ways: [(&str, Keys); 5] = [
        ("ascending", |n, _| n),
        ("descending", |n, _| 5_000 - n),
        ("anywhere", |_, rng| rng.below(5_000)),
        ("one hot range", |n, rng| if n % 20 == 0 { rng.below(5_000) } else { rng.below(600) }),
        ("in turn from four places", |n, _| n / 4 + n % 4 * 100_000),
    ];
    for mode in MODES {
        for (way, next) in ways {
            let stage = Stage::new(3);
            let store = stage.open(stage.config().compaction(mode));
            let mut rng = Rng::new(3);
            for n in 0..3_000 {
                put(&store, next(n, &mut rng), n);
                stage.clock.advance(Duration::from_millis(20));
                if n % 3 == 0 {
                    store.step().expect("works");
                }
            }
            store.flush().expect("flushes");
            store.wait_idle().expect("works");
            let slots = store.slots();
            let most = slots.iter().map(|slot| slot.bytes).max().unwrap_or(0);
            // A flush may have come on top.
            assert!(most <= 4 * TARGET + (8 << 10), "{mode:?}, {way}: {most} bytes in one slot");
            let count = slots.iter().filter(|slot| slot.bytes > 0).count();
            assert!(count > 4, "{mode:?}, {way}: {count} slots");
            let fewest = store.metrics().table_bytes / (4 * TARGET);
            assert!(count as u64 >= fewest, "{mode:?}, {way}: {count} slots, {fewest} at least");
            println!("{mode:?}, {way}: {count} slots, the largest of {most} bytes");
        }
    }
}

/// A slot that joins another may still be read by those who came before, and they count.
#[test]
fn readers_of_a_slot_that_joined_another_are_counted() {
    let stage = Stage::new(4);
    let store = stage.open(stage.config());
    load(&store, 2_000);
    store.close().expect("closes");
    let store = stage.open(stage.config().slot_target_bytes(Some(1 << 20)));
    let old = store.slots().into_iter().filter(|slot| slot.bytes > 0).count();
    assert!(old > 3, "{old} slots");
    let mut iters: Vec<_> = (0..1_000).map(|_| store.iter()).collect();
    // All stand in the first slot.
    iters.iter_mut().for_each(|iter| assert!(iter.next().is_some()));
    store.wait_idle().expect("works");
    assert_eq!(store.slots().into_iter().filter(|slot| slot.bytes > 0).count(), 1);
    let sums = |store: &Lsm| {
        let scans: u64 = store.slots().iter().map(|slot| slot.ledger.scans).sum();
        assert_eq!(scans, store.metrics().scans);
        scans
    };
    let before = sums(&store);
    for (n, iter) in iters.drain(..).enumerate() {
        assert_eq!(iter.count(), 1_999);
        if n % 100 == 0 {
            // Books are looked at while some readers are still on their way.
            sums(&store);
        }
    }
    // Each goes through all but the first; what is counted stands for up to 31 others.
    let (counted, expected) = (sums(&store) - before, 1_000 * (old as u64 - 1));
    assert!(counted.abs_diff(expected) <= 31, "{counted} of {expected}");
    assert!(store.metrics().slot_joins > 0);
}

fn contents(store: &Lsm) -> Vec<(Vec<u8>, Vec<u8>)> {
    let items = store.iter().map(|item| item.expect("reads"));
    items.map(|(key, value)| (key.to_vec(), value.to_vec())).collect()
}

fn grown(seed: u64) -> Stage {
    let stage = Stage::new(seed);
    let store = stage.open(stage.config());
    load(&store, 300 + 50 * seed);
    let mut rng = Rng::new(seed);
    stage.pass(&store, 30, || {
        (0..200).for_each(|_| drop(store.get(key(rng.below(60))).expect("reads")));
        (0..10).for_each(|_| put(&store, rng.below(300), 2));
    });
    store.close().expect("closes");
    stage
}

/// Whatever the file of what was learned holds, the store opens, shows the same, works on, and
/// says nothing wrong of its own process.
#[test]
fn the_file_of_what_was_learned_never_matters() {
    const HEAT: &str = "/store/HEAT";
    let stage = grown(1);
    let own = stage.fs.read_file(HEAT).expect("it is there after closing");
    let other = grown(2).fs.read_file(HEAT).expect("it is there after closing");
    assert_ne!(own, other);
    let mut files = vec![None, Some(own.clone()), Some(other.clone()), Some(Vec::new())];
    files.extend((0..own.len()).step_by(97).map(|len| Some(own[..len].to_vec())));
    files.extend((0..own.len()).step_by(61).map(|at| {
        let mut bad = own.clone();
        bad[at] ^= 0x40;
        Some(bad)
    }));
    files.push(Some([&own[..own.len() / 2], &other[other.len() / 2..]].concat()));
    files.push(Some(vec![0xff; 100_000]));
    // All numbers of the file at their ends, under a checksum that fits.
    for fill in [0u8, 0xff, 0x7f] {
        let mut mad = own[..own.len() - 4].to_vec();
        mad[20..].fill(fill);
        mad.extend(nori_types::checksum(0, &mad).to_le_bytes());
        files.push(Some(mad));
    }
    let expected = contents(&stage.open(stage.config()));
    let image = stage.fs.image();
    for (n, file) in files.iter().enumerate() {
        for mode in MODES {
            let stage =
                Stage { fs: Arc::new(image.clone().image()), clock: ManualClock::default() };
            stage.fs.remove_file(HEAT);
            if let Some(bytes) = file {
                assert!(stage.fs.write_file(HEAT, bytes));
            }
            stage.fs.write_file("/store/HEAT.tmp", b"half writt");
            let store = stage.open(stage.config().compaction(mode));
            assert_eq!(contents(&store), expected, "file {n}");
            (0..100).for_each(|n| put(&store, 1_000 + n, n));
            stage.pass(&store, 30, || drop(store.get(key(3)).expect("reads")));
            store.flush().expect("flushes");
            store.wait_idle().expect("works");
            assert_eq!(store.iter().count(), expected.len() + 100, "file {n}");
            let booked: u64 = store.slots().iter().map(|slot| slot.ledger.flush_bytes).sum();
            assert_eq!(booked, store.metrics().flush_bytes, "file {n}");
            assert!(store.slots().iter().all(|s| s.k <= 7 && s.heat.is_finite()), "file {n}");
            store.close().expect("closes");
        }
    }
    println!("{} files of what was learned, each in {} modes", files.len(), MODES.len());
}
