//! What a job in a slot would do, and whether it should be done.
//!
//! Computed when a slot's runs, budget or traffic change, and cached; a pick only compares.
//!
//! 1. A planned merge removes a run, drops garbage, or makes a run of a fragment.
//! 2. A slot is eligible for the first of these that holds: it is far over the target size; its
//!    upper runs or its tombstones cost too much space; it has more runs than the global limit;
//!    it has more than its budget, and the reads saved pay for the merge in half an hour.

use crate::pick::Why;
use crate::policy::{GARBAGE_RATIO, PAYBACK_S, Policy, T_SPACE_S, Zone};
use crate::rank::choose;
use crate::run::{RunView, bytes_of};
use crate::slot::Slot;

/// A slot this many targets large should be cut without waiting for a merge.
const OVERSIZED_TARGETS: u64 = 4;

/// Bytes above the bottom run per byte of it, however few of them seem to replace anything: what
/// was learned of a slot that is being filled does not hold once it is written over.
const UPPER_MAX: f64 = 2.0;

/// Reads of a slot count as at least this share of the mean.
const READS_MIN_SHARE: f64 = 0.01;

/// What a job would do: runs `first .. first + count`, oldest first, become one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Plan {
    /// The oldest run of the job.
    pub first: usize,
    /// How many runs it takes.
    pub count: usize,
    /// The level of the run it makes.
    pub level: u8,
    /// Bytes it reads, and writes if nothing is dropped.
    pub est_bytes: u64,
    /// By how many runs the slot gets shallower.
    pub removed: usize,
    /// Why it should be done; none if it need not.
    pub why: Option<Why>,
}

impl Plan {
    pub(crate) fn of(runs: &[RunView], first: usize, count: usize, level: u8) -> Plan {
        let end = first.saturating_add(count).min(runs.len());
        let inputs = runs.get(first..end).unwrap_or(&[]);
        let removed = inputs.len().saturating_sub(1);
        let est_bytes = bytes_of(inputs);
        Plan { first, count: inputs.len(), level, est_bytes, removed, why: None }
    }
}

/// What surrounds a slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Around<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) zone: Zone,
    pub(crate) oldest_reader: u64,
    /// Bytes a slot should have.
    pub(crate) slot_target: u64,
    /// Mean weighted reads a second over all slots.
    pub(crate) mean_reads: f64,
    pub(crate) slots: usize,
}

/// The result, with the numbers behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Assessment {
    /// The merge within the slot's own budget; `why` is set if it is eligible.
    pub(crate) own: Option<Plan>,
    /// The merge within the global limit, which pressure asks for.
    pub(crate) wide: Option<Plan>,
    /// The budget that counts in this zone.
    pub(crate) k_eff: usize,
    /// Bytes a second that one run less is worth.
    pub(crate) gain: f64,
    /// Bytes the merge is hoped to free.
    pub(crate) reclaim: f64,
    /// Estimated reward per byte written.
    pub(crate) prior: f64,
    /// Reads alone would pay for the merge in time.
    pub(crate) is_worth_it: bool,
    /// A pinned run's tombstones count once the oldest reader gets here; else `u64::MAX`.
    pub(crate) pinned_until: u64,
}

/// Looks at a slot whose runs are held to a budget.
pub(crate) fn assess(slot: &Slot, around: &Around<'_>) -> Assessment {
    let policy = around.policy;
    let k_eff = around.zone.widen(slot.k, policy.k_global);
    let full = must_merge_all(slot, around);
    let pinned_until = pinned_until(slot, around.oldest_reader);
    let own = merge(slot, around, k_eff, full);
    let wide = merge(slot, around, policy.k_global, full);
    let reads = slot.reads.max(READS_MIN_SHARE * around.mean_reads);
    let gain = policy.lambda * reads;
    let mut found = Assessment { own, wide, k_eff, gain, pinned_until, ..Assessment::default() };
    let oversized = is_oversized(slot, around.slot_target);
    if oversized {
        found.own = Some(Plan::of(&slot.runs, 0, slot.runs.len(), 1));
    }
    let Some(plan) = &mut found.own else { return found };
    let saved = policy.lambda * slot.reads * plan.removed as f64;
    found.is_worth_it = saved * PAYBACK_S >= plan.est_bytes as f64;
    found.reclaim = reclaim(slot, plan, full);
    let worth = gain * plan.removed as f64 + found.reclaim / T_SPACE_S;
    found.prior = worth / (plan.est_bytes as f64 - found.reclaim).max(1.0);
    let visible = slot.runs.len();
    plan.why = match full {
        _ if oversized => Some(Why::Oversized),
        Some(why) => Some(why),
        None if visible > policy.k_global => Some(Why::OverLimit),
        None if visible > k_eff && found.is_worth_it => Some(Why::TooManyRuns),
        None => None,
    };
    found
}

/// Whether a slot is so large that it should be cut.
pub(crate) fn is_oversized(slot: &Slot, slot_target: u64) -> bool {
    !slot.is_unsplittable && slot.bytes > slot_target.saturating_mul(OVERSIZED_TARGETS)
}

/// The merge that leaves at most `k` runs, or all runs if there is a reason; none if it would
/// change nothing.
fn merge(slot: &Slot, around: &Around<'_>, k: usize, full: Option<Why>) -> Option<Plan> {
    let runs = &slot.runs;
    let first = match full {
        Some(_) => 0,
        None => choose(runs, k, slot.unit(around.policy, around.slots)),
    };
    let plan = Plan::of(runs, first, runs.len(), 1);
    let makes_a_run = runs.last().is_some_and(RunView::is_fragment);
    (plan.count > 1 || plan.count == 1 && (full.is_some() || makes_a_run)).then_some(plan)
}

/// Why all runs should become one, whatever the budget.
fn must_merge_all(slot: &Slot, around: &Around<'_>) -> Option<Why> {
    let (bottom, upper) = slot.runs.split_first()?;
    // Only bytes that replace something are waste. A slot counts as all waste until a full merge
    // has shown otherwise, so filling it with new keys does not rewrite its bottom for nothing.
    let (above, below) = (bytes_of(upper) as f64, bottom.bytes as f64);
    let alpha = around.policy.alpha;
    if slot.repeats * above > alpha * below || above > alpha.max(UPPER_MAX) * below {
        return Some(Why::Space);
    }
    let droppable = |run: &RunView| run.droppable(around.oldest_reader);
    let garbage: u64 = upper.iter().map(droppable).fold(0, u64::saturating_add);
    let many = GARBAGE_RATIO * bottom.entries as f64;
    // What a full merge has already left behind will not go the second time.
    let is_swept = slot.swept.is_some_and(|swept| bottom.seq_max <= swept);
    let at_bottom = if is_swept { 0 } else { droppable(bottom) };
    (garbage as f64 > many || at_bottom as f64 > many).then_some(Why::Tombstones)
}

/// The first sequence number of the oldest reader at which more tombstones can go.
fn pinned_until(slot: &Slot, oldest_reader: u64) -> u64 {
    let pinned = |run: &&RunView| run.tombstones > 0 && run.seq_max > oldest_reader;
    slot.runs.iter().filter(pinned).map(|run| run.seq_max).min().unwrap_or(u64::MAX)
}

/// Bytes a full merge would free, from what earlier ones found in the slot.
fn reclaim(slot: &Slot, plan: &Plan, full: Option<Why>) -> f64 {
    let Some((bottom, upper)) = slot.runs.split_first().filter(|_| plan.first == 0) else {
        return 0.0;
    };
    let (above, below) = (bytes_of(upper) as f64, bottom.bytes as f64);
    let replaced = (slot.repeats * above).min(below);
    if full != Some(Why::Tombstones) {
        return replaced;
    }
    let share = bottom.tombstones as f64 / bottom.entries.max(1) as f64;
    (above + share.min(1.0) * below).max(replaced)
}
