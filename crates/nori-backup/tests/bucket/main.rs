//! Backups in an object store: what each generation holds, and what refused calls, lost answers and
//! processes that die do to them.

#![cfg(not(any(nori_loom, nori_shuttle)))]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::disallowed_types)]

mod failing;
mod faults;
mod plain;
#[allow(dead_code)] // A part of it is for backups in directories.
#[path = "../backups/rig.rs"]
mod rig;
