//! One run: one workload, one shape.

use super::workload::{Kind, Workload, draw};
use nori_env::{FileSystem, ManualClock, MemFs, OsFs, Rng};
use nori_lsm::{
    Background, CompactionMode, Compression, Config, Durability, Lsm, Metrics, Result, WriteBatch,
};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of an entry: a key of 16 and a value.
const ENTRY_BYTES: u64 = 1024;

/// What one write takes on the run's clock: a memtable of 1 MiB fills in about two seconds.
const WRITE_TAKES: Duration = Duration::from_micros(1831);

/// Writes between two looks at what background work is due.
const STRIDE: u64 = 32;

/// How runs are done.
#[derive(Clone, Debug)]
pub struct Options {
    /// Live bytes.
    pub live_bytes: u64,
    /// Bytes of a memtable.
    pub memtable_bytes: u64,
    /// Point reads for each KiB written.
    pub reads_per_kb: f64,
    /// Bytes written before counting, and while counting, over live bytes.
    pub span: (f64, f64),
    /// A directory on a real disk instead of memory.
    pub disk: Option<PathBuf>,
    /// Explains keys and choices.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            live_bytes: 160 << 20,
            memtable_bytes: 1 << 20,
            reads_per_kb: 1.0,
            span: (1.0, 2.0),
            disk: None,
            seed: 1,
        }
    }
}

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Bytes written by flushes and merges for each byte written by the user.
    pub wa: f64,
    /// Sorted runs that a point read finds, filters aside.
    pub ra: f64,
    /// Bytes of tables for each live byte, on average.
    pub sa: f64,
    /// The same of the slot where it was worst, at the looks taken.
    pub sa_slot_max: f64,
    /// The most bytes that one merge wrote.
    pub job_bytes_max: u64,
    /// The most flushes that served slots as they were.
    pub l0_max: u64,
    /// The most runs in one slot.
    pub runs_max: u64,
    /// Merges for each flush.
    pub jobs_per_flush: f64,
    /// Slots at the end.
    pub slots: u64,
    /// Table files at the end.
    pub tables: u64,
    /// Runs that slots may keep, from the least to the most.
    pub k: (usize, usize),
    /// The average of that over the slots where most reads fall, and over the others.
    pub k_hot_cold: (f64, f64),
}

/// Runs a workload on a shape. `tune` may change the store's options.
///
/// # Errors
/// Those of the store.
pub fn run(
    workload: &Workload,
    mode: CompactionMode,
    options: &Options,
    tune: impl Fn(Config) -> Config,
) -> Result<Outcome> {
    let clock = ManualClock::default();
    let (fs, dir): (Arc<dyn FileSystem>, PathBuf) = match &options.disk {
        Some(dir) => (Arc::new(OsFs), dir.join("amplification")),
        None => (Arc::new(MemFs::new(options.seed)), PathBuf::from("/store")),
    };
    let config = Config::default()
        .memtable_bytes(usize::try_from(options.memtable_bytes).unwrap_or(usize::MAX))
        .table_bytes(options.memtable_bytes)
        .max_sealed(1)
        .compression(Compression::None)
        .durability(Durability::Buffered)
        .background(Background::Manual)
        .compaction(mode)
        .disk_reserve_bytes(Some(0))
        .file_system(fs)
        .clock(Arc::new(clock.clone()))
        .seed(options.seed);
    let store = Lsm::open_with(&dir, tune(config.clone()))?;
    let mut traffic = Traffic::new(workload, options, clock);
    let outcome = traffic.run(&store);
    store.close()?;
    if options.disk.is_some() {
        Lsm::destroy_with(&dir, &config)?;
    }
    outcome
}

struct Traffic<'a> {
    workload: &'a Workload,
    options: &'a Options,
    clock: ManualClock,
    rng: Rng,
    keys: u64,
    written: u64,
    /// The order in which a random load brings the keys.
    order: Vec<u64>,
    reads_owed: f64,
}

impl<'a> Traffic<'a> {
    fn new(workload: &'a Workload, options: &'a Options, clock: ManualClock) -> Traffic<'a> {
        let keys = options.live_bytes / ENTRY_BYTES;
        let mut rng = Rng::new(options.seed);
        let mut order: Vec<u64> = Vec::new();
        if workload.kind == Kind::RandomLoad {
            order = (0..keys).collect();
            rng.shuffle(&mut order);
        }
        Traffic { workload, options, clock, rng, keys, written: 0, order, reads_owed: 0.0 }
    }

    fn run(&mut self, store: &Lsm) -> Result<Outcome> {
        let overwrites = self.workload.kind == Kind::Overwrite;
        let (warm, counted) = if overwrites { self.options.span } else { (0.0, 1.0) };
        if overwrites {
            self.load(store)?;
        }
        let writes = |share: f64| (share * self.keys as f64) as u64;
        let (warm, counted) = (writes(warm), writes(counted));
        for _ in 0..warm {
            self.turn(store)?;
        }
        store.wait_idle()?;
        let before = store.metrics();
        let mut seen = Seen::default();
        for write in 0..counted {
            self.turn(store)?;
            if write % 512 == 0 {
                seen.look(store, self.live_bytes());
            }
        }
        store.wait_idle()?;
        let after = store.metrics();
        seen.look(store, self.live_bytes());
        Ok(self.outcome(store, &before, &after, &seen, counted))
    }

    /// All keys, in order.
    fn load(&mut self, store: &Lsm) -> Result<()> {
        let mut batch = WriteBatch::new();
        for rank in 0..self.keys {
            batch.put(key(rank), value(rank, 0));
            if batch.len() == STRIDE as usize || rank + 1 == self.keys {
                store.write(std::mem::take(&mut batch))?;
                self.clock.advance(WRITE_TAKES * STRIDE as u32);
                while store.step()? {}
            }
        }
        Ok(())
    }

    /// One write, the reads that go with it, and now and then what became due.
    fn turn(&mut self, store: &Lsm) -> Result<()> {
        let progress = (self.written * ENTRY_BYTES) as f64 / self.options.live_bytes as f64;
        let rank = match self.workload.kind {
            Kind::Overwrite => draw(&(self.workload.writes)(progress), &mut self.rng, self.keys),
            Kind::Sequential => self.written,
            Kind::RandomLoad => self.order[self.written as usize],
        };
        self.written += 1;
        store.put(key(rank), value(rank, self.written))?;
        self.clock.advance(WRITE_TAKES);
        self.reads_owed += self.options.reads_per_kb * ENTRY_BYTES as f64 / 1024.0;
        while self.reads_owed >= 1.0 {
            self.reads_owed -= 1.0;
            // Where keys come once, those that are there are read.
            let rank = match self.workload.kind {
                Kind::Overwrite => draw(&(self.workload.reads)(progress), &mut self.rng, self.keys),
                Kind::Sequential => self.rng.below(self.written),
                Kind::RandomLoad => self.order[self.rng.below(self.written) as usize],
            };
            store.get(key(rank))?;
        }
        if self.written.is_multiple_of(STRIDE) {
            while store.step()? {}
        }
        Ok(())
    }

    fn live_bytes(&self) -> u64 {
        match self.workload.kind {
            Kind::Overwrite => self.options.live_bytes,
            _ => self.written * ENTRY_BYTES,
        }
    }

    fn outcome(
        &self,
        store: &Lsm,
        before: &Metrics,
        after: &Metrics,
        seen: &Seen,
        writes: u64,
    ) -> Outcome {
        let bytes = |m: &Metrics| m.flush_bytes + m.compaction_bytes_written;
        let reads = (after.point_reads - before.point_reads).max(1) as f64;
        let slots = store.slots();
        let ks: Vec<usize> = slots.iter().filter(|s| s.runs > 0).map(|s| s.k).collect();
        let mean_reads = slots.iter().map(|s| s.reads_per_s).sum::<f64>() / slots.len() as f64;
        let mean = |hot: bool| {
            let of: Vec<f64> = slots
                .iter()
                .filter(|s| s.runs > 0 && (s.reads_per_s > 2.0 * mean_reads) == hot)
                .map(|s| s.k as f64)
                .collect();
            of.iter().sum::<f64>() / of.len().max(1) as f64
        };
        Outcome {
            wa: (bytes(after) - bytes(before)) as f64 / (writes * ENTRY_BYTES) as f64,
            ra: (after.runs_visible - before.runs_visible) as f64 / reads,
            sa: seen.space / seen.looks.max(1.0),
            sa_slot_max: seen.space_slot_max,
            job_bytes_max: after.compaction_bytes_max,
            l0_max: seen.l0_max,
            runs_max: seen.runs_max,
            jobs_per_flush: (after.compactions - before.compactions) as f64
                / (after.flushes - before.flushes).max(1) as f64,
            slots: after.slots,
            tables: after.tables,
            k: (ks.iter().copied().min().unwrap_or(0), ks.iter().copied().max().unwrap_or(0)),
            k_hot_cold: (mean(true), mean(false)),
        }
    }
}

/// What was seen now and then.
#[derive(Debug, Default)]
struct Seen {
    looks: f64,
    space: f64,
    space_slot_max: f64,
    l0_max: u64,
    runs_max: u64,
}

impl Seen {
    fn look(&mut self, store: &Lsm, live_bytes: u64) {
        let metrics = store.metrics();
        // A slot that has just been made, or holds little, has no oldest run to speak of.
        let slots = store.slots().into_iter().filter(|slot| slot.bytes >= 1 << 20);
        let worst = slots.map(|slot| slot.space_amplification).fold(0.0, f64::max);
        self.space_slot_max = self.space_slot_max.max(worst);
        // A store that holds next to nothing says nothing about space.
        if live_bytes >= 8 << 20 {
            self.looks += 1.0;
            self.space += metrics.table_bytes as f64 / live_bytes as f64;
        }
        self.l0_max = self.l0_max.max(metrics.l0_tables);
        self.runs_max = self.runs_max.max(metrics.runs_max);
    }
}

fn key(rank: u64) -> [u8; 16] {
    let mut key = [b'0'; 16];
    let mut rest = rank;
    for digit in key.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(rest % 16) as usize];
        rest /= 16;
    }
    key
}

fn value(rank: u64, write: u64) -> Vec<u8> {
    let mut value = vec![b'.'; ENTRY_BYTES as usize - 16];
    value[..8].copy_from_slice(&rank.to_le_bytes());
    value[8..16].copy_from_slice(&write.to_le_bytes());
    value
}
