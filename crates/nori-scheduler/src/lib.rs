//! Which slot to compact next, and which of its runs.
//!
//! A [`Scheduler`] is told the shape of the store (slots in guard order, each a stack of sorted
//! runs) and what happens to it (flushes, reads, finished jobs), and answers one question: what is
//! the best merge to do now? It is pure: no files, no clock, no threads. Time comes in as a
//! [`Duration`](std::time::Duration) since any start, randomness from one seed, so the same calls
//! give the same answers on any machine.
//!
//! Three ideas carry it (`cost`, `rank`, `bandit` tell each in full):
//!
//! - *Heat is a price.* Each slot may keep K runs. K is the cheapest sum of what merging costs its
//!   writes and what one more run costs its reads, so a slot that is read gets few runs and a slot
//!   that is written gets many.
//! - *Merge like a counter.* Which runs to merge follows the binomial counter of Bentley and Saxe,
//!   read off the sizes of the runs, so it needs no memory and survives splits and restarts.
//! - *Learn the error, not the reward.* Among slots that want a merge, the one with the best
//!   estimate of reads saved per byte written goes first; a bandit learns by what factor the
//!   estimate is wrong in each slot.
//!
//! Invariants:
//! 1. After a pass with unlimited bandwidth no slot has more runs than its K, unless the merge is
//!    not worth its price, and never more than `k_global`.
//! 2. Only eligible slots that are not busy are picked, also when exploring.
//! 3. A planned job does something: it removes a run, drops garbage, or turns a fragment into a
//!    run of its own.
//! 4. No number that comes in, however absurd, leads to a panic or to a NaN that sticks; a verb on
//!    a slot that is not known does nothing.
//!
//! ```
//! use nori_scheduler::{Policy, RunView, Scheduler, Why};
//!
//! let mut scheduler = Scheduler::new(Policy { k_global: 2, ..Policy::default() });
//! let bottom = RunView { bytes: 200 << 20, entries: 1 << 20, level: 1, ..RunView::default() };
//! let flushed = RunView { bytes: 4 << 20, entries: 1 << 14, flush_seq: 7, ..RunView::default() };
//! scheduler.insert(0, 1, &[bottom, flushed, flushed]);
//!
//! // Three runs where two are allowed: the two small ones become one.
//! let pick = scheduler.pick(&|_| false).expect("a slot is over its limit");
//! assert_eq!((pick.slot, pick.first, pick.count, pick.why), (1, 1, 2, Why::OverLimit));
//! ```

mod assess;
mod bandit;
mod cost;
mod explain;
mod heat;
mod learned;
mod leveled;
mod observe;
mod pick;
mod policy;
mod rank;
mod run;
mod scheduler;
mod slot;
mod tiered;

pub use assess::Plan;
pub use bandit::{Done, Reward};
pub use explain::{Explanation, SlotState};
pub use heat::{HeatChange, Reads};
pub use learned::Learned;
pub use pick::{Pick, Why};
pub use policy::{Chooser, Mode, Policy, Zone};
pub use run::RunView;
pub use scheduler::Scheduler;

/// The README's example is a test too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
