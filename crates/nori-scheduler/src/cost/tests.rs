//! Budgets by themselves.

use super::*;

/// The exact bound for steady overwrites: the bottom rewritten every m fragments, the best
/// possible growth above it, m as good as the space allows.
fn bound(k: usize, r: f64, alpha: f64) -> f64 {
    if k <= 1 {
        return 1.0 + r;
    }
    let q = k - 1;
    let m_max = ((alpha * r) as usize).max(1);
    let (mut t, mut next, mut cost, mut best) = (0.0f64, 1.0f64, 0.0f64, f64::MAX);
    for m in 1..=m_max {
        while m as f64 >= next - 0.5 {
            t += 1.0;
            next *= (t + q as f64) / t;
        }
        cost += t;
        best = best.min(r / m as f64 + cost / m as f64);
    }
    best
}

#[test]
fn predicted_write_amplification_is_near_the_exact_bound() {
    let alpha = 0.5;
    let table = WaTable::new(16, alpha);
    let mut worst = 1.0f64;
    for k in 1..=16 {
        for r in [16.0, 23.0, 50.0, 100.0, 160.0, 500.0, 1600.0, 5000.0, 16384.0] {
            let ratio = table.wa(k, r) / bound(k, r, alpha);
            assert!((0.85..=1.17).contains(&ratio), "k {k}, r {r}: {ratio}");
            worst = worst.max(ratio.max(1.0 / ratio));
        }
    }
    assert!(worst < 1.17, "{worst:.3}");
}

#[test]
fn more_runs_never_cost_more_writing_and_more_data_never_less() {
    let table = WaTable::new(16, 0.5);
    for tenth in 0..230 {
        let r = 2f64.powf(f64::from(tenth) / 10.0);
        for k in 1..16 {
            assert!(table.wa(k + 1, r) <= table.wa(k, r) * 1.001 + 1e-9, "k {k}, r {r}");
            assert!(table.wa(k, r * 1.07) >= table.wa(k, r) - 1e-9, "k {k}, r {r}");
        }
    }
}

fn budgets_of(policy: &Policy, demands: &mut [Demand]) -> f64 {
    let mut budgets = Budgets::new(policy);
    budgets.choose(policy, demands);
    budgets.lambda
}

#[test]
fn reads_only_want_one_run_writes_only_want_all_and_idle_slots_keep_theirs() {
    let policy = Policy::default();
    let slot = |reads, writes, k| Demand { reads, writes, ratio: 160.0, k };
    let mut demands = [slot(1000.0, 0.0, 7), slot(0.0, 1e6, 7), slot(0.0, 0.0, 7)];
    budgets_of(&policy, &mut demands);
    assert_eq!(demands.map(|demand| demand.k), [1, 12, 7]);
}

#[test]
fn the_store_stays_under_the_cap_by_paying_less_for_looks() {
    let mut rng = nori_env::Rng::new(9);
    for seed in 0..200 {
        let policy = Policy { wa_max: 2.0 + rng.index(20) as f64, ..Policy::default() };
        let mut demand = || Demand {
            reads: 10f64.powi(rng.index(9) as i32),
            writes: 10f64.powi(rng.index(8) as i32),
            ratio: 1.0 + rng.index(20_000) as f64,
            k: 1 + rng.index(12),
        };
        let mut demands: Vec<Demand> = (0..40).map(|_| demand()).collect();
        // A slot keeps its K within the hysteresis; the cap is about the best.
        demands.iter_mut().for_each(|demand| demand.k = 12);
        let lambda = budgets_of(&policy, &mut demands);
        let table = WaTable::new(12, policy.alpha);
        let writes: f64 = demands.iter().map(|demand| demand.writes).sum();
        let price = |d: &Demand, k: usize| d.writes * table.wa(k, d.ratio);
        let best = |d: &Demand| {
            let all = 1..=12;
            all.min_by(|&a, &b| d.cost(a, &table, lambda).total_cmp(&d.cost(b, &table, lambda)))
        };
        let predicted: f64 =
            demands.iter().map(|d| price(d, best(d).expect("twelve to choose from"))).sum();
        let is_floor = lambda < 1.3e-6 * policy.lambda;
        let are_widest = demands.iter().all(|demand| demand.k == 12);
        assert!(
            predicted <= policy.wa_max * writes * 1.0001 || is_floor || are_widest,
            "seed {seed}: {predicted} of {}",
            policy.wa_max * writes
        );
        assert!(lambda <= policy.lambda);
    }
}

#[test]
fn a_gain_of_less_than_a_tenth_does_not_move_a_budget() {
    let policy = Policy::default();
    let mut demand = [Demand { reads: 100.0, writes: 1e6, ratio: 160.0, k: 12 }];
    budgets_of(&policy, &mut demand);
    let settled = demand[0].k;
    // A little more and a little less traffic, again and again.
    for step in 0..100 {
        demand[0].reads = 100.0 * (1.0 + 0.04 * f64::from(step % 3 - 1));
        budgets_of(&policy, &mut demand);
        assert_eq!(demand[0].k, settled, "step {step}");
    }
}
