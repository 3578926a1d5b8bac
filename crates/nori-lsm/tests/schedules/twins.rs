//! Twins: a scenario with one promise broken on purpose, which the scenario must see. Without them
//! a suite that looks at nothing would pass.
//!
//! What is broken lies between engine and oracle, so that one build runs scenarios and twins.

use crate::explore::{Scenario, Seen, catches, dice};
use crate::{PATIENT, merging, writing};
use nori_env::sync::lose_notification;
use nori_testkit::plant_caught;
use std::cell::Cell;

/// A broken promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Twin {
    /// One notification wakes nobody.
    WakeUpLost,
    /// Writes are acknowledged as durable before any sync.
    AckBeforeSync,
    /// The operations of a batch are written one by one.
    BatchInPieces,
    /// A snapshot shows what is there now.
    SnapshotOfNow,
}

thread_local! {
    /// Shuttle runs all threads of a schedule on this one.
    static TWIN: Cell<Option<Twin>> = const { Cell::new(None) };
}

/// Whether this is what is broken.
pub fn broken(twin: Twin) -> bool {
    TWIN.get() == Some(twin)
}

/// One of the first notifications is lost.
fn stall_with_a_lost_wake_up(seen: &Seen) {
    lose_notification(Some(dice().below(40)));
    writing::stall_and_wake(seen);
}

const TWINS: &[(Twin, Scenario)] = &[
    (Twin::WakeUpLost, scenario("wake-up-lost", stall_with_a_lost_wake_up)),
    (Twin::AckBeforeSync, scenario("ack-before-sync", writing::writers_and_readers)),
    (Twin::BatchInPieces, scenario("batch-in-pieces", writing::writers_and_readers)),
    (Twin::SnapshotOfNow, scenario("snapshot-of-now", merging::merge_and_snapshots)),
];

const fn scenario(name: &'static str, run: fn(&Seen)) -> Scenario {
    Scenario { name, patience: PATIENT, run, outcomes: &[] }
}

/// Schedules in which a twin must be caught.
const SCHEDULES: usize = 400;

#[test]
fn every_twin_is_caught() {
    for (twin, scenario) in TWINS {
        TWIN.set(Some(*twin));
        let after = catches(scenario, SCHEDULES);
        TWIN.set(None);
        lose_notification(None);
        let after = after.unwrap_or_else(|| panic!("{twin:?}: not caught"));
        plant_caught(twin, "schedules", after, "schedules");
    }
}
