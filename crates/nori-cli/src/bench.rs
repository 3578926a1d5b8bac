//! `nori bench`: one workload after the other on a store of its own.
//!
//! 1. Each fill begins with a new store; reads find what the last fill left, or fill in order
//!    first, which is not measured.
//! 2. Workloads that write end when nothing is left to flush or merge: work put off is work.
//! 3. Processor time, memory and bytes written are those of the workload alone.

use crate::args::{BenchArgs, BenchKind, Compressor, Workload};
use crate::failure::Failure;
use crate::out::Out;
use crate::{machine, stores};
use data::Data;
use nori_lsm::{Compression, Config, Durability, Lsm};
use report::Row;
use std::path::Path;

mod data;
mod hotspot;
mod measure;
mod reads;
mod report;
mod work;

const DURABLE_THREADS: [u64; 3] = [1, 4, 16];

/// `nori bench`
pub(crate) fn bench(args: &BenchArgs, out: &mut Out) -> Result<(), Failure> {
    if let Some(BenchKind::Hotspot(args)) = &args.kind {
        return hotspot::hotspot(args, out);
    }
    if let Some(BenchKind::Reads(args)) = &args.kind {
        return reads::reads(args, out);
    }
    check(args)?;
    let data = Data::new(args.keys, args.key_bytes, args.value_bytes, args.seed);
    let mut bench = Bench { args, data, store: None };
    let done = bench.run_all(out);
    let closed = bench.close();
    let rows = done.and_then(|rows| closed.map(|()| rows));
    if !args.keep {
        // Also after a failure: a store that is left over keeps the next run from starting.
        let _ = remove(&args.dir);
    }
    report::end(args, &rows?, out)
}

fn check(args: &BenchArgs) -> Result<(), Failure> {
    check_new(&args.dir)?;
    if !(args.durable_seconds > 0.0 && args.durable_seconds <= 3600.0) {
        return Err(Failure::usage("--durable-seconds must be above 0 and at most 3600"));
    }
    Ok(config(args).validate()?)
}

/// A bench measures a store of its own.
fn check_new(dir: &Path) -> Result<(), Failure> {
    if !dir.exists() {
        return Ok(());
    }
    let dir = dir.display();
    Err(Failure::Usage(format!(
        "{dir} exists already; remove it (\"nori destroy {dir}\") or choose another --dir"
    )))
}

fn config(args: &BenchArgs) -> Config {
    stores::config()
        .durability(Durability::Buffered)
        .block_cache_bytes(args.cache_mb << 20)
        .memtable_bytes(usize::try_from(args.buffer_mb << 20).unwrap_or(usize::MAX))
        .bloom_bits_per_key(args.bloom_bits)
        .compression(compression(args.compression))
}

fn compression(compressor: Compressor) -> Compression {
    match compressor {
        Compressor::None => Compression::None,
        Compressor::Lz4 => Compression::Lz4,
    }
}

fn remove(dir: &Path) -> Result<(), Failure> {
    if dir.exists() { stores::destroy(dir) } else { Ok(()) }
}

struct Bench<'a> {
    args: &'a BenchArgs,
    data: Data,
    store: Option<Lsm>,
}

impl Bench<'_> {
    fn run_all(&mut self, out: &mut Out) -> Result<Vec<Row>, Failure> {
        report::begin(self.args, out)?;
        let mut rows = Vec::new();
        for workload in &self.args.workload {
            let threads: &[u64] = match workload {
                Workload::Durable => &DURABLE_THREADS,
                Workload::Compact => &[1],
                _ => &[self.args.threads],
            };
            let store = self.store_for(*workload, out)?;
            for threads in threads {
                let row = measure::one(&store, &self.data, self.args, *workload, *threads, out)?;
                report::row(&row, out)?;
                rows.push(row);
            }
        }
        Ok(rows)
    }

    /// A new store for a fill, else a full one.
    fn store_for(&mut self, workload: Workload, out: &Out) -> Result<Lsm, Failure> {
        let fill = matches!(workload, Workload::FillSeq | Workload::FillRandom);
        if let (Some(store), false) = (&self.store, fill) {
            return Ok(store.clone());
        }
        self.close()?;
        remove(&self.args.dir)?;
        let store = Lsm::open_with(&self.args.dir, config(self.args))?;
        self.store = Some(store.clone());
        // Durable puts are the same on an empty store.
        if !fill && workload != Workload::Durable {
            measure::one(&store, &self.data, self.args, Workload::FillSeq, 1, out)?;
        }
        machine::reset_memory_peak();
        Ok(store)
    }

    fn close(&mut self) -> Result<(), Failure> {
        match self.store.take() {
            Some(store) => Ok(store.close()?),
            None => Ok(()),
        }
    }
}
