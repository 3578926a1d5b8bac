//! Workloads for ordered key-value engines, the same for each, and what they cost.
//!
//! A [`Bench`] runs [`Workload`]s on an engine and gives [`Row`]s: operations per second,
//! latencies, processor time, memory, bytes written, bytes on disk, and for reads how many found
//! something and a checksum of what they found. nori is one engine ([`NORI`]); whoever implements
//! [`Engine`] for another one compares both.
//!
//! 1. A seed explains all keys and values and each thread's order of operations.
//! 2. Workloads that write end when nothing is left to flush or merge: work put off is work.
//! 3. What a key holds after a workload does not depend on how threads interleave: writes of one
//!    workload to one key are equal. So engines that answer alike have equal checksums.
//! 4. Processor time, memory and bytes written are those of the workload alone, of the whole
//!    process.
//!
//! ```
//! use nori_bench::{Bench, NORI, Plan, Quiet, Workload};
//!
//! let dir = std::env::temp_dir().join(format!("nori-bench-doc-{}", std::process::id()));
//! let plan = Plan { keys: 1000, ..Plan::new(&dir) };
//! let mut bench = Bench::new(NORI, &plan)?;
//! let rows = bench.run(Workload::ReadRandom, &Quiet)?;
//! assert_eq!(rows[0].found, Some(1000));
//! bench.remove()?;
//! # Ok::<(), nori_bench::Error>(())
//! ```

// A bench looks at the real disk, clock and threads, where the engine only knows the doors of its
// environment.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod data;
mod engine;
mod error;
mod histogram;
pub mod machine;
mod measure;
mod nori;
mod numbers;
mod plan;
mod plot;
mod row;
mod run;
mod store;
mod watch;
mod work;
mod worker;
mod workload;
mod zipf;

pub use data::Data;
pub use engine::{BatchWrite, Engine, EngineKind, Facts, Options};
pub use error::{Error, Result};
pub use histogram::{Histogram, Latency};
pub use nori::{NORI, NORI_MMAP};
pub use numbers::{Rng, Shuffle};
pub use plan::Plan;
pub use plot::{Curve, curves, plot};
pub use row::{Row, Sample};
pub use run::Bench;
pub use watch::{Live, Observer, Quiet};
pub use workload::Workload;
pub use zipf::Zipf;

/// The README's example is a test too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
