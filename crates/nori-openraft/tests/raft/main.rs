//! The storage of a raft node on a simulated disk: openraft's own suite, random programs against a
//! twin, and what power cuts and failing disks leave.

#![cfg(not(any(nori_loom, nori_shuttle)))]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::disallowed_types)]
// The errors are openraft's.
#![allow(clippy::result_large_err)]

mod crashes;
mod faults;
mod model;
mod node;
mod plain;
mod rig;
mod suite;
mod truth;
mod twin;
