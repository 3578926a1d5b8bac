//! The store behind all handles.
//!
//! Locks, in the order in which they are taken: leadership of the commit queue, `flushing`, a
//! slot's job, the edits' queue, `manifest`, the install lock inside `published`, the scheduler's,
//! the table of held slots. The snapshot registry, the keyspace table and what was current once
//! are leaves.
//!
//! 1. A reader loads the super-version first and the visible number second.
//! 2. A flush or a job pins its input first and reads the live snapshots and the visible number
//!    second, under the snapshot registry's lock.
//! 3. The version changes only under `manifest`, after its edit is durable.
//! 4. Nothing is deleted while the manifest is not settled.

mod admission;
mod booked;
mod brain;
mod callers;
mod checkpoint;
mod close;
pub(crate) mod commit;
pub(crate) mod commit_queue;
mod compact;
mod edits;
mod feed;
mod flush;
mod jobs;
mod keyspaces;
mod learned;
mod log;
mod maintain;
mod merging;
mod open;
mod options;
mod panics;
mod places;
mod pressure;
mod recover;
mod report;
mod shape;
mod signal;
mod state;
mod threads;
mod told;
mod unwell;

pub use close::example_dir;
pub(crate) use close::{REPAIRING_WORD, destroy};
pub(crate) use feed::{Feed, Watch};
pub(crate) use learned::heat_is_good;
pub(crate) use open::{open_read_only, open_store};
pub(crate) use recover::{check_finished, check_log, check_unfinished, list, lock_to_read};
pub(crate) use state::{Handle, Paths, Store};
