//! Suites: many cases from many seeds, and one line at the end that says what ran.
//!
//! ```text
//! suite: name=crash unit=images seeds=1..=24 cases=54876 seconds=12.3 violations=0
//! suite: name=power-cut skipped=this needs root
//! plant: name=AckBeforeSync by=crash after=812 unit=images
//! ```
//!
//! The line is printed and, when `NORI_SUITE_LOG` names a file, added to it, since a test runner
//! keeps what a passing test prints to itself. A suite without a line did not run.

// The log is the test runner's and not behind the file system of a store.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

use crate::seeds::{Seeds, run_seeds_of};
use nori_env::{Clock, SystemClock};
use std::fmt::Debug;
use std::fs::OpenOptions;
use std::io::Write;

/// Runs `body` for one seed after another and prints the suite's line.
///
/// `name` is the suite's, `unit` what `body` counts: it returns how many cases a seed was. `test`
/// is that of [`run_seeds`](crate::run_seeds), and so is what happens when a seed fails. How many
/// seeds: `NORI_SEED` is the only one; else `NORI_SECONDS` sets a time, and `NORI_FIRST` the first
/// seed then; else `NORI_SEEDS` of them; else what `NORI_SUITE_SEEDS`, as in
/// `crash=60,sim=300`, says for this name; else `default`.
pub fn run_suite(
    name: &str,
    unit: &str,
    test: &str,
    default: usize,
    mut body: impl FnMut(u64) -> u64,
) {
    let clock = SystemClock::default();
    let mut cases = 0;
    let sizes = std::env::var("NORI_SUITE_SEEDS").unwrap_or_default();
    let seeds = Seeds::from_env(size_of(name, &sizes).unwrap_or(default));
    let (first, last) = run_seeds_of(seeds, test, &clock, |seed| cases += body(seed));
    let seconds = clock.now().as_secs_f64();
    say(&format!(
        "suite: name={name} unit={unit} seeds={first}..={last} cases={cases} \
         seconds={seconds:.1} violations=0"
    ));
}

/// Prints the line of a suite that cannot run on this machine, and why.
pub fn skip_suite(name: &str, reason: &str) {
    say(&format!("suite: name={name} skipped={}", reason.replace('\n', " ")));
}

/// Prints the line of a planted fault that was caught: by which suite, after how many of `unit`.
pub fn plant_caught(plant: impl Debug, by: &str, after: u64, unit: &str) {
    say(&format!("plant: name={plant:?} by={by} after={after} unit={unit}"));
}

fn size_of(name: &str, sizes: &str) -> Option<usize> {
    let pairs = sizes.split(',').filter_map(|pair| pair.split_once('='));
    let size = pairs.filter(|(suite, _)| suite.trim() == name).map(|(_, size)| size.trim()).next();
    size.and_then(|size| size.parse().ok())
}

fn say(line: &str) {
    println!("{line}");
    let Some(path) = std::env::var_os("NORI_SUITE_LOG") else { return };
    let log = OpenOptions::new().create(true).append(true).open(&path);
    // One write, so that lines of tests that run at once do not mix.
    let written = log.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
    if let Err(e) = written {
        panic!("NORI_SUITE_LOG={}: {e}", path.display());
    }
}

#[cfg(test)]
mod tests {
    use super::size_of;

    #[test]
    fn a_suite_finds_its_size_in_the_list() {
        let sizes = "crash=60, sim = 300,bad=x,empty";
        assert_eq!(size_of("crash", sizes), Some(60));
        assert_eq!(size_of("sim", sizes), Some(300));
        let none = ["bad", "empty", "other", "cras"];
        assert!(none.into_iter().all(|name| size_of(name, sizes).is_none()));
        assert_eq!(size_of("crash", ""), None);
    }
}
