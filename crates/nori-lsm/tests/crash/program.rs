//! Random programs over every verb that changes a store.

use crate::history::{Element, History};
use nori_env::sync::{Arc, Mutex};
use nori_env::{FileSystem, Rng};
use nori_lsm::{
    Background, Config, Durability, ErrorKind, Keyspace, Lsm, RecoveryMode, Result, WriteBatch,
};
use std::collections::BTreeMap;

/// The history, shared with the hook that takes images.
pub(crate) type Shared = Arc<Mutex<History>>;

/// Tiny limits, so that a short program meets every path.
pub(crate) fn config(fs: Arc<dyn FileSystem>, durability: Durability, seed: u64) -> Config {
    let mut rng = Rng::new(seed);
    Config::default()
        .file_system(fs)
        .background(Background::Manual)
        .durability(durability)
        .memtable_bytes(4096)
        .max_sealed(1 + rng.below(3) as usize)
        .block_bytes(*rng.pick(&[64, 256, 4096]))
        .table_bytes(*rng.pick(&[1024, 4096]))
        .k_global(1 + rng.below(4) as usize)
        .bloom_bits_per_key(*rng.pick(&[0.0, 10.0]))
        .block_cache_bytes(*rng.pick(&[0, 1 << 20]))
        .wal_recovery(RecoveryMode::CutTornTail)
        .disk_reserve_bytes(Some(0))
}

pub(crate) struct Program {
    pub(crate) history: Shared,
    pub(crate) rng: Rng,
    pub(crate) keyspaces: BTreeMap<String, Keyspace>,
    pub(crate) durability: Durability,
    /// Numbers every value, so that no two are equal.
    pub(crate) value: u64,
}

impl Program {
    /// Runs up to `steps` steps. An error ends nothing: the store must stay right.
    pub(crate) fn run(
        &mut self,
        store: &Lsm,
        steps: u64,
        faulty: bool,
    ) -> std::result::Result<(), String> {
        self.keyspaces = store
            .keyspaces()
            .into_iter()
            .filter_map(|name| store.keyspace(&name).ok().map(|k| (name, k)))
            .collect();
        for _ in 0..steps {
            if let Err(e) = self.step(store) {
                let expected = faulty && !matches!(e.kind(), ErrorKind::Corruption);
                if !expected {
                    return Err(format!("running: {e}"));
                }
            }
        }
        Ok(())
    }

    fn step(&mut self, store: &Lsm) -> Result<()> {
        match self.rng.below(100) {
            0..=54 => self.write(store),
            55..=59 => {
                store.sync()?;
                self.history.lock().durable();
                Ok(())
            }
            60..=65 => {
                store.flush()?;
                self.history.lock().durable();
                Ok(())
            }
            66..=79 => store.step().map(|_| ()),
            80..=84 => store.compact(),
            85..=92 => self.keyspace(store),
            93..=96 => {
                let key = self.key();
                store.split_at(&[key])
            }
            _ => self.snapshot_over_merges(store),
        }
    }

    fn key(&mut self) -> Vec<u8> {
        format!("k{}", self.rng.below(6)).into_bytes()
    }

    fn write(&mut self, store: &Lsm) -> Result<()> {
        let mut batch = WriteBatch::new();
        let mut operations = Vec::new();
        for _ in 0..1 + self.rng.below(3) {
            let names: Vec<String> = self.keyspaces.keys().cloned().collect();
            let name = self.rng.pick(&names).clone();
            let (space, key) = (&self.keyspaces[&name], format!("k{}", self.rng.below(6)));
            if self.rng.chance(30) {
                batch.delete_in(space, &key);
                operations.push((name, key.into_bytes(), None));
                continue;
            }
            self.value += 1;
            // Some values are large: records over several sectors, values over several blocks.
            let len = if self.rng.chance(20) { 700 + self.rng.below(900) } else { 8 };
            let mut value = self.value.to_be_bytes().to_vec();
            value.resize(len.max(8) as usize, self.value as u8);
            batch.put_in(space, &key, &value);
            operations.push((name, key.into_bytes(), Some(value)));
        }
        let synced = self.durability == Durability::Synced || self.rng.chance(10);
        let durability = if synced { Durability::Synced } else { Durability::Buffered };
        self.element(store, Element::Batch(operations), synced, |store| {
            store.write_with(batch, durability)
        })
    }

    fn keyspace(&mut self, store: &Lsm) -> Result<()> {
        let name = format!("s{}", self.rng.below(3));
        if self.keyspaces.contains_key(&name) {
            let done = self.element(store, Element::Drop(name.clone()), true, |store| {
                store.drop_keyspace(&name)
            });
            self.keyspaces.remove(&name);
            return done;
        }
        if store.keyspaces().contains(&name) {
            return Ok(());
        }
        let mut made = None;
        self.element(store, Element::Create(name.clone()), true, |store| {
            made = Some(store.keyspace(&name)?);
            Ok(())
        })?;
        self.keyspaces.extend(made.map(|k| (name, k)));
        Ok(())
    }

    /// Issues an element, runs it, and notes how it went.
    fn element(
        &mut self,
        store: &Lsm,
        element: Element,
        synced: bool,
        run: impl FnOnce(&Lsm) -> Result<()>,
    ) -> Result<()> {
        let was_poisoned = store.health().poisoned.is_some();
        self.history.lock().issue(&element, store.metrics().last_sequence);
        let done = run(store);
        let mut history = self.history.lock();
        match &done {
            Ok(()) => history.acknowledge(synced),
            // A failure that ended writes may have left the element; any other left nothing.
            Err(_) if !was_poisoned && store.health().poisoned.is_some() => {}
            Err(_) => history.withdraw(),
        }
        done
    }

    /// Holds a snapshot while things change, and looks through it.
    fn snapshot_over_merges(&mut self, store: &Lsm) -> Result<()> {
        let snapshot = store.snapshot();
        let read = || -> Result<Vec<_>> { snapshot.iter().collect() };
        let before = read()?;
        self.write(store)?;
        store.flush()?;
        self.history.lock().durable();
        store.compact()?;
        assert_eq!(read()?, before, "a snapshot changed");
        Ok(())
    }
}
