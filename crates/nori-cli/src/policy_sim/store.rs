//! A store of numbers, and the loop that flushes, compacts and measures.
//!
//! 1. After each flush the scheduler is told what the engine would tell it, and its picks are
//!    carried out at once: all of them, or until the budget for compaction is spent.
//! 2. One flush takes a hundredth of a second, so that no merge is refused for being too slow to
//!    pay for itself, and freed space weighs nothing beside saved looks.

use super::workload::{MEMTABLE, Spread, Workload, distinct_of};
use nori_bench::Rng;
use nori_scheduler::{Done, Policy, Reads, RunView, Scheduler, Why};
use std::collections::BTreeMap;
use std::time::Duration;

/// The time from one flush to the next.
pub(super) const FLUSH_TIME: Duration = Duration::from_millis(10);

/// A fragment with less than this is not worth a reference.
const FRAGMENT_MIN: f64 = 1024.0;

/// How a simulation differs from the workload's plain run.
#[derive(Clone, Debug, Default)]
pub(super) struct Setup {
    pub(super) policy: Policy,
    /// Compaction bytes for each flushed byte; none is no limit.
    pub(super) budget: Option<f64>,
    /// Slots differ in how many keys are ever written again, and in how deep reads go.
    pub(super) is_hidden: bool,
}

/// What a run of the simulation found.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Figures {
    written: f64,
    flushed: f64,
    compacted: f64,
    flushes: f64,
    jobs: f64,
    samples: f64,
    looks: f64,
    space: f64,
    l0: f64,
    /// Bytes of the largest merge.
    pub(super) job_max: f64,
}

impl Figures {
    /// Bytes flushed and compacted per byte written.
    pub(super) fn wa(&self) -> f64 {
        (self.flushed + self.compacted) / self.written
    }

    /// Mean runs that a read looks into.
    pub(super) fn ra(&self) -> f64 {
        self.looks / self.samples
    }

    /// Mean bytes on disk per live byte.
    pub(super) fn sa(&self) -> f64 {
        self.space / self.samples
    }

    /// Mean flushes that still have fragments.
    pub(super) fn l0(&self) -> f64 {
        self.l0 / self.samples
    }

    pub(super) fn jobs_per_flush(&self) -> f64 {
        self.jobs / self.flushes
    }
}

/// A run: the random writes it stands for, in bytes, and what of them is distinct.
#[derive(Clone, Copy, Debug)]
struct Run {
    writes: f64,
    bytes: f64,
    level: u8,
    flush_seq: u64,
}

#[derive(Debug)]
struct Slot {
    from: f64,
    to: f64,
    live: f64,
    /// Bytes of keys that are ever written again.
    rewritten: f64,
    /// The share of reads that look past the newest run.
    depth: f64,
    /// Oldest first.
    runs: Vec<Run>,
    /// Bytes written here until the next flush.
    writes: f64,
    /// Reads that did not make a whole one yet.
    reads_left: f64,
}

impl Slot {
    fn distinct(&self, writes: f64) -> f64 {
        if writes.is_infinite() { self.live } else { distinct_of(writes, self.rewritten) }
    }

    fn views(&self) -> Vec<RunView> {
        let view = |run: &Run| RunView {
            bytes: run.bytes as u64,
            entries: (run.bytes / 1024.0) as u64,
            flush_seq: run.flush_seq,
            level: run.level,
            ..RunView::default()
        };
        self.runs.iter().map(view).collect()
    }

    fn looks(&self) -> f64 {
        1.0 + self.depth * (self.runs.len() as f64 - 1.0)
    }
}

struct Store<'a> {
    workload: &'a Workload,
    setup: &'a Setup,
    scheduler: Scheduler,
    slots: BTreeMap<u64, Slot>,
    next_slot: u64,
    flushes: u64,
    loaded: f64,
    purse: f64,
    figures: Figures,
}

/// Plays a workload.
pub(super) fn simulate(workload: &Workload, setup: &Setup, warm: f64, span: f64) -> Figures {
    let mut store = Store::new(workload, setup);
    let flush_count = ((warm + span) * workload.live / MEMTABLE).ceil() as u64;
    let measured_from = (warm * workload.live / MEMTABLE).floor() as u64;
    let stride = if flush_count > 4000 { 7 } else { 1 };
    let (mut writes, mut per_flush) = (None, MEMTABLE);
    let mut reads = (workload.reads)(0.0);
    for flush in 0..flush_count {
        let flushed_over = flush as f64 * MEMTABLE / workload.live;
        let now = (workload.writes)(flushed_over);
        if writes.as_ref() != Some(&now) {
            if !workload.is_load {
                per_flush = now.writes_per_flush(workload.live);
            }
            store.direct(&now, per_flush);
        }
        if flush % 16 == 0 {
            reads = (workload.reads)(flushed_over);
        }
        if flush == measured_from {
            store.figures = Figures::default();
        }
        store.flush(per_flush, &reads);
        store.compact(&now, per_flush);
        if flush >= measured_from && flush % stride == 0 {
            store.measure(&reads);
        }
        writes = Some(now);
    }
    store.figures
}

impl Store<'_> {
    fn new<'a>(workload: &'a Workload, setup: &'a Setup) -> Store<'a> {
        let mut scheduler = Scheduler::new(setup.policy.clone());
        scheduler.tick(Duration::ZERO);
        let mut dice = Rng::new(setup.policy.seed);
        let mut rng = || (dice.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        let target = (MEMTABLE * (workload.live / (16.0 * MEMTABLE)).sqrt())
            .clamp(MEMTABLE, 32.0 * MEMTABLE);
        let count =
            if workload.is_load { 1 } else { (workload.live / target).ceil().max(1.0) as u64 };
        let mut slots = BTreeMap::new();
        for id in 0..count {
            let (from, to) = (id as f64 / count as f64, (id + 1) as f64 / count as f64);
            let live = if workload.is_load { f64::INFINITY } else { workload.live * (to - from) };
            let mut slot = Slot {
                from,
                to,
                live,
                rewritten: live,
                depth: 1.0,
                runs: Vec::new(),
                writes: 0.0,
                reads_left: 0.0,
            };
            if setup.is_hidden {
                slot.rewritten = live * (-5.0 * rng()).exp();
                slot.depth = (-3.0 * rng()).exp();
            }
            if !workload.is_load {
                // Slots begin at any point of their cycle, or they would move in step.
                let writes = rng() * setup.policy.alpha.min(1.0) * live;
                let run = |writes, bytes| Run { writes, bytes, level: 1, flush_seq: 0 };
                slot.runs.push(run(f64::INFINITY, live));
                slot.runs.push(run(writes, slot.distinct(writes)));
            }
            scheduler.insert(usize::MAX, id, &slot.views());
            slots.insert(id, slot);
        }
        let figures = Figures::default();
        Store {
            workload,
            setup,
            scheduler,
            slots,
            next_slot: count,
            flushes: 0,
            loaded: 0.0,
            purse: 0.0,
            figures,
        }
    }

    /// Spreads the writes of the coming flushes over the slots.
    fn direct(&mut self, writes: &Spread, per_flush: f64) {
        for slot in self.slots.values_mut() {
            slot.writes = per_flush * writes.share(slot.from, slot.to);
        }
    }

    fn flush(&mut self, writes: f64, reads: &Spread) {
        self.flushes += 1;
        self.figures.written += writes;
        self.figures.flushed += MEMTABLE;
        self.figures.flushes += 1.0;
        self.loaded += MEMTABLE;
        for (&id, slot) in &mut self.slots {
            let wanted = reads.share(slot.from, slot.to) * writes / 1024.0 + slot.reads_left;
            slot.reads_left = wanted.fract();
            let (points, runs) = (wanted as u64, slot.runs.len() as u64);
            let probes = (points as f64 * slot.looks()) as u64;
            let visible = points * runs;
            self.scheduler.note_reads(id, Reads { points, scans: 0, probes, visible });
            if slot.writes < FRAGMENT_MIN {
                continue;
            }
            let bytes = slot.distinct(slot.writes);
            let flush_seq = self.flushes;
            slot.runs.push(Run { writes: slot.writes, bytes, level: 0, flush_seq });
            self.scheduler.set_runs(id, &slot.views());
            self.scheduler.note_flush(id, bytes as u64);
        }
        let now = FLUSH_TIME * u32::try_from(self.flushes).unwrap_or(u32::MAX);
        self.scheduler.flush_installed(now, self.flushes);
    }

    /// Carries out picks until there is none or the budget is spent. Forced ones are not asked
    /// whether there is budget, but use it up.
    fn compact(&mut self, writes: &Spread, per_flush: f64) {
        if let Some(budget) = self.setup.budget {
            let earned = budget * MEMTABLE;
            self.purse = (self.purse + earned).min(2.0 * earned);
        }
        while let Some(pick) = self.scheduler.pick(&|_| false) {
            if pick.why == Why::Oversized {
                self.split(pick.slot, 2, writes, per_flush);
                continue;
            }
            let is_forced = pick.why == Why::OldestFlush;
            if self.setup.budget.is_some() && self.purse <= 0.0 && !is_forced {
                break;
            }
            let Some(slot) = self.slots.get_mut(&pick.slot) else { break };
            let inputs: Vec<Run> = slot.runs.drain(pick.first..pick.first + pick.count).collect();
            let sum: f64 = inputs.iter().map(|run| run.writes).sum();
            let bytes = slot.distinct(sum);
            let flush_seq = inputs.iter().map(|run| run.flush_seq).max().unwrap_or(0);
            let output = Run { writes: sum, bytes, level: pick.level, flush_seq };
            slot.runs.insert(pick.first, output);
            self.scheduler.set_runs(pick.slot, &slot.views());
            let read: f64 = inputs.iter().map(|run| run.bytes).sum();
            let done = Done { bytes_written: bytes as u64, bytes_read: read as u64 };
            self.scheduler.finish(&pick, done);
            self.purse -= bytes;
            self.figures.compacted += bytes;
            self.figures.jobs += 1.0;
            self.figures.job_max = self.figures.job_max.max(bytes);
            let parts = self.scheduler.splits_at_merge(bytes as u64);
            if self.workload.is_load && pick.first == 0 && parts > 1 {
                self.split(pick.slot, parts, writes, per_flush);
            }
        }
    }

    /// Cuts a slot into even parts.
    fn split(&mut self, id: u64, parts: usize, writes: &Spread, per_flush: f64) {
        let Some(parent) = self.slots.remove(&id) else { return };
        let share = 1.0 / parts as f64;
        let new: Vec<u64> = (self.next_slot..).take(parts - 1).collect();
        self.next_slot += new.len() as u64;
        self.scheduler.split(id, &new);
        let width = (parent.to - parent.from) * share;
        for (part, id) in std::iter::once(id).chain(new).enumerate() {
            let from = parent.from + width * part as f64;
            let cut =
                |run: &Run| Run { writes: run.writes * share, bytes: run.bytes * share, ..*run };
            let slot = Slot {
                from,
                to: from + width,
                runs: parent.runs.iter().map(cut).collect(),
                writes: per_flush * writes.share(from, from + width),
                reads_left: 0.0,
                ..parent
            };
            self.scheduler.set_runs(id, &slot.views());
            self.slots.insert(id, slot);
        }
    }

    fn measure(&mut self, reads: &Spread) {
        let l0 = self.scheduler.l0_tables() as f64;
        let merged = |slot: &Slot| -> f64 {
            slot.runs.iter().filter(|run| run.level > 0).map(|run| run.bytes).sum()
        };
        let bytes = l0 * MEMTABLE + self.slots.values().map(merged).sum::<f64>();
        let live = if self.workload.is_load { self.loaded } else { self.workload.live };
        let looks = |slot: &Slot| reads.share(slot.from, slot.to) * slot.looks();
        let figures = &mut self.figures;
        figures.samples += 1.0;
        figures.looks += self.slots.values().map(looks).sum::<f64>();
        figures.space += bytes / live;
        figures.l0 += l0;
    }
}
