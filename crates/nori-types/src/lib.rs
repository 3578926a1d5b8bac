//! The words that the nori crates share.
//!
//! Nothing here touches a disk or a clock. Lower crates report facts in these types (a table
//! builder returns a [`TableMeta`], a decoder a [`Corruption`]); upper crates remember and show
//! them.
//!
//! ```
//! use nori_types::{InternalKey, SeqNo, ValueKind};
//!
//! let older = InternalKey::new(b"k", SeqNo::new(4), ValueKind::Value);
//! let newer = InternalKey::new(b"k", SeqNo::new(9), ValueKind::Tombstone);
//! // Keys ascend, versions of one key descend: the newest comes first.
//! assert!(newer < older);
//! ```

mod checksum;
mod codec;
mod corruption;
mod file_name;
mod internal_key;
mod iterator;
mod key_range;
mod table_meta;

#[cfg(nori_plant)]
pub use checksum::plant_blind;
pub use checksum::{Checksum, checksum};
pub use codec::{Reader, Truncated, put_varint, varint_len};
pub use corruption::{Corruption, FormatTooNew};
pub use file_name::{FileName, FileNumber};
pub use internal_key::{InternalKey, KEY_BYTES_MAX, SeqNo, ValueKind};
pub use iterator::{InternalIterator, Lookup};
pub use key_range::{KeyRange, separator, successor};
pub use table_meta::TableMeta;

/// The README's example is a test too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
