//! Rates and amplifications from counters.
//!
//! 1. Rates are those of the last two seconds, amplifications of the last thirty, or of as long as
//!    the watch has lasted.
//! 2. Counters that fall belong to another opening of the store: what was known is forgotten.
//! 3. Two looks at one moment have no rates; nothing is divided by zero.

use crate::frame::{Amplification, Rates, Slot, Totals};
use std::collections::VecDeque;
use std::sync::Arc;

const RATES_MS: u64 = 2_000;
const AMPLIFICATION_MS: u64 = 30_000;

/// The last looks at the counters.
#[derive(Debug, Default)]
pub(crate) struct RateModel {
    looks: VecDeque<(u64, Totals)>,
}

impl RateModel {
    /// Takes a look at `t` milliseconds.
    pub(crate) fn look(&mut self, t: u64, totals: &Totals) -> (Rates, Amplification) {
        let fell = |old: &Totals| {
            totals.operations < old.operations
                || totals.flush_bytes < old.flush_bytes
                || totals.compactions < old.compactions
                || totals.point_reads < old.point_reads
        };
        if self.looks.back().is_some_and(|(at, old)| fell(old) || t < *at) {
            self.looks.clear();
        }
        // One look older than the window stays, so that the window is full.
        while self.looks.get(1).is_some_and(|(at, _)| t - at >= AMPLIFICATION_MS) {
            self.looks.pop_front();
        }
        let rates = self.before(t, RATES_MS).map(|(at, old)| rates(t - at, old, totals));
        let long = self.before(t, AMPLIFICATION_MS).map(|(_, old)| *old).unwrap_or_default();
        self.looks.push_back((t, *totals));
        (rates.unwrap_or_default(), amplification(&long, totals))
    }

    /// The newest look that is at least so old, else the oldest.
    fn before(&self, t: u64, ms: u64) -> Option<&(u64, Totals)> {
        let old = self.looks.iter().rev().find(|(at, _)| t - at >= ms);
        old.or(self.looks.front())
    }
}

fn rates(ms: u64, old: &Totals, new: &Totals) -> Rates {
    if ms == 0 {
        return Rates::default();
    }
    let seconds = ms as f64 / 1e3;
    let per_s = |of: fn(&Totals) -> u64| rounded(of(new).saturating_sub(of(old)) as f64 / seconds);
    let hits = new.cache_hits.saturating_sub(old.cache_hits);
    let misses = new.cache_misses.saturating_sub(old.cache_misses);
    Rates {
        writes: per_s(|t| t.operations),
        user_bytes: per_s(|t| t.user_bytes),
        reads: per_s(|t| t.point_reads),
        scans: per_s(|t| t.scans),
        flushed: per_s(|t| t.flush_bytes),
        merge_read: per_s(|t| t.compaction_bytes_read),
        merge_written: per_s(|t| t.compaction_bytes_written),
        paced: rounded(new.paced_us.saturating_sub(old.paced_us) as f64 / 1e6 / seconds),
        cache_hits: factor(hits, hits + misses),
    }
}

fn amplification(old: &Totals, new: &Totals) -> Amplification {
    let since = |of: fn(&Totals) -> u64| of(new).saturating_sub(of(old));
    let written = |t: &Totals| t.flush_bytes.saturating_add(t.compaction_bytes_written);
    Amplification {
        wa: factor(written(new), new.flushed_user_bytes),
        wa_now: factor(written(new).saturating_sub(written(old)), since(|t| t.flushed_user_bytes)),
        ra: factor(since(|t| t.runs_visible), since(|t| t.point_reads)),
        probed: factor(since(|t| t.runs_probed), since(|t| t.point_reads)),
        sa: 0.0,
    }
}

/// All bytes against those of the oldest runs, which hold about what lives.
pub(crate) fn space_amplification(slots: &[Arc<Slot>]) -> f64 {
    let with_data = slots.iter().filter(|slot| slot.sa > 0.0);
    let (mut all, mut oldest) = (0.0, 0.0);
    for slot in with_data {
        all += slot.bytes as f64;
        oldest += slot.bytes as f64 / slot.sa;
    }
    if oldest > 0.0 { rounded(all / oldest) } else { 0.0 }
}

fn factor(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { rounded(part as f64 / whole as f64) }
}

/// Finite, and of any size with four digits.
pub(crate) fn four_digits(x: f64) -> f64 {
    let shown = format!("{x:.3e}").parse().unwrap_or(0.0);
    if f64::is_finite(shown) { shown } else { 0.0 }
}

/// Finite, and no more digits than a line needs.
pub(crate) fn rounded(x: f64) -> f64 {
    let steps = if x.abs() >= 1000.0 { 1.0 } else { 1000.0 };
    let rounded = (x * steps).round() / steps;
    if rounded.is_finite() { rounded } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(operations: u64, flushed: u64, merged: u64) -> Totals {
        Totals {
            operations,
            user_bytes: operations * 100,
            flushed_user_bytes: flushed,
            flush_bytes: flushed / 2,
            compaction_bytes_written: merged,
            point_reads: operations * 2,
            runs_visible: operations * 6,
            runs_probed: operations * 3,
            ..Totals::default()
        }
    }

    #[test]
    fn rates_are_those_of_two_seconds() {
        let mut model = RateModel::default();
        assert_eq!(model.look(0, &at(0, 0, 0)).0, Rates::default());
        assert_eq!(model.look(500, &at(1000, 0, 0)).0.writes, 2000.0);
        for (t, operations) in [(1000, 2000), (1500, 3000), (2000, 4000)] {
            assert_eq!(model.look(t, &at(operations, 0, 0)).0.writes, 2000.0);
        }
        // Nothing is written any more: after two seconds the rate is 0, before it falls.
        let falls: Vec<f64> =
            (1..=4).map(|n| model.look(2000 + n * 500, &at(4000, 0, 0)).0.writes).collect();
        assert_eq!(falls, [1500.0, 1000.0, 500.0, 0.0]);
        let rates = model.look(9000, &at(4009, 0, 0)).0;
        assert_eq!((rates.writes, rates.user_bytes, rates.reads), (1.8, 180.0, 3.6));
    }

    #[test]
    fn amplifications_are_of_all_and_of_the_last_half_minute() {
        let mut model = RateModel::default();
        let first = model.look(0, &at(100, 1000, 0)).1;
        assert_eq!((first.wa, first.ra, first.probed), (0.5, 3.0, 1.5));
        for second in 1..=40 {
            model.look(second * 1000, &at(100, 1000, 0));
        }
        let later = model.look(41_000, &at(200, 2000, 2500)).1;
        assert_eq!((later.wa, later.wa_now), (1.75, 3.0));
        assert!(model.looks.len() <= 33, "{}", model.looks.len());
    }

    #[test]
    fn a_store_that_was_opened_again_begins_anew() {
        let mut model = RateModel::default();
        model.look(0, &at(1_000_000, 5, 5));
        assert_eq!(model.look(1000, &at(10, 0, 0)).0, Rates::default());
        assert_eq!(model.look(2000, &at(30, 0, 0)).0.writes, 20.0);
        // Two looks at one moment, and a clock that goes back.
        assert_eq!(model.look(2000, &at(40, 0, 0)).0.writes, 30.0);
        assert_eq!(model.look(100, &at(50, 0, 0)).0, Rates::default());
    }

    #[test]
    fn space_is_weighed_by_bytes() {
        let slot = |bytes, sa| Arc::new(Slot { bytes, sa, ..Slot::default() });
        assert_eq!(space_amplification(&[slot(300, 3.0), slot(100, 1.0), slot(7, 0.0)]), 2.0);
        assert_eq!(space_amplification(&[]), 0.0);
        assert_eq!((four_digits(0.000_123_456), four_digits(f64::NAN)), (0.000_123_5, 0.0));
        assert_eq!((four_digits(f64::INFINITY), four_digits(-1_234_567.0)), (0.0, -1_235_000.0));
        assert_eq!(
            (rounded(f64::NAN), rounded(f64::INFINITY), rounded(-1.2345)),
            (0.0, 0.0, -1.235)
        );
    }
}
