//! Repairs that are ended before their end, that read back something else, and media that take no
//! writes.

use crate::damage::Damage;
use crate::judge::compare;
use crate::sample::{INTO, ROOT, Sample, config};
use nori_env::sync::Arc;
use nori_env::{Cut, Fault, FaultFs, FaultRule, FileSystem, FsOp, MemFs};
use nori_lsm::{Config, Error, ErrorKind, Lsm, RepairReport};

fn repair(fs: &FaultFs) -> Result<RepairReport, Error> {
    Lsm::repair_with(ROOT, INTO, config(Arc::new(fs.clone())))
}

fn faulty(sample: &Sample, rule: FaultRule) -> (MemFs, FaultFs) {
    let disk = sample.disk.crash(Cut::Kill, 1);
    let fs = FaultFs::new(Arc::new(disk.clone()));
    fs.inject(rule);
    (disk, fs)
}

fn on(disk: &MemFs) -> Config {
    config(Arc::new(disk.clone())).create_if_missing(false)
}

/// The kind of the error that opening gives; what opens must hold everything.
fn opened(sample: &Sample, disk: &MemFs) -> Option<ErrorKind> {
    match Lsm::open_with(INTO, on(disk)) {
        Err(error) => {
            let read = Lsm::open_read_only_with(INTO, on(disk)).map_err(|e| e.kind());
            assert_eq!(read.err(), Some(error.kind()));
            Some(error.kind())
        }
        Ok(store) => {
            compare(sample, &Damage::default(), None, &store).expect("everything");
            assert!(store.verify().expect("reads").is_ok());
            None
        }
    }
}

/// A machine stops at each operation of a repair, in each way: what is left is whole, or no store,
/// or says that it is unfinished; in the end it can be removed and the repair done again.
#[test]
fn a_repair_that_was_ended_leaves_a_whole_store_or_says_so() {
    let sample = Sample::new(3);
    let mut seen = [0u32; 3];
    let mut repaired = false;
    let mut at = 0;
    while !repaired {
        let (disk, fs) = faulty(&sample, FaultRule::new(Fault::Crash).changing().nth(at));
        repaired = repair(&fs).is_ok();
        assert_eq!(repaired, !fs.has_crashed(), "operation {at}");
        for cut in Cut::ALL {
            let left = disk.crash(cut, at);
            let found = opened(&sample, &left);
            let told = format!("operation {at}, {cut:?}: {found:?}");
            match found {
                None => seen[0] += 1,
                Some(ErrorKind::UnfinishedRepair) => seen[1] += 1,
                Some(ErrorKind::InvalidArgument) => seen[2] += 1,
                Some(_) => panic!("{told}"),
            }
            if found.is_none() {
                continue;
            }
            assert!(!repaired, "{told}");
            let again = Lsm::repair_with(ROOT, INTO, on(&left)).map_err(|e| e.kind());
            if found == Some(ErrorKind::UnfinishedRepair) {
                assert_eq!(again, Err(ErrorKind::UnfinishedRepair), "{told}");
                clear(&left);
                Lsm::repair_with(ROOT, INTO, on(&left)).expect("nothing is in the way");
            } else {
                again.expect("nothing is in the way");
            }
            assert_eq!(opened(&sample, &left), None, "{told}");
        }
        at += 1;
    }
    assert!(at > 30 && seen.iter().all(|n| *n > 0), "{at} operations, {seen:?}");
}

/// As `rm -r` would.
fn clear(disk: &MemFs) {
    for (path, _) in disk.files().into_iter().filter(|(path, _)| path.starts_with(INTO)) {
        disk.remove(&path).expect("removes");
    }
    for dir in ["/new/wal", "/new/sst"] {
        if disk.exists(dir.as_ref()).expect("looks") {
            disk.remove_dir(dir.as_ref()).expect("removes");
        }
    }
}

/// `destroy` knows an unfinished repair too, and as long as it is not through, it is told.
#[test]
fn an_unfinished_repair_can_be_destroyed() {
    let sample = Sample::new(3);
    let (disk, fs) = faulty(&sample, FaultRule::new(Fault::Crash).changing().nth(20));
    repair(&fs).expect_err("stops");
    let left = disk.crash(Cut::SyncedOnly, 1);
    for at in 0.. {
        let copy = left.crash(Cut::Kill, 1);
        let fs = FaultFs::new(Arc::new(copy.clone()));
        fs.inject(FaultRule::new(Fault::Crash).changing().nth(at));
        if Lsm::destroy_with(INTO, &config(Arc::new(fs))).is_ok() {
            assert!(!copy.exists(INTO.as_ref()).expect("looks"));
            assert!(at > 3);
            break;
        }
        for cut in Cut::ALL {
            let kind = opened(&sample, &copy.crash(cut, at));
            let is_told = [ErrorKind::UnfinishedRepair, ErrorKind::InvalidArgument];
            assert!(kind.is_some_and(|kind| is_told.contains(&kind)), "{at}, {cut:?}: {kind:?}");
        }
    }
}

/// A call on the new store fails: no store is left, or one that says that it is unfinished.
#[test]
fn a_repair_that_fails_leaves_no_store() {
    let sample = Sample::new(4);
    let mut failed = 0;
    for fault in [Fault::Eio, Fault::Enospc] {
        for at in 0.. {
            let rule = FaultRule::new(fault).changing().path(INTO).nth(at);
            let (disk, fs) = faulty(&sample, rule);
            let repaired = repair(&fs);
            if fs.hits().is_empty() {
                repaired.expect("no fault");
                break;
            }
            match repaired {
                // What went wrong was of no matter.
                Ok(_) => assert_eq!(opened(&sample, &disk), None, "{fault:?} at {at}"),
                Err(error) => {
                    failed += 1;
                    let left = opened(&sample, &disk);
                    assert!(left.is_some(), "{fault:?} at {at}: a store after {error}");
                }
            }
        }
    }
    assert!(failed > 30, "{failed}");
}

/// The disk returns other bytes than the repair wrote: it must notice before it calls them a store.
#[test]
fn what_does_not_read_back_is_no_store() {
    let sample = Sample::new(5);
    let rule = |at| FaultRule::new(Fault::FlipBit).on(FsOp::Read).path("/new/sst").nth(at);
    let mut noticed = 0;
    for at in 0.. {
        let (disk, fs) = faulty(&sample, rule(at));
        let repaired = repair(&fs);
        if fs.hits().is_empty() {
            repaired.expect("no fault");
            break;
        }
        match repaired {
            Ok(_) => assert_eq!(opened(&sample, &disk), None, "read {at}"),
            Err(error) => {
                noticed += 1;
                assert_eq!(error.kind(), ErrorKind::Corruption, "{error}");
                assert_eq!(opened(&sample, &disk), Some(ErrorKind::InvalidArgument));
                assert!(!disk.exists(INTO.as_ref()).expect("looks"), "read {at}");
            }
        }
    }
    assert!(noticed > 5, "{noticed}");
}

/// The damaged store lies on a medium that takes no writes, its lock file among them.
#[test]
fn a_store_on_a_read_only_medium_is_repaired() {
    let sample = Sample::new(6);
    let (disk, fs) = faulty(&sample, FaultRule::new(Fault::ReadOnly).changing().path(ROOT));
    let report = repair(&fs).expect("repairs");
    assert!(report.lost.is_empty() && report.warnings.len() == 1, "{report:?}");
    assert!(report.warnings[0].contains("LOCK: cannot be locked"), "{report:?}");
    assert_eq!(opened(&sample, &disk), None);
    // Only the lock was tried.
    assert!(fs.hits().iter().all(|hit| hit.op == FsOp::Lock), "{:?}", fs.hits());
}

/// What an unfinished repair left may be all that somebody has; it is copied, and called that.
#[test]
fn an_unfinished_repair_as_the_source_is_told_of() {
    let sample = Sample::new(6);
    assert!(sample.disk.write_file("/store/REPAIRING", b"nori-repair"));
    let on = config(Arc::new(sample.disk.clone()));
    let refused = Lsm::open_with(ROOT, on.clone()).expect_err("is refused");
    assert_eq!(refused.kind(), ErrorKind::UnfinishedRepair);
    assert_eq!(
        refused.to_string(),
        "/store: an unfinished repair or restore. Unless it is still running, remove the \
         directory and do it again."
    );
    let report = Lsm::repair_with(ROOT, INTO, on).expect("repairs");
    assert!(report.warnings[0].contains("an unfinished repair left"), "{report:?}");
}
