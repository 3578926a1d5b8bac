//! `nori bench overload`: all threads put random keys as fast as they can, for minutes.
//!
//! What is asked of a store that gets more than it can merge: that puts become slower evenly
//! instead of stopping now and then, and that memory stays within what was configured. Writes are
//! buffered, so nothing but the store holds them back.

use crate::args::OverloadArgs;
use crate::failure::Failure;
use crate::out::Out;
use crate::{machine, stores};
use nori_bench::{Data, Histogram};
use nori_lsm::{Config, Durability, Lsm};
use report::{After, Second, Sums};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};
use writers::{Writer, Writers};

mod report;
mod writers;

/// `nori bench overload`
pub(super) fn overload(args: &OverloadArgs, out: &mut Out) -> Result<(), Failure> {
    super::check_new(&args.dir)?;
    if !(args.minutes > 0.0 && args.minutes <= 10_000.0) {
        return Err(Failure::usage("--minutes must be above 0 and at most 10000"));
    }
    let config = config(args);
    config.validate()?;
    let done = run(args, config, out);
    if !args.keep {
        // Also after a failure: a store that is left over keeps the next run from starting.
        let _ = super::remove(&args.dir);
    }
    done
}

fn config(args: &OverloadArgs) -> Config {
    let config = match args.budget_mb {
        Some(mib) => stores::config().memory_budget(mib << 20),
        None => stores::config().block_cache_bytes(args.cache_mb << 20),
    };
    config
        .durability(Durability::Buffered)
        .memtable_bytes(usize::try_from(args.buffer_mb << 20).unwrap_or(usize::MAX))
        .max_sealed(usize::try_from(args.sealed).unwrap_or(usize::MAX))
        .compression(super::compression(args.compression))
}

/// What the store may hold in memory: its budget, or blocks, the buffer that is filled, and those
/// that wait.
fn budget_bytes(args: &OverloadArgs) -> u64 {
    args.budget_mb.unwrap_or(args.cache_mb + args.buffer_mb * (1 + args.sealed)) << 20
}

fn threads(args: &OverloadArgs) -> u64 {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from) as u64;
    args.threads.unwrap_or_else(cores)
}

fn run(args: &OverloadArgs, config: Config, out: &mut Out) -> Result<(), Failure> {
    let data = Data::new(args.keys, args.key_bytes, args.value_bytes, args.seed);
    // What the bench and an empty process take is not the store's.
    machine::reset_memory_peak();
    let before_bytes = machine::memory_now().unwrap_or(0);
    let store = Lsm::open_with(&args.dir, config)?;
    report::begin(args, threads(args), out)?;
    let time = Duration::from_secs_f64(args.minutes * 60.0);
    let writers = Writers::new(&store, &data, threads(args), time);
    let (seconds, sums) = load(&writers, out)?;
    let memory_peak_bytes = machine::memory_peak();
    let started = Instant::now();
    store.wait_idle()?;
    let metrics = store.metrics();
    let settled_seconds = started.elapsed().as_secs_f64();
    let write_amplification = writers.write_amplification(&metrics);
    store.close()?;
    let after = After {
        settled_seconds,
        stalls: metrics.stalls,
        write_amplification,
        tables: metrics.tables,
        table_bytes: metrics.table_bytes,
        memory_before_bytes: before_bytes,
        memory_peak_bytes,
        memory_budget_bytes: budget_bytes(args),
    };
    report::end(args, threads(args), &seconds, &sums, &after, out)
}

/// Runs the load and tells each second of it.
fn load(writers: &Writers<'_>, out: &mut Out) -> Result<(Vec<Second>, Sums), Failure> {
    std::thread::scope(|scope| {
        // A writer lets go of its end when it ends, however it does.
        let (held, ended) = channel::<()>();
        let started = Instant::now();
        let start = |writer: &Writer| {
            let (held, thread) = (held.clone(), writer.thread());
            scope.spawn(move || {
                let _held = held;
                writers.write(thread, started)
            })
        };
        let running: Vec<_> = writers.all().iter().map(start).collect();
        drop(held);
        let told = watch(writers, started, &ended, out);
        for writer in running {
            writer.join().map_err(|_| Failure::failed("a thread of the bench panicked"))??;
        }
        told
    })
}

fn watch(
    writers: &Writers<'_>,
    started: Instant,
    ended: &Receiver<()>,
    out: &mut Out,
) -> Result<(Vec<Second>, Sums), Failure> {
    let (mut seconds, mut sums, mut last) = (Vec::new(), Sums::default(), started);
    let mut due = Duration::from_secs(1);
    loop {
        let left = due.saturating_sub(started.elapsed());
        let over = ended.recv_timeout(left) != Err(RecvTimeoutError::Timeout);
        let now = Instant::now();
        let (all, own) = writers.take();
        let second = writers.second(now - started, now - last, &all, &own);
        sums.add(&second, &all, &own);
        // Of the little that is left at the end no rate can be told.
        if !over || seconds.is_empty() {
            report::second(&second, out)?;
            seconds.push(second);
        }
        if over {
            sums.elapsed = now - started;
            return Ok((seconds, sums));
        }
        (last, due) = (now, due + Duration::from_secs(1));
    }
}

/// Percentiles in milliseconds.
fn milliseconds(histogram: &Histogram, per_mille: u64) -> f64 {
    histogram.percentile(per_mille) as f64 / 1e6
}
