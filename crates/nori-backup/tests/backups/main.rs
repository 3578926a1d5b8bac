//! Backups of whole stores on a simulated disk: what each generation holds, and what power cuts,
//! failing disks and damaged bytes do to them.

#![cfg(not(any(nori_loom, nori_shuttle)))]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::disallowed_types)]

mod crashes;
mod damage;
mod faults;
mod plain;
mod rig;
