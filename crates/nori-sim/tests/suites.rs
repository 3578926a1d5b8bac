//! The suites of whole stores: what they count, how many seeds they run by default.
//!
//! `NORI_SEEDS`, `NORI_SECONDS` and `NORI_SEED` change that. A failure prints the program that
//! failed, made short.

use nori_sim::{
    FAILINGS, Program, Runner, Seen, Taste, explain, nested, program, run, run_twice, sweep,
};
use nori_testkit::run_suite;

/// Fails with the program made short.
fn fail(seed: u64, program: &Program, said: &str, how: Runner) -> ! {
    panic!("seed {seed}: {}", explain(program, said, how));
}

/// Few seeds meet few things: with this many, nothing may be missing.
fn assert_complete(seen: &Seen, seeds: u64, enough: u64) {
    println!("{seen:?}");
    assert!(seeds < enough || seen.is_complete(), "something was never met");
}

/// Whole programs: everything mixed, many crashes and openings.
#[test]
fn sim() {
    let (mut seen, mut seeds) = (Seen::default(), 0);
    run_suite("sim", "steps", "-p nori-sim --test suites sim", 60, |seed| {
        let (program, before) = (program(seed, Taste::Mixed), seen.steps);
        // Every tenth is watched call by call, and run a second time.
        let how: Runner = if seed.is_multiple_of(10) { run_twice } else { run };
        how(&program, &mut seen).unwrap_or_else(|said| fail(seed, &program, &said, how));
        seeds += 1;
        seen.steps - before
    });
    assert_complete(&seen, seeds, 60);
}

/// Every crash before every call of the disk leaves a prefix.
#[test]
fn crash() {
    let (mut seen, mut seeds) = (Seen::default(), 0);
    run_suite("crash", "images", "-p nori-sim --test suites crash", 8, |seed| {
        let (program, before) = (program(seed, Taste::Crashes), seen.images);
        run(&program, &mut seen).unwrap_or_else(|said| fail(seed, &program, &said, run));
        seeds += 1;
        seen.images - before
    });
    assert_complete(&seen, seeds, 24);
}

/// A crash, a crash in the recovery, a crash in the recovery of that.
#[test]
fn crash_nested() {
    let mut seen = Seen::default();
    run_suite("crash-nested", "images", "-p nori-sim --test suites crash_nested", 8, |seed| {
        nested(seed, &mut seen).unwrap_or_else(|said| panic!("seed {seed}: {said}"))
    });
}

/// A disk that fails at every call.
#[test]
fn io_errors() {
    let mut seen = Seen::default();
    run_suite("io-errors", "runs", "-p nori-sim --test suites io_errors", 2, |seed| {
        let ways = FAILINGS.iter().map(|(name, fails)| {
            let runs = sweep(seed, *fails, &mut seen);
            runs.unwrap_or_else(|(program, said)| {
                fail(seed, &program, &format!("{name}: {said}"), run)
            })
        });
        ways.sum()
    });
    println!("{} faults met, {} openings failed", seen.faults, seen.failed_opens);
    assert!(seen.faults > 0 && seen.failed_opens > 0, "no fault was met");
}

/// The same program is the same run, call by call.
#[test]
fn determinism() {
    let mut seen = Seen::default();
    run_suite("determinism", "programs", "-p nori-sim --test suites determinism", 12, |seed| {
        let taste = if seed.is_multiple_of(4) { Taste::Crashes } else { Taste::Mixed };
        let program = program(seed, taste);
        run_twice(&program, &mut seen)
            .unwrap_or_else(|said| fail(seed, &program, &said, run_twice));
        1
    });
}
