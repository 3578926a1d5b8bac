//! What one thread of a workload does.

use crate::args::Workload;
use crate::bench::data::Data;
use crate::histogram::Histogram;
use crate::progress::Progress;
use nori_lsm::{Durability, Lsm, Result, WriteBatch};
use std::time::{Duration, Instant};

/// Operations between two looks of the progress.
const PROGRESS_EVERY: u64 = 1024;
const SEEK_ENTRIES: usize = 10;

/// One thread's share.
pub(super) struct Share<'a> {
    pub(super) store: &'a Lsm,
    pub(super) data: &'a Data,
    pub(super) workload: Workload,
    pub(super) thread: u64,
    pub(super) threads: u64,
    /// How long durable puts go on.
    pub(super) durable: Duration,
    pub(super) progress: Progress,
}

/// What one thread did.
pub(super) struct Done {
    pub(super) ops: u64,
    /// Operations that found what they asked for, for reads; entries met, for scans.
    pub(super) found: u64,
    pub(super) latency: Histogram,
}

impl Share<'_> {
    pub(super) fn run(&self) -> Result<Done> {
        match self.workload {
            Workload::Scan => self.scan(true),
            Workload::ScanReverse => self.scan(false),
            Workload::Durable => self.durable(),
            Workload::Compact => {
                self.store.compact()?;
                Ok(Done { ops: 1, found: 0, latency: Histogram::new() })
            }
            _ => self.operations(),
        }
    }

    /// The thread's part of 0..keys, without gaps over all threads.
    fn part(&self) -> std::ops::Range<u64> {
        let at = |thread: u64| {
            (u128::from(self.data.keys) * u128::from(thread) / u128::from(self.threads)) as u64
        };
        at(self.thread)..at(self.thread + 1)
    }

    fn operations(&self) -> Result<Done> {
        let (store, data) = (self.store, self.data);
        let mut rng = data.rng(self.workload as u64, self.thread);
        let (shuffle, mut key) = (data.shuffle(), Vec::new());
        let cursor_found = |key: &[u8]| -> Result<bool> {
            let mut cursor = store.cursor();
            let mut on_key = cursor.seek(key)?;
            for _ in 0..SEEK_ENTRIES {
                if !on_key {
                    break;
                }
                std::hint::black_box((cursor.key(), cursor.value()));
                on_key = cursor.next()?;
            }
            Ok(true)
        };
        self.timed(self.part(), |i| {
            match self.workload {
                Workload::FillSeq => data.key(i, &mut key),
                Workload::FillRandom => data.key(shuffle.at(i), &mut key),
                Workload::ReadMissing => data.missing_key(rng.below(data.keys), &mut key),
                _ => data.key(rng.below(data.keys), &mut key),
            }
            match self.workload {
                Workload::FillSeq | Workload::FillRandom => {
                    store.put(&key, data.value(i)).map(|()| true)
                }
                Workload::Overwrite => {
                    store.put(&key, data.value(i.wrapping_add(1 << 40))).map(|()| true)
                }
                Workload::Seek10 => cursor_found(&key),
                _ => store.get(&key).map(|value| value.is_some()),
            }
        })
    }

    /// Runs and times operations. The clock is read once for each: its end is the next one's
    /// start, so making the key is part of it.
    fn timed(
        &self,
        numbers: std::ops::Range<u64>,
        mut operation: impl FnMut(u64) -> Result<bool>,
    ) -> Result<Done> {
        let (mut latency, mut found, mut ops) = (Histogram::new(), 0, 0);
        let mut before = Instant::now();
        for number in numbers {
            found += u64::from(operation(number)?);
            ops += 1;
            let now = Instant::now();
            latency.record((now - before).as_nanos() as u64);
            before = now;
            if ops % PROGRESS_EVERY == 0 {
                self.progress.add(PROGRESS_EVERY);
            }
        }
        Ok(Done { ops, found, latency })
    }

    /// Entries are too cheap to be timed one by one.
    fn scan(&self, forward: bool) -> Result<Done> {
        let mut cursor = self.store.cursor();
        let mut on_key = if forward { cursor.first()? } else { cursor.last()? };
        let mut entries = 0;
        while on_key {
            std::hint::black_box((cursor.key(), cursor.value()));
            entries += 1;
            if entries % PROGRESS_EVERY == 0 {
                self.progress.add(PROGRESS_EVERY);
            }
            on_key = if forward { cursor.next()? } else { cursor.prev()? };
        }
        Ok(Done { ops: entries, found: entries, latency: Histogram::new() })
    }

    fn durable(&self) -> Result<Done> {
        let started = Instant::now();
        let mut rng = self.data.rng(self.workload as u64, self.thread);
        let (mut latency, mut ops, mut key) = (Histogram::new(), 0, Vec::new());
        while started.elapsed() < self.durable {
            self.data.key(rng.below(self.data.keys), &mut key);
            let mut batch = WriteBatch::new();
            batch.put(&key, self.data.value(rng.next()));
            let before = Instant::now();
            self.store.write_with(batch, Durability::Synced)?;
            latency.record(before.elapsed().as_nanos() as u64);
            ops += 1;
        }
        Ok(Done { ops, found: 0, latency })
    }
}
