//! Disks that refuse, fill up, and flip bits.

use crate::rig::{Rig, wait};
use crate::truth::Truth;
use crate::twin::{Step, Twin, check_leftovers, go_on};
use nori_env::{Fault, FaultFs, FaultRule, FsOp, MemFs, Rng};
use openraft::storage::RaftStateMachine;
use std::sync::Arc;

/// A program that does each kind of step, the same for each run with a seed.
fn program(seed: u64) -> (Truth, Vec<Step>) {
    let (mut rng, mut truth) = (Rng::new(seed), Truth::new(seed));
    let mut twin = Twin::default();
    let mut steps = Vec::new();
    let is_missing = |steps: &[Step]| {
        let has = |test: fn(&Step) -> bool| steps.iter().any(test);
        !(has(|s| matches!(s, Step::Build))
            && has(|s| matches!(s, Step::Purge(_)))
            && has(|s| matches!(s, Step::Truncate(_)))
            && has(|s| matches!(s, Step::Vote(_)))
            && steps.iter().filter(|s| matches!(s, Step::Install(_))).count() > 1)
    };
    while steps.len() < 40 || is_missing(&steps) {
        let step = twin.choose(&mut rng, &mut truth);
        twin.apply(&step, &mut truth);
        steps.push(step);
    }
    (truth, steps)
}

/// Makes each operation of a program fail, one after the other. The error is told, and what was
/// promised is there, before and after the storage is opened again.
#[test]
fn a_refused_operation_is_an_error_and_loses_nothing() {
    let mut points = 0;
    for fault in [Fault::Eio, Fault::Enospc, Fault::ShortWrite] {
        let (mut errors, mut unnoticed) = (0, 0);
        for seed in 1..=2 {
            for nth in 1.. {
                let (was_hit, was_error) = refuse(fault, seed, nth);
                points += u64::from(was_hit);
                errors += u64::from(was_error);
                unnoticed += u64::from(was_hit && !was_error);
                if !was_hit {
                    break;
                }
            }
        }
        println!("{fault:?}: {errors} errors, {unnoticed} in background work or while removing");
        assert!(errors > 40, "{fault:?}: {errors}");
    }
    println!("{points} fault points");
}

/// Runs a program whose operation `nth` fails. Returns whether there was one, and an error.
fn refuse(fault: Fault, seed: u64, nth: u64) -> (bool, bool) {
    let (mut truth, steps) = program(seed);
    let (memory, mut twin) = (MemFs::new(nth), Twin::default());
    let disk = FaultFs::new(Arc::new(memory.clone()));
    let mut rig = Rig::open(Arc::new(disk.clone())).unwrap();
    disk.inject(FaultRule::new(fault).path("/raft").nth(nth));
    let mut after = twin.clone();
    let mut failed = None;
    for step in &steps {
        after.apply(step, &mut truth);
        if let Err(error) = twin.run(step, &mut rig, &mut truth) {
            failed = Some(format!("{step:?}: {error}"));
            break;
        }
        while rig.store.store().step().unwrap_or(false) {}
        twin = after.clone();
    }
    let was_hit = !disk.hits().is_empty();
    disk.clear();
    let is_typed = |told: &String| told.contains("/raft") || told.contains("write-ahead log");
    assert!(failed.as_ref().is_none_or(is_typed), "{failed:?}");
    let told = format!("seed {seed}, {fault:?} of operation {nth}: {failed:?}");
    rig.check_state(&mut truth, &told);
    let _ = rig.store.close();
    let mut rig = Rig::open(rig.fs).unwrap_or_else(|e| panic!("{told}: {e}"));
    check_leftovers(&memory, &rig, &told);
    twin.check_crash(&after, &mut rig, &mut truth, false, &told);
    go_on(&mut rig, &mut truth, &told);
    (was_hit, failed.is_some())
}

/// A full disk while a snapshot is built is an error, and the node goes on when there is room.
#[test]
fn a_snapshot_that_does_not_fit_leaves_the_one_before() {
    let (disk, mut rig) = Rig::in_memory(6);
    let (mut truth, mut twin) = (Truth::new(6), Twin::default());
    let mut go = |rig: &mut Rig, steps: &[Step]| {
        for step in steps {
            twin.run(step, rig, &mut truth)?;
            twin.apply(step, &mut truth);
        }
        Ok::<_, openraft::StorageError<u64>>(twin.applied)
    };
    let entries = Truth::new(6).entries(0..40);
    let first = [Step::Append(entries), Step::Commit(39), Step::Apply(20), Step::Build];
    let before = go(&mut rig, &first).unwrap();
    go(&mut rig, &[Step::Apply(40)]).unwrap();
    disk.set_capacity(Some(disk.total_bytes() + 100));
    let full = go(&mut rig, &[Step::Build]).unwrap_err().to_string();
    assert!(full.contains("the disk is full"), "{full}");
    disk.set_capacity(None);
    let mut truth = Truth::new(6);
    assert_eq!(rig.check_snapshot(&mut truth, "full"), Some(before));
    go(&mut rig, &[Step::Build]).unwrap();
    assert_eq!(rig.check_snapshot(&mut truth, "not full"), Some(Some(truth.id(39))));
}

/// A disk that lies when a received snapshot is read: refused, or what was sent.
#[test]
fn flipped_bits_never_become_state() {
    let mut refused = 0;
    for nth in 1..60 {
        let (mut truth, memory) = (Truth::new(7), MemFs::new(7));
        let disk = FaultFs::new(Arc::new(memory));
        let mut rig = Rig::open(Arc::new(disk.clone())).unwrap();
        wait(rig.machine.apply(truth.entries(0..5))).unwrap();
        disk.set_seed(nth);
        let flip = FaultRule::new(Fault::FlipBit).on(FsOp::Read).path("snapshots");
        disk.inject(flip.nth(nth));
        let sent = crate::rig::snapshot_of(&mut truth, 30);
        let result = rig.take(sent);
        let was_hit = !disk.hits().is_empty();
        disk.clear();
        if let Err(error) = result {
            refused += 1;
            assert!(error.to_string().contains("expected"), "{error}");
            assert_eq!(rig.applied(), Some(truth.id(4)));
        } else {
            assert_eq!(rig.applied(), Some(truth.id(29)));
        }
        rig.check_state(&mut truth, "flipped");
        if !was_hit {
            break;
        }
    }
    assert!(refused > 3, "{refused}");
}
