//! How many seeds a random test runs, and what it says when one fails.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// A number from the environment; `default` when it is not set or not a number.
pub fn env_usize(name: &str, default: usize) -> usize {
    parse(std::env::var(name).ok().as_deref(), default)
}

fn parse(text: Option<&str>, default: usize) -> usize {
    text.and_then(|t| t.trim().replace('_', "").parse().ok()).unwrap_or(default)
}

/// Runs `body` for the seeds `1..=NORI_SEEDS` (`default` when that is not set), or only for
/// `NORI_SEED` when that is. `test` is what stands behind `cargo test` to run this test alone,
/// as in `"-p nori-wal replay_model"`. Prints how many seeds ran; when one fails, prints the
/// command that repeats it and passes the panic on.
pub fn run_seeds(test: &str, default: usize, mut body: impl FnMut(u64)) {
    let one = env_usize("NORI_SEED", 0) as u64;
    let seeds = match one {
        0 => 1..=env_usize("NORI_SEEDS", default) as u64,
        seed => seed..=seed,
    };
    for seed in seeds.clone() {
        let outcome = catch_unwind(AssertUnwindSafe(|| body(seed)));
        if let Err(panic) = outcome {
            eprintln!("failed with seed {seed}. Repeat it:\n  {}", command(test, seed));
            resume_unwind(panic);
        }
    }
    println!("{test}: seeds {}..={}", seeds.start(), seeds.end());
}

fn command(test: &str, seed: u64) -> String {
    format!("NORI_SEED={seed} cargo test {test}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_may_have_underscores_and_nonsense_is_the_default() {
        assert_eq!(parse(Some(" 1_000\n"), 5), 1000);
        assert_eq!((parse(Some("many"), 5), parse(None, 7)), (5, 7));
    }

    #[test]
    fn the_seed_that_fails_ends_the_run_and_its_panic_comes_through() {
        if std::env::var_os("NORI_SEED").is_some() || env_usize("NORI_SEEDS", 9) < 4 {
            return;
        }
        let mut ran = Vec::new();
        let body = |seed| {
            ran.push(seed);
            assert!(seed < 3, "three");
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| run_seeds("-p nori-testkit", 9, body)));
        assert!(outcome.is_err());
        assert_eq!(ran, [1, 2, 3]);
        assert_eq!(command("-p a b", 3), "NORI_SEED=3 cargo test -p a b");
    }
}
