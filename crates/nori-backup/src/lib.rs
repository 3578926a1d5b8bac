//! Backups of a nori store: incremental, verified, of a store that is being written to.
//!
//! [`Backups`] is a place with generations of one store. A backup copies only the tables that the
//! place lacks; each generation can be restored by itself, and every byte of it is checked then.
//! [`export`] writes the entries of a store as a stream, [`import`] reads them into another one.
//!
//! 1. A generation exists if and only if its list is durable, and then everything it names is.
//! 2. Whatever interrupts a backup, a removal or a restore, the generations that were there before
//!    stay whole; the next run uses or removes what was left.
//! 3. A damaged byte is an error that names the file, never a store with wrong data.
//! 4. What makes a table one and the same is its random id with its number, never the number
//!    alone: stores that were copied, repaired or restored have equal numbers for other tables.

mod backups;
mod check;
mod error;
mod generation;
mod make;
mod media;
mod progress;
mod restore;
mod staging;
mod stream;
mod sum;
mod sweep;

pub use backups::Backups;
pub use check::{CheckProblem, CheckReport};
pub use error::{Error, Result};
pub use generation::GenerationInfo;
pub use make::{BackupOptions, BackupReport};
pub use progress::Progress;
pub use stream::{StreamFormat, StreamTally, export, import};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
