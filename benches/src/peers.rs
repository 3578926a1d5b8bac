//! nori beside other engines: the workloads of `nori-bench` on each in turn, in one process.
//!
//! 1. A round runs a workload on each engine; then comes the next round. What the machine does
//!    meanwhile meets all of them.
//! 2. Figures are medians of the rounds, and what counts is their ratio.
//! 3. Engines that read must have found as many keys and values and the same ones.

// It looks at the real disk and clock, as all of a bench does.
#![allow(clippy::disallowed_methods)]

mod args;
mod fjall;
mod goals;
mod lmdb;
mod report;
#[cfg(feature = "peers-rocksdb")]
mod rocksdb;
mod run;

pub use args::{Args, USAGE};
pub use fjall::FJALL;
pub use lmdb::LMDB;
#[cfg(feature = "peers-rocksdb")]
pub use rocksdb::ROCKSDB;
pub use run::run;

#[cfg(test)]
mod tests;
