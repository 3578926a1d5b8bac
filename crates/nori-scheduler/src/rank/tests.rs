//! The rank rule by itself, on one stream of batches.

use super::*;

/// The rule as a ladder, without the closed forms.
fn ladder(units: f64, position: usize) -> u32 {
    let (mut c, mut v) = (0u32, 1.0f64);
    while v <= units * 1.0001 {
        c += 1;
        v = v * (f64::from(c) + position as f64) / f64::from(c);
    }
    c
}

#[test]
fn ranks_are_rungs_of_the_binomial_ladder() {
    // For position 2 a run grows through 1, 3, 6 and 10 units.
    for (units, wanted) in [(0.5, 0), (1.0, 1), (2.9, 1), (3.0, 2), (6.0, 3), (10.0, 4)] {
        assert_eq!(rank(units, 2), wanted, "{units} units");
    }
    for position in 1..=16 {
        for tenth in 0..5000 {
            let units = f64::from(tenth) / 10.0;
            let (found, wanted) = (rank(units, position), ladder(units, position));
            assert_eq!(found, wanted, "{units} units at {position}");
        }
    }
}

#[test]
fn absurd_sizes_have_ranks() {
    for position in 0..=16 {
        for units in [0.0, 1e-300, 1e9, 1e300, f64::INFINITY, f64::NAN] {
            let _ = rank(units, position);
        }
    }
    let huge = RunView { bytes: u64::MAX, level: 1, ..RunView::default() };
    assert!(choose(&[huge; 40], 3, f64::MIN_POSITIVE) < 3);
    assert_eq!(choose(&[], 3, 1e6), 0);
}

const UNIT: u64 = 1 << 20;

/// Adds `count` equal batches of new keys, merging by `choose_first`. Returns batches written in
/// merges per batch; as in Bentley and Saxe, a batch's first write is its own.
fn stream(
    k: usize,
    count: usize,
    mut choose_first: impl FnMut(&[RunView], &[u32]) -> usize,
) -> f64 {
    let (mut runs, mut counters) = (Vec::<RunView>::new(), Vec::<u32>::new());
    let mut written = 0u64;
    for _ in 0..count {
        runs.push(RunView { bytes: UNIT, level: 1, ..RunView::default() });
        counters.push(1);
        if runs.len() <= k {
            written += 1;
            continue;
        }
        let first = choose_first(&runs, &counters);
        let bytes = bytes_sum(&runs[first..]);
        let counter = counters[first] + 1;
        runs.truncate(first);
        counters.truncate(first);
        runs.push(RunView { bytes, level: 1, ..RunView::default() });
        counters.push(counter);
        written += bytes / UNIT;
    }
    written as f64 / count as f64
}

fn bytes_sum(runs: &[RunView]) -> u64 {
    runs.iter().map(|run| run.bytes).sum()
}

/// Binomial counters that count instead of looking at sizes.
fn by_counters(k: usize, counters: &[u32]) -> usize {
    let mut first = k - 1;
    while first > 0 && counters[first] >= counters[first - 1] {
        first -= 1;
    }
    first
}

/// The least possible cost: batches C(t-1+k, k) .. C(t+k, k) - 1 are written t times each.
fn optimum(k: usize, count: usize) -> f64 {
    let (mut t, mut next, mut cost) = (0.0f64, 1.0f64, 0.0f64);
    for batch in 1..=count {
        while batch as f64 >= next - 0.5 {
            t += 1.0;
            next *= (t + k as f64) / t;
        }
        cost += t;
    }
    cost / count as f64
}

#[test]
fn on_equal_batches_the_rule_is_the_binomial_counter() {
    for k in 2..=12 {
        let by_rank = stream(k, 1000, |runs, _| choose(runs, k, UNIT as f64));
        let by_counter = stream(k, 1000, |_, counters| by_counters(k, counters));
        assert!((by_rank - by_counter).abs() < 1e-9, "k {k}: {by_rank} and {by_counter}");
    }
}

#[test]
fn on_equal_batches_the_rule_stays_near_the_optimum() {
    let (mut sum, mut cases) = (0.0, 0.0);
    for k in 2..=12 {
        for count in [40, 64, 130, 300, 640, 1500, 6400] {
            let ratio =
                stream(k, count, |runs, _| choose(runs, k, UNIT as f64)) / optimum(k, count);
            assert!((0.999..1.5).contains(&ratio), "k {k}, {count} batches: {ratio}");
            (sum, cases) = (sum + ratio, cases + 1.0);
        }
    }
    let mean = sum / cases;
    assert!(mean < 1.15, "{mean}");
}

#[test]
fn a_merge_takes_every_fragment_and_leaves_at_most_k_runs() {
    let mut rng = nori_env::Rng::new(5);
    for _ in 0..10_000 {
        let count = 1 + rng.index(20);
        let merged = rng.index(count + 1);
        let run = |index: usize, bytes: u64| {
            let level = u8::from(index < merged);
            RunView { bytes, level, flush_seq: 1, ..RunView::default() }
        };
        let runs: Vec<RunView> = (0..count).map(|i| run(i, rng.below(1 << 30))).collect();
        let (k, unit) = (1 + rng.index(16), rng.below(1 << 24) as f64);
        let first = choose(&runs, k, unit);
        assert!(first < count && first < k && first <= merged, "{runs:?} {k} {unit}: {first}");
    }
}
