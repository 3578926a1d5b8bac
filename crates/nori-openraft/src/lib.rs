//! A nori store as the storage of [`openraft`]: log, vote, state machine and snapshots.
//!
//! [`RaftStore`] is a directory with one nori store and the files of snapshots. You write a
//! [`StateMachine`], which reads and writes keys and values; [`RaftStore::log`] and
//! [`RaftStore::state_machine`] are what `openraft::Raft::new` asks for, [`RaftStore::view`] reads
//! the state. The README has the shape of it, `examples/raft_alone.rs` a whole program.
//!
//! All is in one store with one write-ahead log, so a crash leaves a prefix of everything that was
//! written, over log, vote and state. What follows from it:
//!
//! 1. An append is one batch, synced before its callback; so is a vote before it returns.
//! 2. Applied changes, the last applied log id and the membership are one batch. It is not synced:
//!    what a power cut takes of it is applied again from the log, which stands before it. A crash
//!    leaves the state of exactly its last applied log id.
//! 3. A purge syncs `purged` before it removes anything, and with it all that was applied before;
//!    what is not applied is not purged: openraft asks for a purge before the snapshot that allows
//!    it is installed, and the purge waits for it.
//! 4. A snapshot is built while requests go on being applied. One that is installed is checked
//!    whole in a keyspace of its own, then one synced batch makes it the state.
//!
//! | file | holds |
//! |---|---|
//! | `records.rs` | the keyspaces and keys |
//! | `log.rs` | appends, truncations, purges |
//! | `state.rs` | applying, reading |
//! | `snapshot.rs` | how snapshots are built, kept, installed; `snapshot/format.rs` their bytes |
//!
//! Calls never block a thread of the async runtime: four threads, for the log, for the state, for
//! reads and for each snapshot that is built, do what waits for the disk.
//!
//! An entry is stored with `serde`, as MessagePack with the names of fields. A field of a request
//! may be added if it has a default; one that is renamed or removed makes the log unreadable.

mod error;
mod log;
mod log_store;
mod machine;
mod options;
mod records;
mod snapshot;
mod state;
mod store;
mod worker;

pub use error::{Error, Result};
pub use log_store::LogStore;
pub use machine::Applier;
pub use options::RaftOptions;
pub use snapshot::{SnapshotBuilder, SnapshotFile};
pub use state::{StateBatch, StateMachine, StateView};
pub use store::RaftStore;

/// The README's example is a test too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
