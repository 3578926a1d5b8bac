//! What the load prints: a line per second, then a summary.

use crate::args::HotspotArgs;
use crate::bench::hotspot::load::{Loaded, SLOW};
use crate::bench::hotspot::model::Model;
use crate::bench::hotspot::verify::Verified;
use crate::failure::Failure;
use crate::out::Out;
use crate::{table, units};
use nori_bench::Data;
use nori_lsm::Metrics;
use serde::Serialize;
use serde_json::json;

/// One second of the load.
#[derive(Debug, Serialize)]
pub(super) struct Second {
    /// Since the load began, at the end of this second.
    pub(super) second: f64,
    /// How often the hot spot has moved.
    pub(super) phase: u64,
    pub(super) puts_per_second: f64,
    pub(super) reads_per_second: f64,
    pub(super) worst_put_ms: f64,
    /// Without waiting for a processor.
    pub(super) worst_put_own_ms: f64,
    pub(super) memtable_bytes: u64,
    pub(super) cache_bytes: u64,
    pub(super) memory_bytes: u64,
    pub(super) tables: u64,
    pub(super) l0_tables: u64,
    pub(super) slots: u64,
    pub(super) runs_max: u64,
    pub(super) pressure: f64,
    pub(super) write_amplification: f64,
}

/// The store after the load.
#[derive(Debug, Serialize)]
pub(super) struct Settled {
    /// How long merges went on after the last put.
    pub(super) seconds: f64,
    /// Writers that waited for background work.
    pub(super) stalls: u64,
    /// When the last put returned.
    pub(super) write_amplification_loaded: f64,
    pub(super) write_amplification: f64,
    pub(super) tables: u64,
    pub(super) table_bytes: u64,
    pub(super) slots: u64,
    pub(super) memory_peak_bytes: Option<u64>,
}

/// Bytes that flushes and merges wrote for each byte that the user wrote.
pub(super) fn write_amplification(metrics: &Metrics, puts: u64, data: &Data) -> f64 {
    let written = metrics.flush_bytes + metrics.compaction_bytes_written;
    written as f64 / (puts * data.entry_bytes()).max(1) as f64
}

/// Says what will be loaded, and names the columns.
pub(super) fn begin(args: &HotspotArgs, out: &mut Out) -> Result<(), Failure> {
    out.say(format!(
        "{} of {} + {} bytes, hot spot moves {}, {} with {} reads/s, cache {} MiB, buffer {} KiB\n",
        units::plural(args.keys, "put", "puts"),
        args.key_bytes,
        args.value_bytes,
        units::plural(args.moves, "time", "times"),
        units::plural(args.readers, "reader", "readers"),
        units::count(args.read_rate),
        args.cache_mb,
        args.buffer_kb,
    ))?;
    out.say(
        "    s  phase     puts/s    reads/s  worst ms  own ms  memtables      cache     memory  \
         tables   l0  slots  runs  pressure     WA",
    )
}

/// Tells one second as it ends.
pub(super) fn second(second: &Second, out: &mut Out) -> Result<(), Failure> {
    out.say(format!(
        "{:>5.0} {:>6} {:>10} {:>10} {:>9.1} {:>7.1} {:>10} {:>10} {:>10} {:>7} {:>4} {:>6} {:>5} \
         {:>9.2} {:>6.2}",
        second.second,
        second.phase,
        units::count(second.puts_per_second as u64),
        units::count(second.reads_per_second as u64),
        second.worst_put_ms,
        second.worst_put_own_ms,
        units::bytes(second.memtable_bytes),
        units::bytes(second.cache_bytes),
        units::bytes(second.memory_bytes),
        second.tables,
        second.l0_tables,
        second.slots,
        second.runs_max,
        second.pressure,
        second.write_amplification,
    ))
}

/// The summary, or the document; fails if anything that was read is wrong.
pub(super) fn end(
    args: &HotspotArgs,
    data: &Data,
    loaded: &Loaded,
    settled: &Settled,
    seconds: &[Second],
    verified: &Verified,
    out: &mut Out,
) -> Result<(), Failure> {
    let ok = verified.is_ok() && loaded.wrong.is_empty();
    let per_second = units::rate(args.keys, loaded.elapsed.as_secs_f64());
    if out.json() {
        out.document(&json!({
            "ok": ok,
            "puts": args.keys,
            "moves": args.moves,
            "readers": args.readers,
            "read_rate": args.read_rate,
            "key_bytes": args.key_bytes,
            "value_bytes": args.value_bytes,
            "cache_bytes": args.cache_mb << 20,
            "buffer_bytes": args.buffer_kb << 10,
            "seed": args.seed,
            "user_bytes": args.keys * data.entry_bytes(),
            "seconds": loaded.elapsed.as_secs_f64(),
            "puts_per_second": per_second,
            "put_latency": loaded.puts.latency(),
            "put_latency_own": loaded.puts_own.latency(),
            "puts_slow": loaded.slow,
            "puts_slow_own": loaded.slow_own,
            "reads": loaded.reads.total(),
            "read_latency": loaded.reads.latency(),
            "reads_wrong": loaded.wrong.len(),
            "tables_peak": peak(seconds, |s| s.tables),
            "slots_peak": peak(seconds, |s| s.slots),
            "model_bytes": Model::bytes(args.keys),
            "settled": settled,
            "verified": verified,
            "each_second": seconds,
        }))?;
    } else {
        summary(args, loaded, settled, seconds, verified, out)?;
    }
    if ok { Ok(()) } else { Err(Failure::Found) }
}

fn peak(seconds: &[Second], pick: fn(&Second) -> u64) -> u64 {
    seconds.iter().map(pick).max().unwrap_or(0)
}

fn summary(
    args: &HotspotArgs,
    loaded: &Loaded,
    settled: &Settled,
    seconds: &[Second],
    verified: &Verified,
    out: &mut Out,
) -> Result<(), Failure> {
    let ns = units::nanoseconds;
    let latency = |l: nori_bench::Latency| {
        let (p50, p99, p999, max) = (ns(l.p50_ns), ns(l.p99_ns), ns(l.p999_ns), ns(l.max_ns));
        format!("p50 {p50}, p99 {p99}, p99.9 {p999}, max {max}")
    };
    let per_second = units::rate(args.keys, loaded.elapsed.as_secs_f64()) as u64;
    let memory = settled.memory_peak_bytes.map_or_else(|| "unknown".into(), units::bytes);
    let facts = [
        ("puts", units::count(args.keys)),
        ("time", units::time(loaded.elapsed)),
        ("puts/s", units::count(per_second)),
        ("a put", latency(loaded.puts.latency())),
        (
            "its own",
            format!("{} (without waiting for a processor)", latency(loaded.puts_own.latency())),
        ),
        (
            "slow puts",
            format!(
                "{} above {}, {} on their own",
                loaded.slow,
                units::time(SLOW),
                loaded.slow_own
            ),
        ),
        ("stalls", units::count(settled.stalls)),
        ("reads", format!("{}, {} wrong", units::count(loaded.reads.total()), loaded.wrong.len())),
        ("a read", latency(loaded.reads.latency())),
        ("peak memory", format!("{memory}, {} of it ours", units::bytes(Model::bytes(args.keys)))),
        ("tables", format!("{}, at most {}", settled.tables, peak(seconds, |s| s.tables))),
        ("slots", format!("{}, at most {}", settled.slots, peak(seconds, |s| s.slots))),
        ("in tables", units::bytes(settled.table_bytes)),
        (
            "WA",
            format!(
                "{:.2} when the last put returned, {:.2} after {:.1} s more",
                settled.write_amplification_loaded, settled.write_amplification, settled.seconds
            ),
        ),
        ("verified", verdict(verified)),
    ];
    out.line("")?;
    table::facts(&facts).into_iter().try_for_each(|line| out.line(line))
}

fn verdict(v: &Verified) -> String {
    format!(
        "{} keys written, {} found, {} unknown; {} values wrong; {} of {} gets wrong ({:.1} s)",
        units::count(v.keys_written),
        units::count(v.keys_found),
        v.keys_unknown,
        v.values_wrong,
        v.gets_wrong,
        units::count(v.gets),
        v.seconds
    )
}
