//! What an overload prints: a line per second, then a summary.

use crate::args::OverloadArgs;
use crate::failure::Failure;
use crate::out::Out;
use crate::{table, units};
use nori_bench::{Histogram, Latency, machine};
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

/// One second.
#[derive(Debug, Serialize)]
pub(super) struct Second {
    /// Since the load began, at the end of this second.
    pub(super) second: f64,
    pub(super) puts_per_second: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) p999_ms: f64,
    pub(super) max_ms: f64,
    /// Without waiting for a processor.
    pub(super) own_max_ms: f64,
    pub(super) memtable_bytes: u64,
    pub(super) cache_bytes: u64,
    pub(super) memory_bytes: u64,
    pub(super) tables: u64,
    pub(super) l0_tables: u64,
    pub(super) runs_max: u64,
    pub(super) pressure: f64,
    pub(super) zone: String,
    pub(super) pace_bytes_per_s: Option<f64>,
    /// So far.
    pub(super) stalls: u64,
    pub(super) write_amplification: f64,
}

/// What comes of all seconds.
#[derive(Default)]
pub(super) struct Sums {
    pub(super) elapsed: Duration,
    all: Histogram,
    own: Histogram,
    /// By the zone in which the second ended.
    zones: BTreeMap<String, Histogram>,
}

impl Sums {
    pub(super) fn add(&mut self, second: &Second, all: &Histogram, own: &Histogram) {
        self.all.merge(all);
        self.own.merge(own);
        self.zones.entry(second.zone.clone()).or_default().merge(all);
    }
}

/// The store afterwards.
#[derive(Debug, Serialize)]
pub(super) struct After {
    /// How long merges went on after the last put.
    pub(super) settled_seconds: f64,
    /// Writers that waited for room.
    pub(super) stalls: u64,
    pub(super) write_amplification: f64,
    pub(super) tables: u64,
    pub(super) table_bytes: u64,
    /// Of the process before the store was opened.
    pub(super) memory_before_bytes: u64,
    pub(super) memory_peak_bytes: Option<u64>,
    /// Cache and write buffers as configured.
    pub(super) memory_budget_bytes: u64,
}

impl After {
    /// What the store took at most, over what was configured.
    fn memory_ratio(&self) -> Option<f64> {
        let store = self.memory_peak_bytes?.saturating_sub(self.memory_before_bytes);
        Some(store as f64 / self.memory_budget_bytes.max(1) as f64)
    }
}

/// Says what will be loaded, and names the columns.
pub(super) fn begin(args: &OverloadArgs, threads: u64, out: &mut Out) -> Result<(), Failure> {
    let memory = match args.budget_mb {
        Some(mib) => format!("memory budget {mib} MiB"),
        None => format!("cache {} MiB", args.cache_mb),
    };
    out.say(format!(
        "{} min of puts of {} + {} bytes by {}, {} keys, {memory}, {} buffers of {} MiB\n",
        args.minutes,
        args.key_bytes,
        args.value_bytes,
        units::plural(threads, "thread", "threads"),
        units::count(args.keys),
        args.sealed + 1,
        args.buffer_mb,
    ))?;
    out.say(
        "    s     puts/s  p50 us  p99 us  p99.9 ms   max ms   own ms  memtables     memory  \
         tables   l0  runs  pressure  zone        pace     WA",
    )
}

/// Tells one second as it ends.
pub(super) fn second(second: &Second, out: &mut Out) -> Result<(), Failure> {
    let pace = second.pace_bytes_per_s.map_or("-".into(), |pace| units::bytes(pace as u64));
    out.say(format!(
        "{:>5.0} {:>10} {:>7.1} {:>7.1} {:>9.2} {:>8.1} {:>8.1} {:>10} {:>10} {:>7} {:>4} {:>5} \
         {:>9.2}  {:<6} {:>9} {:>6.2}",
        second.second,
        units::count(second.puts_per_second as u64),
        second.p50_ms * 1e3,
        second.p99_ms * 1e3,
        second.p999_ms,
        second.max_ms,
        second.own_max_ms,
        units::bytes(second.memtable_bytes),
        units::bytes(second.memory_bytes),
        second.tables,
        second.l0_tables,
        second.runs_max,
        second.pressure,
        second.zone,
        pace,
        second.write_amplification,
    ))
}

/// The summary, or the document.
pub(super) fn end(
    args: &OverloadArgs,
    threads: u64,
    seconds: &[Second],
    sums: &Sums,
    after: &After,
    out: &mut Out,
) -> Result<(), Failure> {
    let rates: Vec<f64> = seconds.iter().map(|second| second.puts_per_second).collect();
    if !out.json() {
        return summary(&rates, seconds, sums, after, out);
    }
    let zones: BTreeMap<&str, _> =
        sums.zones.iter().map(|(zone, puts)| (zone.as_str(), zone_document(puts))).collect();
    out.document(&json!({
        "minutes": args.minutes,
        "threads": threads,
        "keys": args.keys,
        "key_bytes": args.key_bytes,
        "value_bytes": args.value_bytes,
        "cache_bytes": args.cache_mb << 20,
        "budget_bytes": args.budget_mb.map(|mib| mib << 20),
        "buffer_bytes": args.buffer_mb << 20,
        "buffers_sealed": args.sealed,
        "seed": args.seed,
        "machine": machine::about(),
        "puts": sums.all.total(),
        "seconds": sums.elapsed.as_secs_f64(),
        "puts_per_second": units::rate(sums.all.total(), sums.elapsed.as_secs_f64()),
        "latency": sums.all.latency(),
        "latency_own": sums.own.latency(),
        "zones": zones,
        "memory_ratio": after.memory_ratio(),
        "after": after,
        "each_second": seconds,
    }))
}

fn zone_document(puts: &Histogram) -> serde_json::Value {
    json!({ "puts": puts.total(), "p95_ns": puts.percentile(950), "latency": puts.latency() })
}

fn summary(
    rates: &[f64],
    seconds: &[Second],
    sums: &Sums,
    after: &After,
    out: &mut Out,
) -> Result<(), Failure> {
    let (lowest, highest) =
        (rates.iter().copied().reduce(f64::min), rates.iter().copied().reduce(f64::max));
    let count = |rate: Option<f64>| units::count(rate.unwrap_or(0.0) as u64);
    let longest = seconds.iter().max_by(|a, b| a.max_ms.total_cmp(&b.max_ms));
    let average = units::rate(sums.all.total(), sums.elapsed.as_secs_f64());
    let mut facts = vec![
        ("puts", units::count(sums.all.total())),
        (
            "puts/s",
            format!(
                "{}, by the second {} to {}",
                units::count(average as u64),
                count(lowest),
                count(highest)
            ),
        ),
        ("a put", latency(sums.all.latency())),
        ("its own", format!("{} (without waiting for a processor)", latency(sums.own.latency()))),
        (
            "longest",
            longest.map_or("-".into(), |s| {
                format!("{:.1} ms, in the second that ended at {:.0} s", s.max_ms, s.second)
            }),
        ),
        ("stalls", units::count(after.stalls)),
        ("memory", memory(after)),
        (
            "in tables",
            format!("{} in {}", units::bytes(after.table_bytes), units::count(after.tables)),
        ),
        (
            "WA",
            format!(
                "{:.2} when {:.1} s more had passed",
                after.write_amplification, after.settled_seconds
            ),
        ),
    ];
    let zone = |(zone, puts): (&String, &Histogram)| {
        let p95 = units::nanoseconds(puts.percentile(950));
        format!("{zone} {} puts, p95 {p95}", units::count(puts.total()))
    };
    let zones: Vec<String> = sums.zones.iter().map(zone).collect();
    facts.push(("zones", zones.join("; ")));
    out.line("")?;
    table::facts(&facts).into_iter().try_for_each(|line| out.line(line))
}

fn latency(l: Latency) -> String {
    let ns = units::nanoseconds;
    let (p50, p99, p999, max) = (ns(l.p50_ns), ns(l.p99_ns), ns(l.p999_ns), ns(l.max_ns));
    format!("p50 {p50}, p99 {p99}, p99.9 {p999}, max {max}")
}

fn memory(after: &After) -> String {
    let ratio = after.memory_ratio().map_or("-".into(), |ratio| format!("{ratio:.2}"));
    format!(
        "peak {}, of it {} before the store; the store's is {ratio} of the {} configured",
        after.memory_peak_bytes.map_or("unknown".into(), units::bytes),
        units::bytes(after.memory_before_bytes),
        units::bytes(after.memory_budget_bytes),
    )
}
