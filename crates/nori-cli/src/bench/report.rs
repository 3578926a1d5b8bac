//! What a bench prints.

use crate::args::{BenchArgs, Workload};
use crate::failure::Failure;
use crate::histogram::Latency;
use crate::out::Out;
use crate::table::Table;
use crate::units;
use clap::ValueEnum;
use serde::Serialize;
use serde_json::json;

/// What one workload did and cost.
#[derive(Serialize)]
pub(super) struct Row {
    pub(super) workload: String,
    pub(super) threads: u64,
    /// Operations; entries, for scans.
    pub(super) ops: u64,
    /// Reads that found a value.
    pub(super) found: Option<u64>,
    /// Until background work was done too.
    pub(super) seconds: f64,
    pub(super) seconds_until_acknowledged: f64,
    pub(super) ops_per_second: f64,
    pub(super) latency: Option<Latency>,
    /// Bytes of keys and values handed over.
    pub(super) user_bytes: u64,
    pub(super) log_bytes: u64,
    pub(super) flush_bytes: u64,
    pub(super) merge_bytes: u64,
    /// Log, flushes and merges.
    pub(super) bytes_written: u64,
    pub(super) write_amplification: Option<f64>,
    pub(super) cpu_seconds: Option<f64>,
    pub(super) memory_peak_bytes: Option<u64>,
    pub(super) disk_bytes: u64,
    /// Writers that waited for background work.
    pub(super) stalls: u64,
    pub(super) cache_hits: u64,
    pub(super) cache_misses: u64,
}

/// A workload's name, as it is given on the command line.
pub(super) fn name(workload: Workload) -> String {
    workload.to_possible_value().map_or_else(String::new, |value| value.get_name().to_string())
}

fn setup(args: &BenchArgs) -> String {
    format!(
        "{} of {} + {} bytes, {}, cache {} MiB, buffer {} MiB, bloom {} bits, {:?}",
        units::plural(args.keys, "key", "keys"),
        args.key_bytes,
        args.value_bytes,
        units::plural(args.threads, "thread", "threads"),
        args.cache_mb,
        args.buffer_mb,
        args.bloom_bits,
        args.compression
    )
}

/// Says what will be measured.
pub(super) fn begin(args: &BenchArgs, out: &mut Out) -> Result<(), Failure> {
    out.say(format!("{}\n", setup(args)))
}

/// Says at once how a workload went.
pub(super) fn row(row: &Row, out: &mut Out) -> Result<(), Failure> {
    let ops = units::count(row.ops_per_second as u64);
    out.say(format!("{:<12} {:>2} threads {ops:>14} ops/s", row.workload, row.threads))
}

/// The whole table, or the document.
pub(super) fn end(args: &BenchArgs, rows: &[Row], out: &mut Out) -> Result<(), Failure> {
    if out.json() {
        return out.document(&json!({
            "keys": args.keys,
            "key_bytes": args.key_bytes,
            "value_bytes": args.value_bytes,
            "threads": args.threads,
            "cache_bytes": args.cache_mb << 20,
            "buffer_bytes": args.buffer_mb << 20,
            "bloom_bits_per_key": args.bloom_bits,
            "compression": format!("{:?}", args.compression),
            "seed": args.seed,
            "workloads": rows,
        }));
    }
    let mut table = Table::new(&[
        "workload", "threads", "ops", "ops/s", "p50", "p99", "p99.9", "max", "written", "WA",
        "CPU s", "memory", "disk", "found", "stalls",
    ]);
    for row in rows {
        table.row(cells(row));
    }
    out.line("")?;
    table.lines().into_iter().try_for_each(|line| out.line(line))
}

fn cells(row: &Row) -> Vec<String> {
    let dash = || "-".to_string();
    let latency = |pick: fn(&Latency) -> u64| {
        row.latency.as_ref().map_or_else(dash, |l| units::nanoseconds(pick(l)))
    };
    vec![
        row.workload.clone(),
        row.threads.to_string(),
        units::count(row.ops),
        units::count(row.ops_per_second as u64),
        latency(|l| l.p50_ns),
        latency(|l| l.p99_ns),
        latency(|l| l.p999_ns),
        latency(|l| l.max_ns),
        units::bytes(row.bytes_written),
        row.write_amplification.map_or_else(dash, |wa| format!("{wa:.2}")),
        row.cpu_seconds.map_or_else(dash, |s| format!("{s:.2}")),
        row.memory_peak_bytes.map_or_else(dash, units::bytes),
        units::bytes(row.disk_bytes),
        row.found.map_or_else(dash, |found| {
            format!("{:.1} %", 100.0 * found as f64 / row.ops.max(1) as f64)
        }),
        row.stalls.to_string(),
    ]
}
