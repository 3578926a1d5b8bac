//! Stores with files of every kind, their contents after each write, and where the log holds it.

use nori_env::sync::Arc;
use nori_env::{Cut, FileSystem, MemFs, OpenMode, Rng};
use nori_lsm::{Background, Compression, Config, Lsm, WriteBatch};
use nori_types::{FileName, FileNumber};
use nori_wal::{LogFormat, LogHeader, scan};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub(crate) const ROOT: &str = "/store";
pub(crate) const KEYS: u64 = 40;

/// Contents by keyspace.
pub(crate) type State = BTreeMap<String, BTreeMap<Vec<u8>, Vec<u8>>>;

/// What kind of store; each has files of every kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Small compressed blocks, filters, a few slots.
    Usual,
    /// Nothing compressed, no filters.
    Plain,
    /// Many slots, and what was learned of them in HEAT.
    Slots,
    /// A log of several segments, most of the data in it; the manifest ends with a drop.
    Segments,
    /// A checkpoint that was opened and written to.
    Checkpoint,
    /// Blocks of 4 KiB and values of several KiB.
    Large,
}

pub(crate) const KINDS: [Kind; 6] =
    [Kind::Usual, Kind::Plain, Kind::Slots, Kind::Segments, Kind::Checkpoint, Kind::Large];

impl Kind {
    pub(crate) fn config(self, fs: Arc<dyn FileSystem>) -> Config {
        let config = Config::default()
            .file_system(fs)
            .background(Background::Manual)
            .memtable_bytes(4096)
            .max_sealed(2)
            .block_bytes(256)
            .table_bytes(4096)
            .k_global(4)
            .disk_reserve_bytes(Some(0));
        match self {
            Kind::Usual | Kind::Slots | Kind::Checkpoint => config,
            Kind::Plain => config.compression(Compression::None).bloom_bits_per_key(0.0),
            Kind::Segments => config.max_sealed(8),
            Kind::Large => config.block_bytes(4096).table_bytes(32 << 10).memtable_bytes(32 << 10),
        }
    }

    fn values(self) -> u64 {
        match self {
            Kind::Large => 1500,
            Kind::Segments => 160,
            _ => 60,
        }
    }
}

/// A record of the log.
#[derive(Debug)]
pub(crate) struct Logged {
    pub(crate) file: usize,
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// The sequence number of its last operation.
    pub(crate) last: u64,
}

/// A store left by a killed process.
pub(crate) struct Sample {
    pub(crate) kind: Kind,
    pub(crate) disk: MemFs,
    /// The contents after each element, with the sequence number they are visible at.
    pub(crate) states: Vec<(u64, State)>,
    /// Each file but LOCK, and its bytes.
    pub(crate) files: Vec<(PathBuf, Vec<u8>)>,
    /// The records of the log, in order.
    pub(crate) records: Vec<Logged>,
}

impl Sample {
    pub(crate) fn new(kind: Kind, seed: u64) -> Sample {
        let mut writer = Writer::new(kind, seed);
        writer.fill(if kind == Kind::Large { 45 } else { 150 });
        let (disk, states) = (writer.disk, writer.states);
        // Killed: what is in the log only stays there.
        let disk = disk.crash(Cut::Kill, seed);
        drop(writer.store);
        let files = disk.files().into_iter().filter(|(path, _)| !path.ends_with("LOCK"));
        let files: Vec<_> = files
            .map(|(path, _)| {
                let bytes = disk.read_file(&path).expect("is there");
                (path, bytes)
            })
            .collect();
        let records = records(&files);
        Sample { kind, disk, states, files, records }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.files.iter().map(|(_, bytes)| bytes.len()).sum()
    }

    pub(crate) fn config(&self, fs: Arc<dyn FileSystem>) -> Config {
        self.kind.config(fs)
    }

    /// The newest state visible at a sequence number, and how many are newer.
    pub(crate) fn state_at(&self, last: u64) -> Option<(&State, usize)> {
        let at = self.states.iter().rposition(|(seq, _)| *seq <= last)?;
        Some((&self.states[at].1, self.states.len() - 1 - at))
    }
}

pub(crate) fn name(path: &Path) -> Option<FileName> {
    FileName::parse(&path.file_name()?.to_string_lossy())
}

/// What a file is called in tallies.
pub(crate) fn kind_of(path: &Path) -> &'static str {
    match name(path) {
        Some(FileName::Segment(_)) => "log",
        Some(FileName::Table(_)) => "table",
        Some(FileName::Manifest(_)) => "manifest",
        Some(FileName::Current) => "CURRENT",
        Some(FileName::Heat) => "HEAT",
        Some(FileName::Spare(_)) => "spare",
        _ => "other",
    }
}

fn records(files: &[(PathBuf, Vec<u8>)]) -> Vec<Logged> {
    let format = LogFormat { magic: *b"nWAL", version: 1, incompatible: 0, what: "log" };
    let mut records = Vec::new();
    for (file, (path, bytes)) in files.iter().enumerate() {
        let Some(FileName::Segment(FileNumber(number))) = name(path) else { continue };
        let header = LogHeader::decode(bytes, &format, number, path).expect("a good header");
        for record in scan(bytes, &header).records {
            let number = |at: usize| record.payload[at..].first_chunk::<4>().expect("a batch");
            let [first, count] = [0, 8].map(|at| u64::from(u32::from_le_bytes(*number(at))));
            let (start, end) = (record.start as usize, record.end as usize);
            records.push(Logged { file, start, end, last: first + count - 1 });
        }
    }
    records
}

/// Fills a store.
struct Writer {
    kind: Kind,
    disk: MemFs,
    store: Lsm,
    rng: Rng,
    whole: State,
    states: Vec<(u64, State)>,
}

impl Writer {
    fn new(kind: Kind, seed: u64) -> Writer {
        let disk = MemFs::new(seed);
        let root = if kind == Kind::Checkpoint { "/original" } else { ROOT };
        let config = kind.config(Arc::new(disk.clone()));
        let store = Lsm::open_with(root, config).expect("opens");
        let mut whole = State::from([("default".to_string(), BTreeMap::new())]);
        for name in ["users", "dropped"] {
            store.keyspace(name).expect("creates");
            whole.insert(name.to_string(), BTreeMap::new());
        }
        let guards: Vec<String> = match kind {
            Kind::Slots => (1..8).map(|n| format!("key-{:03}", 5 * n)).collect(),
            _ => vec!["key-020".to_string()],
        };
        store.split_at(&guards).expect("splits");
        let states = vec![(store.metrics().last_sequence, whole.clone())];
        Writer { kind, disk, store, rng: Rng::new(seed), whole, states }
    }

    fn note(&mut self) {
        self.states.push((self.store.metrics().last_sequence, self.whole.clone()));
    }

    fn fill(&mut self, count: u32) {
        for n in 0..count {
            let segments = self.kind == Kind::Segments;
            if n == count / 4 {
                self.store.flush().expect("flushes");
                self.store.compact().expect("merges");
                self.store.drop_keyspace("dropped").expect("drops");
                self.whole.remove("dropped");
                self.note();
            }
            if !segments && (n == count / 3 || n == count * 2 / 3) {
                self.store.flush().expect("flushes");
            }
            if n == count / 2 {
                self.turn();
            }
            self.write(n);
        }
        assert_eq!(self.whole.len(), 2);
    }

    /// Something else than writes, half of the way.
    fn turn(&mut self) {
        let config = self.kind.config(Arc::new(self.disk.clone()));
        match self.kind {
            // Closing writes down what was learned.
            Kind::Slots => {
                self.store.clone().close().expect("closes");
                self.store = Lsm::open_with(ROOT, config).expect("opens");
            }
            Kind::Checkpoint => {
                self.store.checkpoint(ROOT).expect("copies");
                self.store.clone().close().expect("closes");
                Lsm::destroy_with("/original", &config).expect("removes");
                self.store = Lsm::open_with(ROOT, config).expect("opens");
            }
            _ => {}
        }
    }

    fn write(&mut self, n: u32) {
        let names: Vec<String> = self.whole.keys().cloned().collect();
        let mut batch = WriteBatch::new();
        for _ in 0..1 + self.rng.below(2) {
            let at = self.rng.pick(&names);
            let space = self.store.keyspace(at).expect("exists");
            let key = format!("key-{:03}", self.rng.below(KEYS)).into_bytes();
            let keys = self.whole.get_mut(at).expect("lives");
            if self.rng.chance(20) {
                batch.delete_in(&space, &key);
                keys.remove(&key);
                continue;
            }
            let mut value = format!("value {n} ").into_bytes();
            // Half of it compresses.
            let mut noise = vec![0; self.rng.below(self.kind.values()) as usize];
            let half = noise.len() / 2;
            self.rng.fill(&mut noise[..half]);
            value.extend(noise);
            batch.put_in(&space, &key, &value);
            keys.insert(key, value);
        }
        self.store.write(batch).expect("writes");
        self.note();
    }
}

/// Writes bytes over a file, or makes it shorter or longer; both are on disk.
pub(crate) fn overwrite(disk: &MemFs, path: &Path, bytes: &[u8]) {
    if disk.read_file(path).is_none() {
        assert!(disk.write_file(path, bytes), "{}", path.display());
        return;
    }
    let file = disk.open(path, OpenMode::Write).expect("exists");
    file.truncate(0).expect("cuts");
    file.write_at(bytes, 0).expect("writes");
    file.sync_all().expect("syncs");
}
