//! The state protocol under random interleavings, over the real versions, edits and manifest.
//!
//! Tables are sorted vectors in memory, keyed by file number. Whatever takes time (a commit
//! group, a flush, a merge, a get, an iterator) is begin, work and end actions that a seeded
//! scheduler interleaves. The oracle knows all versions of all keys. After every install the
//! structure is checked, and every key and both scan directions at every live snapshot; each
//! seed ends by merging everything: exactly the live keys remain, in exactly the named files.
//!
//! Each planted violation breaks one rule and must be caught.
//!
//! | file | holds |
//! | --- | --- |
//! | `plant.rs` | the violations |
//! | `oracle.rs` | the truth |
//! | `world.rs` | the store at one moment, install, reaping, restart |
//! | `write.rs` | commit groups, rotation, snapshots, keyspaces |
//! | `work.rs` | flushes, merges, what they keep |
//! | `shape.rs` | splits, merges of slots, trivial moves, purges |
//! | `read.rs` | gets and iterators |
//! | `check.rs` | what must hold after every action |
//! | `sim.rs` | the scheduler |

#![allow(clippy::unwrap_used, unreachable_pub)]
#![cfg(not(nori_loom))]

mod check;
mod oracle;
mod plant;
mod read;
mod shape;
mod sim;
mod work;
mod world;
mod write;

use nori_testkit::{env_usize, plant_caught, run_seeds};
use plant::Plant;

const SEEDS: usize = 300;

#[test]
fn random_interleavings_keep_every_promise() {
    let steps = env_usize("NORI_STEPS", 2000);
    let (mut actions, mut installs, mut moves, mut counts) = (0, 0, 0, [0; 32]);
    run_seeds("-p nori-manifest --test model random_interleavings", SEEDS, |seed| {
        let done = sim::run(Plant::None, seed, steps);
        let done = done.unwrap_or_else(|failure| panic!("{failure}"));
        actions += done.actions;
        installs += done.installs;
        moves += done.eager_moves;
        counts.iter_mut().zip(done.counts).for_each(|(all, n)| *all += n);
    });
    let names = sim::ACTIONS.iter().zip(counts).map(|(a, n)| format!("{} {n}", a.name));
    let names = names.collect::<Vec<_>>().join(", ");
    println!("{actions} actions, {installs} installs, {moves} moves in flushes: {names}");
    let alone = env_usize("NORI_SEED", 0) > 0 || env_usize("NORI_SEEDS", SEEDS) < 50;
    let never: Vec<_> = sim::ACTIONS.iter().zip(counts).filter(|(_, n)| *n == 0).collect();
    assert!(alone || (never.is_empty() && moves > 0), "actions that never happened");
}

#[test]
fn every_planted_violation_is_caught() {
    let mut missed = vec![];
    for plant in Plant::ALL {
        let mut before = 0;
        let caught = (1..=3000).find_map(|seed| match sim::run(*plant, seed, 2000) {
            Ok(done) => {
                before += done.actions;
                None
            }
            Err(failure) => Some(failure),
        });
        match caught {
            Some(failure) => {
                let after = before + failure.actions;
                let text = failure.text.lines().next().unwrap_or_default().to_string();
                println!("{text}");
                plant_caught(plant, "version-model", after, "actions");
            }
            None => missed.push(format!("{plant:?} in {before} actions")),
        }
    }
    assert!(missed.is_empty(), "not caught: {missed:?}");
}
