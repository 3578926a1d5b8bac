//! The threads that put.

use super::milliseconds;
use super::report::Second;
use crate::bench::processor::Processor;
use crate::machine;
use nori_bench::{Data, Histogram};
use nori_lsm::{Lsm, Metrics, Result};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// All threads, and what they share with whoever watches.
pub(super) struct Writers<'a> {
    store: &'a Lsm,
    data: &'a Data,
    time: Duration,
    puts: AtomicU64,
    all: Vec<Writer>,
}

/// One thread's latencies since they were taken last.
pub(super) struct Writer {
    thread: u64,
    /// Of puts; and of puts without waiting for a processor.
    latency: Mutex<(Histogram, Histogram)>,
}

impl Writer {
    pub(super) fn thread(&self) -> u64 {
        self.thread
    }

    fn record(&self, took: Duration, own: Duration) {
        let mut latency = self.latency.lock().unwrap_or_else(PoisonError::into_inner);
        latency.0.record(took.as_nanos() as u64);
        latency.1.record(own.as_nanos() as u64);
    }

    fn take(&self) -> (Histogram, Histogram) {
        let empty = (Histogram::new(), Histogram::new());
        // Made before the lock is taken: the writer must not wait for it.
        let mut latency = self.latency.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *latency, empty)
    }
}

impl<'a> Writers<'a> {
    pub(super) fn new(store: &'a Lsm, data: &'a Data, threads: u64, time: Duration) -> Writers<'a> {
        let writer =
            |thread| Writer { thread, latency: Mutex::new((Histogram::new(), Histogram::new())) };
        let all = (0..threads).map(writer).collect();
        Writers { store, data, time, puts: AtomicU64::new(0), all }
    }

    pub(super) fn all(&self) -> &[Writer] {
        &self.all
    }

    /// Puts random keys until the time is over.
    pub(super) fn write(&self, thread: u64, started: Instant) -> Result<()> {
        let Some(writer) = self.all.get(thread as usize) else { return Ok(()) };
        let (mut rng, mut processor) = (self.data.rng(1, thread), Processor::new());
        let mut key = Vec::new();
        let mut put = 0;
        let mut before = started;
        while before.duration_since(started) < self.time {
            self.data.key(rng.below(self.data.keys), &mut key);
            let value = self.data.value(rng.next_u64());
            before = Instant::now();
            self.store.put(&key, value)?;
            let took = before.elapsed();
            put += 1;
            writer.record(took, took.saturating_sub(processor.waited(put, took)));
            self.puts.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Latencies of all threads since this was asked last.
    pub(super) fn take(&self) -> (Histogram, Histogram) {
        let mut sum = (Histogram::new(), Histogram::new());
        for writer in &self.all {
            let (all, own) = writer.take();
            sum.0.merge(&all);
            sum.1.merge(&own);
        }
        sum
    }

    /// A second of the load.
    pub(super) fn second(
        &self,
        at: Duration,
        since: Duration,
        all: &Histogram,
        own: &Histogram,
    ) -> Second {
        let (metrics, pressure) = (self.store.metrics(), self.store.pressure());
        Second {
            second: at.as_secs_f64(),
            puts_per_second: all.total() as f64 / since.as_secs_f64().max(1e-9),
            p50_ms: milliseconds(all, 500),
            p99_ms: milliseconds(all, 990),
            p999_ms: milliseconds(all, 999),
            max_ms: milliseconds(all, 1000),
            own_max_ms: milliseconds(own, 1000),
            memtable_bytes: metrics.memtable_bytes,
            cache_bytes: metrics.cache_bytes,
            memory_bytes: machine::memory_now().unwrap_or(0),
            tables: metrics.tables,
            l0_tables: metrics.l0_tables,
            runs_max: metrics.runs_max,
            pressure: pressure.pressure,
            zone: format!("{:?}", pressure.zone).to_lowercase(),
            pace_bytes_per_s: pressure.pace_bytes_per_s,
            stalls: metrics.stalls,
            write_amplification: self.write_amplification(&metrics),
        }
    }

    /// Bytes that flushes and merges wrote for each byte put.
    pub(super) fn write_amplification(&self, metrics: &Metrics) -> f64 {
        let written = metrics.flush_bytes + metrics.compaction_bytes_written;
        let put = self.puts.load(Ordering::Relaxed) * self.data.entry_bytes();
        written as f64 / put.max(1) as f64
    }
}
