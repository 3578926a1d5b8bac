//! An embedded, ordered, durable key-value store: an LSM-tree whose key space is cut into slots
//! that are merged each for itself, as often as their own reads and writes make it worth.
//!
//! ```
//! # fn main() -> nori_lsm::Result<()> {
//! # let dir = nori_lsm::example_dir("front");
//! use nori_lsm::{Lsm, WriteBatch};
//!
//! let store = Lsm::open(&dir)?;
//! store.put("user:1", "Ada")?; // Durable when it returns.
//!
//! let mut batch = WriteBatch::new();
//! batch.put("user:2", "Grace").delete("user:1");
//! store.write(batch)?; // All or nothing.
//!
//! let snapshot = store.snapshot();
//! store.put("user:2", "Barbara")?;
//! assert_eq!(snapshot.get("user:2")?.as_deref(), Some(&b"Grace"[..]));
//!
//! let names: nori_lsm::Result<Vec<_>> = store.prefix("user:").collect();
//! assert_eq!(names?.len(), 1);
//! store.close()?;
//! # Lsm::destroy(&dir)
//! # }
//! ```
//!
//! A store is a directory. [`Lsm`] is a handle to it, to clone and to use from any number of
//! threads; [`Keyspace`] is one for a named part. Reads take no lock; writes that wait for the
//! disk at the same time share one sync. There is no async runtime: calls block.
//!
//! | to | |
//! |---|---|
//! | open, with options | [`Lsm::open`], [`Lsm::open_with`], [`Config`] |
//! | read | [`Lsm::get`], [`Lsm::multi_get`], [`Lsm::range`], [`Lsm::prefix`], [`Lsm::cursor`] |
//! | write | [`Lsm::put`], [`Lsm::delete`], [`WriteBatch`] with [`Lsm::write`] |
//! | say when a write is durable | [`Durability`], [`Lsm::write_with`], [`Lsm::sync`] |
//! | keep a moment | [`Lsm::snapshot`]; on disk: [`Lsm::checkpoint`] |
//! | follow every change | [`Lsm::changes`] |
//! | look in | [`Lsm::metrics`], [`Lsm::pressure`], [`Lsm::health`], [`Lsm::pins`] |
//! | check and mend | [`Lsm::verify_at`], [`Lsm::repair`] |
//! | handle failures | [`Error`], [`Error::is_retryable`] |
//!
//! What is promised: an acknowledged write of a `Synced` store survives a power cut; after any
//! crash the store holds a prefix of what was written, whole batches only; a read never returns
//! something old, deleted or torn, and damaged bytes are an error, never an answer.
//!
//! [`Lsm::slots`] shows how the slots are kept, [`Lsm::decisions`] why they were merged,
//! [`Lsm::events`] what happens; [`Config`] has the price of a read and the other knobs.

mod batch;
mod budget;
mod changes;
mod checkpoint;
mod config;
mod cursor;
mod error;
mod events;
mod health;
mod heat;
mod iter;
mod keyspace;
mod ledger;
mod lsm;
mod metrics;
mod plant;
mod repair;
mod snapshot;
mod source;
mod storage;
mod store;
mod super_version;
mod verify;
mod view;
mod walk;
mod weak;

pub use batch::WriteBatch;
pub use changes::{Change, ChangedKey, Changes};
pub use checkpoint::{CheckpointInfo, CheckpointProgress};
pub use config::{Background, CompactionMode, Compression, Config, Durability, RecoveryMode};
pub use cursor::Cursor;
pub use error::{Error, ErrorKind, Result};
pub use events::{EventStream, VizEvent};
pub use health::Health;
pub use iter::Iter;
pub use keyspace::Keyspace;
pub use ledger::SlotLedger;
pub use lsm::Lsm;
pub use metrics::{
    Decision, DiskInfo, KeyspaceInfo, Latencies, Latency, LatencyBucket, MemoryInfo, MergeInfo,
    Metrics, PinInfo, PinKind, PressureInfo, PressureZone, RecoveryReport, SlotInfo,
};
pub use repair::{LostKey, LostPart, RepairReport};
pub use snapshot::{KeyspaceView, Snapshot};
pub use storage::{MemStorage, Storage, StorageSnapshot};
pub use verify::{FilesRead, Finding, VerifyReport};
pub use weak::{Facts, WeakLsm};

#[doc(hidden)]
pub use heat::count_reads;
/// For the tests that plant faults.
#[cfg(nori_plant)]
#[doc(hidden)]
pub use plant::{Plant, Point, at, current, plant};
#[doc(hidden)]
pub use store::example_dir;

/// The README's example is a test too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// And so is that of the whole project.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct ReadmeOfTheProject;
