//! A store with small files, what it should hold, and reading all of it back.

use nori_backup::{BackupOptions, BackupReport, Backups, Result};
use nori_env::{FileSystem, ManualClock, MemFs, Rng};
use nori_lsm::{Background, Config, Lsm, WriteBatch};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) const STORE: &str = "/db";
pub(crate) const TARGET: &str = "/backups";

/// Keyspace, key, value.
pub(crate) type Contents = BTreeMap<(String, Vec<u8>), Vec<u8>>;

pub(crate) fn config(fs: &Arc<dyn FileSystem>) -> Config {
    Config::default()
        .file_system(Arc::clone(fs))
        .clock(Arc::new(ManualClock::default()))
        .background(Background::Manual)
        .memtable_bytes(4096)
        .table_bytes(2048)
        .block_bytes(256)
        .block_cache_bytes(0)
        .disk_reserve_bytes(Some(0))
}

pub(crate) fn create(fs: &Arc<dyn FileSystem>) -> Result<Backups> {
    Backups::create_with(TARGET, Arc::clone(fs), Arc::new(ManualClock::default()))
}

pub(crate) fn open(fs: &Arc<dyn FileSystem>) -> Result<Backups> {
    Backups::open_with(TARGET, Arc::clone(fs), Arc::new(ManualClock::default()))
}

pub(crate) fn keep(n: u64) -> BackupOptions {
    BackupOptions::default().keep(Some(n))
}

/// All that a store holds.
pub(crate) fn contents(store: &Lsm) -> Contents {
    let snapshot = store.snapshot();
    let mut all = Contents::new();
    for name in store.keyspaces() {
        for item in snapshot.keyspace(&name).unwrap().iter() {
            let (key, value) = item.unwrap();
            all.insert((name.clone(), key.to_vec()), value.to_vec());
        }
    }
    all
}

/// Restores a generation, verifies every byte of it, and reads it.
pub(crate) fn restored(fs: &Arc<dyn FileSystem>, backups: &Backups, generation: u64) -> Contents {
    let dir = format!("/restored-{generation}");
    backups.restore(generation, &dir).unwrap_or_else(|e| panic!("{generation}: {e}"));
    let report = Lsm::verify_at(&dir, &config(fs), &mut |_| ()).unwrap();
    assert!(report.is_ok() && report.notes.is_empty(), "{report:?}");
    let store = Lsm::open_with(&dir, config(fs).create_if_missing(false)).unwrap();
    let all = contents(&store);
    store.close().unwrap();
    Lsm::destroy_with(&dir, &config(fs)).unwrap();
    all
}

/// A store that is written to, and what every generation of it should hold.
pub(crate) struct Rig {
    pub(crate) fs: Arc<dyn FileSystem>,
    pub(crate) store: Lsm,
    pub(crate) backups: Backups,
    pub(crate) rng: Rng,
    pub(crate) expected: BTreeMap<u64, Contents>,
}

impl Rig {
    pub(crate) fn new(fs: Arc<dyn FileSystem>, seed: u64) -> Rig {
        let backups = create(&fs).unwrap();
        Rig::with(fs, backups, seed)
    }

    /// With backups in a place of the caller's.
    pub(crate) fn with(fs: Arc<dyn FileSystem>, backups: Backups, seed: u64) -> Rig {
        let store = Lsm::open_with(STORE, config(&fs)).unwrap();
        Rig { fs, store, backups, rng: Rng::new(seed), expected: BTreeMap::new() }
    }

    pub(crate) fn on_memory(seed: u64) -> (MemFs, Rig) {
        let disk = MemFs::new(seed);
        (disk.clone(), Rig::new(Arc::new(disk), seed))
    }

    /// Writes some batches over two keyspaces; some of it goes to tables.
    pub(crate) fn write(&mut self, batches: u64) {
        let names = ["default", "other"];
        let spaces = names.map(|name| self.store.keyspace(name).unwrap());
        for _ in 0..batches {
            let mut batch = WriteBatch::new();
            for _ in 0..1 + self.rng.below(5) {
                let space = self.rng.pick(&spaces);
                let key = format!("key{:03}", self.rng.below(80));
                if self.rng.chance(20) {
                    batch.delete_in(space, key);
                } else {
                    let mut value = vec![0; self.rng.index(120)];
                    self.rng.fill(&mut value);
                    batch.put_in(space, key, value);
                }
            }
            self.store.write(batch).unwrap();
            while self.rng.chance(50) && self.store.step().unwrap() {}
        }
        if self.rng.chance(30) {
            self.store.flush().unwrap();
        }
        if self.rng.chance(15) {
            self.store.compact().unwrap();
        }
    }

    /// Makes a generation and notes what it should hold.
    pub(crate) fn backup(&mut self, options: &BackupOptions) -> BackupReport {
        let report = self.backups.backup(&self.store, options).unwrap();
        assert_eq!(report.not_removed, None);
        for removed in &report.removed {
            assert!(self.expected.remove(removed).is_some(), "{removed} was not there");
        }
        self.expected.insert(report.generation.generation, contents(&self.store));
        report
    }

    pub(crate) fn check_all(&self) {
        check(&self.fs, &self.backups, &self.expected);
    }
}

/// Every expected generation is there and holds what it should, and there is no other.
pub(crate) fn check(
    fs: &Arc<dyn FileSystem>,
    backups: &Backups,
    expected: &BTreeMap<u64, Contents>,
) {
    let numbers = backups.numbers().unwrap();
    assert!(numbers.iter().eq(expected.keys()), "{numbers:?}, not {:?}", expected.keys());
    for (number, contents) in expected {
        assert!(restored(fs, backups, *number) == *contents, "generation {number} differs");
    }
}
