//! A write-ahead log: what was appended before the last sync survives a power cut, what comes back
//! is always a prefix, and damage to bytes that were durable is an error, never a shorter log.
//!
//! ```
//! use nori_env::MemFs;
//! use nori_wal::{Error, Position, RecoveryMode, Wal, WalOptions, replay};
//! use std::{path::Path, sync::Arc};
//!
//! let (fs, dir) = (Arc::new(MemFs::new(1)), Path::new("/wal"));
//! let wal = Wal::create(fs.clone(), dir, 1, WalOptions::default())?;
//! let group = wal.append([&b"put plum"[..], b"put fig"])?;
//! let durable = wal.sync_to(group.end)?;
//!
//! let mut show = |at: Position, payload: &[u8]| -> Result<(), Error> {
//!     println!("{at} {}", payload.escape_ascii());
//!     Ok(())
//! };
//! let found = replay(&*fs, dir, 1, durable, RecoveryMode::CutTornTail, &mut show)?;
//! assert_eq!(found.records, 2);
//! # Ok::<(), Error>(())
//! ```
//!
//! # Durability, in the order it happens
//!
//! [`Wal::reserve`] finds out whether the disk is full while nothing has been changed yet.
//! [`Wal::append`] writes a group; each record carries the *durable* position known then.
//! [`Wal::sync_to`] syncs segment after segment and moves that position. [`Wal::next_segment`]
//! makes the next file under another name, so that a name in the log always stands for a sound
//! header. [`Wal::retire`] takes back what a durable manifest no longer needs.
//!
//! [`replay`] reads what an earlier process left and never changes it. Whoever opens a store syncs
//! the directory, replays from the floor that the manifest names, makes a new log with
//! [`Wal::create`] numbered above [`Replayed::highest_segment`], makes a manifest durable that
//! names it as the floor, and then calls [`Wal::sweep`].

mod error;
mod log;
mod plant;
mod poison;
mod position;
mod replay;
mod segment;
mod wal;

#[cfg(test)]
mod crash;

pub use error::{Error, Result};
pub use log::{
    Features, LOG_HEADER_BYTES, LogFormat, LogHeader, LogRecord, LogScan, RECORD_BYTES_MAX,
    RECORD_HEADER_BYTES, Tail, frame, scan,
};
pub use position::Position;
pub use replay::{
    Lost, RecoveryMode, Replayed, Salvaged, TornTail, has_records, replay, salvage, salvage_segment,
};
pub use wal::{
    Appended, SegmentFile, SegmentPin, Wal, WalOptions, keep_history, remove_history, retained_dir,
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
