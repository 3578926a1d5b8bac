//! The engine's parts by themselves, filled: what benches of one part begin with.
//!
//! Entries are [`key`](crate::key) and [`value`](crate::value) of a number: 16 + 100 bytes, half of
//! the value compresses.

mod memtables;
mod slots;
mod tables;

pub use memtables::{groups, insert, memtable, random_order};
pub use slots::{guarded, scheduler};
pub use tables::{ENTRY_BYTES, Merged, Tables};

/// Whatever a part says is wrong.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[cfg(test)]
mod tests;
