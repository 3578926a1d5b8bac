//! Suites: many cases from many seeds, and one line at the end that says what ran.
//!
//! ```text
//! suite: name=crash unit=images seeds=1..=24 cases=54876 seconds=12.3 violations=0
//! ```
//!
//! `cargo xtask suites` and `cargo xtask soak` read these lines; a suite without one did not run.

use crate::seeds::{Seeds, run_seeds_of};
use nori_env::{Clock, SystemClock};

/// Runs `body` for one seed after another and prints the suite's line.
///
/// `name` is the suite's, `unit` what `body` counts: it returns how many cases a seed was. `test`
/// and `default` are those of [`run_seeds`](crate::run_seeds), and so is what happens when a seed
/// fails. `NORI_SECONDS` sets a time instead of a number of seeds; `NORI_FIRST` is the first seed
/// then, 1 if it is not set.
pub fn run_suite(
    name: &str,
    unit: &str,
    test: &str,
    default: usize,
    mut body: impl FnMut(u64) -> u64,
) {
    let clock = SystemClock::default();
    let mut cases = 0;
    let seeds = Seeds::from_env(default);
    let (first, last) = run_seeds_of(seeds, test, &clock, |seed| cases += body(seed));
    let seconds = clock.now().as_secs_f64();
    println!(
        "suite: name={name} unit={unit} seeds={first}..={last} cases={cases} \
         seconds={seconds:.1} violations=0"
    );
}
