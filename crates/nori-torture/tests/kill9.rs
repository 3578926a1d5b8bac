//! Kill -9 of a process that writes: at any moment, also while it opens or closes the store.
//!
//! A seed is a store that goes on for ten cycles. In all modes everything acknowledged must be
//! there. The moments are not the seed's: repeat a seed many times to meet one again.

use nori_testkit::{env_usize, plant_caught, run_suite};
use nori_torture::{End, Lie, Place, Site, Tally};

const EXE: &str = env!("CARGO_BIN_EXE_nori-torture");

/// Cycles of a seed.
const CYCLES: usize = 10;

fn cycles(seed: u64, cycles: usize, lie: Lie) -> Result<Tally, (Tally, String)> {
    // A killed process loses nothing that a disk would have; every fourth store is on one.
    let dir = Place::new("kill", !seed.is_multiple_of(4)).expect("a new directory");
    let mut site = Site::new(EXE, dir.path().join("store"), seed);
    for _ in 0..cycles {
        site.cycle(End::Kill, lie).map_err(|said| (site.tally(), said))?;
    }
    Ok(site.tally())
}

#[test]
fn kill_9() {
    let all = std::cell::Cell::new(Tally::default());
    run_suite("kill-9", "cycles", "-p nori-torture --test kill9 -- --exact kill_9", 3, |seed| {
        let tally = cycles(seed, env_usize("NORI_STEPS", CYCLES), Lie::Honest);
        let tally = tally.unwrap_or_else(|(_, said)| panic!("{said}"));
        all.set(all.get() + tally);
        tally.runs
    });
    println!("kill-9: {}", all.get());
}

/// Writes acknowledged too early, in parts, not at all or in another order are seen.
#[test]
fn lies_are_caught() {
    for lie in [Lie::AckFirst, Lie::SplitBatch, Lie::SkipDelete, Lie::Swap] {
        let (mut runs, mut caught) = (0, None);
        for seed in 1..=200 {
            match cycles(seed, 5, lie) {
                Ok(tally) => runs += tally.runs,
                Err((tally, said)) => {
                    runs += tally.runs;
                    caught = Some(said);
                    break;
                }
            }
        }
        let said = caught.unwrap_or_else(|| panic!("{lie:?} was not caught in {runs} runs"));
        plant_caught(lie, "kill-9", runs, "runs");
        println!("  {}", said.lines().next().unwrap_or(""));
    }
}
