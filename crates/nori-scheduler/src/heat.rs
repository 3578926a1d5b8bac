//! How often slots are read and written, forgotten at one pace.
//!
//! 1. Reads and writes of all slots decay with the same clock, so an idle store keeps the ratios
//!    that its budgets rest on.
//! 2. A rate is the weighted mean of what was seen since the start; before a half-life has passed
//!    it is not dragged towards zero by the time before the start.

use crate::policy::Policy;
use std::time::Duration;

/// The slowest default: a half-life is never under a minute unless asked for.
const HALF_LIFE_MIN: Duration = Duration::from_secs(60);

/// The default half-life in flushes.
const HALF_LIFE_FLUSHES: f64 = 32.0;

/// Observations are folded in at most this often per half-life: a rate over next to no time
/// would be noise.
const FOLDS_PER_HALF_LIFE: f64 = 4096.0;

/// Rates under this are zero.
const RATE_MIN: f64 = 1e-9;

/// Rates over this are held there.
pub(crate) const RATE_MAX: f64 = 1e18;

/// Reads of one slot since the last report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// Point reads.
    pub points: u64,
    /// Scans that touched the slot.
    pub scans: u64,
    /// Runs that the point reads looked into.
    pub probes: u64,
    /// Runs that the slot had, summed over the point reads.
    pub visible: u64,
}

impl Reads {
    pub(crate) fn add(&mut self, more: Reads) {
        self.points = self.points.saturating_add(more.points);
        self.scans = self.scans.saturating_add(more.scans);
        self.probes = self.probes.saturating_add(more.probes);
        self.visible = self.visible.saturating_add(more.visible);
    }

    /// The share of older runs that a point read goes on to look into; none where no read could.
    pub(crate) fn depth(&self) -> Option<f64> {
        let older = self.visible.saturating_sub(self.points);
        let looked = self.probes.saturating_sub(self.points);
        (older > 0).then(|| (looked as f64 / older as f64).min(1.0))
    }
}

/// A slot whose budget changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeatChange {
    /// The slot.
    pub slot: u64,
    /// From 0, keep as many runs as allowed, to 1, keep one.
    pub heat: f64,
    /// The budget when changes were last asked for.
    pub k_before: usize,
    /// The budget now.
    pub k_after: usize,
    /// Weighted reads a second.
    pub reads_per_s: f64,
    /// Bytes flushed into the slot a second.
    pub writes_per_s: f64,
}

/// The clock that all rates decay with.
#[derive(Debug, Default)]
pub(crate) struct Decay {
    /// When observations were last folded in; none before the first time that is heard of.
    folded: Option<Duration>,
    /// How much of a whole history the rates stand for, 0 to 1.
    weight: f64,
    last_flush: Option<Duration>,
    /// Mean seconds between flushes.
    flush_interval: Option<f64>,
}

/// How one fold mixes the old rate with what was counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fold {
    keep: f64,
    per_count: f64,
}

impl Fold {
    pub(crate) fn rate(&self, old: f64, count: f64) -> f64 {
        (old * self.keep + count * self.per_count).clamp(0.0, RATE_MAX)
    }
}

/// Whether both rates are so small that the slot counts as idle.
pub(crate) fn is_idle(reads: f64, writes: f64) -> bool {
    reads < RATE_MIN && writes < RATE_MIN
}

impl Decay {
    /// The time in which half of the heat is forgotten.
    pub(crate) fn half_life(&self, policy: &Policy) -> Duration {
        policy.half_life.unwrap_or_else(|| {
            let seconds = self.flush_interval.unwrap_or(0.0) * HALF_LIFE_FLUSHES;
            HALF_LIFE_MIN.max(Duration::from_secs_f64(seconds.clamp(0.0, 1e9)))
        })
    }

    /// Counts a flush for the mean interval.
    pub(crate) fn flush(&mut self, now: Duration) {
        if let Some(before) = self.last_flush.replace(now) {
            let interval = now.saturating_sub(before).as_secs_f64();
            let mean = self.flush_interval.unwrap_or(interval);
            self.flush_interval = Some(mean + (interval - mean) / 8.0);
        }
    }

    /// Moves the clock; none while too little time has passed, and the first time, which only
    /// says when counting started.
    pub(crate) fn advance(&mut self, now: Duration, policy: &Policy) -> Option<Fold> {
        let half_life = self.half_life(policy).as_secs_f64();
        let folded = *self.folded.get_or_insert(now);
        let passed = now.saturating_sub(folded).as_secs_f64();
        if passed * FOLDS_PER_HALF_LIFE < half_life || passed <= 0.0 {
            return None;
        }
        self.folded = Some(now);
        let forgotten = 1.0 - 0.5f64.powf(passed / half_life);
        let old = self.weight * (1.0 - forgotten);
        self.weight = old + forgotten;
        let keep = old / self.weight;
        Some(Fold { keep, per_count: (1.0 - keep) / passed })
    }

    /// Takes rates from an earlier run for a whole history. Returns what is left of them.
    pub(crate) fn wake(&mut self, asleep: Duration, policy: &Policy) -> f64 {
        self.weight = 1.0;
        0.5f64.powf(asleep.as_secs_f64() / self.half_life(policy).as_secs_f64())
    }
}
