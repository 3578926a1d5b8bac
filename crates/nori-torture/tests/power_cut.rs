//! Real power cuts: a file system on a loop device is shut down under a process that writes.
//!
//! A seed is a store on a new disk that goes on for ten cycles. What the durability of each run
//! promised must be there: all that was acknowledged, all before the last sync in the background,
//! or all before the last flush; and behind `sync`, `flush`, `checkpoint` all before the call. One
//! end in five is a kill, and the power goes while the next process opens the store. Needs root;
//! elsewhere the suite says so and passes.

use nori_testkit::{env_usize, plant_caught, run_suite, skip_suite};
use nori_torture::{Disk, End, Kind, Lie, Site, Tally};
use std::cell::Cell;

const EXE: &str = env!("CARGO_BIN_EXE_nori-torture");

/// Cycles of a seed.
const CYCLES: usize = 10;

/// How file systems are mounted: as everyone does, and with what changes the order in which they
/// write.
fn disk(kind: Kind, seed: u64) -> Result<Disk, String> {
    let (bytes, options) = match kind {
        Kind::Ext4 => (128 << 20, ["", "noauto_da_alloc", "data=writeback,noauto_da_alloc"]),
        Kind::Xfs => (320 << 20, ["", "logbsize=32k", "wsync"]),
    };
    Disk::new(kind, bytes, options[(seed % 3) as usize])
}

fn cycles(kind: Kind, seed: u64, lie: Lie) -> Result<Tally, (Tally, String)> {
    let mut disk = disk(kind, seed).expect("it could be made before");
    let mut site = Site::new(EXE, disk.path().join("store"), seed);
    for _ in 0..env_usize("NORI_STEPS", CYCLES) {
        site.cycle(End::Cut(&mut disk), lie).map_err(|said| (site.tally(), said))?;
    }
    Ok(site.tally())
}

fn suite(kind: Kind, test: &str) {
    let name = format!("power-cut-{}", kind.name());
    // A disk can be made, and its power cut.
    if let Err(reason) = disk(kind, 0).and_then(|disk| disk.cut()) {
        skip_suite(&name, &reason);
        return;
    }
    let all = Cell::new(Tally::default());
    run_suite(
        &name,
        "cuts",
        &format!("-p nori-torture --test power_cut -- --exact {test}"),
        1,
        |seed| {
            let tally = cycles(kind, seed, Lie::Honest);
            let tally = tally.unwrap_or_else(|(_, said)| panic!("{said}"));
            all.set(all.get() + tally);
            tally.ends
        },
    );
    println!("{name}: {}", all.get());
}

#[test]
fn ext4() {
    suite(Kind::Ext4, "ext4");
}

#[test]
fn xfs() {
    suite(Kind::Xfs, "xfs");
}

/// What is only buffered is really lost: judged as if it were durable, a cut is seen.
#[test]
fn a_durable_lie_is_caught() {
    for kind in [Kind::Ext4, Kind::Xfs] {
        let name = kind.name();
        if let Err(reason) = disk(kind, 0).and_then(|disk| disk.cut()) {
            println!("plant DurableWhenBuffered skipped={reason}");
            continue;
        }
        let mut runs = 0;
        let caught = (1..=20).find_map(|seed| match cycles(kind, seed, Lie::DurableWhenBuffered) {
            Ok(tally) => {
                runs += tally.runs;
                None
            }
            Err((tally, said)) => {
                runs += tally.runs;
                Some(said)
            }
        });
        let said = caught.unwrap_or_else(|| panic!("not caught on {name} in {runs} runs"));
        let said = said.lines().next().unwrap_or_default();
        plant_caught(Lie::DurableWhenBuffered, &format!("power-cut-{name}"), runs, "runs");
        println!("  {said}");
    }
}
