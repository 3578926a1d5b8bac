//! Tiers of four runs, for comparison.
//!
//! The newest four runs of one tier become one run of the next; fragments are tier 0. When what
//! lies above the bottom run is twice its size, all runs become one.

use crate::assess::{Around, Assessment, Plan, is_oversized};
use crate::pick::Why;
use crate::run::{RunView, bytes_of, first_fragment};
use crate::slot::Slot;

/// Runs of one tier that become one of the next.
const WIDTH: usize = 4;

/// Bytes above the bottom run per byte of it.
const UPPER_MAX: f64 = 2.0;

/// Tiers end here.
const TIER_MAX: u8 = 100;

/// Looks at a slot of tiers.
pub(crate) fn assess(slot: &Slot, around: &Around<'_>) -> Assessment {
    let runs = &slot.runs;
    let own = if is_oversized(slot, around.slot_target) {
        Some(Plan { why: Some(Why::Oversized), ..Plan::of(runs, 0, runs.len(), top(runs)) })
    } else {
        full_tier(runs)
    };
    Assessment {
        own,
        wide: own.or_else(|| free_fragments(runs)),
        k_eff: around.policy.k_global,
        pinned_until: u64::MAX,
        // Only the age of fragments orders slots, and ties go by it.
        prior: 0.0,
        ..Assessment::default()
    }
}

/// The merge that is due.
fn full_tier(runs: &[RunView]) -> Option<Plan> {
    let (newest, bottom) = (runs.last()?, runs.first()?);
    let same = runs.iter().rev().take_while(|run| run.level == newest.level).count();
    let upper = bytes_of(&runs[1..]) as f64;
    let plan = if same < runs.len() && upper > UPPER_MAX * bottom.bytes as f64 {
        Plan::of(runs, 0, runs.len(), top(runs))
    } else if same >= WIDTH {
        let tier = newest.level.saturating_add(1).min(TIER_MAX);
        Plan::of(runs, runs.len() - same, same, tier)
    } else {
        return None;
    };
    Some(Plan { why: Some(Why::TierFull), ..plan })
}

/// The tier of a run made of all runs.
fn top(runs: &[RunView]) -> u8 {
    let highest = runs.iter().map(|run| run.level).max().unwrap_or(0);
    highest.saturating_add(1).min(TIER_MAX)
}

/// Fragments become a run of tier 1 before there are enough of them.
fn free_fragments(runs: &[RunView]) -> Option<Plan> {
    let first = first_fragment(runs)?;
    Some(Plan::of(runs, first, runs.len(), 1))
}
