//! Whole stores, simulated: a program of a seed runs on a disk in memory that crashes, fills up
//! and fails on order, and every answer is compared with what must be.
//!
//! ```
//! use nori_sim::{Seen, Taste, program, run};
//!
//! let mut seen = Seen::default();
//! let program = program(1, Taste::Mixed);
//! run(&program, &mut seen).expect("the store is right");
//! assert!(seen.crashes > 0 && seen.reads > 0);
//!
//! // A program is text, too: kept in a file, it can be run again and cut by hand.
//! assert_eq!(program.to_string().parse(), Ok(program));
//! ```
//!
//! - [`program`] makes one from a seed, [`run`] runs it, [`explain`] makes one short that fails.
//! - [`Program::images`] crashes it before every call that changes the disk, beside the crashes
//!   that are steps of its own.
//! - [`nested`] crashes the openings of crashed openings, [`sweep`] fails every call of the disk.
//! - [`Suite`] is all of that seed by seed, for tests and for the command `nori-sim`.
//! - [`run_traced`] gives one number for all that happened: the same for the same program.

mod failing;
mod held;
mod history;
mod image;
mod make;
mod nested;
mod op;
mod run;
mod seen;
mod setup;
mod sim;
mod suite;
mod text;
mod trace;
mod verbs;
mod watch;

pub use failing::{FAILINGS, failing, sweep};
pub use make::{Taste, program};
pub use nested::nested;
pub use op::{Blow, Mode, Op, Program, Rule, Value, When, Write, Wrong};
pub use run::{Runner, explain, run, run_traced, run_twice};
pub use seen::Seen;
pub use suite::{Failure, Suite};

/// The README's example is a test too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
