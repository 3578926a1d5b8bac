//! Logs with several things wrong, and what vouches for their ends.

use crate::sample::{Kind, ROOT, Sample, kind_of, overwrite};
use crate::verify;
use nori_env::sync::Arc;
use nori_env::{Cut, MemFs};
use nori_lsm::{Finding, Lsm, VerifyReport};
use nori_wal::{LogFormat, LogHeader, Position, frame, scan};
use std::path::{Path, PathBuf};

const FORMAT: LogFormat =
    LogFormat { magic: *b"nWAL", version: 1, incompatible: 0, what: "segment" };

/// The log's segments with their numbers.
fn segments(disk: &MemFs) -> Vec<(PathBuf, u64)> {
    let paths = disk.files().into_iter().map(|(path, _)| path).filter(|p| kind_of(p) == "log");
    let number = |path: &Path| crate::sample::name(path).and_then(|n| n.number()).map(|n| n.0);
    paths.filter_map(|path| number(&path).map(|n| (path, n))).collect()
}

/// Where a segment's records start and end.
fn records(disk: &MemFs, (path, number): &(PathBuf, u64)) -> Vec<(u64, u64)> {
    let bytes = disk.read_file(path).expect("is there");
    let header = LogHeader::decode(&bytes, &FORMAT, *number, path).expect("a good header");
    scan(&bytes, &header).records.iter().map(|record| (record.start, record.end)).collect()
}

fn check(disk: &MemFs, kind: Kind) -> VerifyReport {
    verify(disk, &kind.config(Arc::new(disk.clone())))
}

fn is_at(found: &Finding, path: &Path, offset: u64) -> bool {
    found.path == path && found.offset == Some(offset)
}

/// A store whose log has segments of several records.
fn several() -> (MemFs, Vec<(PathBuf, u64)>) {
    let sample = Sample::new(Kind::Segments, 1);
    let disk = sample.disk.image();
    let segments = segments(&disk);
    assert!(segments.len() > 4, "{segments:?}");
    (disk, segments)
}

#[test]
fn lost_ends_of_several_segments_are_all_listed() {
    for at_header in [true, false] {
        let (disk, segments) = several();
        let mut lost = Vec::new();
        for segment in &segments[1..4] {
            let (start, end) = *records(&disk, segment).last().expect("has records");
            assert!(disk.corrupt(&segment.0, if at_header { start + 9 } else { end - 1 }, 4));
            lost.push((segment.0.clone(), start));
        }
        let report = check(&disk, Kind::Segments);
        for (path, start) in &lost {
            let found = report.problems.iter().filter(|found| is_at(found, path, *start));
            assert_eq!(found.count(), 1, "header {at_header}, {path:?} {start}: {report:#?}");
        }
        assert_eq!(report.problems.len(), lost.len(), "{report:#?}");
    }
}

#[test]
fn the_end_of_a_segment_is_listed_when_the_next_one_no_longer_tells_of_it() {
    for at_header in [true, false] {
        let (disk, segments) = several();
        // In a file that had an earlier life anything may follow the records.
        let is_fresh = |path: &PathBuf| disk.read_file(path).is_some_and(|bytes| bytes[16] == 0);
        let first = segments.iter().position(|(path, _)| is_fresh(path)).expect("one");
        let (here, next) = (&segments[first], &segments[first + 1]);
        let (start, end) = *records(&disk, here).last().expect("has records");
        let at = if at_header { start + 9 } else { end - 1 };
        assert!(disk.corrupt(&here.0, at, 4) && disk.corrupt(&next.0, 40, 4));
        let report = check(&disk, Kind::Segments);
        assert_eq!(report.problems.len(), 2, "{report:#?}");
        assert!(report.problems.iter().any(|found| is_at(found, &here.0, start)));
        assert!(report.problems.iter().any(|found| is_at(found, &next.0, 0)));
    }
}

/// Records whose checksums fit and that are no batches.
#[test]
fn records_that_hold_no_batch_are_all_listed() {
    let (disk, segments) = several();
    let mut bad = Vec::new();
    for (path, number) in &segments[1..3] {
        let bytes = disk.read_file(path).expect("is there");
        let header = LogHeader::decode(&bytes, &FORMAT, *number, path).expect("a good header");
        let mut changed = bytes[..64].to_vec();
        for (n, record) in scan(&bytes, &header).records.iter().enumerate() {
            let mut payload = record.payload.to_vec();
            if n == 1 {
                // A key that is longer than the record.
                payload[13] = 0x7f;
                bad.push((path.clone(), changed.len() as u64));
            }
            let at = changed.len() as u64;
            frame(&mut changed, &header, at, &payload, Position::default());
        }
        changed.resize(bytes.len(), 0);
        overwrite(&disk, path, &changed);
    }
    let report = check(&disk, Kind::Segments);
    assert_eq!(report.problems.len(), 2, "{report:#?}");
    for (path, at) in bad {
        assert!(report.problems.iter().any(|found| is_at(found, &path, at)), "{report:#?}");
    }
}

/// An edit of the manifest carries what was durable in the log then.
#[test]
fn what_the_manifest_promises_of_the_last_record_is_no_torn_tail() {
    for is_promised in [false, true] {
        let disk = MemFs::new(7);
        let config = Kind::Usual.config(Arc::new(disk.clone()));
        let store = Lsm::open_with(ROOT, config).expect("opens");
        store.put("first", "1").expect("writes");
        store.put("last", "2").expect("writes");
        if is_promised {
            store.split_at(&["m"]).expect("splits");
            store.keyspace("other").expect("creates");
        }
        let left = disk.crash(Cut::Kill, 1);
        let segment = segments(&left).pop().expect("a segment");
        let (start, end) = *records(&left, &segment).last().expect("has records");
        for at in start..end {
            let disk = left.image();
            assert!(disk.corrupt(&segment.0, at, 1));
            let report = check(&disk, Kind::Usual);
            let (problems, notes) = (report.problems.len(), report.notes.len());
            let wanted = if is_promised { (1, 0) } else { (0, 1) };
            assert_eq!((problems, notes), wanted, "byte {at} of {start}..{end}: {report:#?}");
            let found = report.problems.iter().chain(&report.notes);
            assert!(found.into_iter().all(|found| is_at(found, &segment.0, start)));
        }
    }
}
