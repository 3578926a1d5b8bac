//! Merging the runs of a slot into one.
//!
//! 1. One job per slot at a time; it holds the slot, so that its guards do not move.
//! 2. A job pins the version first and reads snapshots and V second.
//! 3. It replaces exactly the runs it pinned; flushes may have added newer ones meanwhile.

use crate::error::Result;
use crate::events::VizEvent;
use crate::health::Work;
use crate::metrics::{Counters, Decision};
use crate::plant::{Plant, Point, meanwhile, planted};
use crate::store::state::{Store, Writer};
use nori_compaction::{Output, Retain};
use nori_env::sync::{Arc, Condvar, Mutex};
use nori_manifest::{Run, Slot, SlotId};
use nori_types::KeyRange;
use std::collections::{BTreeSet, VecDeque};

/// Merges that are remembered.
const DECISIONS_MAX: usize = 256;

/// The slots that somebody works on, and the last merges.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    busy: Mutex<BTreeSet<u64>>,
    freed: Condvar,
    decisions: Mutex<VecDeque<Decision>>,
}

/// Slots held against other jobs until this is dropped.
#[derive(Debug)]
pub(crate) struct Held<'a> {
    jobs: &'a Jobs,
    slots: Vec<u64>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut busy = self.jobs.busy.lock();
        self.slots.iter().for_each(|slot| {
            busy.remove(slot);
        });
        drop(busy);
        self.jobs.freed.notify_all();
    }
}

impl Jobs {
    fn try_hold(&self, slot: SlotId) -> Option<Held<'_>> {
        let free = self.busy.lock().insert(slot.0);
        free.then(|| Held { jobs: self, slots: vec![slot.0] })
    }

    /// Waits for all slots that reach into a range, and holds them.
    pub(crate) fn hold(&self, store: &Store, range: &KeyRange) -> Result<Held<'_>> {
        let mut busy = self.busy.lock();
        loop {
            store.check_open()?;
            let view = store.pin();
            let slots: Vec<u64> = view.version.slots_in(range).map(|(_, s)| s.id.0).collect();
            if slots.iter().all(|slot| !busy.contains(slot)) {
                busy.extend(&slots);
                return Ok(Held { jobs: self, slots });
            }
            busy = self.freed.wait(busy);
        }
    }

    /// Whether any slot is held.
    pub(crate) fn any(&self) -> bool {
        !self.busy.lock().is_empty()
    }

    /// Wakes those who wait for a slot, to see that the store is closed.
    pub(crate) fn wake(&self) {
        let _busy = self.busy.lock();
        self.freed.notify_all();
    }

    fn remember(&self, decision: Decision) {
        let mut decisions = self.decisions.lock();
        if decisions.len() == DECISIONS_MAX {
            decisions.pop_front();
        }
        decisions.push_back(decision);
    }

    pub(crate) fn last(&self, count: usize) -> Vec<Decision> {
        let decisions = self.decisions.lock();
        decisions.iter().skip(decisions.len().saturating_sub(count)).cloned().collect()
    }
}

impl Store {
    /// Whether a slot has more runs than it may keep.
    fn is_due(&self, slot: &Slot) -> bool {
        slot.runs.len() > self.config.k_global
    }

    /// Whether some slot waits for a merge.
    pub(crate) fn merge_due(&self) -> bool {
        self.pin().version.slots().any(|slot| self.is_due(slot))
    }

    /// Merges the fullest slot that is due and free; false if there is none.
    pub(crate) fn merge_one(&self) -> Result<bool> {
        let writer = self.writer()?;
        let view = self.pin();
        let mut due: Vec<&Arc<Slot>> = view.version.slots().filter(|s| self.is_due(s)).collect();
        due.sort_by_key(|slot| std::cmp::Reverse(slot.runs.len()));
        // A slot that cannot be merged must not keep the others waiting.
        let mut failed = None;
        for slot in due {
            let Some(held) = self.jobs.try_hold(slot.id) else { continue };
            // Another thread may have merged it before it was held.
            let now = self.pin();
            if !now.version.slot_by_id(slot.id).is_some_and(|(_, slot)| self.is_due(slot)) {
                continue;
            }
            let limit = self.config.k_global;
            let reason = || format!("more than {limit} runs");
            let done = self.merge_slot(writer, slot.id, false, reason);
            self.health.note(Work::Compaction, &done, &self.events);
            // Whoever wakes must find the slot free.
            drop(held);
            self.signal.wake();
            match done {
                Ok(()) => return Ok(true),
                Err(e) => failed = failed.or(Some(e)),
            }
        }
        failed.map_or(Ok(false), Err)
    }

    /// Merges all slots that reach into a range, whatever their number of runs.
    pub(crate) fn compact_range(&self, range: &KeyRange) -> Result<()> {
        let _caller = self.callers.enter()?;
        self.flush_all()?;
        let writer = self.writer()?;
        // Slot by slot by key: a slot that is cut meanwhile is followed by its new neighbour.
        let mut next = (!range.is_empty()).then(|| range.lo.clone());
        while let Some(lo) = next {
            let old = self.pin().version.route(&lo).1.range.clone();
            let _held = self.jobs.hold(self, &old)?;
            let slot = Arc::clone(self.pin().version.route(&lo).1);
            self.merge_slot(writer, slot.id, true, || "asked for".to_string())?;
            next = slot.range.hi.clone().filter(|hi| range.is_below_end(hi));
        }
        self.signal.wake();
        Ok(())
    }

    /// Merges the runs of a slot that the caller holds.
    fn merge_slot(
        &self,
        writer: &Writer,
        id: SlotId,
        forced: bool,
        reason: impl FnOnce() -> String,
    ) -> Result<()> {
        self.check_open()?;
        self.settle(writer)?;
        let start = self.config.clock.now();
        let early = planted(Plant::MergeLooksFirst).then(|| self.stripes());
        meanwhile(Point::MergeStarts);
        let view = self.pin();
        let Some((_, slot)) = view.version.slot_by_id(id) else { return Ok(()) };
        if slot.runs.is_empty() {
            return Ok(());
        }
        let stripes = early.unwrap_or_else(|| self.stripes());
        let pinned: &[Arc<Run>] = &slot.runs;
        let dropped = |key: &[u8]| view.version.catalog.dropped(key);
        // All of the slot's runs are merged, so nothing older lies below.
        let retain = Retain::new(stripes, true, dropped);
        let output = self.with_destination(true, |to| {
            nori_compaction::compact(pinned, &self.tables, retain, to)
        })?;
        meanwhile(Point::MergeWritten);
        let logged = self.log_edit(writer, |version| {
            let now = version.slot_by_id(id).filter(|_| planted(Plant::MergeReplacesUnpinned));
            let pinned = now.map_or(pinned, |(_, slot)| &slot.runs);
            Ok(version.edit_replace(id, pinned, &output.tables, &[])?)
        });
        if logged.is_err() {
            self.abandon(output.tables.iter().map(|t| t.number));
        }
        logged?;
        if planted(Plant::InputsDeletedPinned) {
            let live: BTreeSet<_> = self.pin().version.tables().map(|f| f.number()).collect();
            let gone = slot.tables().map(|t| t.file.number()).filter(|n| !live.contains(n));
            gone.for_each(|n| drop(self.fs.remove(&self.paths.table(n))));
        }
        let elapsed_us = self.elapsed_us(start);
        self.note_merge(slot, &output, forced, reason(), elapsed_us);
        Ok(())
    }

    fn note_merge(
        &self,
        slot: &Slot,
        output: &Output,
        forced: bool,
        reason: String,
        elapsed_us: u64,
    ) {
        let (stats, counters) = (&output.stats, &self.counters);
        // File bytes on both sides, so that they can be set against each other.
        let bytes_read = slot.bytes();
        Counters::add(&counters.compactions, 1);
        Counters::add(&counters.compaction_bytes_read, bytes_read);
        Counters::add(&counters.compaction_bytes_written, stats.bytes_written);
        Counters::add(&counters.entries_dropped, stats.entries_dropped);
        Counters::add(&counters.tombstones_dropped, stats.tombstones_dropped);
        for table in &output.tables {
            let (table, bytes) = (table.number.0, table.bytes);
            self.events.emit(|| VizEvent::TableCreated { table, bytes });
        }
        self.events.emit(|| VizEvent::Compaction {
            slot: slot.id.0,
            inputs: slot.tables().map(|t| t.file.number().0).collect(),
            outputs: output.tables.iter().map(|t| t.number.0).collect(),
            bytes_read,
            bytes_written: stats.bytes_written,
            entries_dropped: stats.entries_dropped,
            tombstones_dropped: stats.tombstones_dropped,
            runs_before: slot.runs.len() as u64,
            runs_after: u64::from(!output.tables.is_empty()),
            elapsed_us,
            forced,
        });
        self.jobs.remember(Decision {
            slot: slot.id.0,
            reason,
            runs: slot.runs.len(),
            bytes_read,
            bytes_written: stats.bytes_written,
        });
    }

    /// Empties one slot of a dropped keyspace that no reader can see; false if there is none.
    pub(crate) fn purge_one(&self) -> Result<bool> {
        let writer = self.writer()?;
        let view = self.pin();
        if view.version.catalog.iter().all(|k| k.dropped.is_none()) {
            return Ok(false);
        }
        let stripes = self.stripes();
        let oldest =
            if planted(Plant::PurgeUnderSnapshot) { stripes.last() } else { stripes.first() };
        let oldest = oldest.copied().unwrap_or_default();
        for slot in view.version.slots().filter(|slot| !slot.runs.is_empty()) {
            let unseen = view.version.catalog.dropped(&slot.range.lo).is_some_and(|d| d <= oldest);
            let Some(_held) = unseen.then(|| self.jobs.try_hold(slot.id)).flatten() else {
                continue;
            };
            let done =
                self.log_edit(writer, |version| Ok(version.edit_purge_slot(slot.id, oldest)?));
            self.health.note(Work::Compaction, &done, &self.events);
            return done.map(|()| true);
        }
        Ok(false)
    }
}
