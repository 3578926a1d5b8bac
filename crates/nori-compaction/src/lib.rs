//! How sorted runs become fewer sorted runs.
//!
//! [`MergeIter`] walks any number of sorted sources as one, in both directions; scans and merges
//! share it. [`RunIter`] walks one run of clipped tables. [`Retain`] says which versions of a key
//! survive under the snapshots that live. [`flush`] and [`compact`] put them together and write
//! tables: they return what they made and install nothing, and one that fails or is cancelled
//! leaves its inputs as they were and no outputs.
//!
//! ```
//! use nori_compaction::{Retain, Verdict};
//! use nori_types::{InternalKey, SeqNo, ValueKind};
//!
//! // A snapshot at 3; the newest visible write is 9.
//! let mut retain = Retain::new(vec![SeqNo::new(3), SeqNo::new(9)], false, |_| None);
//! let mut verdict =
//!     |seq| retain.verdict(InternalKey::new(b"k", SeqNo::new(seq), ValueKind::Value));
//! assert_eq!(verdict(7), Verdict::Keep(SeqNo::new(7)));
//! assert_eq!(verdict(5), Verdict::Shadowed);
//! assert_eq!(verdict(2), Verdict::Keep(SeqNo::new(2)));
//! ```

mod error;
mod job;
mod merge;
mod plant;
mod retain;
mod run_iter;
#[cfg(test)]
mod testing;
mod write;

pub use error::{Error, Result};
pub use job::{compact, flush};
pub use merge::MergeIter;
pub use retain::{Retain, Verdict};
pub use run_iter::RunIter;
pub use write::{Destination, Output, Stats, write_tables};

/// The README's example is a test too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
