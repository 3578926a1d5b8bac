//! The drill: a store on a real disk that is written to by threads, backed up three times, and
//! copied by checkpoints again and again; every copy holds exactly what it should.
//!
//! Writer `w` writes batches 1, 2, 3, ... of which each sets a counter and keys that follow from
//! `w` and the batch's number, in two keyspaces alike. So the number in the counter says what all
//! of that writer's keys hold, to the byte: a copy is right if this is so for each writer, and the
//! number lies between what was acknowledged before the copy and what was begun when it was done.
//!
//! `NORI_DRILL_MB` (4) and `NORI_DRILL_CHECKPOINTS` (8) make it longer: `cargo xtask backup-drill`.

#![cfg(not(any(nori_loom, nori_shuttle)))]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::disallowed_types)]

use nori_backup::{BackupOptions, Backups};
use nori_lsm::{Config, Keyspace, Lsm, WriteBatch};
use nori_testkit::{TempDir, env_usize};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

const WRITERS: u64 = 2;
const KEYS_OF_A_BATCH: u64 = 16;
const VALUE_BYTES: usize = 1024;
const SPACES: [&str; 2] = ["default", "other"];

fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The keys of a batch, of `keys` there are for its writer.
fn keys_of(writer: u64, batch: u64, keys: u64) -> impl Iterator<Item = u64> {
    (0..KEYS_OF_A_BATCH).map(move |n| mix(mix(writer << 56 | batch) + n) % keys)
}

fn key(writer: u64, number: u64) -> String {
    format!("w{writer}/{number:010}")
}

fn counter(writer: u64) -> String {
    format!("w{writer}/count")
}

/// What a batch writes to one of its keys.
fn value(writer: u64, batch: u64, number: u64) -> Vec<u8> {
    let seed = mix(writer << 56 ^ batch << 20 ^ number);
    (0..VALUE_BYTES as u64 / 8).flat_map(|at| mix(seed + at / 2).to_le_bytes()).collect()
}

/// A writer's keys after its first `done` batches, as the batch that wrote each last.
struct Model {
    writer: u64,
    keys: u64,
    done: u64,
    last: BTreeMap<u64, u64>,
}

impl Model {
    fn new(writer: u64, keys: u64) -> Model {
        Model { writer, keys, done: 0, last: BTreeMap::new() }
    }

    fn advance(&mut self, to: u64) {
        assert!(to >= self.done, "a later copy holds less");
        for batch in self.done + 1..=to {
            self.last.extend(keys_of(self.writer, batch, self.keys).map(|key| (key, batch)));
        }
        self.done = to;
    }
}

struct Writer {
    begun: AtomicU64,
    acknowledged: AtomicU64,
}

struct Load {
    store: Lsm,
    keys: u64,
    stop: Arc<AtomicBool>,
    writers: Vec<Arc<Writer>>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    fn start(store: &Lsm, keys: u64) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let mut load =
            Load { store: store.clone(), keys, stop, writers: Vec::new(), threads: Vec::new() };
        for writer in 0..WRITERS {
            let state =
                Arc::new(Writer { begun: AtomicU64::new(0), acknowledged: AtomicU64::new(0) });
            load.writers.push(Arc::clone(&state));
            let spaces = SPACES.map(|name| store.keyspace(name).unwrap());
            let (store, stop) = (store.clone(), Arc::clone(&load.stop));
            load.threads.push(std::thread::spawn(move || {
                for batch in 1.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    state.begun.store(batch, Ordering::SeqCst);
                    write(&store, &spaces, writer, batch, keys);
                    state.acknowledged.store(batch, Ordering::SeqCst);
                }
            }));
        }
        load
    }

    fn acknowledged(&self) -> Vec<u64> {
        self.writers.iter().map(|writer| writer.acknowledged.load(Ordering::SeqCst)).collect()
    }

    fn begun(&self) -> Vec<u64> {
        self.writers.iter().map(|writer| writer.begun.load(Ordering::SeqCst)).collect()
    }

    /// Waits until so many batches are acknowledged in all.
    fn wait(&self, batches: u64) {
        while self.acknowledged().iter().sum::<u64>() < batches {
            assert!(self.threads.iter().all(|thread| !thread.is_finished()), "a writer ended");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
        self.store.close().unwrap();
    }
}

fn write(store: &Lsm, spaces: &[Keyspace; 2], writer: u64, batch: u64, keys: u64) {
    let mut writes = WriteBatch::new();
    for space in spaces {
        writes.put_in(space, counter(writer), batch.to_le_bytes());
        for number in keys_of(writer, batch, keys) {
            writes.put_in(space, key(writer, number), value(writer, batch, number));
        }
    }
    store.write(writes).unwrap();
}

/// How many batches of a writer a copy holds, the same in both keyspaces.
fn count(store: &Lsm, writer: u64, from: u64, to: u64) -> u64 {
    let counts = SPACES.map(|name| {
        let found = store.keyspace(name).unwrap().get(counter(writer)).unwrap();
        found.map_or(0, |bytes| u64::from_le_bytes(bytes[..].try_into().unwrap()))
    });
    assert_eq!(counts[0], counts[1], "writer {writer}: half of a batch");
    let range = from..=to;
    assert!(range.contains(&counts[0]), "writer {writer}: {} is not in {range:?}", counts[0]);
    counts[0]
}

/// A copy holds exactly what it should, to the last byte of the last key.
fn check_all(store: &Lsm, keys: u64, from: &[u64], to: &[u64]) {
    for writer in 0..WRITERS {
        let at = writer as usize;
        let mut model = Model::new(writer, keys);
        model.advance(count(store, writer, from[at], to[at]));
        for name in SPACES {
            let space = store.keyspace(name).unwrap();
            let mut expected = model.last.iter();
            for item in space.prefix(format!("w{writer}/0")) {
                let (found, bytes) = item.unwrap();
                let (number, batch) = expected.next().expect("a key too many");
                assert_eq!(found, key(writer, *number), "{name}");
                assert!(bytes == value(writer, *batch, *number), "{name} {found:?}");
            }
            assert_eq!(expected.next(), None, "{name}: a key is missing");
        }
    }
}

/// A copy holds what it should, at the counters and at some of the keys.
fn check_some(store: &Lsm, models: &mut [Model], from: &[u64], to: &[u64], seed: u64) {
    for model in models {
        let at = model.writer as usize;
        model.advance(count(store, model.writer, from[at], to[at]));
        for n in 0..200 {
            let number = mix(seed << 32 | n) % model.keys;
            let wanted = model.last.get(&number).map(|b| value(model.writer, *b, number));
            for name in SPACES {
                let found = store.keyspace(name).unwrap().get(key(model.writer, number)).unwrap();
                assert!(found.as_deref() == wanted.as_deref(), "{name} {number}");
            }
        }
    }
}

fn checkpoints(load: &Load, dir: &Path, count: usize, config: &Config) {
    let mut models: Vec<Model> = (0..WRITERS).map(|writer| Model::new(writer, load.keys)).collect();
    let (mut longest, mut all) = (0.0_f64, 0.0);
    for n in 0..count {
        let (copy, from, started) = (dir.join("copy"), load.acknowledged(), Instant::now());
        load.store.checkpoint(&copy).unwrap();
        let took = started.elapsed().as_secs_f64();
        let to = load.begun();
        (longest, all) = (longest.max(took), all + took);
        let store = Lsm::open_with(&copy, config.clone()).unwrap();
        check_some(&store, &mut models, &from, &to, n as u64);
        store.close().unwrap();
        Lsm::destroy(&copy).unwrap();
    }
    println!(
        "{count} checkpoints under load, each opened and checked: {:.1} ms each, at most {:.1} ms",
        all * 1e3 / count as f64,
        longest * 1e3
    );
}

#[test]
fn drill() {
    let megabytes = env_usize("NORI_DRILL_MB", 4) as u64;
    let rounds = env_usize("NORI_DRILL_CHECKPOINTS", 8);
    let dir = TempDir::new("backup-drill");
    let bytes = megabytes << 20;
    let keys = bytes / (WRITERS * SPACES.len() as u64 * VALUE_BYTES as u64);
    let config = Config::default()
        .memtable_bytes((bytes / 32).clamp(256 << 10, 64 << 20) as usize)
        .table_bytes((bytes / 64).clamp(256 << 10, 64 << 20));
    let store = Lsm::open_with(dir.path().join("store"), config.clone()).unwrap();
    let backups = Backups::create(dir.path().join("backups")).unwrap();
    // So many batches that each key was written once, on average.
    let filled = keys * WRITERS / KEYS_OF_A_BATCH;
    let load = Load::start(&store, keys);
    let mut made = Vec::new();
    for round in 1..=3 {
        // The first holds most of the data; the others what came in a tenth of that time.
        load.wait(filled + filled * (round - 1) / 10);
        let (from, started) = (load.acknowledged(), Instant::now());
        let report = backups.backup(&store, &BackupOptions::default()).unwrap();
        let (seconds, to) = (started.elapsed().as_secs_f64(), load.begun());
        let generation = report.generation;
        let batches = to.iter().sum::<u64>() - from.iter().sum::<u64>();
        println!(
            "generation {}: {:.1} MiB in {} tables; {:.1} MiB in {} tables copied, {:.1} MiB of \
             log, in {seconds:.2} s, while {batches} batches were written",
            generation.generation,
            mib(generation.table_bytes),
            generation.tables,
            mib(report.table_bytes_copied),
            report.tables_copied,
            mib(generation.file_bytes)
        );
        made.push((generation.generation, from, to));
    }
    checkpoints(&load, dir.path(), rounds, &config);
    load.end();
    for (generation, from, to) in made {
        let (new, started) = (dir.path().join("new"), Instant::now());
        backups.restore(generation, &new).unwrap();
        let seconds = started.elapsed().as_secs_f64();
        let report = Lsm::verify_at(&new, &config, &mut |_| ()).unwrap();
        assert!(report.is_ok(), "{report:?}");
        let restored = Lsm::open_with(&new, config.clone()).unwrap();
        check_all(&restored, keys, &from, &to);
        restored.close().unwrap();
        Lsm::destroy(&new).unwrap();
        println!("generation {generation}: restored in {seconds:.2} s; every key is as it was");
    }
    assert!(backups.check().unwrap().is_ok());
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
