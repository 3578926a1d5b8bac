//! Snapshots: files that hold the state at one log id.
//!
//! ```text
//! DIR/snapshots/000007.snap      the current one; `raft-meta` says which it is
//! DIR/snapshots/000008.tmp       one that is being built or received
//! ```
//!
//! 1. A snapshot is built from a snapshot of the nori store, which costs nothing to take and holds
//!    nobody up; entries go to the file one after the other.
//! 2. Order, built or installed: file written and synced, renamed to .snap, directory synced,
//!    `raft-meta` written and synced, the one before removed. What a crash leaves that `raft-meta`
//!    does not name is removed when the store is opened.
//! 3. What is installed is read into a keyspace of its own. Only when the last frame of the file
//!    was checked does one synced batch make it the state, with its log id, membership and file;
//!    the keyspace before is dropped then. Until then nothing of the old state is touched.

mod arrivals;
mod build;
mod dir;
mod file;
mod format;
mod install;

pub(crate) use arrivals::Arrivals;
pub use build::SnapshotBuilder;
pub(crate) use dir::SnapshotDir;
pub use file::SnapshotFile;
