//! How hard writers press, and how they are slowed down.
//!
//! Pressure is the largest of several parts, each 1.0 where writers have to wait. From 0.5 on
//! writers are held to a pace: the rate at which flushes drained memtables lately, times a factor
//! that falls smoothly from far above one to almost nothing at 1.0. Wherever the two meet, a store
//! under steady overload settles, and each write is late by a little instead of some by a lot.
//!
//! 1. Parts that follow from the version change with it; the memtables' part is read as it is.
//! 2. The pace is one for all writers: each takes the next free stretch of time for its bytes.
//! 3. With `Background::Manual` nobody is paced: the writers do the work themselves.

use crate::config::Config;
use crate::events::VizEvent;
use crate::metrics::{Counters, PressureInfo, PressureZone};
use crate::store::brain::Backlog;
use crate::store::state::Store;
use crate::super_version::SuperVersion;
use nori_env::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use nori_scheduler::Zone;
use std::time::Duration;

/// Where writers begin to be slowed down.
const PACED_FROM: f64 = 0.5;

/// Stretches of waiting shorter than this are saved up.
const WAIT_MIN: Duration = Duration::from_millis(1);

/// No single write is held back longer than this by the pace.
const WAIT_MAX: Duration = Duration::from_millis(50);

/// The free disk space never blocks: writes into the reserve have an error of their own.
const DISK_PART_MAX: f64 = 0.89;

/// Nor does memory, unless it is flushed memtables that iterators still read: for the rest, writers
/// that wait would help nobody.
const MEMORY_PART_MAX: f64 = 0.74;

/// A number that threads share; `f64` as its bits.
#[derive(Debug, Default)]
struct SharedF64(AtomicU64);

impl SharedF64 {
    fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }

    fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }
}

/// The parts of the pressure that are not read off the memtables, and the pace.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    l0: SharedF64,
    debt: SharedF64,
    disk: SharedF64,
    zone: AtomicU8,
    /// Bytes per second that flushes drain; 0 while unknown.
    drain: SharedF64,
    /// Until when, in nanoseconds of the store's clock, the pace is taken.
    taken_until: AtomicU64,
}

impl Gauge {
    /// What the newest version presses with.
    pub(crate) fn set_backlog(&self, config: &Config, backlog: Backlog) {
        let at = |n: usize| n as f64;
        let (l0, k) = (at(backlog.l0_tables), at(config.k_global));
        let (soft, hard) = (at(config.l0_soft_limit()), at(config.l0_hard_limit()));
        let k = k.min(soft);
        let part = if l0 <= soft {
            0.5 * (l0 - k) / (soft - k).max(1.0)
        } else {
            0.5 + 0.5 * (l0 - soft) / (hard - soft).max(1.0)
        };
        self.l0.set(part.max(0.0));
        let limit = 4.0 * config.memtable_bytes as f64 * at(config.k_global);
        self.debt.set(backlog.debt_bytes as f64 / limit.max(1.0));
    }

    /// A memtable of this many bytes was flushed in this time.
    pub(crate) fn note_flush(&self, bytes: u64, elapsed: Duration) {
        let seconds = elapsed.as_secs_f64().max(1e-4);
        let (rate, old) = (bytes as f64 / seconds, self.drain.get());
        self.drain.set(if old == 0.0 { rate } else { old + (rate - old) / 4.0 });
    }

    /// So much of the disk is free.
    pub(crate) fn note_disk(&self, free: u64, reserve: u64) {
        let part = reserve as f64 / (free as f64).max(1.0);
        self.disk.set(part.min(DISK_PART_MAX));
    }

    /// Bytes per second that writers are held to at a pressure; `None`: as fast as they like.
    fn pace(&self, pressure: f64) -> Option<f64> {
        let drain = self.drain.get();
        if pressure <= PACED_FROM || drain <= 0.0 {
            return None;
        }
        let left = (1.0 - pressure).max(0.01);
        Some(drain * 2.0 * left * left / (pressure - PACED_FROM))
    }

    /// Takes the next stretch of time for `bytes`; how long to wait for it.
    fn take(&self, now: Duration, bytes: u64, rate: f64) -> Duration {
        let nanos = |d: Duration| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX);
        let stretch = (bytes as f64 / rate * 1e9).min(nanos(WAIT_MAX) as f64) as u64;
        let now = nanos(now);
        let mut taken = self.taken_until.load(Ordering::Relaxed);
        loop {
            // No writer waits longer than `WAIT_MAX`, so what many took beyond that was never
            // waited for, and is owed by nobody later.
            let free = taken.clamp(now, now.saturating_add(nanos(WAIT_MAX)));
            let until = free.saturating_add(stretch);
            let swap = self.taken_until.compare_exchange_weak(
                taken,
                until,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            match swap {
                Ok(_) => return Duration::from_nanos(until - now),
                Err(other) => taken = other,
            }
        }
    }
}

fn zone_of(pressure: f64) -> PressureZone {
    match Zone::from_pressure(pressure) {
        Zone::Green => PressureZone::Green,
        Zone::Yellow => PressureZone::Yellow,
        Zone::Orange => PressureZone::Orange,
        Zone::Red => PressureZone::Red,
    }
}

impl Store {
    /// The pressure, and its parts.
    pub(crate) fn pressure_in(&self, view: &SuperVersion) -> PressureInfo {
        let limit = self.config.max_sealed as f64 + 1.0;
        let fill = view.active.table.bytes() as f64 / self.config.memtable_bytes as f64;
        let memtables = (view.sealed.len() as f64 + fill.min(1.0)) / limit;
        let gauge = &self.gauge;
        let (l0, debt, disk) = (gauge.l0.get(), gauge.debt.get(), gauge.disk.get());
        let memory = self.memory_part();
        let pressure = memtables.max(l0).max(debt).max(disk).max(memory);
        let pace = gauge.pace(pressure).filter(|_| self.paces());
        let zone = zone_of(pressure);
        let pace_bytes_per_s = pace;
        PressureInfo { pressure, zone, memtables, l0, debt, disk, memory, pace_bytes_per_s }
    }

    /// What cannot be evicted, against the memory budget: from three quarters of it to all.
    fn memory_part(&self) -> f64 {
        let part = (4.0 * self.budget.fill() - 3.0).max(0.0);
        let max = if self.budget.memtables_pile_up() { f64::MAX } else { MEMORY_PART_MAX };
        part.min(max)
    }

    fn paces(&self) -> bool {
        !self.is_manual()
    }

    /// Holds a write of `bytes` back to the pace, at this pressure.
    pub(crate) fn keep_pace(&self, pressure: f64, bytes: u64) {
        let Some(rate) = self.gauge.pace(pressure).filter(|_| self.paces()) else { return };
        let wait = self.gauge.take(self.config.clock.now(), bytes, rate);
        if wait < WAIT_MIN {
            return;
        }
        let wait = wait.min(WAIT_MAX);
        let closing = self.closing.now();
        self.closing.wait(closing, wait);
        Counters::add(&self.counters.paced_us, wait.as_micros() as u64);
    }

    /// To be called when the scheduler may see another backlog.
    pub(crate) fn tell_backlog(&self) {
        self.brain.tell_backlog(|backlog| self.gauge.set_backlog(&self.config, backlog));
    }

    /// To be called when the pressure may have entered another zone.
    pub(crate) fn note_zone(&self) {
        let pressure = self.pressure_in(&self.published.load()).pressure;
        let after = zone_of(pressure);
        if self.gauge.zone.load(Ordering::Relaxed) == after as u8 {
            return;
        }
        // Both at once, or of two callers the one could leave its zone here and the other there.
        let before = self.brain.with(|scheduler| {
            scheduler.set_zone(Zone::from_pressure(pressure));
            self.gauge.zone.swap(after as u8, Ordering::Relaxed)
        });
        if before == after as u8 {
            return;
        }
        let all =
            [PressureZone::Green, PressureZone::Yellow, PressureZone::Orange, PressureZone::Red];
        let before = all.get(usize::from(before)).copied().unwrap_or_default();
        self.events.emit(|| VizEvent::PressureZone { before, after, pressure });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_falls_smoothly_and_never_to_nothing() {
        let gauge = Gauge::default();
        assert_eq!(gauge.pace(0.9), None, "nothing is known yet");
        gauge.note_flush(100_000_000, Duration::from_secs(1));
        assert_eq!(gauge.pace(0.5), None);
        let paces: Vec<f64> = (51..=120).filter_map(|p| gauge.pace(f64::from(p) / 100.0)).collect();
        assert_eq!(paces.len(), 70);
        assert!(paces[0] > 4e9 && paces.is_sorted_by(|a, b| a > b || *b < 1e5), "{paces:?}");
        assert!(paces.iter().all(|pace| *pace > 1e4));
        // Where writers are held to about what is drained.
        assert!((gauge.pace(0.66).unwrap() / 1e8 - 1.44).abs() < 0.1);
    }

    #[test]
    fn writers_share_one_pace() {
        let gauge = Gauge::default();
        let now = Duration::from_secs(5);
        let waits: Vec<u128> = (0..4).map(|_| gauge.take(now, 1000, 1e6).as_millis()).collect();
        assert_eq!(waits, [1, 2, 3, 4]);
        // Time that nobody took is not saved up.
        let later = now + Duration::from_secs(1);
        assert_eq!(gauge.take(later, 1000, 1e6).as_millis(), 1);
    }

    /// Many writers at once take more time than passes while they wait.
    #[test]
    fn an_overload_that_is_over_slows_nobody() {
        let gauge = Gauge::default();
        let now = Duration::from_secs(5);
        for _ in 0..1000 {
            gauge.take(now, 1_000_000, 1e6);
        }
        let later = now + 4 * WAIT_MAX;
        assert!(gauge.take(later, 1000, 1e9) < WAIT_MIN);
        // Nor does a clock that went back.
        assert!(gauge.take(now, 1000, 1e9) < 2 * WAIT_MAX);
    }

    #[test]
    fn flushes_in_slots_press_from_k_to_the_hard_limit() {
        let (gauge, config) = (Gauge::default(), Config::default());
        let part = |l0_tables| {
            gauge.set_backlog(&config, Backlog { l0_tables, debt_bytes: 0 });
            gauge.l0.get()
        };
        assert_eq!([0, 12, 14, 16, 20, 24].map(part), [0.0, 0.0, 0.25, 0.5, 0.75, 1.0]);
    }

    /// Writers wait at the hard limit, wherever it is, and only where the scheduler frees
    /// flushes: above the soft one.
    #[test]
    fn the_hard_limit_is_where_writers_wait_for_flushes_in_slots() {
        let gauge = Gauge::default();
        for k in 1..=16usize {
            for (soft, hard) in [(1, 2), (3, 4), (3, 40), (12, 13), (100, 101)] {
                let config = Config::default().k_global(k).l0_soft(Some(soft)).l0_hard(Some(hard));
                let part = |l0_tables| {
                    gauge.set_backlog(&config, Backlog { l0_tables, debt_bytes: 0 });
                    gauge.l0.get()
                };
                let parts: Vec<f64> = (0..=hard).map(part).collect();
                assert!(parts.is_sorted(), "{k} {soft} {hard}: {parts:?}");
                assert!(parts[soft] <= 0.5 && parts[hard - 1] < 1.0 && parts[hard] == 1.0);
            }
        }
    }
}
