//! What a shape of merging costs: the real engine under seven workloads, one shape after the
//! other, everything counted in bytes.
//!
//! Each run has its own file system in memory and its own clock, which stands still but for what
//! each write takes, and does all background work that is due before the next write. So a run
//! counts what the policy does with unlimited bandwidth, and gives the same numbers on any
//! machine.

mod report;
mod run;
mod workload;

pub use report::{print_row, print_targets, print_title};
pub use run::{Options, Outcome, run};
pub use workload::{WORKLOADS, Workload};
