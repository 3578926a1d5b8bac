//! A cluster on this machine, clients that load it, and what is done to it.

pub mod faults;
pub mod load;
pub mod members;
