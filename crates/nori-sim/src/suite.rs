//! The suites: what each runs for a seed, what it counts, and what it says when it fails.

use crate::failing::{FAILINGS, sweep};
use crate::make::{Taste, program};
use crate::nested::nested;
use crate::op::Program;
use crate::run::{Runner, explain, run, run_twice};
use crate::seen::Seen;
use std::fmt;

/// Every how manieth program of [`Suite::Sim`] is watched call by call and run twice.
const TWICE_EVERY: u64 = 10;

/// A way to look at stores, seed by seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// Whole programs: reads, writes, crashes, failing and full disks, all mixed.
    Sim,
    /// Every crash before every call of the disk.
    Crash,
    /// A crash, a crash in the recovery, a crash in the recovery of that.
    CrashNested,
    /// A disk that fails at every call, in every way.
    IoErrors,
    /// The same program is the same run, call by call.
    Determinism,
}

impl Suite {
    /// All of them.
    pub const ALL: [Suite; 5] =
        [Suite::Sim, Suite::Crash, Suite::CrashNested, Suite::IoErrors, Suite::Determinism];

    /// Its name.
    pub fn name(self) -> &'static str {
        self.words().0
    }

    /// What its cases are.
    pub fn unit(self) -> &'static str {
        self.words().1
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Suite::Sim => ("sim", "steps"),
            Suite::Crash => ("crash", "images"),
            Suite::CrashNested => ("crash-nested", "images"),
            Suite::IoErrors => ("io-errors", "runs"),
            Suite::Determinism => ("determinism", "programs"),
        }
    }

    /// Runs a seed; returns how many cases that were.
    ///
    /// # Errors
    /// The program that is not as it must be.
    pub fn run(self, seed: u64, seen: &mut Seen) -> Result<u64, Failure> {
        let (steps, images) = (seen.steps, seen.images);
        let fail = |program: Program, said: String, how: Runner| {
            let about = format!("{} {seed}", self.name());
            Failure { about, said, program: Box::new(program), how }
        };
        let mut whole = |taste: Taste, how: Runner| {
            let program = program(seed, taste);
            how(&program, seen).map_err(|said| fail(program, said, how))
        };
        match self {
            Suite::Sim if seed.is_multiple_of(TWICE_EVERY) => whole(Taste::Mixed, run_twice)?,
            Suite::Sim => whole(Taste::Mixed, run)?,
            Suite::Crash => whole(Taste::Crashes, run)?,
            Suite::Determinism => {
                let taste = if seed.is_multiple_of(4) { Taste::Crashes } else { Taste::Mixed };
                whole(taste, run_twice)?;
                return Ok(1);
            }
            Suite::CrashNested => {
                return nested(seed, seen).map_err(|(program, said)| fail(*program, said, run));
            }
            Suite::IoErrors => {
                let mut runs = 0;
                for (name, fails) in FAILINGS {
                    runs += sweep(seed, fails, seen).map_err(|(program, said)| {
                        fail(*program, format!("{name}: {said}"), run)
                    })?;
                }
                return Ok(runs);
            }
        }
        Ok(if self == Suite::Sim { seen.steps - steps } else { seen.images - images })
    }
}

/// A program that is not as it must be. Showing it makes it short, which takes a while.
#[derive(Debug)]
pub struct Failure {
    /// The suite and the seed.
    pub about: String,
    /// What was wrong first.
    pub said: String,
    /// The program, in full length.
    pub program: Box<Program>,
    how: Runner,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.about, explain(&self.program, &self.said, self.how))
    }
}
