//! Chains without and with planted bugs.

#![allow(clippy::unwrap_used)]

use super::{Stats, chain};
use crate::plant::{Plant, with_plant};
use nori_testkit::{env_usize, plant_caught, run_seeds};

#[test]
fn no_crash_loses_or_invents_a_record() {
    let mut stats = Stats::default();
    run_seeds("-p nori-wal no_crash_loses_or_invents_a_record", 120, |seed| {
        if let Err(what) = chain(seed, 4, &mut stats) {
            panic!("{what}");
        }
    });
    println!("{stats:?}");
}

/// Chains until the oracle objects; how many images and flips that took.
fn caught(plant: Plant, chains: u64) -> Option<(u64, String)> {
    let mut stats = Stats::default();
    with_plant(Some(plant), || {
        for seed in 1..=chains {
            if let Err(what) = chain(seed, 4, &mut stats) {
                return Some((stats.images + stats.rotted, what));
            }
        }
        None
    })
}

#[test]
fn every_planted_bug_is_caught() {
    let chains = env_usize("NORI_SEEDS", 400) as u64;
    let mut missed = Vec::new();
    for plant in ALL {
        match caught(plant, chains) {
            Some((images, what)) => {
                println!("{what}");
                plant_caught(plant, "wal-crash", images, "images");
            }
            None => missed.push(plant),
        }
    }
    assert!(missed.is_empty(), "not caught: {missed:?}");
}

const ALL: [Plant; 18] = [
    Plant::ChecksumNotVerified,
    Plant::ChecksumNotSalted,
    Plant::PromisesOwnGroup,
    Plant::ReplayPastBadRecord,
    Plant::ResyncAtBlocksOnly,
    Plant::LaterSegmentsReplayed,
    Plant::SegmentEndUnchecked,
    Plant::MissingSegmentUnnoticed,
    Plant::PromiseIgnored,
    Plant::HeaderNotSynced,
    Plant::HeaderAfterRename,
    Plant::DirectoryNotSynced,
    Plant::NewestSegmentOnlySynced,
    Plant::DurableReadAfterSync,
    Plant::SyncErrorIgnored,
    Plant::SyncRetriedAfterFailure,
    Plant::WriteErrorContinues,
    Plant::FreshSegmentPromises,
];
