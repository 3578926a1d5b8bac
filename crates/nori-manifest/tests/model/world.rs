//! The store at one moment, and the one way to change its version.

use crate::oracle::Oracle;
use crate::plant::Plant;
use crate::read::{Iter, PointRead};
use crate::work::{Flush, Job};
use crate::write::Group;
use bytes::Bytes;
use nori_env::sync::Arc;
use nori_env::{FileSystem, MemFs};
use nori_manifest::{
    Manifest, ManifestOptions, Run, SlotId, SnapshotGuard, Snapshots, TableRef, Version,
    VersionEdit, key_prefix,
};
use nori_types::{FileNumber, KeyRange, SeqNo, TableMeta};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

pub type Key = u16;
pub type Seq = u64;

/// User keys per keyspace: key `k` is user key `k % KEYS` of keyspace `k / KEYS`.
pub const KEYS: Key = 6;
/// Keyspaces that are ever made.
pub const KEYSPACES: Key = 6;

/// `false`: the action was not possible here. `Err`: a promise was broken.
pub type Acted = Result<bool, String>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub key: Key,
    pub seq: Seq,
    pub tombstone: bool,
    /// The write's number, kept when `seq` is zeroed.
    pub value: Seq,
}

#[derive(Default)]
pub struct Memtable {
    pub entries: Vec<Entry>,
    /// Groups that entered the gate and did not leave.
    pub writers: usize,
}

/// What a reader loads in one step.
#[derive(Clone)]
pub struct SuperVersion {
    /// Newest first; the first is active.
    pub memtables: Vec<u32>,
    pub version: Arc<Version>,
}

pub struct World {
    pub plant: Plant,
    /// A table's clip is made only where it has entries; else where key ranges meet.
    pub exact: bool,
    /// Keys are written in their order, over and over.
    pub sweeps: bool,
    /// Flushes install their trivial moves, too.
    pub eager: bool,
    pub files: BTreeMap<FileNumber, Vec<Entry>>,
    pub memtables: BTreeMap<u32, Memtable>,
    pub current: SuperVersion,
    pub visible: Seq,
    pub next_seq: Seq,
    pub groups: VecDeque<Group>,
    pub registry: Snapshots,
    pub snapshots: Vec<SnapshotGuard>,
    /// Only with a plant: loaded, not yet registered.
    pub opening: Vec<Seq>,
    pub reads: Vec<PointRead>,
    pub iters: Vec<Iter>,
    pub flushes: Vec<Flush>,
    pub jobs: Vec<Job>,
    /// Keyspaces that take writes.
    pub writable: Vec<Key>,
    pub pending_drops: Vec<(Key, Seq)>,
    pub oracle: Oracle,
    /// The version changed since the last check.
    pub changed: bool,
    pub installs: u64,
    /// Moves that flushes brought along.
    pub eager_moves: u64,
    pub stored: Vec<Bytes>,
    fs: MemFs,
    manifest: Manifest,
    next_id: u32,
}

const DIR: &str = "/store";
const OPTIONS: ManifestOptions = ManifestOptions { rollover_bytes: 4000 };

impl World {
    pub fn new(plant: Plant, seed: u64) -> World {
        let fs = MemFs::new(seed);
        fs.create_dir_all(Path::new(DIR)).unwrap();
        let version = Version::new();
        let manifest = create(&fs, &version);
        let mut oracle = Oracle::default();
        oracle.create(0, 0);
        let stored = (0..KEYS * (KEYSPACES + 1)).map(|key| {
            let user = u8::try_from(key % KEYS).unwrap();
            Bytes::from([&key_prefix((key / KEYS).into())[..], &[user]].concat())
        });
        World {
            plant,
            exact: seed.is_multiple_of(2),
            sweeps: seed.is_multiple_of(5),
            eager: !seed.is_multiple_of(3),
            files: BTreeMap::new(),
            memtables: BTreeMap::from([(1, Memtable::default())]),
            current: SuperVersion { memtables: vec![1], version: Arc::new(version) },
            visible: 0,
            next_seq: 1,
            groups: VecDeque::new(),
            registry: Snapshots::new(),
            snapshots: vec![],
            opening: vec![],
            reads: vec![],
            iters: vec![],
            flushes: vec![],
            jobs: vec![],
            writable: vec![0],
            pending_drops: vec![],
            oracle,
            changed: false,
            installs: 0,
            eager_moves: 0,
            stored: stored.collect(),
            fs,
            manifest,
            next_id: 1,
        }
    }

    pub fn broken(&self, plant: Plant) -> bool {
        self.plant == plant
    }

    pub fn new_id(&mut self) -> u32 {
        self.next_id += 1;
        self.next_id
    }

    /// A key as it is stored.
    pub fn stored(&self, key: Key) -> Bytes {
        self.stored[usize::from(key)].clone()
    }

    pub fn contains(&self, range: &KeyRange, key: Key) -> bool {
        range.contains(&self.stored[usize::from(key)])
    }

    /// Writes a table; its facts.
    pub fn add_file(&mut self, entries: Vec<Entry>) -> TableMeta {
        let number = FileNumber(1000 + u64::from(self.new_id()));
        let (first, last) = (entries.first().unwrap(), entries.last().unwrap());
        let seqs = || entries.iter().map(|e| SeqNo::new(e.seq));
        let count = entries.len() as u64;
        let meta = TableMeta {
            number,
            id: number.0,
            bytes: 100 * count,
            entries: count,
            tombstones: entries.iter().filter(|e| e.tombstone).count() as u64,
            smallest: self.stored(first.key),
            largest: self.stored(last.key),
            seq_min: seqs().min().unwrap(),
            seq_max: seqs().max().unwrap(),
            raw_bytes: 100 * count,
        };
        self.files.insert(number, entries);
        meta
    }

    pub fn table(&self, number: FileNumber) -> Result<&[Entry], String> {
        let table = self.files.get(&number).map(Vec::as_slice);
        table.ok_or_else(|| format!("table {number} is named but does not exist"))
    }

    /// The entries that a reference shows.
    pub fn shown(&self, table: &TableRef) -> Result<impl Iterator<Item = &Entry>, String> {
        let entries = self.table(table.file.number())?.iter();
        Ok(entries.filter(|e| self.contains(&table.range, e.key)))
    }

    pub fn busy(&self, slot: SlotId) -> bool {
        self.jobs.iter().any(|job| job.slot == slot)
    }

    /// The stripes' ends: live snapshots and the visible number, in one step.
    pub fn stripes(&self) -> Vec<Seq> {
        let visible = SeqNo::new(self.visible);
        let mut ends: Vec<Seq> =
            self.registry.stripes(|| visible).into_iter().map(SeqNo::get).collect();
        if self.broken(Plant::VNotASnapshot) {
            ends = self.snapshots.iter().map(|s| s.seq().get()).collect();
            ends.sort_unstable();
            ends.dedup();
        }
        ends
    }

    /// One manifest record, one publication.
    pub fn install(&mut self, edit: VersionEdit) -> Result<(), String> {
        let next = self.manifest.log(&self.current.version, edit).map_err(|e| e.to_string())?;
        self.publish(next);
        Ok(())
    }

    pub fn publish(&mut self, version: Arc<Version>) {
        self.current.version = version;
        self.changed = true;
        self.installs += 1;
    }

    /// Puts other runs into a slot, behind the manifest's back. Only plants do.
    pub fn plant_runs(&mut self, index: usize, change: impl FnOnce(&mut Vec<Arc<Run>>)) {
        let version = &self.current.version;
        let mut slot = (**version.slot(index).unwrap()).clone();
        change(&mut slot.runs);
        self.current.version = Arc::new(version.plant_slot(index, slot));
    }

    /// Every version that someone can still read.
    pub fn pinned(&self) -> impl Iterator<Item = &Version> {
        let reads = self.reads.iter().filter_map(|r| r.source.as_ref()).map(|s| &s.version);
        let iters = self.iters.iter().map(|i| &i.source.version);
        let jobs = self.jobs.iter().filter_map(|j| j.version.as_ref());
        [&self.current.version].into_iter().chain(reads).chain(iters).chain(jobs).map(|v| &**v)
    }

    /// Deletes the files that the versions have let go of.
    pub fn reap(&mut self) -> Acted {
        let before = self.files.len();
        if self.broken(Plant::ReapPinned) || self.broken(Plant::ReapOutputs) {
            let mut named: BTreeSet<FileNumber> = named_files(&self.current.version).collect();
            if self.broken(Plant::ReapPinned) {
                let flushes = self.flushes.iter().flat_map(|f| &f.tables);
                let outputs = self.jobs.iter().flat_map(|j| &j.outputs);
                named.extend(flushes.chain(outputs).map(|t| t.number));
            } else {
                self.pinned().for_each(|v| named.extend(named_files(v)));
            }
            self.files.retain(|number, _| named.contains(number));
        } else {
            for number in self.current.version.obsolete().take() {
                if self.files.remove(&number).is_none() {
                    return Err(format!("table {number} is obsolete twice"));
                }
            }
        }
        Ok(self.files.len() < before)
    }

    /// Kill and open again: what the manifest says and the visible writes stay.
    pub fn restart(&mut self) -> Acted {
        if self.plant.is_in_memory() {
            return Ok(false);
        }
        let memtables = self.current.memtables.iter().rev();
        let entries = memtables.flat_map(|m| self.memtables[m].entries.iter().copied());
        let replayed: Vec<Entry> = entries.filter(|e| e.seq <= self.visible).collect();
        self.oracle.forget_after(self.visible);
        // A drop whose record was not written has not happened, and gives its number back.
        let undone = !self.pending_drops.is_empty();
        for (id, _) in self.pending_drops.drain(..) {
            self.oracle.drop_keyspace(id, None);
            self.writable.push(id);
        }
        let loaded = Manifest::load(&self.fs, Path::new(DIR)).map_err(|e| e.to_string())?;
        let mut version = loaded.ok_or("CURRENT is gone")?.version;
        if !version.slots().eq(self.current.version.slots()) {
            return Err("the manifest holds other slots than were published".into());
        }
        if self.broken(Plant::FlushNumberFromTables) {
            let runs = version.slots().flat_map(|s| s.runs.iter().map(|r| r.flush_seq));
            version.flushed = runs.max().unwrap_or(0);
        }
        self.current.version.check_successor(&version)?;
        let catalog = !self.broken(Plant::RestartForgetsCatalog);
        let known = if catalog { version.last_known() } else { version.last_seq };
        let last = replayed.iter().map(|e| e.seq).max().unwrap_or(0);
        let seen = std::mem::replace(&mut self.visible, known.get().max(last));
        if self.visible < seen && !undone {
            return Err(format!("the visible number went back from {seen} to {}", self.visible));
        }
        self.next_seq = self.visible + 1;
        self.start_again(version, replayed);
        Ok(true)
    }

    fn start_again(&mut self, version: Version, replayed: Vec<Entry>) {
        self.manifest = create(&self.fs, &version);
        self.current.version = Arc::new(version);
        self.groups.clear();
        self.snapshots.clear();
        self.opening.clear();
        self.reads.clear();
        self.iters.clear();
        self.flushes.clear();
        self.jobs.clear();
        self.registry = Snapshots::new();
        let id = self.new_id();
        self.memtables = [(id, Memtable { entries: replayed, writers: 0 })].into();
        self.current.memtables = vec![id];
        self.changed = true;
        // The sweep: whatever the version does not name.
        let named: BTreeSet<FileNumber> = named_files(&self.current.version).collect();
        self.files.retain(|number, _| named.contains(number));
    }
}

fn create(fs: &MemFs, version: &Version) -> Manifest {
    let names = fs.list(Path::new(DIR)).unwrap();
    let numbers = names.iter().filter_map(|n| nori_types::FileName::parse(n)?.number());
    let above = numbers.map(|n| n.0 + 1).max().unwrap_or(1);
    let edit = version.edit_positions(0, SeqNo::ZERO, version.durable).with_next_file(above);
    let version = version.apply(&edit).unwrap();
    Manifest::create(Arc::new(fs.clone()), Path::new(DIR), &version, OPTIONS).unwrap()
}

pub fn named_files(version: &Version) -> impl Iterator<Item = FileNumber> + '_ {
    version.tables().map(|file| file.number())
}
