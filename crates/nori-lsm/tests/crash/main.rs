//! Power cuts and failing disks at every file-system operation.
//!
//! A chain opens a store, runs a random program on it, and takes an image of the disk before
//! every operation that changes it, those of opening included. Each image loses power in several
//! ways, is opened, and compared with the history: it must show exactly one prefix of it, long
//! enough for what had returned. One image starts the chain's next link, so that crashes also hit
//! the recovery of a recovery.
//!
//! `NORI_SEEDS` sets the number of chains, `NORI_SEED` runs one of them.

mod chain;
mod faults;
mod held;
mod history;
mod nested;
mod program;
