//! The pick: what is the best merge now?
//!
//! 1. Nothing is allocated, and only slots that could win are asked whether they are busy.
//! 2. While flushes wait in fragments beyond the soft limit, the slots that hold the oldest of
//!    them go first, with the cheapest merge that frees them; nobody chooses and nothing is
//!    learned.
//! 3. Ties go to the oldest fragment, then to the lowest slot id.

use crate::assess::Plan;
use crate::bandit::{Scale, exploration};
use crate::policy::Mode;
use crate::scheduler::Scheduler;
use std::fmt;

/// Why a job should be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Why {
    /// More runs than the slot's budget, and reads pay for the merge.
    TooManyRuns,
    /// More runs than any slot may have.
    OverLimit,
    /// The upper runs hold too many bytes for the bottom run.
    Space,
    /// Too many tombstones for the bottom run.
    Tombstones,
    /// The slot is so large that it should be cut.
    Oversized,
    /// Too many flushes wait in fragments, and the slot holds one of the oldest.
    OldestFlush,
    /// A level is over its target (leveled mode).
    LevelFull,
    /// Enough runs of one tier, or too many bytes above the bottom (tiered mode).
    TierFull,
}

impl Why {
    /// Whether the job had to be done and so teaches nothing about choosing.
    pub(crate) fn is_forced(self) -> bool {
        !matches!(self, Why::TooManyRuns | Why::OverLimit | Why::Space | Why::Tombstones)
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Why::TooManyRuns => "more runs than its budget",
            Why::OverLimit => "more runs than any slot may have",
            Why::Space => "upper runs too large for the bottom run",
            Why::Tombstones => "too many tombstones",
            Why::Oversized => "so large that it should be cut",
            Why::OldestFlush => "holds one of the oldest flushes",
            Why::LevelFull => "a level is over its target",
            Why::TierFull => "a tier is full",
        })
    }
}

/// A job to do: runs `first .. first + count` of a slot, oldest first, become one run.
///
/// When `why` is [`Why::Oversized`] the slot may be cut by metadata alone; merging all runs and
/// cutting the output does as well.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pick {
    /// The slot.
    pub slot: u64,
    /// The oldest run of the job.
    pub first: usize,
    /// How many runs it takes; one where garbage goes or a fragment becomes a run.
    pub count: usize,
    /// The level of the run it makes.
    pub level: u8,
    /// The reason.
    pub why: Why,
    /// Whether the dice chose, not the score.
    pub explored: bool,
    /// Estimated reward per byte written, without the age factor.
    pub prior: f64,
    /// By what factor the estimate was wrong here so far.
    pub mean: f64,
    /// What not knowing the slot well adds to the mean.
    pub bonus: f64,
    /// What the age of the oldest fragment multiplies the estimate by.
    pub age_factor: f64,
    /// What was compared.
    pub score: f64,
    /// Bytes a second that each removed run is worth.
    pub gain: f64,
    /// Bytes the job reads.
    pub est_bytes: u64,
    /// By how many runs the slot gets shallower.
    pub removed: usize,
    /// The slot's budget.
    pub k: usize,
    /// The slot's heat.
    pub heat: f64,
}

impl Scheduler {
    /// The best job now among slots that are not busy; none if there is nothing to do. The slot
    /// is not marked busy, that is for the caller's table of jobs.
    pub fn pick(&mut self, is_busy: &dyn Fn(u64) -> bool) -> Option<Pick> {
        let forced = self.forced(is_busy);
        if let Some((index, plan)) = forced {
            return Some(self.picked(index, plan, Why::OldestFlush, false));
        }
        if self.policy.mode == Mode::Leveled {
            let (index, plan) = self.leveled_pick(is_busy)?;
            let why = plan.why.unwrap_or(Why::LevelFull);
            return Some(self.picked(index, plan, why, false));
        }
        let best = self.best(is_busy)?;
        let explored = self.policy.mode == Mode::Atll && self.explores();
        let index = if explored { self.any(is_busy).unwrap_or(best) } else { best };
        let plan = self.assessed[index].own?;
        let why = plan.why?;
        Some(self.picked(index, plan, why, explored))
    }

    /// Whether [`Scheduler::pick`] would find something.
    pub fn any_due(&self, is_busy: &dyn Fn(u64) -> bool) -> bool {
        if self.forced(is_busy).is_some() {
            return true;
        }
        match self.policy.mode {
            Mode::Leveled => self.leveled_pick(is_busy).is_some(),
            Mode::Atll | Mode::Tiered => {
                let mut slots = self.eligible.iter().zip(&self.slots);
                slots.any(|(is_eligible, slot)| *is_eligible && !is_busy(slot.id))
            }
        }
    }

    /// What a job in a slot would do now, eligible or not; none if it would change nothing.
    pub fn plan(&self, slot: u64) -> Option<Plan> {
        let index = self.index_of(slot)?;
        match self.policy.mode {
            Mode::Leveled => self.leveled_plan(index),
            Mode::Atll | Mode::Tiered => self.assessed[index].own,
        }
    }

    /// The slot that must free the oldest flush, and how.
    fn forced(&self, is_busy: &dyn Fn(u64) -> bool) -> Option<(usize, Plan)> {
        let excess = self.flushes.len().checked_sub(self.policy.l0_soft)?;
        // Freeing the flushes up to this one brings the count back to the limit.
        let last = *self.flushes.keys().nth(excess.checked_sub(1)?)?;
        let mut oldest: Option<usize> = None;
        for (index, arm) in self.arms.iter().enumerate() {
            let is_older = oldest
                .is_none_or(|old: usize| arm.oldest_fragment < self.arms[old].oldest_fragment);
            if arm.oldest_fragment <= last && is_older && !is_busy(self.slots[index].id) {
                oldest = Some(index);
            }
        }
        let index = oldest?;
        let plan = match self.policy.mode {
            Mode::Leveled => self.merge_into_base(index),
            Mode::Atll | Mode::Tiered => self.assessed[index].wide,
        };
        Some((index, plan?))
    }

    /// The eligible slot with the best score.
    fn best(&self, is_busy: &dyn Fn(u64) -> bool) -> Option<usize> {
        let scale = self.scale();
        let mut best: Option<(usize, f64)> = None;
        for (index, (arm, is_eligible)) in self.arms.iter().zip(&self.eligible).enumerate() {
            if !is_eligible {
                continue;
            }
            let score = scale.score(arm);
            let wins = match best {
                None => true,
                Some((other, top)) => {
                    score > top || score == top && self.tie_key(index) < self.tie_key(other)
                }
            };
            if wins && !is_busy(self.slots[index].id) {
                best = Some((index, score));
            }
        }
        best.map(|(index, _)| index)
    }

    fn tie_key(&self, index: usize) -> (u64, u64) {
        (self.arms[index].oldest_fragment, self.slots[index].id)
    }

    /// Throws the dice whether to explore.
    fn explores(&mut self) -> bool {
        let share = exploration(&self.policy);
        let dice = (self.rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        dice < share
    }

    /// Any eligible slot, each as likely as the next.
    fn any(&mut self, is_busy: &dyn Fn(u64) -> bool) -> Option<usize> {
        let free = |&index: &usize| self.eligible[index] && !is_busy(self.slots[index].id);
        let count = (0..self.arms.len()).filter(free).count();
        let chosen = self.rng.index(count);
        let free = |&index: &usize| self.eligible[index] && !is_busy(self.slots[index].id);
        (0..self.arms.len()).filter(free).nth(chosen)
    }

    pub(crate) fn scale(&self) -> Scale {
        Scale::new(&self.policy, self.all_pulls, self.flushed)
    }

    fn picked(&mut self, index: usize, plan: Plan, why: Why, explored: bool) -> Pick {
        let (scale, arm) = (self.scale(), self.arms[index]);
        let slot = &mut self.slots[index];
        slot.sweeping = self.oldest_reader;
        let bottom = slot.runs.first().map_or(0, |run| run.bytes);
        slot.merging_upper = plan.est_bytes.saturating_sub(bottom);
        Pick {
            slot: slot.id,
            first: plan.first,
            count: plan.count,
            level: plan.level,
            why,
            explored,
            prior: arm.prior,
            mean: arm.mean,
            bonus: scale.bonus(&arm),
            age_factor: scale.age_factor(&arm),
            score: scale.score(&arm),
            gain: self.assessed[index].gain,
            est_bytes: plan.est_bytes,
            removed: plan.removed,
            k: slot.k,
            heat: self.policy.heat(slot.k),
        }
    }
}
