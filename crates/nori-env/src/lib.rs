//! The only crate that touches the machine: files, clocks, randomness, threads.
// This is the door that clippy keeps everyone else behind.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod clock;
mod fault_fs;
mod fs;
mod fs_op;
mod mem_fs;
mod os_fs;
mod rng;
pub mod sync;

pub use clock::{Clock, ManualClock, SystemClock};
pub use fault_fs::{Fault, FaultFs, FaultHit, FaultRule};
pub use fs::{File, FileLock, FileSystem, FsError, FsResult, OpenMode};
pub use fs_op::FsOp;
pub use mem_fs::{Cut, Hook, MemFs};
pub use os_fs::OsFs;
pub use rng::Rng;
