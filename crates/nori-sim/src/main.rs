//! The `nori-sim` command: one seed, many seeds for a time, or a program from a file.
//!
//! 1. What was asked for goes to stdout, progress to stderr.
//! 2. Exit code 0: all is as it must be; 1: something is not; 2: the call was wrong.

// A program around the simulation: it looks at the real disk and clock.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

use clap::{Parser, Subcommand};
use nori_env::{Clock, SystemClock};
use nori_sim::{Program, Seen, Suite, Taste, program, run_traced};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Simulates whole stores: crashes, full and failing disks, every answer compared.
#[derive(Parser)]
#[command(name = "nori-sim")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs one seed of a suite.
    Run {
        /// The seed.
        #[arg(long)]
        seed: u64,
        /// The suite: sim, crash, crash-nested, io-errors or determinism.
        #[arg(long, default_value = "sim", value_parser = suite)]
        suite: Suite,
        /// Shows every answer and event of the seed's program, and the number of its trace.
        #[arg(long)]
        trace: bool,
    },
    /// Runs one seed after another.
    Soak {
        /// For so many minutes.
        #[arg(long)]
        minutes: u64,
        /// The first seed.
        #[arg(long, default_value_t = 1)]
        first: u64,
        /// Only this suite; all in turn if it is not given.
        #[arg(long, value_parser = suite)]
        suite: Option<Suite>,
    },
    /// Runs a program from a file.
    Replay {
        /// The file, as a failure has printed it.
        file: PathBuf,
        /// Shows every answer and event.
        #[arg(long)]
        trace: bool,
    },
}

fn suite(name: &str) -> Result<Suite, String> {
    let found = Suite::ALL.into_iter().find(|suite| suite.name() == name);
    found.ok_or_else(|| format!("one of {}", Suite::ALL.map(Suite::name).join(", ")))
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run { seed, suite, trace: true } => {
            let taste = if suite == Suite::Crash { Taste::Crashes } else { Taste::Mixed };
            traced(&program(seed, taste))
        }
        Command::Run { seed, suite, trace: false } => one(suite, seed),
        Command::Soak { minutes, first, suite } => soak(minutes, first, suite),
        Command::Replay { file, trace } => replay(&file, trace),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(said) => {
            println!("{said}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a seed, or says what is wrong and how to see it again.
fn attempt(suite: Suite, seed: u64, seen: &mut Seen) -> Result<u64, String> {
    suite.run(seed, seen).map_err(|failure| {
        let name = suite.name();
        format!("{failure}\nAgain: nori-sim run --seed {seed} --suite {name}")
    })
}

fn one(suite: Suite, seed: u64) -> Result<(), String> {
    let mut seen = Seen::default();
    let cases = attempt(suite, seed, &mut seen)?;
    println!("{} {seed}: {cases} {}, 0 violations: {seen:?}", suite.name(), suite.unit());
    Ok(())
}

fn soak(minutes: u64, first: u64, only: Option<Suite>) -> Result<(), String> {
    let clock = SystemClock::default();
    let suites: Vec<Suite> =
        Suite::ALL.into_iter().filter(|s| only.is_none_or(|o| o == *s)).collect();
    let (mut seen, mut seed, mut told) = (Seen::default(), first, Duration::ZERO);
    while clock.now() < Duration::from_secs(60 * minutes) {
        for suite in &suites {
            attempt(*suite, seed, &mut seen)?;
            if clock.now() >= told + Duration::from_secs(10) {
                told = clock.now();
                eprintln!("{} s, seed {seed}: {seen:?}", told.as_secs());
            }
        }
        seed += 1;
    }
    println!("seeds {first}..={}, 0 violations: {seen:?}", seed - 1);
    Ok(())
}

fn replay(file: &PathBuf, trace: bool) -> Result<(), String> {
    let text = std::fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
    let program: Program = text.parse()?;
    if trace {
        return traced(&program);
    }
    let mut seen = Seen::default();
    nori_sim::run(&program, &mut seen)?;
    println!("{} steps, 0 violations: {seen:?}", program.ops.len());
    Ok(())
}

fn traced(program: &Program) -> Result<(), String> {
    let hash = run_traced(program, &mut Seen::default(), |line| println!("{line}"))?;
    println!("trace {hash:016x}");
    Ok(())
}
