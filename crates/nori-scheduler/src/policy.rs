//! What can be chosen about compaction, with its defaults and limits.
//!
//! 1. A [`Policy`] that a scheduler works with has been through `within_limits`: every number is
//!    finite and in its range, so formulas need no guards of their own.

use std::time::Duration;

/// No slot keeps more runs than this, whatever the options say.
pub(crate) const K_MAX: usize = 16;

/// Seconds after which a saved read must have paid for the merge that saves it. A trickle of
/// reads must not rewrite an idle store.
pub(crate) const PAYBACK_S: f64 = 1800.0;

/// Seconds that a reclaimed byte is worth a written one.
pub(crate) const T_SPACE_S: f64 = 600.0;

/// Tombstones per entry of the bottom run that make a full merge due.
pub(crate) const GARBAGE_RATIO: f64 = 0.25;

/// How a slot's runs are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Each slot has a budget of runs that follows its heat.
    #[default]
    Atll,
    /// Levels with a growth factor of 10, for comparison.
    Leveled,
    /// Tiers of 4 runs, for comparison.
    Tiered,
}

/// How much pressure writers put on compaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Zone {
    /// Slots are held to their own budgets.
    #[default]
    Green,
    /// Budgets are two runs wider.
    Yellow,
    /// Only the global limit counts: merges are as cheap as they can be.
    Orange,
    /// As orange; writers are slowed down hard.
    Red,
}

impl Zone {
    /// The zone of a pressure, where 1 is the point at which writers wait.
    pub fn from_pressure(pressure: f64) -> Zone {
        match pressure {
            p if p >= 0.9 => Zone::Red,
            p if p >= 0.75 => Zone::Orange,
            p if p >= 0.5 => Zone::Yellow,
            _ => Zone::Green,
        }
    }

    /// The budget of a slot whose own is `k`.
    pub(crate) fn widen(self, k: usize, k_global: usize) -> usize {
        match self {
            Zone::Green => k,
            Zone::Yellow => k.saturating_add(2).min(k_global),
            Zone::Orange | Zone::Red => k_global,
        }
    }
}

/// Who goes first among the slots that want a merge. The engine uses the first; the others are
/// what it is compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Chooser {
    /// Best estimate of reads saved per byte written, times the learned error of the estimate.
    #[default]
    Residual,
    /// Best estimate, nothing learned.
    Greedy,
    /// Upper confidence bound on the plain reward (runs removed times relative heat per MiB).
    RawUcb,
    /// Any eligible slot.
    Random,
    /// The slot whose oldest fragment is oldest.
    Oldest,
}

/// What compaction aims at. Each field says its unit, its default, and when to turn it.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// How runs are kept. Default: [`Mode::Atll`].
    pub mode: Mode,
    /// Who goes first. Default: [`Chooser::Residual`].
    pub chooser: Chooser,
    /// Bytes of one flush, default 64 MiB. Sets the scale of slots.
    pub memtable_bytes: u64,
    /// Bytes of one table, default 64 MiB.
    pub table_bytes: u64,
    /// Runs a slot may keep at most, 1 to 16, default 12. Fewer when scans of cold data are slow.
    pub k_global: usize,
    /// Written bytes that saving one look into a run is worth, default 2048. Lower it when the
    /// device is busy writing, raise it when reads are slow.
    pub lambda: f64,
    /// Cap on the predicted write amplification of the whole store, default 16.
    pub wa_max: f64,
    /// Bytes above the bottom run per byte of it, default 0.5; space amplification stays under
    /// 1 + alpha. Lower it when the disk is nearly full.
    pub alpha: f64,
    /// Bytes of a slot; by default grows with the root of the store's size, so that both the
    /// number of slots and the size of one job stay moderate.
    pub slot_target_bytes: Option<u64>,
    /// Flushes that may be in fragments before the oldest is merged away, default 16.
    pub l0_soft: usize,
    /// Flushes in fragments at which writers wait, default 24; also the scale of ageing.
    pub l0_hard: usize,
    /// How fast heat is forgotten; by default 32 flushes, at least a minute.
    pub half_life: Option<Duration>,
    /// What a point read counts, default 1.
    pub point_weight: f64,
    /// What a scan counts in each slot it touches, default 2: filters do not help it.
    pub scan_weight: f64,
    /// Share of picks that explore, default 0.05.
    pub epsilon: f64,
    /// Weight of the confidence bonus, default 0.5.
    pub ucb_c: f64,
    /// Holds the budget of every slot at this many runs; for simulation and tests.
    pub fixed_k: Option<usize>,
    /// Seed of the dice.
    pub seed: u64,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            mode: Mode::Atll,
            chooser: Chooser::Residual,
            memtable_bytes: 64 << 20,
            table_bytes: 64 << 20,
            k_global: 12,
            lambda: 2048.0,
            wa_max: 16.0,
            alpha: 0.5,
            slot_target_bytes: None,
            l0_soft: 16,
            l0_hard: 24,
            half_life: None,
            point_weight: 1.0,
            scan_weight: 2.0,
            epsilon: 0.05,
            ucb_c: 0.5,
            fixed_k: None,
            seed: 0,
        }
    }
}

impl Policy {
    /// The same with every number in its range; what is not a number becomes the default.
    pub(crate) fn within_limits(self) -> Policy {
        let default = Policy::default();
        let number = |x: f64, low: f64, high: f64, or: f64| {
            if x.is_nan() { or } else { x.clamp(low, high) }
        };
        let k_global = self.k_global.clamp(1, K_MAX);
        let ms = Duration::from_millis(1);
        let century = Duration::from_secs(100 * 365 * 86_400);
        Policy {
            memtable_bytes: self.memtable_bytes.clamp(1, 1 << 50),
            table_bytes: self.table_bytes.clamp(1, 1 << 50),
            k_global,
            lambda: number(self.lambda, 0.0, 1e12, default.lambda),
            wa_max: number(self.wa_max, 1.0, 1e12, default.wa_max),
            alpha: number(self.alpha, 0.01, 1e12, default.alpha),
            slot_target_bytes: self.slot_target_bytes.map(|bytes| bytes.max(1)),
            l0_soft: self.l0_soft.max(1),
            l0_hard: self.l0_hard.max(1),
            half_life: self.half_life.map(|h| h.clamp(ms, century)),
            point_weight: number(self.point_weight, 0.0, 1e6, default.point_weight),
            scan_weight: number(self.scan_weight, 0.0, 1e6, default.scan_weight),
            epsilon: number(self.epsilon, 0.0, 1.0, default.epsilon),
            ucb_c: number(self.ucb_c, 0.0, 1e6, default.ucb_c),
            fixed_k: self.fixed_k.map(|k| k.clamp(1, k_global)),
            ..self
        }
    }

    /// The share of a slot's demand for few runs, from its budget: 1 for one run, 0 for all.
    pub(crate) fn heat(&self, k: usize) -> f64 {
        if self.k_global <= 1 {
            return 1.0;
        }
        (self.k_global.saturating_sub(k)) as f64 / (self.k_global - 1) as f64
    }
}
