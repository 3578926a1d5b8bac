//! Facts about the store and about each decision, in numbers and in words.

use crate::pick::Why;
use crate::policy::{Mode, Policy};
use crate::scheduler::Scheduler;
use std::fmt;
use std::time::Duration;

/// The least total of bytes, in memtables, at which slots are larger than one.
const SCALE_MEMTABLES: f64 = 16.0;

/// The largest default slot in memtables.
const SLOT_MEMTABLES_MAX: u64 = 32;

/// What is known of a slot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SlotState {
    /// The slot.
    pub slot: u64,
    /// Its budget of runs; in the leveled mode the levels in use.
    pub k: usize,
    /// The budget that counts under the present pressure.
    pub k_eff: usize,
    /// From 0, keep as many runs as allowed, to 1, keep one.
    pub heat: f64,
    /// Weighted reads a second.
    pub reads_per_s: f64,
    /// Bytes flushed into it a second.
    pub writes_per_s: f64,
    /// Bytes of a typical fragment.
    pub unit: f64,
    /// The share of older runs that a point read looks into.
    pub depth: f64,
    /// By what factor the estimate of a merge's reward is wrong.
    pub mean: f64,
    /// Jobs the mean was learned from.
    pub pulls: f64,
    /// The share of bytes above the bottom run that replace something, as full merges found it.
    pub repeats: f64,
    /// Bytes of its runs.
    pub bytes: u64,
    /// How many runs it has.
    pub runs: usize,
}

/// Every number behind what would be done with a slot now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Explanation {
    /// What is known of the slot.
    pub state: SlotState,
    /// The cheapest budget. The slot keeps its own while that costs less than a ninth more.
    pub k_best: usize,
    /// Bytes a second the present budget costs: rewriting, and lambda for each look.
    pub cost_now: f64,
    /// Bytes a second the cheapest budget costs.
    pub cost_best: f64,
    /// Predicted write amplification with the present budget.
    pub wa_now: f64,
    /// Predicted write amplification with the cheapest budget.
    pub wa_best: f64,
    /// Bytes of the slot in typical fragments.
    pub ratio: f64,
    /// Written bytes that one look is worth, after the cap on write amplification.
    pub lambda: f64,
    /// The oldest run of the job; meaningless where `count` is 0.
    pub first: usize,
    /// How many runs the job takes; 0 where there is nothing to do.
    pub count: usize,
    /// Bytes the job reads.
    pub est_bytes: u64,
    /// Bytes the job is hoped to free.
    pub reclaim: f64,
    /// Estimated reward per byte written.
    pub prior: f64,
    /// What not knowing the slot well adds to the mean.
    pub bonus: f64,
    /// What the age of the oldest fragment multiplies the estimate by.
    pub age_factor: f64,
    /// What is compared with other slots.
    pub score: f64,
    /// Why the job should be done; none if the slot is not eligible.
    pub why: Option<Why>,
    /// Whether reads alone would pay for the job in half an hour.
    pub is_worth_it: bool,
}

impl Scheduler {
    /// Bytes that a slot should have: the root of the store's size in memtables, from one
    /// memtable to 32, unless the policy says.
    pub fn slot_target(&self) -> u64 {
        slot_target(&self.policy, self.total_bytes)
    }

    /// Flushes that still have a fragment somewhere.
    pub fn l0_tables(&self) -> usize {
        self.flushes.len()
    }

    /// Bytes to merge before every slot is within the global limit of runs.
    pub fn debt_bytes(&self) -> u64 {
        u64::try_from(self.debt).unwrap_or(u64::MAX)
    }

    /// The time in which half of the heat is forgotten.
    pub fn half_life(&self) -> Duration {
        self.decay.half_life(&self.policy)
    }

    /// Into how many slots a full merge with this much output should be cut.
    pub fn splits_at_merge(&self, output_bytes: u64) -> usize {
        let target = self.slot_target().max(1);
        if output_bytes <= target.saturating_mul(2) {
            return 1;
        }
        let parts = (output_bytes - target / 2).div_ceil(target);
        usize::try_from(parts).unwrap_or(usize::MAX)
    }

    /// Whether two neighbours are so small that they should be one slot.
    pub fn mergeable(&self, left: u64, right: u64) -> bool {
        let (Some(left), Some(right)) = (self.index_of(left), self.index_of(right)) else {
            return false;
        };
        let together = self.slots[left].bytes.saturating_add(self.slots[right].bytes);
        left != right && together < self.slot_target() / 2
    }

    /// What is known of a slot.
    pub fn state(&self, slot: u64) -> Option<SlotState> {
        let index = self.index_of(slot)?;
        let (slot, found) = (&self.slots[index], &self.assessed[index]);
        let k = match self.policy.mode {
            Mode::Leveled => self.levels_in_use(),
            Mode::Atll | Mode::Tiered => slot.k,
        };
        Some(SlotState {
            slot: slot.id,
            k,
            k_eff: found.k_eff.max(1),
            heat: self.policy.heat(slot.k),
            reads_per_s: slot.reads,
            writes_per_s: slot.writes,
            unit: slot.unit(&self.policy, self.slots.len()),
            depth: slot.depth,
            mean: slot.mean,
            pulls: slot.pulls,
            repeats: slot.repeats,
            bytes: slot.bytes,
            runs: slot.runs.len(),
        })
    }

    /// Every number behind what would be done with a slot now.
    pub fn explain(&self, slot: u64) -> Option<Explanation> {
        let (state, index) = (self.state(slot)?, self.index_of(slot)?);
        let (slot, found) = (&self.slots[index], &self.assessed[index]);
        let (arm, scale) = (&self.arms[index], self.scale());
        let demand = slot.demand(&self.policy, self.slots.len());
        let (table, lambda) = (&self.budgets.table, self.budgets.lambda);
        let cost = |k: usize| demand.cost(k, table, lambda);
        let all = 1..=self.policy.k_global;
        let k_best = all.min_by(|&a, &b| cost(a).total_cmp(&cost(b))).unwrap_or(slot.k);
        let plan = self.plan(slot.id).unwrap_or_default();
        Some(Explanation {
            state,
            k_best,
            cost_now: cost(slot.k),
            cost_best: cost(k_best),
            wa_now: table.wa(slot.k, demand.ratio),
            wa_best: table.wa(k_best, demand.ratio),
            ratio: demand.ratio,
            lambda,
            first: plan.first,
            count: plan.count,
            est_bytes: plan.est_bytes,
            reclaim: found.reclaim,
            prior: found.prior,
            bonus: scale.bonus(arm),
            age_factor: scale.age_factor(arm),
            score: scale.score(arm),
            why: plan.why,
            is_worth_it: found.is_worth_it,
        })
    }
}

pub(crate) fn slot_target(policy: &Policy, total_bytes: u128) -> u64 {
    policy.slot_target_bytes.unwrap_or_else(|| {
        let memtable = policy.memtable_bytes;
        let scale = (total_bytes as f64 / (SCALE_MEMTABLES * memtable as f64)).sqrt();
        let wanted = (memtable as f64 * scale) as u64;
        wanted.clamp(memtable, memtable.saturating_mul(SLOT_MEMTABLES_MAX))
    })
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = &self.state;
        writeln!(
            f,
            "slot {}: {} bytes in {} runs, budget {} (heat {:.2}), under pressure {}",
            state.slot, state.bytes, state.runs, state.k, state.heat, state.k_eff
        )?;
        writeln!(
            f,
            "  traffic: {:.1} reads/s, {:.0} bytes/s written in fragments of {:.0}, so R = {:.1}",
            state.reads_per_s, state.writes_per_s, state.unit, self.ratio
        )?;
        writeln!(
            f,
            "  budget: {} runs cost {:.0} bytes/s (write amplification {:.1}), best {} runs cost \
             {:.0} ({:.1}), at {:.0} bytes a look",
            state.k,
            self.cost_now,
            self.wa_now,
            self.k_best,
            self.cost_best,
            self.wa_best,
            self.lambda
        )?;
        if self.count == 0 {
            return write!(f, "  job: none, there is nothing to merge");
        }
        writeln!(
            f,
            "  job: runs {}..{}, {} bytes, {:.0} of them to be freed; estimate {:.3e} x age \
             {:.2} x (learned {:.2} from {:.0} jobs + bonus {:.2}) = {:.3e}",
            self.first,
            self.first + self.count,
            self.est_bytes,
            self.reclaim,
            self.prior,
            self.age_factor,
            state.mean,
            state.pulls,
            self.bonus,
            self.score
        )?;
        match self.why {
            Some(why) => write!(f, "  eligible: {why}"),
            None if state.runs <= state.k_eff => write!(f, "  not eligible: within its budget"),
            None if !self.is_worth_it => {
                write!(f, "  not eligible: reads would not pay for it in half an hour")
            }
            None => write!(f, "  not eligible"),
        }
    }
}
