//! What is worth keeping over a restart.

use crate::bandit::RATIO_RANGE;
use crate::heat::RATE_MAX;
use crate::policy::Mode;
use crate::scheduler::Scheduler;
use std::time::Duration;

/// What was learned of one slot, as plain numbers to be kept in a file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Learned {
    /// The slot.
    pub slot: u64,
    /// Its budget of runs.
    pub k: u64,
    /// Weighted reads a second.
    pub reads_per_s: f64,
    /// Bytes flushed into it a second.
    pub writes_per_s: f64,
    /// Bytes of a typical fragment; 0 if none was seen.
    pub unit: f64,
    /// The share of older runs that a point read looks into.
    pub depth: f64,
    /// By what factor the estimate of a merge's reward is wrong.
    pub mean: f64,
    /// Jobs the mean was learned from.
    pub pulls: f64,
}

impl Scheduler {
    /// What was learned of each slot, in guard order.
    pub fn learned(&self) -> impl Iterator<Item = Learned> {
        self.slots.iter().map(|slot| Learned {
            slot: slot.id,
            k: slot.k as u64,
            reads_per_s: slot.reads,
            writes_per_s: slot.writes,
            unit: slot.unit,
            depth: slot.depth,
            mean: slot.mean,
            pulls: slot.pulls,
        })
    }

    /// Goes on where an earlier run ended, `asleep` ago. Slots that are not known are skipped,
    /// numbers out of range are brought into it.
    pub fn restore(&mut self, learned: &[Learned], asleep: Duration) {
        let left = self.decay.wake(asleep, &self.policy);
        let within = |x: f64, low: f64, high: f64, or: f64| {
            if x.is_nan() { or } else { x.clamp(low, high) }
        };
        for old in learned {
            let Some(index) = self.index_of(old.slot) else { continue };
            let (slot, k_max) = (&mut self.slots[index], self.policy.k_global);
            if self.policy.fixed_k.is_none() && self.policy.mode == Mode::Atll {
                slot.k = usize::try_from(old.k).unwrap_or(k_max).clamp(1, k_max);
                slot.k_told = slot.k;
            }
            slot.reads = within(old.reads_per_s, 0.0, RATE_MAX, 0.0) * left;
            slot.writes = within(old.writes_per_s, 0.0, RATE_MAX, 0.0) * left;
            slot.unit = within(old.unit, 0.0, RATE_MAX, 0.0);
            slot.depth = within(old.depth, 0.0, 1.0, 1.0);
            slot.mean = within(old.mean, RATIO_RANGE.0, RATIO_RANGE.1, 1.0);
            slot.pulls = within(old.pulls, 0.0, 1e15, 0.0);
        }
        self.all_pulls = self.slots.iter().map(|slot| slot.pulls).sum();
        let reads: f64 = self.slots.iter().map(|slot| slot.reads).sum();
        self.mean_reads = reads / self.slots.len().max(1) as f64;
        self.refresh_all();
    }
}
