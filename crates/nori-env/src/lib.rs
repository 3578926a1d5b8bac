//! The only crate that touches the machine: files, clocks, randomness, threads.

mod clock;
mod fs;
pub mod sync;

pub use clock::{Clock, SystemClock};
pub use fs::{File, FileLock, FileSystem, FsError, FsResult, OpenMode};
