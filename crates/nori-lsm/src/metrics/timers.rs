//! What is timed, and how often.
//!
//! Syncs, flushes and merges are timed one by one, and writes that wait for a sync too. A get takes
//! some hundred nanoseconds and looking at a clock some tens: of gets, and of writes that do not
//! wait for the disk, one of 64 on average is timed and stands for those that passed since.
//!
//! 1. No clock is looked at for what is not timed, and nothing but the histogram hears of a time.
//! 2. Times come from the store's clock: in a simulation they are the simulation's.

use super::latency::{Histogram, Latency};
use crate::heat::Sampler;
use nori_env::Clock;
use serde::Serialize;
use std::time::Duration;

/// Gets and writes between two that are timed are drawn from 1 to this, so 64 on average.
const GAP_MAX: u32 = 127;

/// How long things took since the store was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Latencies {
    /// Looking up one key, in any keyspace or snapshot; one of 64 on average is timed, so the count
    /// is too low by up to 127 for each thread.
    pub get: Latency,
    /// `put`, `delete` and `write`, waiting for room and pace included: those that wait for a sync
    /// one by one, the others sampled as gets are. Of `try_write` those that were not refused.
    pub write: Latency,
    /// Syncs of the log: those of groups of writers, those asked for, and those by the background.
    pub sync: Latency,
    /// Flushes of a memtable, from the first read to the new version.
    pub flush: Latency,
    /// Merges, likewise.
    pub compaction: Latency,
}

/// What a store times with.
#[derive(Debug)]
pub(crate) struct Timers {
    gets: Sampler,
    writes: Sampler,
    pub(crate) get: Histogram,
    pub(crate) write: Histogram,
    pub(crate) sync: Histogram,
    pub(crate) flush: Histogram,
    pub(crate) compaction: Histogram,
}

impl Timers {
    pub(crate) fn new(seed: u64) -> Timers {
        Timers {
            gets: Sampler::with_gap(seed, GAP_MAX),
            writes: Sampler::with_gap(seed, GAP_MAX),
            get: Histogram::default(),
            write: Histogram::default(),
            sync: Histogram::default(),
            flush: Histogram::default(),
            compaction: Histogram::default(),
        }
    }

    /// For how many gets this one is timed; mostly it is not.
    #[inline]
    pub(crate) fn times_get(&self) -> Option<u32> {
        sampled(&self.gets)
    }

    /// The same of a write.
    #[inline]
    pub(crate) fn times_write(&self, waits_for_disk: bool) -> Option<u32> {
        if waits_for_disk { Some(1) } else { sampled(&self.writes) }
    }

    pub(crate) fn read(&self) -> Latencies {
        Latencies {
            get: self.get.read(),
            write: self.write.read(),
            sync: self.sync.read(),
            flush: self.flush.read(),
            compaction: self.compaction.read(),
        }
    }
}

/// A checker of schedules is not asked to try those of a countdown that decides nothing.
#[inline]
fn sampled(sampler: &Sampler) -> Option<u32> {
    if cfg!(nori_shuttle) { None } else { sampler.weight() }
}

impl Histogram {
    /// Times some work that stands for `weight` of its kind.
    pub(crate) fn time<T>(&self, clock: &dyn Clock, weight: u32, work: impl FnOnce() -> T) -> T {
        let start = clock.now();
        let done = work();
        self.took(clock.now().saturating_sub(start), weight);
        done
    }

    /// Something took so long.
    pub(crate) fn took(&self, elapsed: Duration, weight: u32) {
        self.add(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX), weight);
    }
}
