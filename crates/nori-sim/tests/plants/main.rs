//! The suites see bugs: each rule of the protocol is broken once, and must be caught.
//!
//! Runs only with `RUSTFLAGS="--cfg nori_plant"`; best in a target directory of its own:
//!
//! ```text
//! RUSTFLAGS="--cfg nori_plant" CARGO_TARGET_DIR=target/plant \
//!     cargo test -p nori-sim --test plants every_plant -- --nocapture
//! ```
//!
//! Two kinds of tests look for each fault, the same that must be silent without one: scenes, in
//! which one thing happens between two steps of another, and the programs of the simulation: images
//! of every crash, crashes of openings, whole programs with failing disks. `NORI_SEEDS` limits the
//! programs, `NORI_PLANT` picks one fault.

#![cfg(nori_plant)]

mod scenes;
mod slots;

use nori_env::sync::{Arc, Mutex, thread};
use nori_lsm::{Plant, plant};
use nori_sim::{Seen, Suite};
use nori_testkit::{env_usize, plant_caught};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Broken rules that nobody can notice, and why.
const HARMLESS: &[(Plant, &str)] = &[
    // The input of flushes and merges is at or below V when they look, and so is the number of a
    // drop that the catalog knows.
    (Plant::VNotASnapshot, "inputs are pinned first, and drops are visible before they are logged"),
];

/// How many whole programs are tried where a scene has caught the fault: what they
/// need alone is good to know, and they are quick.
const BESIDE: u64 = 40;

/// How a fault was caught.
struct Catch {
    by: String,
    images: u64,
}

/// What a test that panics or fails says.
fn outcome(test: impl FnOnce() -> Result<(), String>) -> Option<String> {
    match catch_unwind(AssertUnwindSafe(test)) {
        Ok(Ok(())) => None,
        Ok(Err(said)) => Some(said),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| s.to_string()));
            Some(text.unwrap_or_else(|| "a panic".to_string()))
        }
    }
}

/// What a seed of a suite finds.
fn look(suite: Suite, seed: u64, seen: &mut Seen) -> Option<String> {
    let said = outcome(|| suite.run(seed, seen).map(|_| ()).map_err(|f| f.said));
    said.map(|said| format!("{} {seed}: {said}", suite.name()))
}

/// What all programs of a seed find. Whole ones are quick, and the first to look.
fn programs(seed: u64, seen: &mut Seen) -> Option<String> {
    let found = (0..8).find_map(|n| look(Suite::Sim, 8 * seed + n, seen));
    let found = found.or_else(|| look(Suite::CrashNested, seed, seen));
    let found = found.or_else(|| look(Suite::Crash, seed, seen));
    if seed == 3 { found.or_else(|| look(Suite::IoErrors, seed, seen)) } else { found }
}

/// Runs scenes and programs with a fault planted until one fails.
fn hunt(fault: Option<Plant>, seeds: u64) -> (u64, Option<Catch>) {
    plant(fault);
    let mut scenes = scenes::ALL.iter().chain(slots::ALL);
    let scene = scenes
        .find_map(|(name, scene)| outcome(scene).map(|said| format!("the scene {name:?}: {said}")));
    let mut seen = Seen::default();
    let by = match scene {
        Some(scene) => match (0..BESIDE).find_map(|seed| look(Suite::Sim, seed, &mut seen)) {
            Some(by) => Some(format!("{by}; and {scene}")),
            None => Some(format!("only {scene}")),
        },
        None => (0..seeds).find_map(|seed| programs(seed, &mut seen)),
    };
    plant(None);
    let images = seen.images;
    (images, by.map(|by| Catch { by, images }))
}

fn shortened(text: &str) -> String {
    text.chars().take(150).collect::<String>().replace('\n', " ")
}

#[test]
fn every_plant_is_caught() {
    let seeds = env_usize("NORI_SEEDS", 400) as u64;
    let only = std::env::var("NORI_PLANT").ok();
    let wanted = |p: &Plant| only.as_ref().is_none_or(|name| *name == format!("{p:?}"));
    let todo: Vec<Plant> = Plant::ALL.iter().copied().filter(wanted).rev().collect();
    assert!(!todo.is_empty(), "there is no plant of that name");
    // Hundreds of panics are expected.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    let (images, sound) = hunt(None, seeds.min(8));
    let todo = Arc::new(Mutex::new(todo));
    let missed = Arc::new(Mutex::new(Vec::new()));
    let hunters: Vec<_> = (0..2)
        .map(|_| {
            let (todo, missed) = (Arc::clone(&todo), Arc::clone(&missed));
            thread::spawn(move || {
                loop {
                    let Some(fault) = todo.lock().pop() else { return };
                    let harmless = HARMLESS.iter().find(|(plant, _)| *plant == fault);
                    let seeds = if harmless.is_some() { seeds.min(40) } else { seeds };
                    let (images, caught) = hunt(Some(fault), seeds);
                    match (&caught, harmless) {
                        (Some(Catch { by, images }), None) => {
                            println!("{}", shortened(by));
                            // "crash 7: ..", or "only the scene ..".
                            let suite = by.split(' ').next().unwrap_or_default();
                            let suite = if suite == "only" { "scene" } else { suite };
                            plant_caught(fault, suite, *images, "images");
                        }
                        (None, Some((_, why))) => {
                            println!("plant {fault:?} harmless in {images} images: {why}");
                        }
                        (Some(Catch { by, .. }), Some(_)) => {
                            println!("plant {fault:?} is not harmless: {}", shortened(by));
                            missed.lock().push(fault);
                        }
                        (None, None) => {
                            println!("plant {fault:?} NOT CAUGHT in {images} images");
                            missed.lock().push(fault);
                        }
                    }
                }
            })
        })
        .collect();
    hunters.into_iter().for_each(|hunter| drop(hunter.join()));
    std::panic::set_hook(hook);
    let said = sound.map(|catch| catch.by);
    assert_eq!(said, None, "without a plant everything must pass");
    println!("{images} images without a plant, 0 violations");
    assert_eq!(*missed.lock(), [], "not caught, or not harmless");
}
