//! The books of the slots, what is due when nothing is, and the steps that move heat.

use crate::op::{Ends, Key, Op, Value, Who};
use crate::oracle::is_inside;
use crate::run::Run;
use crate::scan::{Check, agrees, same};
use crate::slots::load_key;
use nori_env::sync::thread;
use nori_lsm::{CompactionMode, Metrics, SlotLedger, VizEvent};
use std::time::Duration;

/// How often books of a store with threads are looked at again, a millisecond apart.
const TRIES: usize = 2_000;

/// What happened to slots, so that a test can say that it did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SlotCounts {
    pub(crate) splits: u64,
    pub(crate) joins: u64,
    pub(crate) moves: u64,
    pub(crate) heated: u64,
    pub(crate) cooled: u64,
    pub(crate) explored: u64,
    pub(crate) forced: u64,
    pub(crate) settled: u64,
    pub(crate) slots_most: u64,
}

impl SlotCounts {
    pub(crate) fn add(&mut self, other: SlotCounts) {
        self.splits += other.splits;
        self.joins += other.joins;
        self.moves += other.moves;
        self.heated += other.heated;
        self.cooled += other.cooled;
        self.explored += other.explored;
        self.forced += other.forced;
        self.settled += other.settled;
        self.slots_most = self.slots_most.max(other.slots_most);
    }

    /// Everything that can happen to a slot has.
    pub(crate) fn is_complete(&self, threads: bool) -> bool {
        let all = [self.splits, self.joins, self.moves, self.heated, self.cooled];
        let chosen = [self.explored, self.forced];
        // Under threads nobody can say that nothing is due.
        all.iter().chain(&chosen).all(|count| *count > 0) && (threads || self.settled > 0)
    }

    pub(crate) fn metrics(&mut self, metrics: &Metrics) {
        self.splits += metrics.slot_splits;
        self.joins += metrics.slot_joins;
        self.moves += metrics.trivial_moves;
        self.slots_most = self.slots_most.max(metrics.slots);
    }

    pub(crate) fn event(&mut self, event: &VizEvent) {
        match event {
            VizEvent::HeatChanged { k_before, k_after, .. } if k_after < k_before => {
                self.heated += 1;
            }
            VizEvent::HeatChanged { .. } => self.cooled += 1,
            VizEvent::BanditSelection { explored, reason, .. } => {
                self.forced += u64::from(reason == "holds one of the oldest flushes");
                self.explored += u64::from(*explored);
            }
            _ => {}
        }
    }
}

macro_rules! fields {
    ($metrics:ident, $ledgers:ident: $($name:ident)*) => {
        [$((stringify!($name), $metrics.$name, $ledgers.iter().map(|l| l.$name).sum::<u64>()),)*]
    };
}

impl Run<'_> {
    pub(crate) fn slot_step(&mut self, op: &Op) -> Check {
        match op {
            Op::Hot(who, key, times) => self.hot(*who, key, *times),
            Op::Load(place, first, count, value) => self.load(*place, *first, *count, *value),
            Op::Erase(place, ends) => self.erase(*place, ends),
            Op::Wait(ms) => {
                self.clock.advance(Duration::from_millis(*ms));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn hot(&self, who: Who, key: &Key, times: u32) -> Check {
        let Some((reader, sight)) = self.held.reader(&self.store, &self.state, who)? else {
            return Ok(());
        };
        let want = sight.map(|map| map.get(&key.0[..]).cloned());
        (0..times).try_for_each(|_| agrees("a hot get", reader.get(key), want.clone()))
    }

    fn load(&mut self, place: usize, first: u32, count: u32, value: Value) -> Check {
        (0..count).try_for_each(|n| {
            self.single((place, load_key(first + n), Some(value.behind(n))))?;
            self.clock.advance(Duration::from_millis(1));
            Ok(())
        })
    }

    fn erase(&mut self, place: usize, ends: &Ends) -> Check {
        let (_, sight) = self.held.handle(&self.store, &self.state, place);
        let Ok(map) = sight else { return Ok(()) };
        let keys = map.keys().filter(|key| is_inside(key, ends));
        let keys: Vec<Key> = keys.map(|key| Key(key.to_vec())).collect();
        keys.into_iter().try_for_each(|key| self.single((place, key, None)))
    }

    /// The books of all slots add up to the store's counters.
    pub(crate) fn check_books(&self) -> Check {
        let mut wrong = self.wrong_books();
        for _ in 0..TRIES {
            // Threads add to the one a moment before they add to the other.
            if wrong.is_ok() || self.is_manual() {
                break;
            }
            thread::sleep(Duration::from_millis(1));
            wrong = self.wrong_books();
        }
        wrong
    }

    fn wrong_books(&self) -> Check {
        let (metrics, slots) = (self.store.metrics(), self.store.slots());
        let ledgers: Vec<SlotLedger> = slots.iter().map(|slot| slot.ledger).collect();
        let all = fields!(metrics, ledgers:
            flushed_user_bytes flush_bytes compactions compaction_bytes_read
            compaction_bytes_written entries_dropped tombstones_dropped
            point_reads runs_probed runs_visible scans
        );
        all.into_iter().try_for_each(|(name, whole, parts)| {
            same(&format!("{name} of all slots"), parts, whole)
        })
    }

    /// Nothing is due: no step does anything, and nothing is over a limit.
    pub(crate) fn check_idle(&mut self) -> Check {
        self.check_books()?;
        if !self.is_manual() {
            return Ok(());
        }
        agrees("a step when idle", self.store.step(), Ok(false))?;
        let limits = self.kind.limits(self.change);
        if limits.mode == CompactionMode::Atll {
            let runs = self.store.metrics().runs_max;
            same("runs over the limit when idle", runs.saturating_sub(limits.k as u64), 0)?;
        }
        // At the soft limit the pressure is a half.
        let pressure = self.store.pressure();
        same("flushes over the soft limit", pressure.l0 > 0.5, false)?;
        if pressure.pressure >= 1.0 {
            return Err(format!("writers wait for work that is not due: {pressure:?}"));
        }
        self.counts.slots.settled += 1;
        Ok(())
    }
}
