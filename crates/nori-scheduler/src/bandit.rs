//! Who goes first among eligible slots, and what is learned from a finished job.
//!
//! The estimate of a job (`prior`: value of the saved looks and freed bytes, per byte written) is
//! most of what there is to know. What it cannot know is how many duplicates a slot holds and how
//! deep its reads go. So each slot's arm learns `mean`, the ratio of the real reward to the
//! estimate, and the choice is an upper confidence bound on the product (after UCB1: P. Auer,
//! N. Cesa-Bianchi, P. Fischer, "Finite-time analysis of the multiarmed bandit problem", 2002),
//! with a small share of plain exploration.
//!
//! 1. A bonus shrinks with the pulls of an arm and grows slowly with those of all, so no slot is
//!    forgotten; the age of its oldest fragment raises a slot further.
//! 2. The mean is between 0.05 and 20.

use crate::policy::{Chooser, Policy, T_SPACE_S};

/// The learned ratio stays in here.
pub(crate) const RATIO_RANGE: (f64, f64) = (0.05, 20.0);

/// After the first jobs, a new one moves the mean by this share.
const LEARNING_STEP: f64 = 0.1;

/// What a finished job did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Bytes of the new tables.
    pub bytes_written: u64,
    /// Bytes of the runs it replaced.
    pub bytes_read: u64,
}

/// What was learned from a job.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reward {
    /// Value of the saved looks and freed bytes, per byte written.
    pub reward: f64,
    /// Reward over the estimate, held between 0.05 and 20.
    pub ratio: f64,
    /// The slot's mean ratio now.
    pub mean: f64,
    /// Jobs the mean was learned from.
    pub pulls: f64,
}

/// The numbers of a slot that a pick compares, packed for the scan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arm {
    pub(crate) prior: f64,
    pub(crate) mean: f64,
    /// 1 / sqrt(1 + pulls); 1 where there were none.
    pub(crate) doubt: f64,
    /// Flush sequence of the oldest fragment; `u64::MAX` if there is none.
    pub(crate) oldest_fragment: u64,
}

/// What a pick knows before it looks at arms.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    chooser: Chooser,
    /// c * sqrt(ln(1 + all pulls))
    bonus: f64,
    flushed: u64,
    per_age: f64,
}

impl Scale {
    pub(crate) fn new(policy: &Policy, all_pulls: f64, flushed: u64) -> Scale {
        Scale {
            chooser: policy.chooser,
            bonus: policy.ucb_c * (1.0 + all_pulls).ln().sqrt(),
            flushed,
            per_age: 1.0 / policy.l0_hard as f64,
        }
    }

    pub(crate) fn bonus(&self, arm: &Arm) -> f64 {
        self.bonus * arm.doubt
    }

    /// Flushes since the oldest fragment; 0 without one.
    fn age(&self, arm: &Arm) -> f64 {
        let age = self.flushed.saturating_sub(arm.oldest_fragment);
        // Narrow numbers become floats in one instruction, and the scan does little else.
        f64::from(u32::try_from(age).unwrap_or(u32::MAX))
    }

    /// What the age of the oldest fragment multiplies the estimate by.
    pub(crate) fn age_factor(&self, arm: &Arm) -> f64 {
        1.0 + self.age(arm) * self.per_age
    }

    pub(crate) fn score(&self, arm: &Arm) -> f64 {
        match self.chooser {
            Chooser::Residual => arm.prior * self.age_factor(arm) * (arm.mean + self.bonus(arm)),
            Chooser::Greedy => arm.prior,
            // An arm never pulled comes before all others.
            Chooser::RawUcb if arm.doubt >= 1.0 => f64::MAX,
            Chooser::RawUcb => arm.mean + self.bonus(arm),
            Chooser::Random => 0.0,
            Chooser::Oldest => self.age(arm),
        }
    }
}

/// The share of picks that take any eligible slot.
pub(crate) fn exploration(policy: &Policy) -> f64 {
    match policy.chooser {
        Chooser::Residual | Chooser::RawUcb => policy.epsilon,
        Chooser::Greedy | Chooser::Oldest => 0.0,
        Chooser::Random => 1.0,
    }
}

/// The reward of a job per byte it wrote, where a removed run is worth `gain` bytes a second if
/// reads went through all runs, and `depth` says how far they go.
pub(crate) fn reward(gain: f64, depth: f64, removed: usize, done: Done) -> f64 {
    let freed = done.bytes_read.saturating_sub(done.bytes_written) as f64;
    let worth = gain * depth * removed as f64 + freed / T_SPACE_S;
    worth / done.bytes_written.max(1) as f64
}

/// The ratio of the reward to what was estimated. A job that was not expected to help anyone
/// teaches nothing.
pub(crate) fn ratio(reward: f64, prior: f64) -> f64 {
    let ratio = if prior > 0.0 { reward / prior } else { 1.0 };
    if ratio.is_nan() { 1.0 } else { ratio.clamp(RATIO_RANGE.0, RATIO_RANGE.1) }
}

/// The mean after one more job.
pub(crate) fn learn(mean: f64, pulls: f64, sample: f64) -> f64 {
    let step = (1.0 / (pulls + 1.0)).max(LEARNING_STEP);
    mean + (sample - mean) * step
}
