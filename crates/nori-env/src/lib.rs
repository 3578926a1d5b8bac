//! The only crate that touches the machine: files, clocks, randomness, threads.
//!
//! Everything above asks for these through traits and types of this crate, so a test can fail
//! them, crash them, slow them down, put them in any order, and repeat all that from a seed.
//!
//! - Files: [`FileSystem`] and [`File`]; [`OsFs`] is the machine, [`MemFs`] a disk in memory that
//!   loses power in nine ways, [`FaultFs`] fails on order, [`TraceFs`] checks the order of syncs.
//! - Time: [`Clock`]; [`SystemClock`] is the machine's, [`ManualClock`] moves when told.
//! - Chance: [`Rng`], and [`FileSystem::random`] for ids that must differ between stores.
//! - Threads: [`sync`], the same under std, loom (`--cfg nori_loom`) and shuttle
//!   (`--cfg nori_shuttle`).
//!
//! ```
//! use nori_env::{Cut, FileSystem, MemFs, OpenMode};
//! use std::path::Path;
//!
//! let fs = MemFs::new(1);
//! let file = fs.open(Path::new("/log"), OpenMode::CreateNew)?;
//! file.write_at(b"synced", 0)?;
//! file.sync_data()?;
//! fs.sync_dir(Path::new("/"))?;
//! file.write_at(b" or not", 6)?;
//!
//! // Whatever the power cut does, what was synced is there.
//! for cut in Cut::ALL {
//!     for seed in 0..100 {
//!         let left = fs.crash(cut, seed).read_file("/log").unwrap_or_default();
//!         assert!(left.starts_with(b"synced"));
//!     }
//! }
//! # Ok::<(), nori_env::FsError>(())
//! ```
// This is the door that clippy keeps everyone else behind.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

#[cfg(not(unix))]
compile_error!("nori-env needs a Unix system: directories are synced, locks belong to open files");

mod clock;
mod fault_fs;
mod fs;
mod fs_op;
mod mapping;
mod mem_fs;
mod os_fs;
mod rng;
pub mod sync;
mod trace_fs;

pub use clock::{Clock, ManualClock, SystemClock};
pub use fault_fs::{Fault, FaultFs, FaultHit, FaultRule};
pub use fs::{File, FileLock, FileSystem, FsError, FsResult, OpenMode};
pub use fs_op::FsOp;
pub use mapping::Mapping;
pub use mem_fs::{Cut, Hook, MemFs};
pub use os_fs::OsFs;
pub use rng::Rng;
pub use trace_fs::{OrderRule, TraceEvent, TraceFs};

/// The README's example is a test too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
