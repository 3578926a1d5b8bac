//! Real processes, real disks and real threads against nori: what a simulation cannot show.
//!
//! A child process writes what a [`Plan`] says and tells over a pipe what it was told is safe. It
//! is killed, or its disk is cut off under it, at a moment that nobody chose. Then the parent
//! opens the store and asks its [`Book`] whether what is there is a state that the store was
//! allowed to come back with.
//!
//! - [`Plan`] and [`write_of`] say what is written: number n of a writer is the same everywhere.
//! - [`child_main`] is the child, [`Run`] the parent's side of it, [`Site`] a store that goes on
//!   through many of them.
//! - [`Book`] knows what must be there, what may be and what must not.
//! - [`Disk`] is a file system on a loop device whose power can be cut, or that can be full.
//! - [`History`] checks that concurrent reads and writes of a key have an order that explains
//!   them.
//!
//! ```
//! use nori_torture::{Call, History};
//!
//! let mut history = History::default();
//! history.add(0, 10, 20, Call::Put(1));
//! history.add(1, 15, 30, Call::Get(None)); // Began before the put was over.
//! assert!(history.check().is_ok());
//! history.add(1, 31, 32, Call::Get(None));
//! assert!(history.check().is_err());
//! ```

// Processes, mounts, the real disk and the real clock are what this crate is about.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod book;
mod child;
mod disk;
mod files;
mod found;
mod history;
mod message;
mod options;
mod plan;
mod run;
mod site;

pub use book::{Book, Span};
pub use child::child_main;
pub use disk::{Disk, Kind};
pub use files::{Place, orphans, scribble_sync};
pub use found::{Found, Stamp};
pub use history::{Call, History};
pub use message::{Counts, WRITERS};
pub use options::{child_config, parent_config};
pub use plan::{Edit, Lie, Mode, Plan, Write, write_of};
pub use run::{Heard, Run, Shot, Trigger};
pub use site::{End, Site, Tally};
