//! Merging runs of a slot into one.
//!
//! 1. One job per slot at a time; it holds the slot, so that its guards do not move.
//! 2. A job pins the version first and reads snapshots and V second.
//! 3. It replaces exactly the runs it pinned; flushes may have added newer ones meanwhile.
//! 4. Only a merge that takes the slot's oldest run drops tombstones, and cuts the slot.

use crate::config::CompactionMode;
use crate::error::Result;
use crate::events::{VizEvent, micros};
use crate::health::Work;
use crate::metrics::{Counters, Decision};
use crate::plant::{Plant, Point, meanwhile, planted};
use crate::store::jobs::Held;
use crate::store::state::{Store, Writer};
use nori_compaction::{Destination, Output, Retain};
use nori_env::sync::Arc;
use nori_env::sync::atomic::Ordering;
use nori_manifest::{Run, Slot, SlotId, TableRef, VersionEdit};
use nori_scheduler::{Done, Pick, Why};
use nori_types::{KeyRange, SeqNo};
use std::collections::BTreeSet;
use std::time::Duration;

/// The level of runs that are no fragments of a flush any more.
const LEVEL_MERGED: u8 = 1;

/// The last level of the leveled shape.
const LEVEL_BOTTOM: u8 = 7;

/// What a job merges.
struct Job<'a> {
    slot: &'a Arc<Slot>,
    /// The slot's runs from `first` on, `count` of them.
    first: usize,
    count: usize,
    level: u8,
}

/// A finished merge.
struct Merged {
    output: Output,
    bytes_read: u64,
    elapsed: Duration,
}

impl Job<'_> {
    fn runs(&self) -> &[Arc<Run>] {
        self.slot.runs.get(self.first..self.first + self.count).unwrap_or_default()
    }

    fn tables(&self) -> impl Iterator<Item = &TableRef> {
        self.runs().iter().flat_map(|run| run.tables.iter())
    }
}

impl Store {
    /// Whether no slot waits for a merge and none is worked on; both of one moment.
    pub(crate) fn merges_are_idle(&self) -> bool {
        let oldest = self.oldest_reader();
        self.brain.with(|scheduler| {
            scheduler.set_oldest_reader(oldest.get());
            self.jobs.busy().is_empty() && !scheduler.any_due(&|_| false)
        })
    }

    /// Nobody reads below this number.
    pub(crate) fn oldest_reader(&self) -> SeqNo {
        self.stripes().first().copied().unwrap_or_default()
    }

    /// Does the job that pays most; false if none is due.
    pub(crate) fn merge_one(&self) -> Result<bool> {
        let writer = self.writer()?;
        // A slot that cannot be merged must not keep the others waiting.
        let (mut tried, mut failed) = (BTreeSet::new(), None);
        while let Some((pick, held)) = self.pick(&tried) {
            let done = self.run_pick(writer, &pick);
            self.note(Work::Slot(pick.slot), &done);
            // Whoever wakes must find the slot free.
            drop(held);
            self.signal.wake();
            match done {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(e) => failed = failed.or(Some(e)),
            }
            tried.insert(pick.slot);
        }
        failed.map_or(Ok(false), Err)
    }

    /// The scheduler's choice, held.
    fn pick(&self, tried: &BTreeSet<u64>) -> Option<(Pick, Held<'_>)> {
        let (oldest, waiting) = (self.oldest_reader(), self.waiting_slots());
        let picked = self.brain.with(|scheduler| {
            scheduler.set_oldest_reader(oldest.get());
            self.jobs.try_hold_one(|busy| {
                let is_busy = |slot| {
                    busy.contains(&slot) || tried.contains(&slot) || waiting.contains_key(&slot)
                };
                scheduler.pick(&is_busy).map(|pick| (pick.slot, pick))
            })
        })?;
        let pick = &picked.0;
        self.events.emit(|| VizEvent::BanditSelection {
            slot: pick.slot,
            explored: pick.explored,
            reason: pick.why.to_string(),
            prior: pick.prior,
            mean: pick.mean,
            bonus: pick.bonus,
            score: pick.score,
        });
        Some(picked)
    }

    /// Does what was picked; false if the slot has changed so that there is nothing to do.
    fn run_pick(&self, writer: &Writer, pick: &Pick) -> Result<bool> {
        self.check_open()?;
        self.settle(writer)?;
        let id = SlotId(pick.slot);
        if self.move_runs(writer, id, pick)? {
            return Ok(true);
        }
        let early = planted(Plant::MergeLooksFirst).then(|| self.stripes());
        meanwhile(Point::MergeStarts);
        // Not the super-version: its memtables would stay in memory as long as the merge takes.
        let version = Arc::clone(&self.pin().version);
        let Some((_, slot)) = version.slot_by_id(id) else { return Ok(false) };
        let job = Job { slot, first: pick.first, count: pick.count, level: pick.level };
        if job.runs().is_empty() {
            return Ok(false);
        }
        let merged = self.merge_runs(writer, &job, early)?;
        let done = Done {
            bytes_written: merged.output.stats.bytes_written,
            bytes_read: merged.bytes_read,
        };
        let reward = self.brain.with(|scheduler| scheduler.finish(pick, done));
        if let Some(reward) = reward {
            self.events.emit(|| VizEvent::BanditReward {
                slot: pick.slot,
                reward: reward.reward,
                ratio: reward.ratio,
                mean: reward.mean,
            });
        }
        let forced = matches!(pick.why, Why::OldestFlush);
        self.tell_merge(&job, &merged, pick.k, pick.heat, forced, pick.explored);
        self.brain.remember(Decision {
            slot: pick.slot,
            reason: pick.why.to_string(),
            forced,
            explored: pick.explored,
            runs: job.count,
            runs_before: slot.runs.len(),
            k: pick.k,
            heat: pick.heat,
            prior: pick.prior,
            mean: pick.mean,
            bonus: pick.bonus,
            score: pick.score,
            predicted_bytes: pick.est_bytes,
            bytes_read: merged.bytes_read,
            bytes_written: merged.output.stats.bytes_written,
            reward: reward.map(|r| r.reward),
            ratio: reward.map(|r| r.ratio),
            elapsed: merged.elapsed,
        });
        Ok(true)
    }

    /// What can be done without touching a byte: runs that overlap nothing older join it, and a
    /// run that is alone in the place where it should go takes it.
    fn move_runs(&self, writer: &Writer, id: SlotId, pick: &Pick) -> Result<bool> {
        let version = &self.pin().version;
        if let Some(moves) = version.trivial_moves(id, self.level_of_one()) {
            return self.log_moves(writer, moves);
        }
        let relabels = matches!(pick.why, Why::LevelFull | Why::TierFull | Why::OldestFlush);
        let Some((_, slot)) = version.slot_by_id(id) else { return Ok(false) };
        let Some(run) = slot.runs.get(pick.first) else { return Ok(false) };
        if !relabels || pick.count != 1 || run.level == pick.level {
            return Ok(false);
        }
        let moves = version.edit_move_run(id, pick.first, pick.first, pick.level)?;
        self.log_moves(writer, moves)
    }

    /// Moves were made of an older version, but their slot is held: flushes since then only added
    /// newer runs.
    fn log_moves(&self, writer: &Writer, moves: VersionEdit) -> Result<bool> {
        let count = moves.moved().count() as u64;
        self.log_edit(writer, move |_, _| Ok(moves))?;
        Counters::add(&self.counters.trivial_moves, count);
        Ok(true)
    }

    /// The level of a slot's only run.
    pub(crate) fn level_of_one(&self) -> u8 {
        match self.config.compaction {
            CompactionMode::Leveled => LEVEL_BOTTOM,
            CompactionMode::Atll | CompactionMode::Tiered => LEVEL_MERGED,
        }
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
            self.merge_all(writer, slot.id).inspect_err(|error| self.met(error))?;
            self.health.succeeded(Work::Slot(slot.id.0));
            next = slot.range.hi.clone().filter(|hi| range.is_below_end(hi));
        }
        self.signal.wake();
        Ok(())
    }

    /// Merges all runs of a slot that the caller holds.
    fn merge_all(&self, writer: &Writer, id: SlotId) -> Result<()> {
        self.check_open()?;
        self.settle(writer)?;
        let early = planted(Plant::MergeLooksFirst).then(|| self.stripes());
        meanwhile(Point::MergeStarts);
        let version = Arc::clone(&self.pin().version);
        let Some((_, slot)) = version.slot_by_id(id) else { return Ok(()) };
        if slot.runs.is_empty() {
            return Ok(());
        }
        let deepest = slot.runs.iter().map(|run| run.level).max().unwrap_or(0);
        let level = deepest.max(self.level_of_one());
        let job = Job { slot, first: 0, count: slot.runs.len(), level };
        let merged = self.merge_runs(writer, &job, early)?;
        let state = self.brain.with(|scheduler| scheduler.state(id.0));
        let (k, heat) = state.map_or((0, 0.0), |s| (s.k, s.heat));
        self.tell_merge(&job, &merged, k, heat, true, false);
        self.brain.remember(Decision {
            slot: id.0,
            reason: "asked for".to_string(),
            forced: true,
            runs: job.count,
            runs_before: job.count,
            k,
            heat,
            predicted_bytes: merged.bytes_read,
            bytes_read: merged.bytes_read,
            bytes_written: merged.output.stats.bytes_written,
            elapsed: merged.elapsed,
            ..Decision::default()
        });
        Ok(())
    }

    /// Merges some runs of a slot that the caller holds, pinned before; `early` are stripes read
    /// too early, for a planted fault.
    fn merge_runs(
        &self,
        writer: &Writer,
        job: &Job<'_>,
        early: Option<Vec<SeqNo>>,
    ) -> Result<Merged> {
        let start = self.config.clock.now();
        let version = Arc::clone(&self.pin().version);
        let stripes = early.unwrap_or_else(|| self.stripes());
        let (id, bottom) = (job.slot.id, job.first == 0 || planted(Plant::EveryMergeIsBottom));
        let dropped = |key: &[u8]| version.catalog.dropped(key);
        let retain = Retain::new(stripes, bottom, dropped);
        let bytes_read: u64 = job.runs().iter().map(|run| run.bytes).sum();
        let cut_bytes = self.cut_bytes(bottom.then_some(bytes_read));
        self.events.emit(|| VizEvent::CompactionStarted {
            slot: id.0,
            inputs: job.tables().map(|t| t.file.number().0).collect(),
            bytes_expected: bytes_read,
            runs: job.count as u64,
            runs_before: job.slot.runs.len() as u64,
        });
        let listed = self.merging.begin(id.0, job.count, bytes_read, start);
        let progress = |bytes| listed.read(bytes);
        let output = self.with_destination(true, cut_bytes, |to| {
            let to = Destination { progress: Some(&progress), ..*to };
            nori_compaction::compact(job.runs(), &self.tables, retain, &to)
        })?;
        meanwhile(Point::MergeWritten);
        let guards = if bottom { self.guards_for(id, &output.tables) } else { Vec::new() };
        let cuts = guards.len();
        let (runs, tables, level) = (job.runs().to_vec(), output.tables.clone(), job.level);
        let logged = self.log_edit(writer, move |store, version| {
            let now = version.slot_by_id(id).filter(|_| planted(Plant::MergeReplacesUnpinned));
            let pinned = now.map_or(&runs, |(_, slot)| &slot.runs);
            let edit = version.edit_replace(id, pinned, &tables, &guards, level)?;
            if guards.is_empty() { Ok(edit) } else { store.measured(version, edit) }
        });
        if logged.is_err() {
            self.abandon(output.tables.iter().map(|t| t.number));
        }
        logged?;
        if cuts > 0 {
            Counters::add(&self.counters.slot_splits, cuts as u64);
            self.events.emit(|| VizEvent::SlotSplit { slot: id.0, guards: cuts as u64 });
        }
        if planted(Plant::InputsDeletedPinned) {
            let live: BTreeSet<_> = self.pin().version.tables().map(|f| f.number()).collect();
            let gone = job.slot.tables().map(|t| t.file.number()).filter(|n| !live.contains(n));
            gone.for_each(|n| drop(self.fs.remove(&self.paths.table(n))));
        }
        let elapsed = self.config.clock.now().saturating_sub(start);
        self.timers.compaction.took(elapsed, 1);
        self.book_merge(id, &output, bytes_read);
        Ok(Merged { output, bytes_read, elapsed })
    }

    fn book_merge(&self, id: SlotId, output: &Output, bytes_read: u64) {
        let (stats, counters) = (&output.stats, &self.counters);
        Counters::add(&counters.compactions, 1);
        // File bytes on both sides, so that they can be set against each other.
        Counters::add(&counters.compaction_bytes_read, bytes_read);
        Counters::add(&counters.compaction_bytes_written, stats.bytes_written);
        Counters::add(&counters.entries_dropped, stats.entries_dropped);
        Counters::add(&counters.tombstones_dropped, stats.tombstones_dropped);
        counters.compaction_bytes_max.fetch_max(stats.bytes_written, Ordering::Relaxed);
        self.brain.book(id.0, |ledger| {
            ledger.compactions += 1;
            ledger.compaction_bytes_read += bytes_read;
            ledger.compaction_bytes_written += stats.bytes_written;
            ledger.entries_dropped += stats.entries_dropped;
            ledger.tombstones_dropped += stats.tombstones_dropped;
        });
    }

    fn tell_merge(
        &self,
        job: &Job<'_>,
        merged: &Merged,
        k: usize,
        heat: f64,
        forced: bool,
        explored: bool,
    ) {
        let (output, stats) = (&merged.output, &merged.output.stats);
        for table in &output.tables {
            let (table, bytes) = (table.number.0, table.bytes);
            self.events.emit(|| VizEvent::TableCreated { table, bytes });
        }
        let id = job.slot.id;
        self.events.emit(|| {
            let view = self.pin();
            let after = view.version.slot_by_id(id).map(|(_, slot)| slot.runs.len());
            let state = self.brain.with(|scheduler| scheduler.state(id.0));
            VizEvent::Compaction {
                slot: id.0,
                inputs: job.tables().map(|t| t.file.number().0).collect(),
                outputs: output.tables.iter().map(|t| t.number.0).collect(),
                bytes_read: merged.bytes_read,
                bytes_written: stats.bytes_written,
                entries_dropped: stats.entries_dropped,
                tombstones_dropped: stats.tombstones_dropped,
                runs_before: job.slot.runs.len() as u64,
                runs_after: after.unwrap_or(0) as u64,
                k_before: k as u64,
                k_after: state.map_or(k, |s| s.k) as u64,
                heat,
                elapsed_us: micros(merged.elapsed),
                forced,
                explored,
            }
        });
    }
}
