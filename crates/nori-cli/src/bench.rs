//! `nori bench`: one workload after the other on a store of its own.
//!
//! The workloads and what they cost are those of `nori-bench`; here is what people see of them.

use crate::args::{BenchArgs, BenchKind, Compressor};
use crate::failure::Failure;
use crate::out::Out;
use crate::progress::Progress;
use crate::stores;
use nori_bench::{Bench, Live, NORI, Observer, Options, Plan, Row, machine, plot};
use nori_lsm::Compression;
use std::path::Path;
use std::time::Duration;

mod curves;
mod hotspot;
mod overload;
mod processor;
mod reads;
mod report;

/// `nori bench`
pub(crate) fn bench(args: &BenchArgs, out: &mut Out) -> Result<(), Failure> {
    if let Some(BenchKind::Hotspot(args)) = &args.kind {
        return hotspot::hotspot(args, out);
    }
    if let Some(BenchKind::Curves(args)) = &args.kind {
        return curves::curves(args, out);
    }
    if let Some(BenchKind::Overload(args)) = &args.kind {
        return overload::overload(args, out);
    }
    if let Some(BenchKind::Reads(args)) = &args.kind {
        return reads::reads(args, out);
    }
    check(args)?;
    let plan = plan(args);
    let mut bench = Bench::new(NORI, &plan).map_err(Failure::usage)?;
    let done = run_all(args, &mut bench, out);
    // Also after a failure: a store that is left over keeps the next run from starting.
    let ended = if args.keep { bench.close() } else { bench.remove() };
    let rows = done?;
    ended.map_err(Failure::failed)?;
    if let Some(path) = &args.plot {
        draw(args, &rows, path)?;
    }
    report::end(args, &rows, out)
}

fn check(args: &BenchArgs) -> Result<(), Failure> {
    check_new(&args.dir)?;
    if !(args.durable_seconds > 0.0 && args.durable_seconds <= 3600.0) {
        return Err(Failure::usage("--durable-seconds must be above 0 and at most 3600"));
    }
    let config = stores::config().bloom_bits_per_key(args.bloom_bits);
    Ok(config.memtable_bytes(buffer_bytes(args)).validate()?)
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

fn buffer_bytes(args: &BenchArgs) -> usize {
    usize::try_from(args.buffer_mb << 20).unwrap_or(usize::MAX)
}

fn plan(args: &BenchArgs) -> Plan {
    Plan {
        keys: args.keys,
        key_bytes: args.key_bytes,
        value_bytes: args.value_bytes,
        threads: args.threads,
        seed: args.seed,
        durable_time: Duration::from_secs_f64(args.durable_seconds),
        options: Options {
            cache_bytes: args.cache_mb << 20,
            buffer_bytes: args.buffer_mb << 20,
            bloom_bits: args.bloom_bits,
            lz4: args.compression == Compressor::Lz4,
            synced: false,
        },
        ..Plan::new(&args.dir)
    }
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

fn run_all(args: &BenchArgs, bench: &mut Bench<'_>, out: &mut Out) -> Result<Vec<Row>, Failure> {
    report::begin(args, out)?;
    let bars = Bars { hidden: out.json() };
    let mut all = Vec::new();
    for workload in &args.workload {
        let rows = bench.run(*workload, &bars).map_err(Failure::failed)?;
        for row in &rows {
            report::row(row, out)?;
        }
        all.extend(rows);
    }
    Ok(all)
}

fn draw(args: &BenchArgs, rows: &[Row], path: &Path) -> Result<(), Failure> {
    let about = format!("{}; {}", report::setup(args), machine::about());
    let svg = plot("nori bench", &about, rows);
    std::fs::write(path, svg).map_err(|e| Failure::io("writing", path, &e))
}

/// A bar for each part of a workload.
struct Bars {
    hidden: bool,
}

impl Observer for Bars {
    fn begin(&self, what: &str, ops: Option<u64>) -> Box<dyn Live> {
        Box::new(Bar(Progress::some_or_many(self.hidden, what, ops)))
    }
}

struct Bar(Progress);

impl Live for Bar {
    fn did(&self, ops: u64) {
        self.0.add(ops);
    }

    fn note(&self, what: &str) {
        self.0.note(what);
    }
}
