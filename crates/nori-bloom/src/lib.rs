//! Cache-line-blocked bloom filters over bytes.
//!
//! A filter answers "may this key be in the set?": `false` is certain, `true` is wrong for about
//! one absent key in a hundred at 10 bits a key. Each key touches one aligned 64-byte block, so a
//! probe costs one cache miss at most. The caller hashes a key once ([`hash`]) and asks any
//! number of filters with the result.
//!
//! ```
//! use nori_bloom::{Filter, FilterBuilder, hash};
//!
//! let mut builder = FilterBuilder::new(10.0);
//! builder.add(hash(b"plum"));
//! let filter = Filter::parse(&builder.finish())?;
//! assert!(filter.may_contain(hash(b"plum")));
//! assert!(!filter.may_contain(hash(b"fig")));
//! # Ok::<(), nori_bloom::Error>(())
//! ```
//!
//! Blocked filters: Putze, Sanders, Singler, "Cache-, Hash- and Space-Efficient Bloom Filters"
//! (2007). How many probes a block should take at which size was measured, see
//! [`FilterBuilder::new`].

mod builder;
mod error;
mod filter;
mod format;
mod probe;

pub use builder::FilterBuilder;
pub use error::{Error, Result};
pub use filter::Filter;
pub use probe::hash;

/// The README's example is a test too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
