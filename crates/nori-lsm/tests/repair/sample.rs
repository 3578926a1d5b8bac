//! Small stores left by a killed process, what they hold, and which bytes hold it.

use nori_env::sync::Arc;
use nori_env::{Cut, FileSystem, MemFs, Rng};
use nori_lsm::{Background, Config, Lsm, WriteBatch};
use nori_sstable::{BlockCache, Table};
use nori_types::{FileName, InternalIterator, Reader};
use nori_wal::{LogFormat, LogHeader, scan};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

pub(crate) const ROOT: &str = "/store";
pub(crate) const INTO: &str = "/new";

/// A key with its keyspace's number in front.
pub(crate) type Stored = Vec<u8>;

/// Bytes of a file and the keys whose versions they hold.
pub(crate) struct Held {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) keys: BTreeSet<Stored>,
}

pub(crate) struct Sample {
    pub(crate) disk: MemFs,
    /// Each file and its bytes.
    pub(crate) files: Vec<(PathBuf, Vec<u8>)>,
    /// For each file, where its keys lie.
    pub(crate) held: Vec<Vec<Held>>,
    /// The names of keyspaces that are not dropped, by number.
    pub(crate) names: BTreeMap<u8, String>,
    /// What the store holds.
    pub(crate) whole: BTreeMap<Stored, Vec<u8>>,
    /// Every value that was ever written to a key.
    pub(crate) written: BTreeMap<Stored, BTreeSet<Vec<u8>>>,
}

pub(crate) fn config(fs: Arc<dyn FileSystem>) -> Config {
    Config::default()
        .file_system(fs)
        .background(Background::Manual)
        .memtable_bytes(4096)
        .block_bytes(256)
        .table_bytes(2048)
        .k_global(3)
        .disk_reserve_bytes(Some(0))
}

pub(crate) fn name(path: &Path) -> Option<FileName> {
    FileName::parse(&path.file_name()?.to_string_lossy())
}

impl Sample {
    pub(crate) fn new(seed: u64) -> Sample {
        let disk = MemFs::new(seed);
        let mut program = Program::new(&disk, seed);
        program.run();
        let left = disk.crash(Cut::Kill, seed);
        let Program { store, names, whole, written, .. } = program;
        drop(store);
        let files: Vec<(PathBuf, Vec<u8>)> = left
            .files()
            .into_iter()
            .map(|(path, _)| (path.clone(), left.read_file(&path).expect("is there")))
            .collect();
        let held = files.iter().map(|(path, bytes)| held(&left, path, bytes)).collect();
        Sample { disk: left, files, held, names, whole, written }
    }
}

/// Which bytes of a file hold which keys.
fn held(disk: &MemFs, path: &Path, bytes: &[u8]) -> Vec<Held> {
    match name(path) {
        Some(FileName::Table(number)) => {
            let file = disk.open(path, nori_env::OpenMode::Read).expect("opens");
            let table = Table::open(file, number, BlockCache::new(0)).expect("a good table");
            blocks(&table)
        }
        Some(FileName::Segment(number)) => records(path, number.0, bytes),
        _ => Vec::new(),
    }
}

fn blocks(table: &Arc<Table>) -> Vec<Held> {
    let mut held: Vec<Held> = Vec::new();
    let mut lo: Vec<u8> = Vec::new();
    for block in table.layout().blocks {
        let (from, bytes) = (block.section.offset as usize, block.section.bytes as usize);
        let mut keys = BTreeSet::new();
        let mut iter = table.scan();
        iter.seek_first().expect("reads");
        // A key on the border counts for both sides.
        while iter.is_valid() && iter.key().user_key <= &block.separator[..] {
            if iter.key().user_key >= &lo[..] {
                keys.insert(iter.key().user_key.to_vec());
            }
            iter.next().expect("reads");
        }
        lo = block.separator.to_vec();
        held.push(Held { from, to: from + bytes, keys });
    }
    held
}

fn records(path: &Path, number: u64, bytes: &[u8]) -> Vec<Held> {
    let format = LogFormat { magic: *b"nWAL", version: 1, incompatible: 0, what: "log" };
    let header = LogHeader::decode(bytes, &format, number, path).expect("a good header");
    let mut held = Vec::new();
    for record in scan(bytes, &header).records {
        let mut reader = Reader::new(record.payload);
        reader.u64().expect("a number");
        let count = reader.u32().expect("a count");
        let mut keys = BTreeSet::new();
        for _ in 0..count {
            reader.u8().expect("a kind");
            let (key, value) = (reader.varint().expect("a length"), reader.varint().expect("one"));
            keys.insert(reader.bytes(key as usize).expect("a key").to_vec());
            reader.bytes(value as usize).expect("a value");
        }
        held.push(Held { from: record.start as usize, to: record.end as usize, keys });
    }
    held
}

/// Fills a store.
struct Program {
    store: Lsm,
    rng: Rng,
    names: BTreeMap<u8, String>,
    whole: BTreeMap<Stored, Vec<u8>>,
    written: BTreeMap<Stored, BTreeSet<Vec<u8>>>,
}

impl Program {
    fn new(disk: &MemFs, seed: u64) -> Program {
        let store = Lsm::open_with(ROOT, config(Arc::new(disk.clone()))).expect("opens");
        let mut names = BTreeMap::from([(0, "default".to_string())]);
        for (id, name) in [(1, "users"), (2, "gone"), (3, "orders")] {
            store.keyspace(name).expect("creates");
            names.insert(id, name.to_string());
        }
        let (whole, written) = (BTreeMap::new(), BTreeMap::new());
        Program { store, rng: Rng::new(seed), names, whole, written }
    }

    fn run(&mut self) {
        let steps = 150 + self.rng.below(150);
        let dropped_at = self.rng.below(steps);
        for n in 0..steps {
            if n == dropped_at {
                self.store.drop_keyspace("gone").expect("drops");
                self.names.remove(&2);
                self.whole.retain(|key, _| key[0] != 2);
            }
            match self.rng.below(30) {
                0 => self.store.flush().expect("flushes"),
                1 => self.store.compact().expect("merges"),
                2 => {
                    let guard = format!("key-{:03}", self.rng.below(60));
                    self.store.split_at(&[guard]).expect("splits");
                }
                3..8 => drop(self.store.step().expect("works")),
                _ => self.write(n),
            }
        }
    }

    fn write(&mut self, n: u64) {
        let ids: Vec<u8> = self.names.keys().copied().collect();
        let mut batch = WriteBatch::new();
        for _ in 0..1 + self.rng.below(4) {
            let id = *self.rng.pick(&ids);
            let space = self.store.keyspace(&self.names[&id]).expect("exists");
            let key = format!("key-{:03}", self.rng.below(60)).into_bytes();
            let stored = [&[id], &key[..]].concat();
            if self.rng.chance(20) {
                batch.delete_in(&space, &key);
                self.whole.remove(&stored);
                continue;
            }
            let mut value = format!("value {n} ").into_bytes();
            let mut noise = vec![0; self.rng.below(60) as usize];
            self.rng.fill(&mut noise);
            value.extend(noise);
            batch.put_in(&space, &key, &value);
            self.written.entry(stored.clone()).or_default().insert(value.clone());
            self.whole.insert(stored, value);
        }
        self.store.write(batch).expect("writes");
    }
}
