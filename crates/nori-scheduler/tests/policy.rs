//! What the budgeted mode promises, on stores of counted bytes.

mod support;

use nori_env::Rng;
use nori_scheduler::{Chooser, Policy, Reads, Scheduler, Why, Zone};
use std::collections::BTreeSet;
use std::time::Duration;
use support::{MIB, Store, any_policy, fragment, merged, policy, seeds};

#[test]
fn after_a_pass_without_limits_every_slot_is_within_its_budget() {
    let count = seeds(30);
    for seed in 0..count {
        let mut rng = Rng::new(seed);
        let policy = any_policy(&mut rng);
        let (k_global, l0_hard) = (policy.k_global, policy.l0_hard);
        let mut store = Store::new(policy, 1 + rng.below(12), (1 + rng.below(200)) * MIB);
        for _ in 0..60 {
            let (salt, scale) = (rng.next_u64(), 1 + rng.below(8 * MIB));
            let bytes = move |slot: u64| Rng::new(salt ^ slot).below(scale);
            store.flush(bytes, |slot| if slot % 2 == 0 { 1000 } else { 1 });
            store.settle();
            for (&slot, runs) in &store.slots {
                let told = store.scheduler.explain(slot).expect("a known slot");
                let within = runs.len() <= told.state.k || !told.is_worth_it;
                assert!(within && runs.len() <= k_global, "seed {seed} of {count}: {told}");
                assert_eq!(told.why, None, "seed {seed} of {count}: {told}");
            }
            assert!(store.scheduler.l0_tables() <= l0_hard, "seed {seed}");
            assert_eq!(store.scheduler.debt_bytes(), 0, "seed {seed}");
        }
    }
}

#[test]
fn a_slow_compactor_forgets_no_slot_and_no_old_flush() {
    for seed in 0..seeds(5) {
        let policy = Policy { seed, ..policy() };
        let l0_soft = policy.l0_soft;
        let mut store = Store::new(policy, 24, 100 * MIB);
        for _ in 0..400 {
            // Slot 0 is read a thousand times as much as the others together.
            store.flush(|_| 2 * MIB, |slot| if slot == 0 { 1_000_000 } else { 40 });
            for _ in 0..4 {
                store.step(&|_| false);
            }
        }
        let picked: BTreeSet<u64> = store.jobs.iter().map(|(pick, _)| pick.slot).collect();
        assert_eq!(picked.len(), 24, "seed {seed}: {picked:?}");
        // The queue is served oldest first: all but the newest flushes are gone after a pass.
        while store.scheduler.l0_tables() > l0_soft {
            let pick = store.step(&|_| false).expect("flushes beyond the limit are always due");
            assert_eq!(pick.why, Why::OldestFlush);
        }
    }
}

#[test]
fn without_flushes_beyond_the_limit_every_eligible_slot_gets_its_turn() {
    for seed in 0..seeds(10) {
        let policy = Policy { seed, l0_soft: usize::MAX, fixed_k: Some(1), ..policy() };
        let mut store = Store::new(policy, 40, 100 * MIB);
        let mut waiting: BTreeSet<u64> = (0..40).collect();
        for _ in 0..600 {
            store.flush(|_| MIB, |slot| if slot < 4 { 10_000 } else { 100 });
            // One job a flush, where forty slots want one: the hot ones could take them all.
            let pick = store.step(&|_| false).expect("all slots are over their budget");
            waiting.remove(&pick.slot);
        }
        assert!(waiting.is_empty(), "seed {seed}: never picked: {waiting:?}");
    }
}

#[test]
fn the_same_calls_give_the_same_picks() {
    let run = |seed: u64| {
        let mut store = Store::new(Policy { seed, epsilon: 0.3, ..policy() }, 16, 64 * MIB);
        for step in 0..120 {
            store.flush(|slot| (1 + (slot + step) % 5) * MIB, |slot| slot * slot * 50);
            for _ in 0..3 {
                store.step(&|slot| slot == step % 16);
            }
        }
        store
            .jobs
            .iter()
            .map(|(pick, _)| (pick.slot, pick.first, pick.explored))
            .collect::<Vec<_>>()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2), "the seed does not reach the dice");
}

#[test]
fn exploring_picks_only_what_is_eligible_and_free() {
    let mut rng = Rng::new(3);
    let mut store = Store::new(Policy { epsilon: 1.0, ..policy() }, 20, 100 * MIB);
    let mut explored = 0;
    for _ in 0..200 {
        store.flush(|slot| if slot % 3 == 0 { MIB } else { 0 }, |_| 1000);
        let busy = rng.below(20);
        let eligible: BTreeSet<u64> = (0..20)
            .filter(|&slot| store.scheduler.explain(slot).is_some_and(|told| told.why.is_some()))
            .collect();
        let due = eligible.iter().any(|&slot| slot != busy);
        assert_eq!(store.scheduler.any_due(&|slot| slot == busy), due);
        let pick = store.step(&|slot| slot == busy);
        assert_eq!(pick.is_some(), due);
        if let Some(pick) = pick {
            assert!(pick.slot != busy && eligible.contains(&pick.slot), "{pick:?}");
            explored += usize::from(pick.explored);
        }
    }
    assert!(explored > 50, "{explored}");
}

#[test]
fn budgets_follow_a_hot_spot_within_two_half_lives() {
    let mut store = Store::new(policy(), 16, 200 * MIB);
    let hot = |spot: u64| move |slot: u64| if slot == spot { 50_000 } else { 20 };
    for _ in 0..200 {
        store.flush(|_| MIB, hot(3));
        store.settle();
    }
    let (hot_k, cold_k) = (store.k(3), store.k(11));
    assert!(hot_k <= 3 && cold_k >= 8, "hot {hot_k}, cold {cold_k}");
    store.scheduler.take_changes();
    for _ in 0..64 {
        store.flush(|_| MIB, hot(11));
        store.settle();
    }
    assert!(store.k(11) <= hot_k + 1, "hot now: {}", store.k(11));
    let changes = store.scheduler.take_changes();
    let change = changes.iter().find(|change| change.slot == 11).expect("slot 11 got hot");
    assert_eq!((change.k_before, change.k_after), (cold_k, store.k(11)));
    assert!(change.heat > 0.8 && change.reads_per_s > 1000.0, "{change:?}");
    assert!(store.scheduler.take_changes().is_empty());
    // The old spot had far more reads than it takes to be hot; forgetting that takes longer.
    for _ in 0..192 {
        store.flush(|_| MIB, hot(11));
        store.settle();
    }
    assert!(store.k(3) > hot_k + 2, "hot before: {}", store.k(3));
}

#[test]
fn steady_traffic_does_not_make_budgets_flap() {
    let mut rng = Rng::new(11);
    let mut store = Store::new(policy(), 16, 200 * MIB);
    let mut changes = 0;
    for flush in 0..600 {
        // Shares hold, each flush differs by up to a fifth.
        let noise: Vec<u64> = (0..16).map(|_| 80 + rng.below(41)).collect();
        store.flush(
            |slot| MIB * (1 + slot % 4) * noise[slot as usize] / 100,
            |slot| 100 * (1 + slot * slot) * noise[15 - slot as usize] / 100,
        );
        store.settle();
        if flush >= 200 {
            changes += store.scheduler.take_changes().len();
        } else {
            store.scheduler.take_changes();
        }
    }
    assert!(changes <= 8, "{changes} changes of 16 budgets in 400 flushes");
}

#[test]
fn an_idle_store_does_nothing() {
    let mut store = Store::new(policy(), 8, 100 * MIB);
    store.flush(|_| MIB, |_| 0);
    store.settle();
    let jobs = store.jobs.len();
    let before: Vec<usize> = (0..8).map(|slot| store.k(slot)).collect();
    for hour in 1..100 {
        store.scheduler.tick(Duration::from_secs(3600 * hour));
        store.settle();
    }
    assert_eq!(store.jobs.len(), jobs);
    assert_eq!(before, (0..8).map(|slot| store.k(slot)).collect::<Vec<_>>());
}

#[test]
fn reads_alone_merge_each_slot_once_and_then_there_is_silence() {
    let mut store = Store::new(policy(), 4, 100 * MIB);
    for _ in 0..5 {
        store.flush(|_| MIB, |_| 0);
    }
    store.settle();
    let before = store.jobs.len();
    for second in 6..2000 {
        for slot in 0..4 {
            let reads = Reads { points: 5000, ..Reads::default() };
            store.scheduler.note_reads(slot, reads);
        }
        store.scheduler.tick(Duration::from_secs(second));
        store.settle();
    }
    // The budget falls in steps as writes are forgotten, so a slot may merge more than once.
    let jobs = store.jobs.len() - before;
    assert!((4..=12).contains(&jobs), "{jobs} jobs");
    assert!(store.slots.values().all(|runs| runs.len() == 1), "{:?}", store.slots);
    assert!((0..4).all(|slot| store.k(slot) == 1));
}

#[test]
fn a_trickle_of_reads_does_not_rewrite_an_idle_store() {
    let mut scheduler = Scheduler::new(policy());
    scheduler.insert(0, 1, &[merged(200 * MIB), merged(30 * MIB)]);
    scheduler.tick(Duration::ZERO);
    for second in 1..500 {
        // One read in a minute: in half an hour it saves 60 kB.
        let points = u64::from(second % 60 == 0);
        scheduler.note_reads(1, Reads { points, ..Reads::default() });
        scheduler.tick(Duration::from_secs(second));
        assert_eq!(scheduler.pick(&|_| false), None, "after {second} s");
    }
    let told = scheduler.explain(1).expect("a known slot");
    assert!(told.state.k == 1 && !told.is_worth_it, "{told}");
    assert!(told.to_string().contains("would not pay"), "{told}");
}

#[test]
fn tombstones_call_for_a_merge_once_no_reader_needs_them() {
    let mut scheduler = Scheduler::new(policy());
    let deletes = nori_scheduler::RunView { tombstones: 40_000, ..fragment(MIB, 9) };
    scheduler.set_oldest_reader(5);
    scheduler.insert(0, 1, &[merged(100 * MIB), deletes]);
    assert_eq!(
        scheduler.pick(&|_| false),
        None,
        "a snapshot at 5 still needs what is deleted at 9"
    );
    // The tombstones are more than the entries, which nobody should believe.
    scheduler.set_oldest_reader(9);
    assert_eq!(scheduler.pick(&|_| false), None, "1,024 entries are no 40,000 tombstones");
    let deletes = nori_scheduler::RunView { entries: 40_000, ..deletes };
    scheduler.set_runs(1, &[merged(100 * MIB), deletes]);
    let pick = scheduler.pick(&|_| false).expect("garbage");
    assert_eq!((pick.first, pick.count, pick.why), (0, 2, Why::Tombstones));
}

#[test]
fn a_held_snapshot_does_not_make_the_same_merge_happen_again_and_again() {
    let mut scheduler = Scheduler::new(policy());
    let run = |seq_max| nori_scheduler::RunView {
        bytes: 100 * MIB,
        entries: 100_000,
        tombstones: 60_000,
        seq_max,
        level: 1,
        ..Default::default()
    };
    scheduler.set_oldest_reader(50);
    scheduler.insert(0, 1, &[run(40)]);
    let pick = scheduler.pick(&|_| false).expect("a lone run full of garbage");
    assert_eq!((pick.first, pick.count, pick.why), (0, 1, Why::Tombstones));
    // The merge drops nothing: whatever the reason, once is enough.
    scheduler.set_runs(1, &[run(40)]);
    scheduler
        .finish(&pick, nori_scheduler::Done { bytes_written: 100 * MIB, bytes_read: 100 * MIB });
    assert_eq!(scheduler.pick(&|_| false), None);
    // Newer deletes that a reader pins wait for it to go.
    scheduler.set_runs(1, &[run(70)]);
    assert_eq!(scheduler.pick(&|_| false), None);
    scheduler.set_oldest_reader(70);
    assert_eq!(scheduler.pick(&|_| false).map(|pick| pick.why), Some(Why::Tombstones));
}

#[test]
fn pressure_widens_budgets() {
    let mut scheduler = Scheduler::new(Policy { fixed_k: Some(2), ..policy() });
    scheduler.insert(0, 1, &[merged(100 * MIB), merged(MIB), merged(MIB)]);
    scheduler.tick(Duration::ZERO);
    scheduler.note_reads(1, Reads { points: 10_000, ..Reads::default() });
    scheduler.tick(Duration::from_secs(10));
    let is_due = |scheduler: &Scheduler| scheduler.any_due(&|_| false);
    assert!(is_due(&scheduler));
    for (pressure, k_eff) in [(0.6, 4), (0.8, 12), (1.0, 12)] {
        scheduler.set_zone(Zone::from_pressure(pressure));
        assert_eq!(scheduler.state(1).map(|state| state.k_eff), Some(k_eff), "{pressure}");
        assert!(!is_due(&scheduler));
    }
    scheduler.set_zone(Zone::from_pressure(f64::NAN));
    assert!(is_due(&scheduler));
}

#[test]
fn other_choosers_choose_otherwise() {
    let first = |chooser| {
        let policy = Policy { chooser, fixed_k: Some(1), epsilon: 0.0, ..policy() };
        let mut store = Store::new(policy, 3, 100 * MIB);
        store.flush(|slot| if slot == 2 { MIB } else { 0 }, |_| 100);
        store.flush(
            |slot| if slot == 2 { 0 } else { MIB },
            |slot| if slot == 1 { 9000 } else { 100 },
        );
        store.scheduler.pick(&|_| false).map(|pick| pick.slot)
    };
    assert_eq!(first(Chooser::Residual), Some(1));
    assert_eq!(first(Chooser::Greedy), Some(1));
    assert_eq!(first(Chooser::Oldest), Some(2));
    assert!(first(Chooser::Random).is_some() && first(Chooser::RawUcb).is_some());
}

#[test]
fn an_arm_learns_by_what_factor_the_estimate_is_wrong() {
    let mut store = Store::new(Policy { fixed_k: Some(1), ..policy() }, 2, 100 * MIB);
    for _ in 0..60 {
        // Reads of slot 1 end at the newest run.
        store.flush(|_| MIB, |slot| if slot == 0 { 1000 } else { 0 });
        let runs = store.slots[&1].len() as u64;
        let reads = Reads { points: 1000, scans: 0, probes: 1000, visible: 1000 * runs };
        store.scheduler.note_reads(1, reads);
        store.settle();
    }
    let state = |slot| store.scheduler.state(slot).expect("a known slot");
    assert!((state(0).mean - 1.0).abs() < 0.2, "{:?}", state(0));
    assert!(state(1).mean < 0.2 && state(1).depth < 0.1, "{:?}", state(1));
    let (pick, reward) = store.jobs.last().expect("jobs were done");
    let reward = reward.expect("a chosen job teaches");
    assert!(reward.pulls >= 50.0 && pick.prior > 0.0);
}
