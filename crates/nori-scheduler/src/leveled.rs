//! Levels with a growth factor of 10, the common shape of LSM stores, for comparison.
//!
//! A slot's runs are its shares of the levels, 7 the bottom, 1 the top. Sizes are dynamic as in
//! RocksDB's `level_compaction_dynamic_level_bytes`: the bottom level holds the data, each one
//! above a tenth of it, down to a few memtables; the highest in use is the *base*. When four
//! flushes wait in fragments, every slot that has some merges them into its base run. A level over
//! its target sends down the share with the least below it.
//!
//! 1. Levels fall from a slot's oldest run to its newest; fragments come last.
//! 2. Once fragments are due they stay due until none of those flushes has any.

use crate::assess::{Around, Assessment, Plan, is_oversized};
use crate::pick::Why;
use crate::run::{RunView, first_fragment};
use crate::scheduler::Scheduler;
use crate::slot::Slot;

/// The number of the bottom level.
pub(crate) const LEVELS: usize = 7;

/// How much larger each level is than the one above.
const GROWTH: f64 = 10.0;

/// Flushes in fragments that make merging them due.
const L0_TRIGGER: usize = 4;

/// Memtables that the highest level in use holds.
const BASE_MEMTABLES: f64 = 4.0;

/// Gives runs the levels that the invariant asks for. The oldest run belongs to the bottom if it
/// came without a level: it is no part of a flush, or its level is beyond the bottom.
pub(crate) fn label(runs: &mut [RunView]) {
    let bottom = LEVELS as u8;
    if let Some(oldest) = runs.first_mut().filter(|run| run.is_fragment() && run.flush_seq == 0) {
        oldest.level = bottom;
    }
    let mut below = bottom;
    for run in runs.iter_mut().filter(|run| !run.is_fragment()) {
        run.level = run.level.clamp(1, below);
        below = run.level;
    }
}

/// Bytes of a slot's runs by level.
pub(crate) fn bytes_by_level(runs: &[RunView]) -> [u64; LEVELS + 1] {
    let mut levels = [0u64; LEVELS + 1];
    for run in runs {
        let sum = &mut levels[usize::from(run.level).min(LEVELS)];
        *sum = sum.saturating_add(run.bytes);
    }
    levels
}

/// Only what does not depend on other slots; the rest is decided in the pick.
pub(crate) fn assess(slot: &Slot, around: &Around<'_>) -> Assessment {
    let all = Plan::of(&slot.runs, 0, slot.runs.len(), LEVELS as u8);
    let cut = Plan { why: Some(Why::Oversized), ..all };
    Assessment {
        own: is_oversized(slot, around.slot_target).then_some(cut),
        wide: (slot.runs.len() > 1).then_some(all),
        k_eff: around.policy.k_global,
        pinned_until: u64::MAX,
        ..Assessment::default()
    }
}

/// The level that fragments go to, and what each level should hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Targets {
    pub(crate) base: usize,
    bytes: [f64; LEVELS + 1],
}

impl Targets {
    pub(crate) fn new(bottom_bytes: f64, memtable_bytes: u64) -> Targets {
        let least = BASE_MEMTABLES * memtable_bytes as f64;
        let mut bytes = [0.0; LEVELS + 1];
        let mut base = LEVELS;
        bytes[base] = bottom_bytes.max(least);
        while base > 1 && bytes[base] / GROWTH > least {
            bytes[base - 1] = bytes[base] / GROWTH;
            base -= 1;
        }
        if base > 1 && bytes[base] > 1.5 * least {
            base -= 1;
            bytes[base] = least;
        }
        Targets { base, bytes }
    }
}

impl Scheduler {
    /// How many levels are in use.
    pub(crate) fn levels_in_use(&self) -> usize {
        LEVELS + 1 - self.targets().base
    }

    /// Notices when fragments become due and when they have all gone.
    pub(crate) fn update_draining(&mut self) {
        let oldest = self.flushes.keys().next().copied();
        let is_drained = |until: u64| oldest.is_none_or(|flush| flush > until);
        if self.draining.is_some_and(is_drained) {
            self.draining = None;
        }
        if self.draining.is_none() && self.flushes.len() >= L0_TRIGGER {
            self.draining = self.flushes.keys().next_back().copied();
        }
    }

    /// The next job: slots too large, fragments that are due, then the highest level over target.
    pub(crate) fn leveled_pick(&self, is_busy: &dyn Fn(u64) -> bool) -> Option<(usize, Plan)> {
        let is_free = |index: &usize| !is_busy(self.slots[*index].id);
        let all = || 0..self.slots.len();
        let oversized = |index: &usize| self.assessed[*index].own.is_some();
        if let Some(index) = all().filter(oversized).find(is_free) {
            return Some((index, self.assessed[index].own?));
        }
        let until = self.draining.unwrap_or(0);
        let due = |index: &usize| self.arms[*index].oldest_fragment <= until;
        let key = |index: &usize| (self.arms[*index].oldest_fragment, self.slots[*index].id);
        if let Some(index) = all().filter(due).filter(is_free).min_by_key(key) {
            return Some((index, self.merge_into_base(index)?));
        }
        let targets = self.targets();
        for level in 1..LEVELS {
            if self.levels[level] as f64 <= targets.bytes[level] {
                continue;
            }
            let has_some = |index: &usize| self.slots[*index].levels[level] > 0;
            let overlap = |index: &usize| {
                let levels = &self.slots[*index].levels;
                levels[level + 1] as f64 / levels[level] as f64
            };
            let order = |a: &usize, b: &usize| {
                let ids = self.slots[*a].id.cmp(&self.slots[*b].id);
                overlap(a).total_cmp(&overlap(b)).then(ids)
            };
            if let Some(index) = all().filter(has_some).filter(is_free).min_by(order) {
                return Some((index, self.push_down(index, level)?));
            }
        }
        None
    }

    /// What a slot would do next on its own.
    pub(crate) fn leveled_plan(&self, index: usize) -> Option<Plan> {
        let slot = &self.slots[index];
        if self.assessed[index].own.is_some() {
            return self.assessed[index].own;
        }
        if first_fragment(&slot.runs).is_some() {
            return self.merge_into_base(index);
        }
        let level = (1..LEVELS).find(|&level| slot.levels[level] > 0)?;
        let is_over = self.levels[level] as f64 > self.targets().bytes[level];
        let plan = self.push_down(index, level)?;
        Some(Plan { why: plan.why.filter(|_| is_over), ..plan })
    }

    /// Fragments, and what lies at or above the base level, become the base run.
    pub(crate) fn merge_into_base(&self, index: usize) -> Option<Plan> {
        let (runs, base) = (&self.slots[index].runs, self.targets().base);
        let first = runs.iter().position(|run| usize::from(run.level) <= base)?;
        Some(due(Plan::of(runs, first, runs.len(), base as u8)))
    }

    /// One level's run goes into the next. Without one there, it only changes its level. What is
    /// above the base, left by another mode or a larger store, goes straight there.
    fn push_down(&self, index: usize, level: usize) -> Option<Plan> {
        if level < self.targets().base {
            return self.merge_into_base(index);
        }
        let runs = &self.slots[index].runs;
        let is_part = |run: &RunView| (level..=level + 1).contains(&usize::from(run.level));
        let first = runs.iter().position(is_part)?;
        let count = runs.iter().filter(|run| is_part(run)).count();
        Some(due(Plan::of(runs, first, count, level as u8 + 1)))
    }

    fn targets(&self) -> Targets {
        Targets::new(self.levels[LEVELS] as f64, self.policy.memtable_bytes)
    }
}

fn due(plan: Plan) -> Plan {
    Plan { why: Some(Why::LevelFull), ..plan }
}
