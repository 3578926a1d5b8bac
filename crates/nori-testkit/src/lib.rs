//! Random programs, oracles and byte surgery for the tests of the nori crates.
//!
//! A test here is a story with a seed: [`run_seeds`] runs it over many seeds and says how to
//! repeat the one that failed, [`run_suite`] also counts their cases, [`plant_caught`] tells that
//! a suite can fail. [`KeyGen`] and [`entries`] make data, [`VersionedMap`] knows the right answer,
//! [`VecIter`] stands for any sorted source, good or failing, [`shrink`] finds the short program
//! that still fails, [`golden`] holds a format to its bytes.
//!
//! ```
//! use nori_testkit::VersionedMap;
//! use nori_types::SeqNo;
//!
//! let mut oracle = VersionedMap::new();
//! oracle.write(b"fig", SeqNo::new(1), Some(b"green"));
//! oracle.write(b"fig", SeqNo::new(2), None);
//! assert_eq!(oracle.get(b"fig", SeqNo::new(1)), Some(&b"green"[..]));
//! assert_eq!(oracle.get(b"fig", SeqNo::new(2)), None);
//! ```

mod entry;
mod golden;
mod key_gen;
mod seeds;
mod shrink;
mod suite;
mod surgery;
mod temp_dir;
mod vec_iter;
mod versioned_map;

pub use entry::{Entry, collect, entries};
pub use golden::{golden, golden_text};
pub use key_gen::KeyGen;
pub use seeds::{env_usize, run_seeds};
pub use shrink::shrink;
pub use suite::{plant_caught, run_suite, skip_suite};
pub use surgery::{flips, swapped, truncations};
pub use temp_dir::TempDir;
pub use vec_iter::{Injected, VecIter};
pub use versioned_map::VersionedMap;

/// The README's example is a test too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
