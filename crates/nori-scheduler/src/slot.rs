//! What is remembered of one slot.
//!
//! 1. `k` is between 1 and `k_global`; rates are finite and not negative; `depth` is a share;
//!    `mean` is between 0.05 and 20; `pulls` is finite and not negative.

use crate::cost::Demand;
use crate::heat::{Fold, Reads, is_idle};
use crate::leveled::LEVELS;
use crate::policy::Policy;
use crate::rank::UNIT_MIN;
use crate::run::{RunView, bytes_of};

/// How fast the learned depth follows what is measured.
const DEPTH_STEP: f64 = 0.1;

/// How fast the share of repeated writes follows what full merges find.
const REPEATS_STEP: f64 = 0.5;

/// How fast the typical fragment follows the newest.
const UNIT_STEP: f64 = 1.0 / 8.0;

/// One slot.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) id: u64,
    /// Oldest first.
    pub(crate) runs: Vec<RunView>,
    pub(crate) bytes: u64,
    /// Bytes by level, for the leveled mode.
    pub(crate) levels: [u64; LEVELS + 1],
    /// The budget of runs.
    pub(crate) k: usize,
    /// The budget that was last told to the caller.
    pub(crate) k_told: usize,
    /// Weighted reads a second.
    pub(crate) reads: f64,
    /// Bytes flushed into the slot a second.
    pub(crate) writes: f64,
    /// Bytes of a typical fragment; 0 before the first.
    pub(crate) unit: f64,
    /// The share of older runs that a point read looks into.
    pub(crate) depth: f64,
    /// By what factor the estimate of a job's reward is wrong.
    pub(crate) mean: f64,
    /// Jobs the mean was learned from.
    pub(crate) pulls: f64,
    /// The share of bytes above the bottom run that replace something, as full merges found it.
    pub(crate) repeats: f64,
    /// The slot cannot be cut: all its keys are one user key.
    pub(crate) is_unsplittable: bool,
    /// A full merge has dropped every tombstone up to this sequence number.
    pub(crate) swept: Option<u64>,
    /// The oldest reader when the job that runs now was picked.
    pub(crate) sweeping: u64,
    /// Bytes above the bottom run in the job that runs now.
    pub(crate) merging_upper: u64,
    /// Counted since the last tick.
    pub(crate) seen: Reads,
    /// Flushed bytes since the last tick.
    pub(crate) flushed: f64,
}

impl Slot {
    pub(crate) fn new(id: u64, k: usize) -> Slot {
        Slot {
            id,
            runs: Vec::new(),
            bytes: 0,
            levels: [0; LEVELS + 1],
            k,
            k_told: k,
            reads: 0.0,
            writes: 0.0,
            unit: 0.0,
            depth: 1.0,
            mean: 1.0,
            pulls: 0.0,
            repeats: 1.0,
            is_unsplittable: false,
            swept: None,
            sweeping: 0,
            merging_upper: 0,
            seen: Reads::default(),
            flushed: 0.0,
        }
    }

    pub(crate) fn set_runs(&mut self, runs: &[RunView]) {
        self.runs.clear();
        self.runs.extend_from_slice(runs);
        self.bytes = bytes_of(runs);
    }

    /// Bytes of a typical fragment; where none was seen, the newest or an even share of a flush.
    pub(crate) fn unit(&self, policy: &Policy, slots: usize) -> f64 {
        let newest = self.runs.last().filter(|run| run.is_fragment());
        let share = policy.memtable_bytes as f64 / slots.max(1) as f64;
        let unit = match newest {
            _ if self.unit > 0.0 => self.unit,
            Some(run) => run.bytes as f64,
            None => share,
        };
        unit.max(UNIT_MIN)
    }

    pub(crate) fn note_flush(&mut self, bytes: u64) {
        let bytes = bytes as f64;
        self.flushed += bytes;
        self.unit =
            if self.unit > 0.0 { self.unit + (bytes - self.unit) * UNIT_STEP } else { bytes };
    }

    /// Folds what was counted into the rates.
    pub(crate) fn fold(&mut self, fold: &Fold, policy: &Policy) {
        let seen = std::mem::take(&mut self.seen);
        let points = policy.point_weight * seen.points as f64;
        let scans = policy.scan_weight * seen.scans as f64;
        self.reads = fold.rate(self.reads, points + scans);
        self.writes = fold.rate(self.writes, std::mem::take(&mut self.flushed));
        if is_idle(self.reads, self.writes) {
            (self.reads, self.writes) = (0.0, 0.0);
        }
        if let Some(depth) = seen.depth() {
            self.depth += (depth - self.depth) * DEPTH_STEP;
        }
    }

    pub(crate) fn demand(&self, policy: &Policy, slots: usize) -> Demand {
        // What a merge of all runs would write is what the ratio is about: the distinct keys. The
        // largest run holds nearly all of them, the sum of all runs counts rewritten keys twice.
        let distinct = self.runs.iter().map(|run| run.bytes).max().unwrap_or(0);
        let ratio = distinct as f64 / self.unit(policy, slots);
        Demand { reads: self.reads, writes: self.writes, ratio, k: self.k }
    }

    /// Learns from a finished full merge how much of what was written replaced something.
    pub(crate) fn note_full_merge(&mut self, freed: u64) {
        self.swept = self.swept.max(Some(self.sweeping));
        if self.merging_upper > 0 {
            let share = (freed as f64 / self.merging_upper as f64).min(1.0);
            self.repeats += (share - self.repeats) * REPEATS_STEP;
        }
    }

    /// A slot that starts with what this one has learned, and a share of its traffic.
    pub(crate) fn child(&self, id: u64, share: f64) -> Slot {
        Slot {
            k_told: self.k,
            reads: self.reads * share,
            writes: self.writes * share,
            unit: self.unit * share,
            pulls: self.pulls * share,
            runs: Vec::new(),
            bytes: 0,
            levels: [0; LEVELS + 1],
            is_unsplittable: false,
            seen: Reads::default(),
            flushed: 0.0,
            ..Slot { id, ..self.clone() }
        }
    }

    /// Takes over the traffic and the learning of a right neighbour that goes.
    pub(crate) fn absorb(&mut self, right: &Slot) {
        let weigh = |left: f64, right: f64, by: (f64, f64)| {
            let sum = by.0 + by.1;
            if sum > 0.0 { (left * by.0 + right * by.1) / sum } else { left }
        };
        self.depth = weigh(self.depth, right.depth, (self.reads, right.reads));
        self.mean = weigh(self.mean, right.mean, (self.pulls, right.pulls));
        self.repeats = self.repeats.max(right.repeats);
        self.pulls += right.pulls;
        self.reads += right.reads;
        self.writes += right.writes;
        self.unit += right.unit;
        self.flushed += right.flushed;
        self.seen.add(right.seen);
        self.swept = self.swept.min(right.swept);
        self.is_unsplittable = false;
    }
}
