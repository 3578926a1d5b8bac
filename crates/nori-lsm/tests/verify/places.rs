//! Stores that do not open, and places that are none.

use crate::sample::{Kind, ROOT, Sample, kind_of};
use crate::{config, unused, verify};
use nori_env::sync::Arc;
use nori_env::{FileSystem, MemFs};
use nori_lsm::{ErrorKind, Lsm, VerifyReport};
use std::path::PathBuf;

/// The sample's files of a kind that are part of the store.
fn paths(sample: &Sample, kind: &str) -> Vec<PathBuf> {
    let unused = unused(sample);
    let files = sample.files.iter().map(|(path, _)| path.clone());
    files.filter(|path| kind_of(path) == kind && !unused.contains(path)).collect()
}

fn without(sample: &Sample, kinds: &[&str]) -> (MemFs, VerifyReport) {
    let disk = sample.disk.image();
    for path in kinds.iter().flat_map(|kind| paths(sample, kind)) {
        assert!(disk.remove_file(path));
    }
    let report = verify(&disk, &config(sample, &disk));
    (disk, report)
}

fn names(report: &VerifyReport, path: &PathBuf) -> bool {
    report.problems.iter().any(|problem| problem.path == *path)
}

#[test]
fn without_current_the_newest_manifest_says_what_there_is() {
    let sample = Sample::new(Kind::Segments, 1);
    let (disk, report) = without(&sample, &["CURRENT"]);
    assert_eq!(report.problems.len(), 1, "{report:#?}");
    assert!(names(&report, &PathBuf::from(format!("{ROOT}/CURRENT"))));
    let tables = paths(&sample, "table");
    assert_eq!(report.tables.files, tables.len() as u64);
    assert_eq!(report.log_records, sample.records.len() as u64);
    // What else is wrong is found beside it.
    let log = paths(&sample, "log");
    assert!(disk.remove_file(&tables[0]) && disk.corrupt(&log[0], 80, 1));
    let report = verify(&disk, &config(&sample, &disk));
    assert_eq!(report.problems.len(), 3, "{report:#?}");
    assert!(names(&report, &tables[0]) && names(&report, &log[0]));
}

/// A manifest whose making failed has a higher number than the one that went on.
#[test]
fn without_current_the_newest_state_counts_and_not_the_highest_number() {
    let disk = MemFs::new(3);
    let open = |disk: &MemFs| {
        let config = Kind::Usual.config(Arc::new(disk.clone()));
        Lsm::open_with(ROOT, config).expect("opens")
    };
    open(&disk).close().expect("closes");
    let other = disk.image();
    let store = open(&disk);
    for n in 0..50 {
        store.put(format!("key-{n}"), "value").expect("writes");
    }
    store.close().expect("closes");
    (0..40).for_each(|_| open(&other).close().expect("closes"));
    let manifest = |disk: &MemFs| {
        let mut paths = disk.files().into_iter().map(|(path, _)| path);
        paths.find(|path| kind_of(path) == "manifest").expect("there is one")
    };
    let (own, foreign) = (manifest(&disk), manifest(&other));
    assert!(own < foreign, "{own:?}, {foreign:?}");
    assert!(disk.write_file(&foreign, &other.read_file(&foreign).expect("is there")));
    assert!(disk.remove_file(format!("{ROOT}/CURRENT")));
    let report = verify(&disk, &Kind::Usual.config(Arc::new(disk.clone())));
    assert_eq!((report.problems.len(), report.entries), (1, 50), "{report:#?}");
    assert!(report.notes.iter().any(|note| note.path == foreign), "{report:#?}");
}

#[test]
fn without_a_manifest_every_table_and_segment_is_read() {
    let sample = Sample::new(Kind::Segments, 1);
    let (tables, log) = (paths(&sample, "table"), paths(&sample, "log"));
    for gone in [&["manifest"][..], &["manifest", "CURRENT"][..]] {
        let (disk, report) = without(&sample, gone);
        assert_eq!(report.problems.len(), gone.len(), "{report:#?}");
        assert!(report.tables.files >= tables.len() as u64, "{report:#?}");
        assert_eq!(report.log.files, log.len() as u64);
        assert_eq!(report.log_records, sample.records.len() as u64);
        assert!(disk.corrupt(&tables[0], 20, 1) && disk.corrupt(&log[0], 80, 1));
        assert!(disk.remove_file(&log[1]));
        let report = verify(&disk, &config(&sample, &disk));
        assert!(names(&report, &tables[0]) && names(&report, &log[0]), "{report:#?}");
        assert!(names(&report, &log[1]), "a gap in the log: {report:#?}");
    }
}

#[test]
fn missing_files_are_problems_with_the_keys_they_held() {
    let sample = Sample::new(Kind::Segments, 1);
    let mut log = paths(&sample, "log");
    // Of the last segment nothing tells but itself.
    log.pop();
    for path in paths(&sample, "table").into_iter().chain(log) {
        let disk = sample.disk.image();
        assert!(disk.remove_file(&path));
        let report = verify(&disk, &config(&sample, &disk));
        let problem = report.problems.first().expect("one at least");
        assert_eq!(problem.path, path, "{report:#?}");
        assert!(problem.what.contains("missing"), "{problem}");
        let is_table = kind_of(&path) == "table";
        assert_eq!(is_table, problem.first_key.is_some() && problem.bytes.is_some());
    }
}

#[test]
fn what_is_no_part_of_the_store_is_a_note() {
    let sample = Sample::new(Kind::Usual, 1);
    let disk = sample.disk.image();
    let before = verify(&disk, &config(&sample, &disk));
    for name in ["sst/900001.sst", "lost/900002.sst", "MANIFEST-900003", "CURRENT.tmp", "mine"] {
        assert!(disk.write_file(format!("{ROOT}/{name}"), b"anything"), "{name}");
    }
    let report = Lsm::verify_at(ROOT, &config(&sample, &disk), &mut |_| ()).expect("a store");
    assert!(report.is_ok(), "{report:#?}");
    assert_eq!(report.notes.len(), before.notes.len() + 4, "{report:#?}");
    // The file that is not nori's is not counted.
    assert_eq!(report.unused.bytes, before.unused.bytes + 4 * 8);
}

#[test]
fn an_open_store_is_refused_and_places_without_a_store_are() {
    let sample = Sample::new(Kind::Usual, 1);
    let config = config(&sample, &sample.disk);
    let refused = |path: &str| {
        let found = Lsm::verify_at(path, &config, &mut |_| ()).map(|report| report.is_ok());
        found.map_err(|e| e.kind())
    };
    let store = Lsm::open_with(ROOT, config.clone()).expect("opens");
    assert_eq!(refused(ROOT), Err(ErrorKind::Locked));
    store.close().expect("closes");
    assert_eq!(refused(ROOT), Ok(true));
    // The verification lets the lock go.
    Lsm::open_with(ROOT, config.clone()).expect("opens").close().expect("closes");
    sample.disk.create_dir_all("/empty".as_ref()).expect("makes");
    for path in ["/empty", "/nowhere"] {
        assert_eq!(refused(path), Err(ErrorKind::InvalidArgument), "{path}");
    }
}

#[test]
fn a_store_whose_making_did_not_finish_has_no_problems() {
    let fs = MemFs::new(1);
    let ended = fs.image();
    ended.create_dir_all(format!("{ROOT}/wal").as_ref()).expect("makes");
    assert!(ended.write_file(format!("{ROOT}/LOCK"), b""));
    let config = Kind::Usual.config(Arc::new(ended.clone()));
    let report = verify(&ended, &config);
    assert!(report.is_ok() && report.notes.len() == 1, "{report:#?}");
    Lsm::open_with(ROOT, config).expect("opens");
}

#[test]
fn what_a_repair_has_not_finished_is_no_store_to_verify() {
    let sample = Sample::new(Kind::Usual, 1);
    assert!(sample.disk.write_file(format!("{ROOT}/REPAIRING"), b"nori-repair: unfinished."));
    let refused = Lsm::verify_at(ROOT, &config(&sample, &sample.disk), &mut |_| ());
    assert_eq!(refused.map_err(|e| e.kind()), Err(ErrorKind::UnfinishedRepair));
}
