//! Parts by themselves: memtables, the log, filters, flushes, merges.

use super::table::Line;
use super::{Args, Named};
use crate::key;
use crate::parts::{ENTRY_BYTES, Result, Tables, groups, insert, memtable, random_order};
use nori_bench::Histogram;
use nori_bloom::{FilterBuilder, hash};
use nori_env::OsFs;
use nori_env::sync::Arc;
use nori_memtable::Memtable;
use nori_sstable::Compression;
use nori_testkit::TempDir;
use nori_wal::{Wal, WalOptions};
use std::hint::black_box;
use std::time::Instant;

const SYNCED_APPENDS: usize = 2_000;
const FLUSHED_BYTES: u64 = 64_000_000;
const FILTER_KEYS: u64 = 100_000;
const RUNS: u64 = 4;

/// The median of what `measure` gives, called so often.
fn median(rounds: usize, mut measure: impl FnMut() -> f64) -> f64 {
    let mut all: Vec<f64> = (0..rounds).map(|_| measure()).collect();
    all.sort_unstable_by(f64::total_cmp);
    all.get(rounds / 2).copied().unwrap_or(0.0)
}

/// Random inserts into a memtable that grows to a size.
pub(super) fn memtables(args: &Args) -> Vec<Line> {
    let line = |entries: u64| {
        let all = groups(random_order(0..entries, 1));
        let fill = || {
            let memtable = Memtable::new();
            let started = Instant::now();
            insert(&memtable, &all, 0);
            started.elapsed().as_nanos() as f64 / entries as f64
        };
        Line {
            what: format!("memtable insert, up to {entries} entries"),
            words: "50 ns",
            named: Named::AtMost(50.0),
            unit: "ns",
            measured: Some(median(args.rounds, fill)),
        }
    };
    [1_000, 500_000 / args.part_of].map(line).to_vec()
}

/// An append that survives a power cut.
pub(super) fn log() -> Result<Line> {
    let dir = TempDir::new("concept-log");
    let wal = Wal::create(Arc::new(OsFs), dir.path(), 1, WalOptions::default())?;
    let mut latency = Histogram::new();
    for _ in 0..SYNCED_APPENDS {
        let started = Instant::now();
        let end = wal.append([&[7; 130][..]])?.end;
        wal.sync_to(end)?;
        latency.record(started.elapsed().as_nanos() as u64);
    }
    Ok(Line {
        what: "append to the log and sync, median".into(),
        words: "1-2 ms",
        named: Named::AtMost(2.0),
        unit: "ms",
        measured: Some(latency.percentile(500) as f64 / 1e6),
    })
}

/// A flush of 64 MB of user bytes, synced, filter and all.
pub(super) fn flush(args: &Args) -> Result<Line> {
    let tables = Tables::new("concept-flush", Compression::Lz4);
    let memtable = memtable(0..FLUSHED_BYTES / args.part_of / ENTRY_BYTES, 1, 0);
    let mut failed = Ok(());
    let flush = || {
        let started = Instant::now();
        let flushed = tables.flush(&memtable);
        let took = started.elapsed().as_secs_f64() * 1e3;
        if let Err(error) = flushed.and_then(|flushed| tables.remove(&flushed.run)) {
            failed = Err(error);
        }
        took
    };
    let took = median(args.rounds, flush);
    failed?;
    Ok(Line {
        what: format!("flush of {} MB, filter included", FLUSHED_BYTES / args.part_of / 1_000_000),
        words: "250 ms",
        named: Named::AtMost(250.0),
        unit: "ms",
        measured: Some(took),
    })
}

/// A filter by itself.
pub(super) fn filter(args: &Args) -> Line {
    let keys = FILTER_KEYS / args.part_of;
    let build = || {
        let started = Instant::now();
        let mut builder = FilterBuilder::new(10.0);
        for n in 0..keys {
            builder.add(hash(&key(n)));
        }
        black_box(builder.finish());
        started.elapsed().as_secs_f64() * 1e3
    };
    Line {
        what: format!("filter of {keys} keys"),
        words: "50 ms",
        named: Named::AtMost(50.0),
        unit: "ms",
        measured: Some(median(args.rounds, build)),
    }
}

/// Merges of four runs, and how many user bytes the largest of them did in a second.
pub(super) fn merges(args: &Args) -> Result<Vec<Line>> {
    let named = [(10, "100 ms", 100.0), (100, "800 ms", 800.0), (1_000, "8 s", 8_000.0)];
    let mut lines = Vec::new();
    let mut rate = None;
    for (mb, words, ms) in named.into_iter().filter(|(mb, ..)| *mb <= args.largest_mb) {
        let tables = Tables::new("concept-merge", Compression::Lz4);
        let runs = tables.runs(RUNS, mb * 1_000_000 / ENTRY_BYTES)?;
        let mut failed = Ok(());
        let took = median(if mb < 1_000 { args.rounds } else { 1 }, || {
            let started = Instant::now();
            let merged = tables.merge(&runs);
            let took = started.elapsed().as_secs_f64() * 1e3;
            if let Err(error) = merged.and_then(|merged| tables.remove(&merged.run)) {
                failed = Err(error);
            }
            took
        });
        failed?;
        rate = Some(mb as f64 / took * 1e3);
        let what = format!("merge of 4 runs, {mb} MB");
        let named = Named::AtMost(ms);
        lines.push(Line { what, words, named, unit: "ms", measured: Some(took) });
    }
    lines.push(Line {
        what: "merges, user bytes".into(),
        words: "100-150 MB/s",
        named: Named::AtLeast(100.0),
        unit: "MB/s",
        measured: rate,
    });
    Ok(lines)
}
