//! Writers, readers and background work at once.
//!
//! Each writer commits batches 1, 2, 3, ... of its own. Batch n puts n under `last` and, by its
//! own rule, under one of a ring of keys, deletes another, repeats `last` in a second keyspace,
//! and signs one key that all writers share. So whoever sees a moment can compute all of it from
//! the `last` of each writer: nothing may be missing, nothing old, nothing half done, and the
//! shared key must carry the signature of somebody's last batch. Meanwhile one thread flushes,
//! merges, cuts, copies, makes and drops keyspaces; `Background::Threads(2)` works by itself.
//!
//! `NORI_SECONDS` says how long, by default 3.

use crate::run::ROOT;
use bytes::Bytes;
use nori_env::sync::Arc;
use nori_env::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use nori_env::sync::thread;
use nori_env::{MemFs, Rng};
use nori_lsm::{Background, Config, ErrorKind, Keyspace, Lsm, Snapshot, WriteBatch};
use nori_testkit::env_usize;
use std::collections::BTreeMap;
use std::time::Duration;

const WRITERS: usize = 4;
/// Keys in a writer's ring.
const RING: u64 = 300;
/// Each batch deletes the ring's key this far ahead of the one it puts.
const HOLE: u64 = 7;

type Seen = BTreeMap<Vec<u8>, Vec<u8>>;

fn config(fs: &Arc<MemFs>) -> Config {
    Config::default()
        .file_system(Arc::<MemFs>::clone(fs))
        .background(Background::Threads(2))
        .memtable_bytes(16 << 10)
        .block_bytes(256)
        .table_bytes(8 << 10)
        .block_cache_bytes(32 << 10)
        .k_global(2)
        .stall_timeout(Duration::from_secs(120))
        .disk_reserve_bytes(Some(0))
}

fn last_key(writer: usize) -> Vec<u8> {
    format!("last-{writer}").into_bytes()
}

fn ring_key(writer: usize, n: u64) -> Vec<u8> {
    format!("w{writer}-{:04}", n % RING).into_bytes()
}

fn number(value: &[u8]) -> u64 {
    let digits = std::str::from_utf8(value).ok().and_then(|text| text.split(' ').next());
    digits.and_then(|d| d.parse().ok()).unwrap_or_else(|| panic!("no number: {value:?}"))
}

/// Batch `n` of a writer.
fn batch(writer: usize, n: u64, twin: &Keyspace) -> WriteBatch {
    let mut batch = WriteBatch::new();
    let text = n.to_string();
    batch.put(last_key(writer), &text).put_in(twin, last_key(writer), &text);
    // Padded, so that memtables fill and values span blocks.
    batch.put(ring_key(writer, n), format!("{n} {}", "x".repeat((n % 97) as usize * 5)));
    batch.delete(ring_key(writer, n + HOLE)).put("shared", format!("{n} by {writer}"));
    batch
}

/// What a writer's ring holds after batch `last`.
fn ring(writer: usize, last: u64) -> BTreeMap<Vec<u8>, u64> {
    let mut keys = BTreeMap::new();
    for n in last.saturating_sub(RING).max(1)..=last {
        keys.insert(ring_key(writer, n), n);
        keys.remove(&ring_key(writer, n + HOLE));
    }
    keys
}

/// Checks one moment of "default"; the last batch of each writer in it.
fn check(what: &str, seen: &Seen) -> [u64; WRITERS] {
    let lasts: [u64; WRITERS] =
        std::array::from_fn(|w| seen.get(&last_key(w)).map_or(0, |value| number(value)));
    let mut expected = 0;
    for (writer, last) in lasts.into_iter().enumerate() {
        let ring = ring(writer, last);
        expected += ring.len() + usize::from(last > 0);
        for (key, n) in ring {
            let value = seen.get(&key).unwrap_or_else(|| {
                panic!("{what}: writer {writer} is at {last}, {} is missing", key.escape_ascii())
            });
            assert_eq!(number(value), n, "{what}: {} at {last}", key.escape_ascii());
        }
    }
    let shared = seen.get(&b"shared"[..]).map(|value| String::from_utf8_lossy(value).into_owned());
    let signed = |w: usize| shared == Some(format!("{} by {w}", lasts[w]));
    let none = shared.is_none() && lasts == [0; WRITERS];
    assert!(none || (0..WRITERS).any(signed), "{what}: {shared:?} at {lasts:?}");
    expected += usize::from(shared.is_some());
    assert_eq!(seen.len(), expected, "{what}: keys at {lasts:?}");
    lasts
}

fn collect(what: &str, items: impl Iterator<Item = nori_lsm::Result<(Bytes, Bytes)>>) -> Seen {
    let items: Vec<_> = items.map(|i| i.unwrap_or_else(|e| panic!("{what}: {e}"))).collect();
    let forward = items.is_sorted_by(|a, b| a.0 < b.0);
    assert!(forward || items.is_sorted_by(|a, b| a.0 > b.0), "{what}: out of order");
    items.into_iter().map(|(k, v)| (k.to_vec(), v.to_vec())).collect()
}

struct Stage {
    store: Lsm,
    twin: Keyspace,
    ends: AtomicBool,
    /// The last batch of each writer that was acknowledged.
    acknowledged: [AtomicU64; WRITERS],
    moments: AtomicU64,
    jobs: AtomicU64,
}

impl Stage {
    fn goes_on(&self) -> bool {
        !self.ends.load(Ordering::Relaxed)
    }

    fn acknowledged(&self) -> [u64; WRITERS] {
        std::array::from_fn(|w| self.acknowledged[w].load(Ordering::Acquire))
    }

    fn write(&self, writer: usize) {
        for n in 1.. {
            if !self.goes_on() {
                return;
            }
            let batch = batch(writer, n, &self.twin);
            let done = if n % 5 == 0 {
                match self.store.try_write(&batch) {
                    Err(e) if e.kind() == ErrorKind::Stalled => self.store.write(batch),
                    done => done,
                }
            } else {
                self.store.write(batch)
            };
            done.unwrap_or_else(|e| panic!("writer {writer}, batch {n}: {e}"));
            self.acknowledged[writer].store(n, Ordering::Release);
            let own = self.store.get(last_key(writer)).expect("reads");
            assert_eq!(own.map(|v| number(&v)), Some(n), "a writer reads its own write");
        }
    }

    fn read(&self, seed: u64) {
        let mut rng = Rng::new(seed);
        let mut newest = [0; WRITERS];
        let mut kept: Option<(Snapshot, Seen)> = None;
        while self.goes_on() {
            let floor = self.acknowledged();
            let (what, lasts) = match rng.below(4) {
                0 => ("iter", check("iter", &collect("iter", self.store.iter()))),
                1 => ("backward", check("backward", &collect("backward", self.store.iter().rev()))),
                2 => ("multi_get", self.lasts_at_once()),
                _ => {
                    let snapshot = self.store.snapshot();
                    let seen = collect("snapshot", snapshot.iter());
                    let lasts = check("snapshot", &seen);
                    self.check_twin(&snapshot, lasts);
                    if rng.chance(20) || kept.is_none() {
                        let old = kept.replace((snapshot, seen));
                        old.into_iter().for_each(|(old, seen)| {
                            assert_eq!(collect("kept", old.iter()), seen, "a snapshot changed");
                        });
                    }
                    ("snapshot", lasts)
                }
            };
            for writer in 0..WRITERS {
                let (seen, before) = (lasts[writer], newest[writer].max(floor[writer]));
                assert!(seen >= before, "{what}: writer {writer} goes back, {seen} < {before}");
            }
            newest = lasts;
            self.moments.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Several keys at one point in time.
    fn lasts_at_once(&self) -> [u64; WRITERS] {
        let mut keys: Vec<Vec<u8>> = (0..WRITERS).map(last_key).collect();
        keys.push(b"shared".to_vec());
        let values = self.store.multi_get(&keys).expect("reads");
        let lasts: [u64; WRITERS] =
            std::array::from_fn(|w| values[w].as_ref().map_or(0, |value| number(value)));
        if let Some(shared) = &values[WRITERS] {
            let text = String::from_utf8_lossy(shared);
            let signed = (0..WRITERS).any(|w| text == format!("{} by {w}", lasts[w]));
            assert!(signed, "multi_get: {text} at {lasts:?}");
        }
        lasts
    }

    /// The second keyspace is of the same moment.
    fn check_twin(&self, snapshot: &Snapshot, lasts: [u64; WRITERS]) {
        let view = snapshot.keyspace("twin").expect("it was there before the writers");
        for (writer, last) in lasts.into_iter().enumerate() {
            let value = view.get(last_key(writer)).expect("reads");
            assert_eq!(value.map_or(0, |v| number(&v)), last, "half a batch of {writer}");
        }
    }

    fn maintain(&self, fs: &Arc<MemFs>) {
        let mut rng = Rng::new(99);
        while self.goes_on() {
            let store = &self.store;
            match rng.below(12) {
                0 | 1 => store.flush().expect("flush"),
                2 => store.compact().expect("compact"),
                3 => store.compact_range("w1".."w3").expect("compact_range"),
                4 => {
                    let writer = rng.index(WRITERS);
                    store.split_at(&[ring_key(writer, rng.below(RING))]).expect("split_at");
                }
                // With writers at work it may take a while until nothing is due.
                5 if rng.chance(20) => store.wait_idle().expect("wait_idle"),
                6 => store.sync().expect("sync"),
                7 => {
                    let passing = store.keyspace("passing").expect("keyspace");
                    passing.put("k", "v").expect("put");
                    let before = store.snapshot();
                    store.drop_keyspace("passing").expect("drop_keyspace");
                    let old = before.keyspace("passing").expect("was there");
                    assert_eq!(old.get("k").expect("reads").as_deref(), Some(&b"v"[..]));
                    let put = passing.put("k", "w").expect_err("dropped");
                    assert_eq!(put.kind(), ErrorKind::KeyspaceDropped);
                }
                8 => {
                    store.approximate_bytes::<&str, _>(..).expect("approximate_bytes");
                }
                9 => {
                    let report = store.verify().expect("verify");
                    assert!(report.is_ok(), "{report:?}");
                }
                10 if rng.chance(30) => self.copy(fs),
                _ => {
                    store.step().expect("step");
                }
            }
            assert!(store.health().is_ok(), "{:?}", store.health());
            self.jobs.fetch_add(1, Ordering::Relaxed);
            thread::sleep(Duration::from_millis(rng.below(20)));
        }
    }

    /// A checkpoint is a moment like any other, and not an old one.
    fn copy(&self, fs: &Arc<MemFs>) {
        let floor = self.acknowledged();
        self.store.checkpoint("/copy").expect("checkpoint");
        let config = config(fs).background(Background::Manual);
        let copy = Lsm::open_with("/copy", config.clone()).expect("a checkpoint opens");
        let lasts = check("checkpoint", &collect("checkpoint", copy.iter()));
        assert!(lasts.iter().zip(&floor).all(|(last, floor)| last >= floor), "checkpoint");
        copy.close().expect("closes");
        Lsm::destroy_with("/copy", &config).expect("destroys");
    }
}

#[test]
fn every_moment_is_one_of_the_history() {
    let fs = Arc::new(MemFs::new(1));
    let store = Lsm::open_with(ROOT, config(&fs)).expect("opens");
    let twin = store.keyspace("twin").expect("creates");
    let stage = Arc::new(Stage {
        store,
        twin,
        ends: AtomicBool::new(false),
        acknowledged: std::array::from_fn(|_| AtomicU64::new(0)),
        moments: AtomicU64::new(0),
        jobs: AtomicU64::new(0),
    });
    let spawn = |work: Box<dyn FnOnce(&Stage) + Send>| {
        let stage = Arc::clone(&stage);
        thread::spawn(move || {
            // Whoever fails ends the others too.
            let ends = Ends(Arc::clone(&stage));
            work(&stage);
            drop(ends);
        })
    };
    let mut threads = Vec::new();
    for writer in 0..WRITERS {
        threads.push(spawn(Box::new(move |stage| stage.write(writer))));
    }
    for reader in 0..2 {
        threads.push(spawn(Box::new(move |stage| stage.read(reader))));
    }
    let disk = Arc::clone(&fs);
    threads.push(spawn(Box::new(move |stage| stage.maintain(&disk))));
    for _ in 0..env_usize("NORI_SECONDS", 3) * 20 {
        if stage.goes_on() {
            thread::sleep(Duration::from_millis(50));
        }
    }
    stage.ends.store(true, Ordering::Relaxed);
    let failed = threads.into_iter().filter_map(|t| t.join().err()).count();
    assert_eq!(failed, 0, "threads failed; what they said is above");
    let lasts = stage.acknowledged();
    finish(&stage, &fs, lasts);
}

/// Nothing acknowledged is missing, now and after opening again.
fn finish(stage: &Stage, fs: &Arc<MemFs>, lasts: [u64; WRITERS]) {
    let store = &stage.store;
    assert_eq!(check("the end", &collect("the end", store.iter())), lasts);
    store.wait_idle().expect("works");
    let metrics = store.metrics();
    assert!(metrics.runs_max <= 2, "{metrics:?}");
    assert!(store.verify().expect("reads").is_ok());
    let (moments, jobs) = (&stage.moments, &stage.jobs);
    println!(
        "batches {lasts:?}, {} moments read, {} jobs, {} flushes, {} merges, {} stalls",
        moments.load(Ordering::Relaxed),
        jobs.load(Ordering::Relaxed),
        metrics.flushes,
        metrics.compactions,
        metrics.stalls
    );
    assert!(moments.load(Ordering::Relaxed) > 0 && metrics.flushes > 0);
    store.clone().close().expect("closes");
    let again = Lsm::open_with(ROOT, config(fs)).expect("opens");
    assert_eq!(check("opened again", &collect("opened again", again.iter())), lasts);
}

/// Ends the play when its thread ends, also by a panic.
struct Ends(Arc<Stage>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.ends.store(true, Ordering::Relaxed);
    }
}
