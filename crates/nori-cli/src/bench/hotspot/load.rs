//! The threads of the load.

use crate::args::HotspotArgs;
use crate::bench::hotspot::model::Model;
use crate::bench::hotspot::plan::Plan;
use crate::bench::hotspot::report::{Second, write_amplification};
use crate::bench::processor::Processor;
use crate::machine;
use nori_bench::Histogram;
use nori_lsm::{Lsm, Result};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A put that takes longer counts as slow.
pub(super) const SLOW: Duration = Duration::from_millis(100);
/// Readers do a few reads, then sleep until the next are due.
const READ_PAUSE: Duration = Duration::from_millis(2);

/// What the threads tell each other.
#[derive(Debug, Default)]
pub(super) struct Shared {
    puts: AtomicU64,
    reads: AtomicU64,
    phase: AtomicU64,
    /// Since the last second was told.
    puts_told: AtomicU64,
    reads_told: AtomicU64,
    worst_ns: AtomicU64,
    worst_own_ns: AtomicU64,
    ended: AtomicBool,
}

/// A load that runs.
#[derive(Clone, Copy)]
pub(super) struct Load<'a> {
    pub(super) args: &'a HotspotArgs,
    pub(super) store: &'a Lsm,
    pub(super) model: &'a Model<'a>,
    pub(super) shared: &'a Shared,
}

/// What the threads did.
#[derive(Default)]
pub(super) struct Loaded {
    pub(super) elapsed: Duration,
    pub(super) puts: Histogram,
    /// Without the time in which the writer could have run and had no processor.
    pub(super) puts_own: Histogram,
    pub(super) slow: u64,
    pub(super) slow_own: u64,
    pub(super) reads: Histogram,
    /// Keys whose values were wrong when they were read.
    pub(super) wrong: Vec<u64>,
}

/// What a reader did.
pub(super) struct Read {
    latency: Histogram,
    wrong: Vec<u64>,
}

impl Loaded {
    /// Adds what a reader did.
    pub(super) fn took_part(&mut self, read: Read) {
        self.reads.merge(&read.latency);
        self.wrong.extend(read.wrong);
    }
}

/// Tells the readers that the writer has ended, however it did.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

fn milliseconds(worst_ns: &AtomicU64) -> f64 {
    worst_ns.swap(0, Ordering::Relaxed) as f64 / 1e6
}

impl Load<'_> {
    fn plan(&self) -> Plan {
        Plan::new(self.args.keys, self.args.moves, self.args.seed)
    }

    /// The writer.
    pub(super) fn write(&self) -> Result<Loaded> {
        let _ends = Ends(&self.shared.ended);
        let (plan, mut rng) = (self.plan(), self.model.data.rng(1, 0));
        let mut done = Loaded::default();
        let (mut processor, mut bytes) = (Processor::new(), Vec::new());
        let started = Instant::now();
        for put in 0..self.args.keys {
            let phase = plan.phase(put);
            let key = plan.written(phase, &mut rng);
            self.model.data.key(key, &mut bytes);
            let value = self.model.next_value(key);
            let before = Instant::now();
            self.store.put(&bytes, value)?;
            let took = before.elapsed();
            self.model.wrote(key);
            let own = took.saturating_sub(processor.waited(put, took));
            done.puts.record(took.as_nanos() as u64);
            done.puts_own.record(own.as_nanos() as u64);
            done.slow += u64::from(took > SLOW);
            done.slow_own += u64::from(own > SLOW);
            self.shared.worst_ns.fetch_max(took.as_nanos() as u64, Ordering::Relaxed);
            self.shared.worst_own_ns.fetch_max(own.as_nanos() as u64, Ordering::Relaxed);
            self.shared.phase.store(phase, Ordering::Relaxed);
            self.shared.puts.store(put + 1, Ordering::Relaxed);
        }
        done.elapsed = started.elapsed();
        Ok(done)
    }

    /// A reader.
    pub(super) fn read(&self, thread: u64) -> Result<Read> {
        let (plan, mut rng) = (self.plan(), self.model.data.rng(2, thread));
        let (mut read, mut bytes) =
            (Read { latency: Histogram::new(), wrong: Vec::new() }, Vec::new());
        let (started, mut done) = (Instant::now(), 0);
        while !self.shared.ended.load(Ordering::Acquire) {
            let due = (started.elapsed().as_secs_f64() * self.args.read_rate as f64) as u64;
            // What could not be read in time is not caught up on.
            done = due.saturating_sub(self.args.read_rate / 50).max(done);
            while done < due {
                let key = plan.read(self.shared.phase.load(Ordering::Relaxed), &mut rng);
                let before = Instant::now();
                if !self.model.read(self.store, key, &mut bytes)? {
                    read.wrong.push(key);
                }
                read.latency.record(before.elapsed().as_nanos() as u64);
                self.shared.reads.fetch_add(1, Ordering::Relaxed);
                done += 1;
            }
            std::thread::sleep(READ_PAUSE);
        }
        Ok(read)
    }

    /// What has happened since this was asked last, `since` ago.
    pub(super) fn second(&self, at: Duration, since: Duration) -> Second {
        let shared = self.shared;
        let new = |now: &AtomicU64, told: &AtomicU64| {
            let now = now.load(Ordering::Relaxed);
            (now, now - told.swap(now, Ordering::Relaxed))
        };
        let (puts, put) = new(&shared.puts, &shared.puts_told);
        let (_, read) = new(&shared.reads, &shared.reads_told);
        let per_second = |n: u64| n as f64 / since.as_secs_f64().max(1e-9);
        let metrics = self.store.metrics();
        Second {
            second: at.as_secs_f64(),
            phase: shared.phase.load(Ordering::Relaxed),
            puts_per_second: per_second(put),
            reads_per_second: per_second(read),
            worst_put_ms: milliseconds(&shared.worst_ns),
            worst_put_own_ms: milliseconds(&shared.worst_own_ns),
            memtable_bytes: metrics.memtable_bytes,
            cache_bytes: metrics.cache_bytes,
            memory_bytes: machine::memory_now().unwrap_or(0),
            tables: metrics.tables,
            l0_tables: metrics.l0_tables,
            slots: metrics.slots,
            runs_max: metrics.runs_max,
            pressure: self.store.pressure().pressure,
            write_amplification: write_amplification(&metrics, puts, self.model.data),
        }
    }
}
