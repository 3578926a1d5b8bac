//! How many seeds a random test runs, and what it says when one fails.

use nori_env::{Clock, SystemClock};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

/// A number from the environment; `default` when it is not set or not a number.
pub fn env_usize(name: &str, default: usize) -> usize {
    parse(std::env::var(name).ok().as_deref(), default)
}

fn parse(text: Option<&str>, default: usize) -> usize {
    text.and_then(|t| t.trim().replace('_', "").parse().ok()).unwrap_or(default)
}

/// Which seeds a test runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seeds {
    /// From the first to the last.
    Range(u64, u64),
    /// From this one on, until the time is up.
    For(u64, Duration),
}

impl Seeds {
    /// `NORI_SEED` alone, as many seconds as `NORI_SECONDS`, `NORI_SEEDS` seeds, or `default`.
    pub(crate) fn from_env(default: usize) -> Seeds {
        let number = |name, default| env_usize(name, default) as u64;
        let (one, seconds) = (number("NORI_SEED", 0), number("NORI_SECONDS", 0));
        match (one, seconds) {
            (0, 0) => Seeds::Range(1, number("NORI_SEEDS", default)),
            (0, _) => Seeds::For(number("NORI_FIRST", 1).max(1), Duration::from_secs(seconds)),
            (seed, _) => Seeds::Range(seed, seed),
        }
    }

    fn goes_on(self, seed: u64, clock: &dyn Clock) -> bool {
        match self {
            Seeds::Range(_, last) => seed <= last,
            Seeds::For(first, time) => seed == first || clock.now() < time,
        }
    }
}

/// Runs `body` for the seeds `1..=NORI_SEEDS` (`default` when that is not set), or only for
/// `NORI_SEED` when that is, or from `NORI_FIRST` on for `NORI_SECONDS`. `test` is what stands
/// behind `cargo test` to run this test alone, as in `"-p nori-wal replay_model"`. Prints how many
/// seeds ran; when one fails, prints the command that repeats it and passes the panic on.
pub fn run_seeds(test: &str, default: usize, body: impl FnMut(u64)) {
    let clock = SystemClock::default();
    let (first, last) = run_seeds_of(Seeds::from_env(default), test, &clock, body);
    println!("{test}: seeds {first}..={last}");
}

/// The same for given seeds; returns the first and the last one.
pub(crate) fn run_seeds_of(
    seeds: Seeds,
    test: &str,
    clock: &dyn Clock,
    mut body: impl FnMut(u64),
) -> (u64, u64) {
    let (Seeds::Range(first, _) | Seeds::For(first, _)) = seeds;
    let mut seed = first;
    while seeds.goes_on(seed, clock) {
        let outcome = catch_unwind(AssertUnwindSafe(|| body(seed)));
        if let Err(panic) = outcome {
            eprintln!("failed with seed {seed}. Repeat it:\n  {}", command(test, seed));
            resume_unwind(panic);
        }
        seed += 1;
    }
    (first, seed - 1)
}

fn command(test: &str, seed: u64) -> String {
    format!("NORI_SEED={seed} cargo test {test}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use nori_env::ManualClock;

    #[test]
    fn numbers_may_have_underscores_and_nonsense_is_the_default() {
        assert_eq!(parse(Some(" 1_000\n"), 5), 1000);
        assert_eq!((parse(Some("many"), 5), parse(None, 7)), (5, 7));
    }

    #[test]
    fn the_seed_that_fails_ends_the_run_and_its_panic_comes_through() {
        let mut ran = Vec::new();
        let body = |seed| {
            ran.push(seed);
            assert!(seed < 3, "three");
        };
        let (seeds, clock) = (Seeds::Range(1, 9), ManualClock::default());
        let run = || run_seeds_of(seeds, "-p nori-testkit", &clock, body);
        assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
        assert_eq!(ran, [1, 2, 3]);
        assert_eq!(command("-p a b", 3), "NORI_SEED=3 cargo test -p a b");
    }

    #[test]
    fn time_ends_a_run_behind_its_first_seed() {
        let clock = ManualClock::default();
        let seeds = Seeds::For(7, Duration::from_secs(5));
        let tick = |_| clock.advance(Duration::from_secs(2));
        assert_eq!(run_seeds_of(seeds, "-p a", &clock, tick), (7, 9));
        let seeds = Seeds::For(7, Duration::ZERO);
        assert_eq!(run_seeds_of(seeds, "-p a", &clock, |_| ()), (7, 7));
        assert_eq!(run_seeds_of(Seeds::Range(1, 0), "-p a", &clock, |_| ()), (1, 0));
    }
}
