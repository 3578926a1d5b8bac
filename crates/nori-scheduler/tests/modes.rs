//! The two shapes for comparison, levels and tiers.

mod support;

use nori_scheduler::{Mode, Policy, RunView, Scheduler, Why};
use std::collections::BTreeSet;
use support::{MIB, Store, fragment, merged, policy};

fn run(bytes: u64, level: u8) -> RunView {
    RunView { level, ..merged(bytes) }
}

fn leveled() -> Policy {
    Policy {
        mode: Mode::Leveled,
        memtable_bytes: MIB,
        slot_target_bytes: Some(1 << 40),
        ..policy()
    }
}

#[test]
fn four_flushes_make_every_slot_merge_its_fragments_into_the_base_level() {
    let mut scheduler = Scheduler::new(leveled());
    // 640 MiB at the bottom: 64 at level 6, 6.4 at level 5, 4 (four memtables) at level 4.
    for slot in 0..4 {
        let runs = [run(160 * MIB, 7), fragment(MIB, 1), fragment(MIB, 2), fragment(MIB, 3)];
        scheduler.insert(usize::MAX, slot, &runs);
    }
    assert_eq!(scheduler.state(0).map(|state| state.k), Some(4), "levels in use");
    assert!(!scheduler.any_due(&|_| false));
    let runs = [run(160 * MIB, 7), fragment(MIB, 1), fragment(MIB, 4)];
    scheduler.set_runs(0, &runs);
    let mut left: BTreeSet<u64> = (0..4).collect();
    while !left.is_empty() {
        let pick = scheduler.pick(&|_| false).expect("due until no slot has a fragment");
        assert_eq!((pick.first, pick.level, pick.why), (1, 4, Why::LevelFull), "{pick:?}");
        assert!(left.remove(&pick.slot));
        scheduler.set_runs(pick.slot, &[run(160 * MIB, 7), run(MIB / 2, 4)]);
    }
    assert!(!scheduler.any_due(&|_| false));
    // The next three flushes wait again.
    let runs = [run(160 * MIB, 7), run(MIB / 2, 4), fragment(MIB, 5)];
    scheduler.set_runs(0, &runs);
    assert!(!scheduler.any_due(&|_| false));
    let plan = scheduler.plan(0).expect("a plan, due or not");
    assert_eq!((plan.first, plan.count, plan.level), (1, 2, 4));
}

#[test]
fn a_level_over_its_target_sends_down_the_share_with_the_least_below_it() {
    let mut scheduler = Scheduler::new(leveled());
    scheduler.insert(0, 1, &[run(300 * MIB, 7), run(40 * MIB, 6), run(MIB, 4)]);
    scheduler.insert(1, 2, &[run(200 * MIB, 7), run(40 * MIB, 6), run(MIB, 4)]);
    scheduler.insert(2, 3, &[run(140 * MIB, 7), run(MIB, 6)]);
    // Level 6 may hold 64 MiB and holds 81.
    let pick = scheduler.pick(&|_| false).expect("level 6 is over its target");
    assert_eq!((pick.slot, pick.first, pick.count, pick.level), (2, 0, 2, 7));
    let pick = scheduler.pick(&|slot| slot == 2).expect("the next best when it is busy");
    assert_eq!((pick.slot, pick.first, pick.count, pick.level), (1, 0, 2, 7));
    // Without a run below, the share only changes its level.
    scheduler.set_runs(1, &[run(300 * MIB, 7), run(20 * MIB, 4)]);
    scheduler.set_runs(2, &[run(200 * MIB, 7)]);
    let pick = scheduler.pick(&|_| false).expect("level 4 is over its target");
    assert_eq!((pick.slot, pick.first, pick.count, pick.level), (1, 1, 1, 5));
}

#[test]
fn runs_of_another_mode_find_their_levels() {
    let mut scheduler = Scheduler::new(leveled());
    let stray = RunView { flush_seq: 0, ..run(640 * MIB, 0) };
    scheduler.insert(0, 1, &[stray, run(MIB, 1), run(MIB, 1)]);
    assert_eq!(scheduler.state(1).map(|state| state.k), Some(4));
    // Above the base nothing may stay.
    let pick = scheduler.pick(&|_| false).expect("level 1 is not in use");
    assert_eq!((pick.first, pick.count, pick.level), (1, 2, 4));
}

#[test]
fn levels_cost_about_what_theory_says() {
    let mut store = Store::new(leveled(), 8, 20 * MIB);
    for slot in 0..8 {
        store.slots.insert(slot, vec![run(20 * MIB, 7)]);
        store.scheduler.set_runs(slot, &[run(20 * MIB, 7)]);
    }
    for _ in 0..600 {
        store.flush(|_| MIB / 8, |_| 0);
        store.settle();
        assert!(store.scheduler.l0_tables() < 4);
    }
    let written: u64 = store.jobs.iter().map(|(pick, _)| pick.est_bytes).sum();
    let wa = written as f64 / (600 * MIB) as f64;
    // 160 memtables of data in three levels.
    assert!((4.0..20.0).contains(&wa), "{wa}");
    for runs in store.slots.values() {
        assert!(runs.windows(2).all(|pair| pair[0].level > pair[1].level), "{runs:?}");
    }
}

#[test]
fn four_runs_of_a_tier_become_one_of_the_next() {
    let policy = Policy { mode: Mode::Tiered, slot_target_bytes: Some(1 << 40), ..policy() };
    let mut store = Store::new(policy, 2, 1000 * MIB);
    for slot in 0..2 {
        store.slots.insert(slot, vec![run(1000 * MIB, 9)]);
        store.scheduler.set_runs(slot, &[run(1000 * MIB, 9)]);
    }
    for flush in 1..=200u64 {
        store.flush(|_| MIB, |_| 0);
        store.settle();
        // Base-four digits of the count of flushes, above the bottom run.
        let digits = (0..4).map(|digit| (flush >> (2 * digit)) & 3).sum::<u64>();
        assert!(store.slots.values().all(|runs| runs.len() as u64 == 1 + digits), "{flush}");
    }
    assert!(store.jobs.iter().all(|(pick, _)| pick.why == Why::TierFull && pick.count == 4));
}

#[test]
fn tiers_twice_the_bottom_run_become_one_with_it() {
    let policy = Policy { mode: Mode::Tiered, slot_target_bytes: Some(1 << 40), ..policy() };
    let mut scheduler = Scheduler::new(policy);
    scheduler.insert(0, 1, &[run(10 * MIB, 5), run(11 * MIB, 2), run(11 * MIB, 2)]);
    let pick = scheduler.pick(&|_| false).expect("too much above the bottom");
    assert_eq!((pick.first, pick.count, pick.level, pick.why), (0, 3, 6, Why::TierFull));
    scheduler.set_runs(1, &[run(32 * MIB, 6)]);
    assert_eq!(scheduler.pick(&|_| false), None);
}

/// Debt holds writers back, so it must be work that somebody is going to do.
#[test]
fn runs_that_a_fixed_shape_keeps_are_no_debt() {
    let runs = [run(160 * MIB, 7), fragment(MIB, 1), fragment(MIB, 2)];
    for mode in [Mode::Atll, Mode::Leveled, Mode::Tiered] {
        let mut scheduler = Scheduler::new(Policy { mode, k_global: 2, ..leveled() });
        scheduler.insert(0, 1, &runs);
        let is_due = scheduler.any_due(&|_| false);
        assert_eq!(is_due, mode == Mode::Atll, "{mode:?}");
        assert_eq!(scheduler.debt_bytes() > 0, is_due, "{mode:?}");
    }
}
