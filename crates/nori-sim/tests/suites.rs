//! The suites of whole stores, and how many seeds they run by default.
//!
//! `NORI_SEEDS`, `NORI_SECONDS` and `NORI_SEED` change that. A failure prints the program that
//! failed, made short.

use nori_sim::{Seen, Suite};
use nori_testkit::run_suite;

/// Runs a suite; `test` is its name as a test.
fn suite(suite: Suite, test: &str, default: usize) -> (Seen, u64) {
    let (mut seen, mut seeds) = (Seen::default(), 0);
    let command = format!("-p nori-sim --test suites {test}");
    run_suite(suite.name(), suite.unit(), &command, default, |seed| {
        seeds += 1;
        suite.run(seed, &mut seen).unwrap_or_else(|failure| {
            // Showing it runs the program again, which is nothing for a thread that panics.
            let text = failure.to_string();
            panic!("{text}")
        })
    });
    println!("{seen:?}");
    (seen, seeds)
}

/// Few seeds meet few things: with this many, nothing may be missing.
fn assert_complete((seen, seeds): (Seen, u64), enough: u64) {
    assert!(seeds < enough || seen.is_complete(), "something was never met");
}

#[test]
fn sim() {
    assert_complete(suite(Suite::Sim, "sim", 60), 60);
}

#[test]
fn crash() {
    assert_complete(suite(Suite::Crash, "crash", 4), 24);
}

#[test]
fn nested() {
    let (seen, _) = suite(Suite::CrashNested, "nested", 4);
    assert!(seen.images > 100, "the openings had no calls to crash at");
}

#[test]
fn io_errors() {
    let (seen, _) = suite(Suite::IoErrors, "io_errors", 2);
    assert!(seen.faults > 0 && seen.failed_opens > 0, "no fault was met");
}

#[test]
fn determinism() {
    let (seen, _) = suite(Suite::Determinism, "determinism", 6);
    assert!(seen.crashes > 0, "nothing happened");
}
