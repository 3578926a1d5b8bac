//! `nori policy-sim`: the engine's own scheduler on stores that exist as numbers only.
//!
//! A run is the count of random writes it stands for; how many distinct keys that is, and so what
//! a merge writes, follows. What comes out is what the policy costs, free of devices and threads.
//!
//! 1. The scheduler is the crate the engine uses, called as the engine calls it.
//! 2. The same call prints the same figures: time is counted in flushes, dice have seeds.
//! 3. Left out: compression, skew inside a slot, reads that end early, the time a merge takes.

use crate::args::{PolicySim, PolicySimArgs};
use crate::failure::Failure;
use crate::out::Out;

mod bandit;
mod store;
mod table;
mod workload;

/// `nori policy-sim`
pub(crate) fn run(args: &PolicySimArgs, out: &mut Out) -> Result<(), Failure> {
    match args.what {
        PolicySim::Table { gb } => table::print(gb, out),
        PolicySim::Bandit { seeds } => bandit::print(seeds, out),
    }
}
