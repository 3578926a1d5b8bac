//! A concurrent ordered write buffer and its seal gate.
//!
//! A [`Memtable`] holds versions of keys in the engine's order (keys ascending, the newest
//! version first) while writers insert and readers look up and walk, all without locks. Sealing
//! it lets nobody in any more; once the last writer has left, it never changes again and its
//! counts are exact, so a flush loses nothing that was acknowledged.
//!
//! ```
//! use nori_env::sync::Arc;
//! use nori_memtable::Memtable;
//! use nori_types::{Lookup, SeqNo, ValueKind};
//!
//! let table = Arc::new(Memtable::new());
//! let group = table.enter().expect("not sealed yet");
//! group.insert(b"fig", b"green", SeqNo::new(1), ValueKind::Value);
//! group.insert(b"fig", b"", SeqNo::new(2), ValueKind::Tombstone);
//! drop(group);
//!
//! assert_eq!(table.get(b"fig", SeqNo::new(1)), Lookup::Found("green".into(), SeqNo::new(1)));
//! assert_eq!(table.get(b"fig", SeqNo::MAX), Lookup::Deleted(SeqNo::new(2)));
//! table.seal();
//! assert!(table.is_quiescent() && table.enter().is_none());
//! ```
//!
//! Entries are copied into memory that is freed at once with the memtable. The loom models
//! (`tests/loom_*.rs`) run all of it: gate, leaves, the index of the leaves.

mod arena;
mod entry;
mod fences;
mod filter;
mod gate;
mod guard;
mod iter;
mod leaf;
mod map;
mod memtable;
mod plant;
mod prefetch;
#[cfg(test)]
mod test_util;
mod visible;

pub use guard::{OwnedWriteGuard, WriteGuard};
pub use iter::MemtableIter;
pub use memtable::Memtable;
#[cfg(nori_loom)]
#[doc(hidden)]
pub use plant::{Plant, plant};
pub use visible::Visible;

/// The README's example is a test too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
