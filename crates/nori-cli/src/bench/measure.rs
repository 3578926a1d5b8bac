//! Running one workload, and what it cost.

use crate::args::{BenchArgs, Workload};
use crate::bench::data::Data;
use crate::bench::report::{Row, name};
use crate::bench::work::{Done, Share};
use crate::failure::Failure;
use crate::histogram::Histogram;
use crate::machine;
use crate::out::Out;
use crate::progress::Progress;
use nori_lsm::{Lsm, Metrics};
use std::time::{Duration, Instant};

/// Runs a workload with some threads.
pub(super) fn one(
    store: &Lsm,
    data: &Data,
    args: &BenchArgs,
    workload: Workload,
    threads: u64,
    out: &Out,
) -> Result<Row, Failure> {
    machine::reset_memory_peak();
    let (before, cpu_before) = (store.metrics(), machine::cpu_seconds());
    let started = Instant::now();
    let progress = match workload {
        Workload::Durable | Workload::Compact => Progress::spinner(out, &name(workload)),
        Workload::Scan | Workload::ScanReverse => {
            Progress::things(out, &name(workload), data.keys * threads)
        }
        _ => Progress::things(out, &name(workload), data.keys),
    };
    let share = |thread| Share {
        store,
        data,
        workload,
        thread,
        threads,
        durable: Duration::from_secs_f64(args.durable_seconds),
        progress: progress.clone(),
    };
    let done = run_threads(threads, share)?;
    let called = started.elapsed();
    if writes(workload) {
        progress.note("waiting for background work");
        store.wait_idle()?;
    }
    let settled = started.elapsed();
    drop(progress);
    let cost = Cost {
        called,
        settled,
        cpu: machine::cpu_seconds().zip(cpu_before).map(|(after, before)| after - before),
        memory: machine::memory_peak(),
        disk_bytes: machine::disk_bytes(&args.dir),
    };
    Ok(row(workload, threads, data, &done, &cost, &before, &store.metrics()))
}

struct Cost {
    called: Duration,
    settled: Duration,
    cpu: Option<f64>,
    memory: Option<u64>,
    disk_bytes: u64,
}

/// Whether a workload leaves work behind.
fn writes(workload: Workload) -> bool {
    use Workload::{Compact, FillRandom, FillSeq, Overwrite};
    matches!(workload, FillSeq | FillRandom | Overwrite | Compact)
}

fn run_threads<'a>(threads: u64, share: impl Fn(u64) -> Share<'a>) -> Result<Done, Failure> {
    let shares: Vec<Share<'_>> = (0..threads).map(share).collect();
    std::thread::scope(|scope| {
        let running: Vec<_> = shares.iter().map(|share| scope.spawn(|| share.run())).collect();
        let mut all = Done { ops: 0, found: 0, latency: Histogram::new() };
        let mut failed = Ok(());
        for thread in running {
            match thread.join() {
                Ok(Ok(done)) => {
                    all.ops += done.ops;
                    all.found += done.found;
                    all.latency.merge(&done.latency);
                }
                Ok(Err(error)) => failed = Err(error.into()),
                Err(_) => failed = Err(Failure::failed("a thread of the bench panicked")),
            }
        }
        failed.map(|()| all)
    })
}

fn row(
    workload: Workload,
    threads: u64,
    data: &Data,
    done: &Done,
    cost: &Cost,
    before: &Metrics,
    after: &Metrics,
) -> Row {
    let log = after.user_bytes - before.user_bytes;
    let flushed = after.flush_bytes - before.flush_bytes;
    let merged = after.compaction_bytes_written - before.compaction_bytes_written;
    let user_bytes = match workload {
        Workload::FillSeq | Workload::FillRandom | Workload::Overwrite | Workload::Durable => {
            done.ops * data.entry_bytes()
        }
        _ => 0,
    };
    let written = log + flushed + merged;
    let seconds = cost.settled.as_secs_f64();
    let timed = done.latency.total() > 0;
    Row {
        workload: name(workload),
        threads,
        ops: done.ops,
        found: matches!(workload, Workload::ReadRandom | Workload::ReadMissing)
            .then_some(done.found),
        seconds,
        seconds_until_acknowledged: cost.called.as_secs_f64(),
        ops_per_second: done.ops as f64 / seconds.max(1e-9),
        latency: timed.then(|| done.latency.latency()),
        user_bytes,
        log_bytes: log,
        flush_bytes: flushed,
        merge_bytes: merged,
        bytes_written: written,
        write_amplification: (user_bytes > 0).then(|| written as f64 / user_bytes as f64),
        cpu_seconds: cost.cpu,
        memory_peak_bytes: cost.memory,
        disk_bytes: cost.disk_bytes,
        stalls: after.stalls - before.stalls,
        cache_hits: after.cache_hits - before.cache_hits,
        cache_misses: after.cache_misses - before.cache_misses,
    }
}
