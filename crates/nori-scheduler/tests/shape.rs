//! Slots come, go, split and merge; learned numbers move with them; absurd numbers do no harm.

mod support;

use nori_env::Rng;
use nori_scheduler::{Chooser, Done, Learned, Mode, Policy, Reads, RunView, Scheduler, Why, Zone};
use std::time::Duration;
use support::{MIB, Store, fragment, merged, policy, seeds};

fn state(scheduler: &Scheduler, slot: u64) -> nori_scheduler::SlotState {
    scheduler.state(slot).expect("a known slot")
}

#[test]
fn children_of_a_split_start_with_what_the_parent_had_learned() {
    let mut store = Store::new(policy(), 3, 200 * MIB);
    for _ in 0..100 {
        store.flush(|_| 4 * MIB, |slot| 1000 * (1 + slot));
        store.settle();
    }
    let mut scheduler = store.scheduler;
    let (parent, other) = (state(&scheduler, 1), state(&scheduler, 2));
    scheduler.split(1, &[10, 11]);
    for slot in [1, 10, 11] {
        let child = state(&scheduler, slot);
        assert_eq!((child.k, child.mean, child.depth), (parent.k, parent.mean, parent.depth));
        for (part, whole) in [
            (child.reads_per_s, parent.reads_per_s),
            (child.writes_per_s, parent.writes_per_s),
            (child.unit, parent.unit),
            (child.pulls, parent.pulls),
        ] {
            assert!((part * 3.0 - whole).abs() < 1e-6 * whole, "{child:?} of {parent:?}");
        }
    }
    let order: Vec<u64> = scheduler.learned().map(|learned| learned.slot).collect();
    assert_eq!(order, [0, 1, 10, 11, 2]);
    assert_eq!(state(&scheduler, 2), other);
    scheduler.merge(10, 11);
    let sum = state(&scheduler, 10);
    assert!((sum.reads_per_s * 1.5 - parent.reads_per_s).abs() < 1e-6 * parent.reads_per_s);
    assert_eq!(scheduler.state(11), None);
}

#[test]
fn what_was_learned_survives_a_restart() {
    let mut store = Store::new(policy(), 5, 200 * MIB);
    for _ in 0..100 {
        store.flush(|slot| (1 + slot) * MIB, |slot| 5000 / (1 + slot));
        store.settle();
    }
    let learned: Vec<Learned> = store.scheduler.learned().collect();
    let mut next = Store::new(policy(), 5, 200 * MIB).scheduler;
    next.restore(&learned, Duration::ZERO);
    assert_eq!(next.learned().collect::<Vec<_>>(), learned);
    // A half-life asleep halves the heat and nothing else; rates go on from there.
    next.restore(&learned, Duration::from_secs(32));
    for (now, before) in next.learned().zip(&learned) {
        assert!((now.reads_per_s * 2.0 - before.reads_per_s).abs() < 1e-6 * before.reads_per_s);
        assert_eq!((now.k, now.mean, now.unit), (before.k, before.mean, before.unit));
    }
    next.tick(Duration::from_secs(32));
    let (now, before) = (state(&next, 0).reads_per_s, learned[0].reads_per_s);
    assert!((now * 4.0 - before).abs() < 0.01 * before, "{now} of {before}");
}

#[test]
fn sizes_of_slots_follow_the_size_of_the_store() {
    let mut scheduler = Scheduler::new(Policy::default());
    assert_eq!(scheduler.slot_target(), 64 * MIB);
    for slot in 0..51 {
        scheduler.insert(usize::MAX, slot, &[merged(200 * MIB)]);
    }
    // 10 GB: about 200 MB a slot.
    assert_eq!(scheduler.slot_target() / MIB, 201);
    assert_eq!(scheduler.splits_at_merge(402 * MIB), 1);
    assert_eq!(scheduler.splits_at_merge(510 * MIB), 3);
    assert!(!scheduler.mergeable(0, 1) && !scheduler.needs_split(0));
    scheduler.set_runs(7, &[merged(900 * MIB)]);
    assert!(scheduler.needs_split(7));
    assert_eq!(
        scheduler.pick(&|_| false).map(|pick| (pick.slot, pick.why)),
        Some((7, Why::Oversized))
    );
    scheduler.mark_unsplittable(7, true);
    assert!(!scheduler.needs_split(7) && !scheduler.any_due(&|_| false));
    scheduler.set_runs(8, &[merged(MIB)]);
    scheduler.set_runs(9, &[]);
    assert!(scheduler.mergeable(8, 9) && !scheduler.mergeable(8, 8));
}

#[test]
fn a_fragment_becomes_a_run_of_its_own_only_when_its_flush_must_go() {
    let mut scheduler = Scheduler::new(Policy { l0_soft: 2, ..policy() });
    scheduler.insert(0, 1, &[merged(100 * MIB), fragment(MIB, 1)]);
    scheduler.insert(1, 2, &[merged(100 * MIB), fragment(MIB, 2)]);
    assert_eq!((scheduler.l0_tables(), scheduler.pick(&|_| false)), (2, None));
    scheduler.insert(2, 3, &[merged(100 * MIB), fragment(MIB, 3)]);
    // One too many: the oldest goes, and only that one, busy or not.
    assert_eq!(scheduler.pick(&|slot| slot == 1), None);
    let pick = scheduler.pick(&|_| false).expect("three flushes where two may wait");
    assert_eq!((pick.slot, pick.first, pick.count, pick.why), (1, 1, 1, Why::OldestFlush));
    scheduler.set_runs(1, &[merged(100 * MIB), merged(MIB)]);
    assert_eq!(scheduler.finish(&pick, Done { bytes_written: MIB, bytes_read: MIB }), None);
    assert_eq!((scheduler.l0_tables(), scheduler.pick(&|_| false)), (2, None));
}

#[test]
fn verbs_on_unknown_slots_do_nothing() {
    let mut scheduler = Scheduler::new(policy());
    scheduler.insert(0, 1, &[merged(MIB), merged(MIB), merged(MIB)]);
    let pick = scheduler.pick(&|_| false).expect("too much above the bottom");
    let before = format!("{:?}", scheduler.explain(1));
    scheduler.set_runs(9, &[merged(MIB)]);
    scheduler.split(9, &[10]);
    scheduler.merge(9, 1);
    scheduler.merge(1, 9);
    scheduler.merge(1, 1);
    scheduler.remove(9);
    scheduler.note_flush(9, 1);
    scheduler.note_reads(9, Reads::default());
    scheduler.mark_unsplittable(9, true);
    let done = Done { bytes_written: 1, bytes_read: 1 };
    assert_eq!(scheduler.finish(&nori_scheduler::Pick { slot: 9, ..pick }, done), None);
    assert!(scheduler.state(9).is_none() && scheduler.explain(9).is_none());
    assert!(scheduler.plan(9).is_none() && !scheduler.needs_split(9));
    assert_eq!(format!("{:?}", scheduler.explain(1)), before);
    scheduler.remove(1);
    assert_eq!(scheduler.finish(&pick, done), None);
    assert!(!scheduler.any_due(&|_| false));
    assert_eq!((scheduler.debt_bytes(), scheduler.l0_tables()), (0, 0));
}

/// A number that nobody would send.
fn absurd(rng: &mut Rng) -> u64 {
    [0, 1, 1023, 1 << 20, 1 << 40, u64::MAX / 2, u64::MAX][rng.index(7)]
}

fn absurd_float(rng: &mut Rng) -> f64 {
    [0.0, -1.0, 1e-300, 1.0, 1e300, f64::INFINITY, f64::NEG_INFINITY, f64::NAN][rng.index(8)]
}

fn absurd_policy(rng: &mut Rng) -> Policy {
    Policy {
        mode: [Mode::Atll, Mode::Leveled, Mode::Tiered][rng.index(3)],
        chooser: [Chooser::Residual, Chooser::RawUcb, Chooser::Greedy, Chooser::Oldest]
            [rng.index(4)],
        memtable_bytes: absurd(rng),
        table_bytes: absurd(rng),
        k_global: rng.index(20),
        lambda: absurd_float(rng),
        wa_max: absurd_float(rng),
        alpha: absurd_float(rng),
        slot_target_bytes: rng.chance(50).then(|| absurd(rng)),
        l0_soft: rng.index(4),
        l0_hard: rng.index(4),
        half_life: rng.chance(50).then(|| Duration::from_secs(absurd(rng))),
        point_weight: absurd_float(rng),
        scan_weight: absurd_float(rng),
        epsilon: absurd_float(rng),
        ucb_c: absurd_float(rng),
        fixed_k: rng.chance(20).then(|| rng.index(20)),
        seed: rng.next_u64(),
    }
}

fn absurd_runs(rng: &mut Rng) -> Vec<RunView> {
    let run = |rng: &mut Rng| RunView {
        bytes: absurd(rng),
        entries: absurd(rng),
        tombstones: absurd(rng),
        flush_seq: absurd(rng),
        level: [0, 0, 1, 2, 7, 8, 255][rng.index(7)],
        seq_max: absurd(rng),
    };
    (0..rng.index(20)).map(|_| run(rng)).collect()
}

/// One random verb.
fn poke(scheduler: &mut Scheduler, rng: &mut Rng) {
    let slot = rng.below(6);
    match rng.index(16) {
        0 | 1 => scheduler.insert(rng.index(9), slot, &absurd_runs(rng)),
        2 | 3 => scheduler.set_runs(slot, &absurd_runs(rng)),
        4 => scheduler.split(slot, &[rng.below(6), rng.below(6)]),
        5 => scheduler.merge(slot, rng.below(6)),
        6 => scheduler.remove(slot),
        7 => scheduler.set_oldest_reader(absurd(rng)),
        8 => scheduler.set_zone(Zone::from_pressure(absurd_float(rng))),
        9 => scheduler.note_flush(slot, absurd(rng)),
        10 => scheduler.flush_installed(Duration::from_millis(absurd(rng)), absurd(rng)),
        11 => {
            let (points, scans) = (absurd(rng), absurd(rng));
            let reads = Reads { points, scans, probes: absurd(rng), visible: absurd(rng) };
            scheduler.note_reads(slot, reads);
        }
        12 => scheduler.tick(Duration::from_secs(rng.below(1 << 20))),
        13 => scheduler.mark_unsplittable(slot, rng.chance(50)),
        14 => {
            let learned = Learned {
                slot,
                k: absurd(rng),
                reads_per_s: absurd_float(rng),
                writes_per_s: absurd_float(rng),
                unit: absurd_float(rng),
                depth: absurd_float(rng),
                mean: absurd_float(rng),
                pulls: absurd_float(rng),
            };
            scheduler.restore(&[learned], Duration::from_secs(absurd(rng)));
        }
        _ => {
            if let Some(pick) = scheduler.pick(&|busy| busy == slot) {
                assert!(pick.count > 0 && pick.slot != slot);
                let done = Done { bytes_written: absurd(rng), bytes_read: absurd(rng) };
                scheduler.finish(&pick, done);
            }
        }
    }
}

#[test]
fn absurd_numbers_neither_panic_nor_stick() {
    let count = seeds(300);
    for seed in 0..count {
        let mut rng = Rng::new(seed);
        let mut scheduler = Scheduler::new(absurd_policy(&mut rng));
        for _ in 0..120 {
            poke(&mut scheduler, &mut rng);
            let _ = (scheduler.debt_bytes(), scheduler.half_life(), scheduler.take_changes());
            let _ = (scheduler.splits_at_merge(absurd(&mut rng)), scheduler.mergeable(0, 1));
            for slot in 0..6 {
                let Some(told) = scheduler.explain(slot) else { continue };
                let numbers = [
                    told.state.heat,
                    told.state.reads_per_s,
                    told.state.writes_per_s,
                    told.state.unit,
                    told.state.depth,
                    told.state.mean,
                    told.state.pulls,
                    told.cost_now,
                    told.cost_best,
                    told.wa_now,
                    told.ratio,
                    told.lambda,
                    told.prior,
                    told.bonus,
                    told.age_factor,
                    told.score,
                ];
                let repeat = format!("NORI_SEEDS={} cargo test -p nori-scheduler absurd", seed + 1);
                assert!(numbers.iter().all(|n| n.is_finite()), "seed {seed}: {told:?}\n{repeat}");
                assert!(!told.to_string().is_empty());
            }
        }
    }
}
