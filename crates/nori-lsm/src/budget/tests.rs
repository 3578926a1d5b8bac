//! Sums add up, the cache is told of them in time, and nothing stays charged.

use super::*;
use nori_env::Rng;
use nori_env::sync::thread;

const TOTAL: u64 = 128 << 10;

fn shares() -> Shares {
    Shares { total: TOTAL, fixed: 5_000, memtables: 30_000, jobs: 7_000 }
}

fn budget() -> Arc<Budget> {
    Budget::new(BlockCache::pooled(TOTAL), Some(shares()))
}

/// What the cache leaves covers what is wanted, and not much more.
fn check_told(budget: &Budget) {
    let (wanted, reserved) = (budget.wanted(&shares()), budget.reserved.load(Ordering::SeqCst));
    assert!(wanted <= reserved && reserved < wanted + 3 * shares().step(), "{wanted} {reserved}");
}

#[test]
fn shares_are_kept_and_what_is_above_them_is_charged() {
    let budget = budget();
    check_told(&budget);
    assert_eq!(budget.wanted(&shares()), 42_000);
    let active = budget.charge(Use::Memtables, 10_000);
    let sealed = budget.charge(Use::Memtables, 20_000);
    assert_eq!((budget.wanted(&shares()), budget.charged(Use::Memtables)), (42_000, 30_000));
    let iterator = budget.charge(Use::Iterators, 5_000);
    active.set(15_000);
    assert_eq!((budget.wanted(&shares()), active.bytes()), (52_000, 15_000));
    check_told(&budget);
    assert!(!budget.memtables_pile_up() && budget.fill() < 0.2, "{}", budget.fill());
    let held = budget.charge(Use::Memtables, 75_000);
    assert!(budget.memtables_pile_up() && budget.fill() > 0.9, "{}", budget.fill());
    drop((active, sealed, held, iterator));
    assert_eq!(budget.fill(), 0.0);
    // What memtables once took stays with them.
    assert_eq!(budget.wanted(&shares()), 122_000);
    check_told(&budget);
}

#[test]
fn without_a_budget_sums_are_counted_and_nothing_is_told() {
    let budget = Budget::new(BlockCache::new(TOTAL), None);
    let charge = budget.charge(Use::Memtables, u64::MAX / 2);
    assert_eq!((budget.charged(Use::Memtables), budget.total()), (u64::MAX / 2, 0));
    assert!(!budget.is_limited() && !budget.memtables_pile_up() && budget.fill() == 0.0);
    assert_eq!(budget.reserved.load(Ordering::SeqCst), 0);
    drop(charge);
    assert_eq!(budget.charged(Use::Memtables), 0);
}

#[test]
fn charges_of_many_threads_come_back() {
    let budget = budget();
    let uses = [Use::Memtables, Use::Jobs, Use::Iterators];
    for round in 0..20 {
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let budget = Arc::clone(&budget);
                thread::spawn(move || {
                    let mut rng = Rng::new(round * 4 + thread);
                    let mut held: Vec<Charge> = Vec::new();
                    for _ in 0..500 {
                        match rng.below(3) {
                            0 => held.push(budget.charge(*rng.pick(&uses), rng.below(9_000))),
                            1 if !held.is_empty() => drop(held.swap_remove(rng.index(held.len()))),
                            _ if !held.is_empty() => rng.pick(&held).set(rng.below(9_000)),
                            _ => {}
                        }
                    }
                    held.pop()
                })
            })
            .collect();
        let held: Vec<_> = threads.into_iter().map(|t| t.join().expect("no panic")).collect();
        let sum: u64 = held.iter().flatten().map(Charge::bytes).sum();
        assert_eq!(uses.map(|of| budget.charged(of)).iter().sum::<u64>(), sum, "round {round}");
        check_told(&budget);
        drop(held);
        assert_eq!(uses.map(|of| budget.charged(of)), [0; 3], "round {round}");
        check_told(&budget);
    }
}
