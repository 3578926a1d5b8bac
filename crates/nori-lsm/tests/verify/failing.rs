//! Disks that fail while they are read, stores that are open, media that take no writes.

use crate::sample::{KINDS, Kind, ROOT, Sample, kind_of};
use nori_env::sync::Arc;
use nori_env::{Fault, FaultFs, FaultRule, FsOp, MemFs};
use nori_lsm::{ErrorKind, Lsm};
use std::path::PathBuf;

fn faulty(disk: &MemFs, rule: FaultRule) -> FaultFs {
    let fs = FaultFs::new(Arc::new(disk.clone()));
    fs.inject(rule);
    fs
}

/// A sector that cannot be read is a problem of its file, and everything else is read.
#[test]
fn each_read_that_fails_is_a_problem_or_an_error() {
    for kind in KINDS {
        let sample = Sample::new(kind, 2);
        let (mut problems, mut errors, mut spared) = (0, 0, 0);
        for nth in 0.. {
            let fs = faulty(&sample.disk, FaultRule::new(Fault::Eio).nth(nth));
            let config = kind.config(Arc::new(fs.clone()));
            let verified = Lsm::verify_at(ROOT, &config, &mut |_| ());
            let Some(hit) = fs.hits().pop() else { break };
            match verified {
                // A directory that cannot be listed, the lock that cannot be asked for.
                Err(e) => {
                    assert_eq!(e.kind(), ErrorKind::Io, "{hit:?}: {e}");
                    errors += 1;
                }
                Ok(report) if report.is_ok() => {
                    // A length asked for to count it, HEAT, or a file that is no part of it.
                    let is_part = ["log", "table", "manifest", "CURRENT"];
                    let is_harmless =
                        hit.op != FsOp::Read || !is_part.contains(&kind_of(&hit.path));
                    assert!(is_harmless, "{kind:?}, {hit:?}: {report:#?}");
                    spared += 1;
                }
                Ok(report) => {
                    let named = report.problems.iter().any(|problem| problem.path == hit.path);
                    assert!(named, "{kind:?}, {hit:?}: {report:#?}");
                    problems += 1;
                }
            }
        }
        println!("{kind:?}: {problems} problems, {errors} errors, {spared} of no consequence");
        assert!(problems > 20 && errors > 0);
    }
}

#[test]
fn a_store_on_a_read_only_medium_is_verified() {
    let sample = Sample::new(Kind::Usual, 1);
    let fs = faulty(&sample.disk, FaultRule::new(Fault::ReadOnly).changing());
    let config = Kind::Usual.config(Arc::new(fs.clone()));
    let report = Lsm::verify_at(ROOT, &config, &mut |_| ()).expect("reads");
    assert!(report.is_ok() && report.tables.files > 0, "{report:#?}");
    let lock = PathBuf::from(format!("{ROOT}/LOCK"));
    assert!(report.notes.iter().any(|note| note.path == lock), "{report:#?}");
    // Nothing but the lock was tried.
    assert!(fs.hits().iter().all(|hit| hit.op == FsOp::Lock), "{:?}", fs.hits());
}

/// What an open store reads of itself: not the log, which is being written.
#[test]
fn an_open_store_finds_damage_in_its_tables_its_manifest_and_current() {
    let sample = Sample::new(Kind::Usual, 1);
    let disk = sample.disk.image();
    let store = Lsm::open_with(ROOT, Kind::Usual.config(Arc::new(disk.clone()))).expect("opens");
    let clean = store.verify().expect("reads");
    assert!(clean.is_ok() && clean.log.files == 0, "{clean:#?}");
    assert_eq!(clean.tables.files, store.metrics().tables);
    let mut damaged = Vec::new();
    for (path, bytes) in disk.files() {
        if ["table", "manifest", "CURRENT"].contains(&kind_of(&path)) {
            assert!(disk.corrupt(&path, bytes / 3, 1));
            damaged.push(path);
        }
    }
    let report = store.verify().expect("reads");
    for path in &damaged {
        let found = report.problems.iter().any(|problem| problem.path == *path);
        assert!(found, "{}: {report:#?}", path.display());
    }
    assert_eq!(report.tables, clean.tables);
}
