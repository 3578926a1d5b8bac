//! Versions of an LSM-tree, their edits, and the manifest log.
//!
//! A [`Version`] is an immutable state of all tables: the key space cut into [`Slot`]s by guard
//! keys, each slot with its sorted [`Run`]s, each run a list of clipped references to table
//! files. A [`VersionEdit`] derives the next version and is one record of the manifest, so what
//! readers see and what a crash leaves change in the same steps.
//!
//! Edits install flushes and merges, cut and join slots, and move runs without rewriting them. Each
//! run carries a level, 0 for a fragment of a flush; what others mean is the policy's.
//!
//! This crate opens no table and decides nothing: it keeps what it is told and refuses what does
//! not fit.
//!
//! ```
//! use bytes::Bytes;
//! use nori_manifest::{Version, key_prefix};
//!
//! let version = Version::new();
//! let guard = Bytes::from([&key_prefix(0)[..], b"m"].concat());
//! let edit = version.edit_split(&[guard], true)?;
//! let version = version.apply(&edit)?;
//! assert_eq!(version.slot_count(), 3); // two of "default", one above all keyspaces
//! assert_eq!(version.route(b"\0zebra").0, 1);
//! # Ok::<(), nori_manifest::Error>(())
//! ```

mod apply;
mod catalog;
mod check;
mod codec;
mod current;
mod edit;
mod error;
mod format;
mod guards;
mod log;
mod obsolete;
mod published;
mod reclaim;
mod run;
mod slot;
mod snapshots;
mod version;

pub use catalog::{
    Catalog, DEFAULT_KEYSPACE, KEYSPACE_NAME_BYTES_MAX, Keyspace, key_prefix, keyspace_range,
    split_prefix,
};
pub use edit::VersionEdit;
pub use error::{Error, Result};
pub use guards::Guards;
pub use log::{Loaded, Manifest, ManifestOptions, Salvaged};
pub use obsolete::{Obsolete, TableFile};
pub use published::Published;
pub use reclaim::{Deferred, Reaper};
pub use run::{Run, TableRef};
pub use slot::{Slot, SlotId};
pub use snapshots::{SnapshotGuard, Snapshots};
pub use version::Version;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
