//! How fast a flush and a merge of four runs are: user bytes per second of processor time, which
//! does not depend on what else runs, and per second on the wall, which holds the disk too.
//! `cargo run --release -p nori-compaction --example compaction_speed
//! [entries [rounds [writeback_bytes]]]`

use nori_compaction::{Destination, Output, Retain, Stats, compact, flush};
use nori_env::sync::Arc;
use nori_env::sync::atomic::{AtomicU64, Ordering};
use nori_env::{Clock, FileSystem, OpenMode, OsFs, Rng, SystemClock};
use nori_manifest::{Obsolete, Run, TableFile, TableRef};
use nori_memtable::Memtable;
use nori_sstable::{BlockCache, Compression, TableCache, TableOptions};
use nori_testkit::TempDir;
use nori_types::{FileNumber, InternalIterator, KeyRange, SeqNo, ValueKind};
use std::path::Path;
use std::time::Duration;

const RUNS: u64 = 4;
const KEY_BYTES: usize = 16;
const VALUE_BYTES: usize = 100;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let number = |at| std::env::args().nth(at).and_then(|n| n.parse().ok());
    let (entries, rounds) = (number(1).unwrap_or(500_000), number(2).unwrap_or(3));
    let writeback_bytes = number(3);
    let mut watch = Watch::default();
    for compression in [Compression::None, Compression::Lz4] {
        let dir = TempDir::new("speed");
        let bench = Bench { writeback_bytes, ..Bench::new(dir.path(), compression) };
        println!("{compression:?}, {entries} entries a run, {KEY_BYTES} + {VALUE_BYTES} bytes");
        let memtables: Vec<Arc<Memtable>> =
            (0..RUNS).map(|run| memtable(1 + run * entries, entries)).collect();
        watch.start();
        let mut read = 0;
        for table in &memtables {
            read += walk(&mut table.iter())?;
        }
        watch.report("walk of the memtables", read);
        let mut runs = Vec::new();
        watch.start();
        let mut flushed = Stats::default();
        for table in &memtables {
            let visible = vec![SeqNo::MAX];
            let output = bench.job(|to| flush(&mut table.iter(), visible, |_| None, to))?;
            flushed.bytes_read += output.stats.bytes_read;
            runs.push(run(output));
        }
        watch.report("flush", flushed.bytes_read);
        for _ in 0..rounds {
            watch.start();
            let retain = Retain::new(vec![SeqNo::MAX], true, |_| None);
            let output = bench.job(|to| compact(&runs, &bench.tables, retain, to))?;
            watch.report("merge of 4 runs", output.stats.bytes_read);
        }
    }
    Ok(())
}

struct Bench<'a> {
    fs: Arc<dyn FileSystem>,
    dir: &'a Path,
    tables: Arc<TableCache>,
    options: TableOptions,
    numbers: AtomicU64,
    writeback_bytes: Option<u64>,
}

impl<'a> Bench<'a> {
    fn new(dir: &'a Path, compression: Compression) -> Bench<'a> {
        let fs: Arc<dyn FileSystem> = Arc::new(OsFs);
        let tables = Arc::new(TableCache::new(fs.clone(), dir, BlockCache::new(8 << 20), 100));
        let options = TableOptions { compression, ..TableOptions::default() };
        Bench { fs, dir, tables, options, numbers: AtomicU64::new(1), writeback_bytes: None }
    }

    fn job<T>(&self, run: impl FnOnce(&Destination<'_>) -> T) -> T {
        let number = || FileNumber(self.numbers.fetch_add(1, Ordering::Relaxed));
        let to = Destination::new(&*self.fs, self.dir, &number, &self.options, 64 << 20);
        run(&Destination { writeback_bytes: self.writeback_bytes, ..to })
    }
}

/// Random keys over twice as many as there are entries in all, half-compressible values.
fn memtable(first: u64, entries: u64) -> Arc<Memtable> {
    let rng = &mut Rng::new(first);
    let table = Arc::new(Memtable::new());
    if let Some(guard) = table.enter() {
        for seq in first..first + entries {
            let mut entry = format!("{:016}", rng.below(entries * RUNS * 2)).into_bytes();
            entry.resize(KEY_BYTES + VALUE_BYTES, b'v');
            rng.fill(&mut entry[KEY_BYTES..KEY_BYTES + VALUE_BYTES / 2]);
            let (key, value) = entry.split_at(KEY_BYTES);
            guard.insert(key, value, SeqNo::new(seq), ValueKind::Value);
        }
    }
    table.seal();
    table
}

fn walk<I: InternalIterator>(iter: &mut I) -> Result<u64, I::Error> {
    let mut bytes = 0;
    iter.seek_first()?;
    while iter.is_valid() {
        bytes += (iter.key().user_key.len() + iter.value().len()) as u64;
        iter.next()?;
    }
    Ok(bytes)
}

fn run(output: Output) -> Arc<Run> {
    let queue = Obsolete::new();
    let tables = output.tables.into_iter().map(|meta| {
        let range = KeyRange::new(meta.smallest.clone(), Some(meta.end()));
        TableRef { bytes: meta.bytes, file: TableFile::new(meta, &queue), range }
    });
    let tables: Vec<TableRef> = tables.collect();
    let seq_max = tables.iter().map(|t| t.file.meta.seq_max).max().unwrap_or_default();
    let bytes = tables.iter().map(|t| t.bytes).sum();
    let (entries, tombstones, flush_seq, level) = (0, 0, 1, 1);
    Arc::new(Run { tables, flush_seq, level, bytes, entries, tombstones, seq_max })
}

/// Two clocks, started together.
#[derive(Default)]
struct Watch {
    wall: SystemClock,
    started: (Duration, Duration),
}

impl Watch {
    fn now(&self) -> (Duration, Duration) {
        (self.wall.now(), processor_time().unwrap_or_default())
    }

    fn start(&mut self) {
        self.started = self.now();
    }

    fn report(&self, what: &str, bytes: u64) {
        let ((wall, processor), (wall_0, processor_0)) = (self.now(), self.started);
        let rate = |time: Duration| bytes as f64 / time.as_secs_f64() / 1e6;
        let (wall, processor) = (rate(wall - wall_0), rate(processor - processor_0));
        println!("  {what:<22} {processor:>6.0} MB per processor second, {wall:>5.0} on the wall");
    }
}

/// What this thread has used, where the system tells (Linux).
fn processor_time() -> Option<Duration> {
    let file = OsFs.open(Path::new("/proc/thread-self/schedstat"), OpenMode::Read).ok()?;
    let mut text = [0; 64];
    let read = file.read_at(&mut text, 0).ok()?;
    let nanos = std::str::from_utf8(&text[..read]).ok()?.split(' ').next()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}
