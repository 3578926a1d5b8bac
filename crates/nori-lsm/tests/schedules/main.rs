//! Schedules of the whole engine: its own threads and a test's, on a disk in memory, under
//! shuttle's schedulers. Each scenario is a few threads that get in each other's way, and an oracle
//! that knows what they may see.
//!
//! ```text
//! RUSTFLAGS="--cfg nori_shuttle" CARGO_TARGET_DIR=target/shuttle \
//!     cargo test --release -p nori-lsm --test schedules -- --nocapture --test-threads=2
//! ```
//!
//! 1. A seed is the same schedules in every run: half of them random, half chosen by priorities
//!    that change at a few points (PCT). One command repeats a failure.
//! 2. A scenario says which of its outcomes must occur; one that never does fails the suite.
//! 3. No time passes. Where a scenario is patient, long waits end by a notification only: a thread
//!    that nobody wakes is a deadlock, which shuttle reports. Elsewhere waits may run out at any
//!    moment.

#![cfg(nori_shuttle)]
#![allow(unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::disallowed_types, clippy::disallowed_methods)]

mod closing;
mod explore;
mod failing;
mod joining;
mod keyspaces;
mod merging;
mod rig;
mod saving;
mod twins;
mod writing;

use explore::{Scenario, Tally};
use nori_testkit::{env_usize, run_suite};
use std::time::Duration;

/// Beyond this, a patient scenario's waits end by a notification only. Shorter ones pace writers.
const PATIENT: Option<Duration> = Some(Duration::from_millis(100));

/// All of them.
const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "writers-and-readers",
        patience: PATIENT,
        run: writing::writers_and_readers,
        outcomes: &["seen in the middle", "cut in the middle"],
    },
    Scenario {
        name: "flush-beside-writes",
        patience: PATIENT,
        run: writing::flush_beside_writes,
        outcomes: &["seen in the middle", "flushed"],
    },
    Scenario {
        name: "stall-and-wake",
        patience: PATIENT,
        run: writing::stall_and_wake,
        outcomes: &["stalled"],
    },
    Scenario {
        name: "merge-and-snapshots",
        patience: PATIENT,
        run: merging::merge_and_snapshots,
        outcomes: &["snapshot in the middle", "merged"],
    },
    Scenario {
        name: "split-during-flush",
        patience: PATIENT,
        run: merging::split_during_flush,
        outcomes: &["seen in the middle", "split"],
    },
    Scenario {
        name: "join-under-way",
        patience: PATIENT,
        run: joining::join_under_way,
        outcomes: &["joined"],
    },
    Scenario {
        name: "iterator-and-reclaim",
        patience: PATIENT,
        run: merging::iterator_and_reclaim,
        outcomes: &["deleted under way"],
    },
    Scenario {
        name: "keyspace-drop",
        patience: PATIENT,
        run: keyspaces::drop_under_way,
        outcomes: &["writer came first", "drop came first", "snapshot of it"],
    },
    Scenario {
        name: "close-races",
        patience: PATIENT,
        run: closing::close_races,
        outcomes: &["write refused", "read refused", "flush refused", "iterator ended"],
    },
    Scenario {
        name: "checkpoint",
        patience: PATIENT,
        run: saving::checkpoint,
        outcomes: &["copied in the middle"],
    },
    Scenario {
        name: "interval-sync",
        patience: None,
        run: saving::interval_sync,
        outcomes: &["synced by the background", "unsynced is lost"],
    },
    Scenario {
        name: "failing-sync",
        patience: None,
        run: failing::sync_fails,
        outcomes: &["a group failed together", "poisoned", "read after it"],
    },
    Scenario {
        name: "disk-full",
        patience: None,
        run: failing::disk_is_full,
        outcomes: &["refused", "went on"],
    },
];

/// Schedules of each scenario for one seed.
const SCHEDULES: usize = 50;

/// Scenarios named by `NORI_SCENARIO`, or all.
fn wanted() -> impl Iterator<Item = &'static Scenario> {
    let only = std::env::var("NORI_SCENARIO").ok();
    SCENARIOS.iter().filter(move |s| only.as_deref().is_none_or(|name| name == s.name))
}

/// Half of the scenarios, so that two processors have something to do.
fn half(which: usize) -> impl Iterator<Item = &'static Scenario> {
    wanted().enumerate().filter(move |(n, _)| n % 2 == which).map(|(_, scenario)| scenario)
}

fn is_sound(which: usize, test: &str) {
    assert!(wanted().next().is_some(), "there is no scenario of that name");
    let tally = Tally::default();
    let schedules = env_usize("NORI_SCHEDULES", SCHEDULES);
    let test = format!("--release -p nori-lsm --test schedules {test}");
    run_suite("schedules", "schedules", &test, 4, |seed| {
        half(which).map(|scenario| tally.explore(scenario, seed, schedules)).sum()
    });
    tally.report(half(which));
}

#[test]
fn every_schedule_is_sound() {
    is_sound(0, "every_schedule_is_sound");
}

#[test]
fn every_other_schedule_is_sound() {
    is_sound(1, "every_other_schedule_is_sound");
}

/// What is not decided by the schedule would make failures that cannot be repeated.
#[test]
fn a_seed_decides_everything() {
    for scenario in wanted() {
        explore::check_determinism(scenario);
    }
}
