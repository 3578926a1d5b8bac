//! Random programs over every verb that changes a store.

use crate::held::Held;
use crate::history::{Element, History, Write};
use nori_env::sync::{Arc, Mutex};
use nori_env::{FaultFs, FileSystem, ManualClock, Rng};
use nori_lsm::{
    Background, CompactionMode, Compression, Config, Durability, ErrorKind, Keyspace, Lsm,
    RecoveryMode, Result, WriteBatch,
};
use std::collections::BTreeMap;
use std::time::Duration;

/// The history, shared with the hook that takes images.
pub(crate) type Shared = Arc<Mutex<History>>;

/// The time between periodic syncs, where there are any.
pub(crate) const INTERVAL: Duration = Duration::from_secs(9);

/// Tiny limits, so that a short program meets every path. They differ from open to open.
pub(crate) fn config(fs: Arc<dyn FileSystem>, durability: Durability, seed: u64) -> Config {
    let mut rng = Rng::new(seed);
    let config = Config::default()
        .file_system(fs)
        .background(Background::Manual)
        .durability(durability)
        .memtable_bytes(*rng.pick(&[4096, 4096, 9000]))
        .max_sealed(1 + rng.below(3) as usize)
        .block_bytes(*rng.pick(&[64, 256, 4096]))
        .table_bytes(*rng.pick(&[1024, 4096]))
        .k_global(1 + rng.below(4) as usize)
        .bloom_bits_per_key(*rng.pick(&[0.0, 10.0]))
        .block_cache_bytes(*rng.pick(&[0, 1 << 20]))
        .compression(*rng.pick(&[Compression::Lz4, Compression::None]))
        .max_open_files(*rng.pick(&[1, 1024]))
        .wal_recovery(RecoveryMode::CutTornTail)
        .disk_reserve_bytes(Some(0));
    // Slots of a few kilobytes are cut and joined all the time, in every shape.
    let (soft, atll) = (1 + rng.index(4), CompactionMode::Atll);
    let modes = [atll, atll, atll, CompactionMode::Leveled, CompactionMode::Tiered];
    config
        .slot_target_bytes(Some(*rng.pick(&[512, 512, 2048, 8192, 1 << 20])))
        .compaction(*rng.pick(&modes))
        .alpha(*rng.pick(&[0.1, 0.5, 2.0]))
        .l0_soft(Some(soft))
        .l0_hard(Some(soft + 1 + rng.index(3)))
        .half_life(Some(Duration::from_secs(*rng.pick(&[5, 60]))))
        .bandit_epsilon(*rng.pick(&[0.05, 1.0]))
        .seed(rng.next_u64())
}

/// What a program does more or less of.
#[derive(Clone, Copy)]
struct Taste {
    /// How many of a hundred values are large.
    large: u64,
    /// Background steps are rare, so that memtables pile up.
    lazy: bool,
    /// Keyspaces come and go all the time.
    spaces: bool,
    /// Slots grow and shrink; nobody cuts them by hand.
    slots: bool,
    /// How many different keys there are.
    keys: u64,
}

pub(crate) struct Program {
    pub(crate) history: Shared,
    pub(crate) rng: Rng,
    pub(crate) keyspaces: BTreeMap<String, Keyspace>,
    pub(crate) durability: Durability,
    /// Numbers every value, so that no two are equal.
    pub(crate) value: u64,
    /// The directories of checkpoints, and which prefix each holds.
    pub(crate) checkpoints: Vec<(String, usize)>,
    clock: ManualClock,
    faults: Option<FaultFs>,
    taste: Taste,
    held: Held,
    dropped: Vec<Keyspace>,
}

impl Program {
    pub(crate) fn new(history: &Shared, rng: &mut Rng, durability: Durability) -> Program {
        let mut rng = rng.fork();
        let slots = rng.chance(40);
        let taste = Taste {
            large: *rng.pick(&[5, 20, 70]),
            lazy: rng.chance(40),
            spaces: rng.chance(25),
            slots,
            keys: if slots { 30 } else { 6 },
        };
        Program {
            history: Arc::clone(history),
            rng,
            keyspaces: BTreeMap::new(),
            durability,
            value: 0,
            checkpoints: Vec::new(),
            clock: ManualClock::default(),
            faults: None,
            taste,
            held: Held::default(),
            dropped: Vec::new(),
        }
    }

    /// The clock that the store must be opened with for its periodic syncs to be seen.
    pub(crate) fn clock(&self) -> Arc<ManualClock> {
        Arc::new(self.clock.clone())
    }

    /// Faults that the program may end at any time.
    pub(crate) fn with_faults(mut self, faults: &FaultFs) -> Program {
        self.faults = Some(faults.clone());
        self
    }

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
        let dice = self.rng.below(114);
        match dice {
            52..=58 if self.taste.spaces => self.keyspace(store),
            47..=51 | 93..=96 if self.taste.slots => self.grow(store),
            44..=46 if self.taste.slots => self.shrink(store),
            66..=79 if self.taste.lazy => self.write(store),
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
            66..=77 => store.step().map(|_| ()),
            78..=79 => self.let_time_pass(store),
            80..=82 => store.compact(),
            83..=84 => {
                let key = self.key();
                store.compact_range(key..)
            }
            85..=91 => self.keyspace(store),
            92 => self.write_into_dropped(),
            93..=96 => {
                let key = self.key();
                store.split_at(&[key])
            }
            97..=99 => self.snapshot_over_merges(store),
            100..=101 => self.checkpoint(store),
            102..=104 => {
                let shown = self.history.lock().shown().clone();
                self.held.hold(store, shown, &mut self.rng)
            }
            110.. => self.read_and_wait(store),
            105..=107 => self.held.look(&mut self.rng),
            _ => {
                if let Some(faults) = &self.faults {
                    faults.clear();
                }
                Ok(())
            }
        }
    }

    fn key(&mut self) -> Vec<u8> {
        format!("k{}", self.rng.below(self.taste.keys)).into_bytes()
    }

    fn write(&mut self, store: &Lsm) -> Result<()> {
        let mut batch = WriteBatch::new();
        let mut operations = Vec::new();
        for _ in 0..1 + self.rng.below(3) {
            let names: Vec<String> = self.keyspaces.keys().cloned().collect();
            let name = self.rng.pick(&names).clone();
            let (space, key) =
                (&self.keyspaces[&name], format!("k{}", self.rng.below(self.taste.keys)));
            if self.rng.chance(30) {
                batch.delete_in(space, &key);
                operations.push((name, key.into_bytes(), None));
                continue;
            }
            self.value += 1;
            // Large values: records over several sectors, values over several blocks, memtables
            // that fill.
            let large = self.rng.chance(self.taste.large);
            let len = if large { 700 + self.rng.below(900) } else { 8 };
            let mut value = self.value.to_be_bytes().to_vec();
            value.resize(len.max(8) as usize, self.value as u8);
            // Half of them stay as long as they are in tables, so that slots grow.
            if self.value.is_multiple_of(2) {
                Rng::new(self.value).fill(&mut value[8..]);
            }
            batch.put_in(space, &key, &value);
            operations.push((name, key.into_bytes(), Some(value)));
        }
        let synced = self.durability == Durability::Synced || self.rng.chance(10);
        let durability = if synced { Durability::Synced } else { Durability::Buffered };
        self.element(store, Element::Batch(operations), synced, |store| {
            store.write_with(batch, durability)
        })
    }

    /// Much is written in one place, and goes where it belongs.
    fn grow(&mut self, store: &Lsm) -> Result<()> {
        let first = self.rng.below(self.taste.keys);
        let mut operations = Vec::new();
        for n in first..first + 1 + self.rng.below(10) {
            self.value += 1;
            let mut value = self.value.to_be_bytes().to_vec();
            value.resize(1000, 0);
            Rng::new(self.value).fill(&mut value[8..]);
            operations.push(("default".to_string(), format!("k{n}").into_bytes(), Some(value)));
        }
        self.batch_and_steps(store, operations)
    }

    /// Everything in some places is deleted.
    fn shrink(&mut self, store: &Lsm) -> Result<()> {
        let first = self.rng.below(self.taste.keys);
        let keys = first..first + 2 + self.rng.below(40);
        let keys = keys.map(|n| ("default".to_string(), format!("k{n}").into_bytes(), None));
        let operations = keys.collect();
        self.batch_and_steps(store, operations)?;
        store.compact()
    }

    fn batch_and_steps(&mut self, store: &Lsm, operations: Vec<Write>) -> Result<()> {
        let mut batch = WriteBatch::new();
        for (_, key, value) in &operations {
            match value {
                Some(value) => batch.put(key, value),
                None => batch.delete(key),
            };
        }
        self.element(store, Element::Batch(operations), true, |store| {
            store.write_with(batch, Durability::Synced)
        })?;
        store.flush()?;
        self.history.lock().durable();
        for _ in 0..self.rng.below(12) {
            store.step()?;
        }
        Ok(())
    }

    fn keyspace(&mut self, store: &Lsm) -> Result<()> {
        let name = format!("s{}", self.rng.below(3));
        if self.keyspaces.contains_key(&name) {
            let done = self.element(store, Element::Drop(name.clone()), true, |store| {
                store.drop_keyspace(&name)
            });
            let handle = self.keyspaces.remove(&name);
            if done.is_ok() {
                self.dropped.extend(handle);
            }
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

    /// A handle of a dropped keyspace writes nothing, whatever has its name now.
    fn write_into_dropped(&mut self) -> Result<()> {
        let Some(space) = self.dropped.last() else { return Ok(()) };
        match space.put("k0", "lost") {
            Ok(()) => panic!("a dropped keyspace took a write"),
            Err(e) if e.kind() == ErrorKind::KeyspaceDropped => Ok(()),
            Err(e) => Err(e),
        }
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

    /// A periodic sync becomes due, and is the first step.
    fn let_time_pass(&mut self, store: &Lsm) -> Result<()> {
        self.clock.advance(INTERVAL + Duration::from_secs(1));
        store.step()?;
        let periodic = matches!(self.durability, Durability::Interval(_));
        if periodic && store.health().poisoned.is_none() {
            self.history.lock().durable();
        }
        Ok(())
    }

    /// One place is read over and over, and time passes, at times so much that what was learned is
    /// written down.
    fn read_and_wait(&mut self, store: &Lsm) -> Result<()> {
        let key = self.key();
        for _ in 0..30 {
            store.get(&key)?;
        }
        self.clock.advance(Duration::from_secs(*self.rng.pick(&[11, 60, 400])));
        while store.step()? {}
        Ok(())
    }

    fn checkpoint(&mut self, store: &Lsm) -> Result<()> {
        self.value += 1;
        let dir = format!("/checkpoint-{}", self.value);
        store.checkpoint(&dir)?;
        let mut history = self.history.lock();
        history.durable();
        self.checkpoints.push((dir, history.mark.kill));
        Ok(())
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
