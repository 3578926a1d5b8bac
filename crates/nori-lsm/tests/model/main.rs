//! The whole public interface against a `BTreeMap`.
//!
//! A seed makes a program of 2,000 steps over every verb: writes, reads in both directions,
//! snapshots, iterators and cursors that are held over everything, flushes, merges, cuts,
//! keyspaces that come and go, checkpoints, closing, killing and opening again with other
//! options. It runs on a store of each of ten kinds ([`options`]) and every answer must be the
//! oracle's.
//!
//! Another eight kinds hold their slots tiny ([`slots`]): there, slots are cut and joined, heat
//! moves, and after every step the books of the slots must add up ([`books`]).
//!
//! By itself each seed runs on eight kinds of store, each kind runs about as many seeds as the
//! others. `NORI_ALL_SETS=1` runs every seed on every kind, `NORI_SEEDS` sets how many seeds
//! there are, `NORI_STEPS` how long a program is, and `NORI_SEED` runs one. A failure prints the
//! shortest program that still fails, and the command that runs it again.
//!
//! Beside it: [`planted`] breaks the store behind the oracle's back in ways that must be noticed,
//! [`threads`] lets writers, readers and background work run at once, [`limits`] and [`errors`]
//! go to the ends of what is allowed, [`waiting`] and [`moments`] ask what a caller waits for and
//! what a moment is.

#![cfg(not(any(nori_loom, nori_shuttle)))]

mod books;
mod errors;
mod held;
mod limits;
mod maintain;
mod moments;
mod op;
mod options;
mod oracle;
mod planted;
mod programs;
mod reader;
mod run;
mod scan;
mod slots;
mod threads;
mod waiting;
mod write;
