//! Merging sorted runs, and which versions survive.

mod merge;
mod plant;
mod retain;

pub use merge::MergeIter;
pub use retain::{Retain, Verdict};
