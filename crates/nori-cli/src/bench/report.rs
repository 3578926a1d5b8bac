//! What a bench prints.

use crate::args::BenchArgs;
use crate::failure::Failure;
use crate::out::Out;
use crate::table::Table;
use crate::units;
use nori_bench::{Latency, Row, machine};
use serde_json::json;

/// What is measured, in a line.
pub(super) fn setup(args: &BenchArgs) -> String {
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
    out.say(format!("{:<24} {:>2} threads {ops:>14} ops/s", row.name(), row.threads))
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
            "machine": machine::about(),
            "workloads": rows,
        }));
    }
    let mut table = Table::new(&[
        "workload",
        "threads",
        "ops",
        "ops/s",
        "p50",
        "p99",
        "p99.9",
        "max",
        "written",
        "WA",
        "SA",
        "CPU s",
        "CPU us/op",
        "memory",
        "disk",
        "found",
        "probed",
        "stalls",
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
    let ratio = |ratio: Option<f64>| ratio.map_or_else(dash, |ratio| format!("{ratio:.2}"));
    vec![
        row.name(),
        row.threads.to_string(),
        units::count(row.ops),
        units::count(row.ops_per_second as u64),
        latency(|l| l.p50_ns),
        latency(|l| l.p99_ns),
        latency(|l| l.p999_ns),
        latency(|l| l.max_ns),
        row.bytes_written.map_or_else(dash, units::bytes),
        ratio(row.write_amplification),
        ratio(row.space_amplification),
        ratio(row.cpu_seconds),
        ratio(row.cpu_us_per_op),
        row.memory_peak_bytes.map_or_else(dash, units::bytes),
        units::bytes(row.disk_bytes),
        found(row).unwrap_or_else(dash),
        ratio(row.runs_probed_per_read),
        row.stalls.map_or_else(dash, |stalls| stalls.to_string()),
    ]
}

/// A share of the reads, or a number where operations write too or meet several entries each.
fn found(row: &Row) -> Option<String> {
    let found = row.found?;
    if row.user_bytes > 0 || found > row.ops {
        return Some(units::count(found));
    }
    Some(format!("{:.1} %", 100.0 * found as f64 / row.ops.max(1) as f64))
}
