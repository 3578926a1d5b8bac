//! A disk that fails at one operation, or from one on: no panic, no wrong answer, nothing lost.

use crate::chain::state;
use crate::history::History;
use crate::program::{Program, Shared, config};
use nori_env::sync::{Arc, Mutex};
use nori_env::{Fault, FaultFs, FaultRule, FileSystem, MemFs, Rng};
use nori_lsm::{Durability, ErrorKind, Lsm};
use nori_testkit::run_seeds;

/// Runs one program on a failing disk, then opens what it left on a healthy one. Returns whether
/// the fault was met.
pub(crate) fn run(seed: u64, rule: FaultRule) -> Result<bool, String> {
    let disk = MemFs::new(seed);
    let faults = FaultFs::new(Arc::new(disk.clone()));
    faults.inject(rule);
    let fs: Arc<dyn FileSystem> = Arc::new(faults.clone());
    let history: Shared = Arc::new(Mutex::new(History::default()));
    let mut program = Program::new(&history, &mut Rng::new(seed), Durability::Synced);
    let opened = Lsm::open_with("/store", config(fs, Durability::Synced, seed));
    match opened {
        Ok(store) => {
            program.run(&store, 60, true)?;
            faults.clear();
            let shown = state(&store).map_err(|e| format!("reading: {e}"))?;
            let known = history.lock();
            if shown != *known.shown() {
                let expected = known.shown();
                return Err(format!("the store shows {shown:?}, not {expected:?}"));
            }
        }
        Err(e) if e.kind() == ErrorKind::Corruption => return Err(format!("open: {e}")),
        Err(_) => faults.clear(),
    }
    // What it holds keeps the store open.
    drop(program);
    let healthy = config(Arc::new(disk), Durability::Synced, seed);
    let store = Lsm::open_with("/store", healthy).map_err(|e| format!("opening again: {e}"))?;
    let (shown, known) = (state(&store).map_err(|e| format!("reading: {e}"))?, history.lock());
    let last = store.metrics().last_sequence;
    let p = known.find(&shown, last).ok_or_else(|| format!("no prefix gives {shown:?}"))?;
    if p < known.mark.kill {
        return Err(format!("{p} elements, {} were acknowledged", known.mark.kill));
    }
    Ok(!faults.hits().is_empty())
}

/// Fails operation 0, 1, .. until a run meets no fault any more.
fn sweep(name: &str, default: usize, rule: impl Fn(u64) -> FaultRule) {
    let (mut runs, mut hits) = (0u64, 0u64);
    run_seeds(&format!("-p nori-lsm --test crash {name}"), default, |seed| {
        for operation in 0.. {
            let hit = run(seed, rule(operation))
                .unwrap_or_else(|e| panic!("seed {seed}, operation {operation}: {e}"));
            runs += 1;
            hits += u64::from(hit);
            if !hit {
                break;
            }
        }
    });
    println!("{name}: {runs} runs, {hits} faults met, 0 violations");
    assert!(hits > 100, "the sweep met too few faults to mean anything");
}

#[test]
fn an_error_at_every_operation() {
    sweep("an_error_at_every_operation", 3, |n| FaultRule::new(Fault::Eio).nth(n));
}

#[test]
fn errors_from_every_operation_on() {
    sweep("errors_from_every_operation_on", 2, |n| FaultRule::new(Fault::Eio).after(n));
}

#[test]
fn a_full_disk_at_every_operation() {
    sweep("a_full_disk_at_every_operation", 4, |n| FaultRule::new(Fault::Enospc).nth(n));
}

#[test]
fn a_full_disk_from_every_operation_on() {
    sweep("a_full_disk_from_every_operation_on", 2, |n| FaultRule::new(Fault::Enospc).after(n));
}

#[test]
fn a_short_write_at_every_write() {
    sweep("a_short_write_at_every_write", 4, |n| FaultRule::new(Fault::ShortWrite).nth(n));
}
