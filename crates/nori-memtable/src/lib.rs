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
//! // Key and value lie side by side in the batch's buffer; the first three bytes are the key.
//! group.insert("figgreen".into(), 3, SeqNo::new(1), ValueKind::Value);
//! group.insert("fig".into(), 3, SeqNo::new(2), ValueKind::Tombstone);
//! drop(group);
//!
//! assert_eq!(table.get(b"fig", SeqNo::new(1)), Lookup::Found("green".into(), SeqNo::new(1)));
//! assert_eq!(table.get(b"fig", SeqNo::MAX), Lookup::Deleted(SeqNo::new(2)));
//! table.seal();
//! assert!(table.is_quiescent() && table.enter().is_none());
//! ```
//!
//! What the loom models (`tests/loom_*.rs`) prove is the protocol around the map, over a list
//! with the same contract; the skip list inside is crossbeam's and is covered by stress tests.

mod entry;
mod gate;
mod guard;
mod iter;
mod map;
mod memtable;
mod plant;
#[cfg(test)]
mod test_util;
mod visible;

pub use guard::{OwnedWriteGuard, WriteGuard};
pub use iter::MemtableIter;
pub use memtable::{ENTRY_OVERHEAD, Memtable};
#[cfg(nori_loom)]
#[doc(hidden)]
pub use plant::{Plant, plant};
pub use visible::Visible;
