//! Immutable sorted tables of keys and values, and the cache of their blocks.
//!
//! A [`TableBuilder`] writes ascending entries to a new file; a [`Table`] answers lookups with
//! one filter probe, one search in memory and one block read, and is walked both ways by a
//! [`TableIter`]. Each byte of the file is covered by a checksum that is bound to the table and
//! to its place in it; damaged bytes are an error, never a wrong answer, and no length is
//! believed before it was checked. Versions of a key are kept apart by sequence numbers.
//!
//! ```
//! use nori_env::{FileSystem, MemFs, OpenMode};
//! use nori_sstable::{BlockCache, Table, TableBuilder, TableOptions};
//! use nori_types::{FileNumber, InternalKey, Lookup, SeqNo, ValueKind};
//! use std::path::Path;
//!
//! let fs = MemFs::new(1);
//! let file = fs.open(Path::new("000001.sst"), OpenMode::CreateNew)?;
//! let options = TableOptions::default();
//! let mut builder = TableBuilder::new(file.clone(), FileNumber(1), fs.random(), options);
//! builder.add(InternalKey::new(b"fig", SeqNo::new(7), ValueKind::Value), b"green")?;
//! builder.finish()?;
//! file.sync_all()?;
//!
//! let table = Table::open(file, FileNumber(1), BlockCache::new(1 << 20))?;
//! let found = table.get(b"fig", nori_bloom::hash(b"fig"), SeqNo::MAX)?;
//! assert_eq!(found, Lookup::Found("green".into(), SeqNo::new(7)));
//! # Ok::<(), nori_sstable::Error>(())
//! ```

mod block;
mod builder;
mod cache;
mod compress;
mod error;
mod files;
mod format;
mod index;
mod iter;
mod losses;
mod options;
mod properties;
mod table;
mod table_cache;
mod writer;

pub use builder::TableBuilder;
pub use cache::BlockCache;
pub use error::{Error, Result};
pub use iter::TableIter;
pub use losses::{Losses, LostBlock};
pub use options::{Compression, TableOptions};
pub use properties::Properties;
pub use table::{BlockInfo, Layout, Section, Table};
pub use table_cache::TableCache;

/// The README's example is a test too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
