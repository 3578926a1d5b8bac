//! Changed bytes, and other damage.

use crate::damage::{self, image};
use crate::sample::{ROOT, Sample, kind_of};
use crate::{config, of_seed, unused, verify};
use nori_env::{MemFs, Rng};
use nori_lsm::{Finding, Lsm, VerifyReport};
use nori_testkit::run_suite;
use nori_wal::{LogFormat, LogHeader, scan};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What must be said of a changed byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    /// A problem at or before it.
    Problem,
    /// A problem, or a note: nothing but itself vouches for it.
    Told,
    /// A note.
    Note,
    /// Nothing: it means nothing.
    Nothing,
}

/// Where a log file's last record starts and ends, and whether stale bytes may follow it.
fn last_record(sample: &Sample, file: usize, number: u64) -> (usize, usize, bool) {
    let (path, bytes) = &sample.files[file];
    let magic = if kind_of(path) == "log" { *b"nWAL" } else { *b"nrmf" };
    let format = LogFormat { magic, version: 2, incompatible: 0, what: "log" };
    let header = LogHeader::decode(bytes, &format, number, path).expect("a good header");
    let scan = scan(bytes, &header);
    let last = scan.records.last().map_or(64, |record| record.start as usize);
    (last, scan.end as usize, header.features.ignorable != 0)
}

fn due(sample: &Sample, unused: &BTreeSet<PathBuf>, file: usize, at: usize) -> Due {
    let path = &sample.files[file].0;
    if unused.contains(path) {
        return Due::Nothing;
    }
    let kind = kind_of(path);
    let is_last = |other: &Path| kind_of(other) == "log" && other > path;
    let is_last = !sample.files.iter().any(|(other, _)| is_last(other));
    match kind {
        "CURRENT" | "table" => Due::Problem,
        "HEAT" => Due::Note,
        "log" | "manifest" => {
            let number = crate::sample::name(path).and_then(|n| n.number()).expect("a number").0;
            let (last, end, is_recycled) = last_record(sample, file, number);
            match () {
                () if at < 64 || at < last => Due::Problem,
                () if at >= end => Due::Nothing,
                // The next segment says where this one ended.
                () if kind == "log" && !is_last => Due::Problem,
                // Without its header the record is like the bytes of the file's earlier life.
                () if is_recycled && at < last + 24 => Due::Nothing,
                () => Due::Told,
            }
        }
        _ => Due::Nothing,
    }
}

/// Whether something found is about this byte: it names the file and a place at or before it,
/// and, where it says how far it goes, not only before it.
fn is_about(found: &Finding, path: &Path, at: usize) -> bool {
    let (at, from) = (at as u64, found.offset.unwrap_or(0));
    found.path == path && from <= at && found.bytes.is_none_or(|bytes| at < from + bytes)
}

fn is_in(list: &[Finding], path: &Path, at: usize) -> bool {
    list.iter().any(|found| is_about(found, path, at))
}

fn check(
    report: &VerifyReport,
    sample: &Sample,
    due: Due,
    (file, at): (usize, usize),
) -> Result<(), String> {
    let path = &sample.files[file].0;
    let (problem, note) = (is_in(&report.problems, path, at), is_in(&report.notes, path, at));
    let right = match due {
        Due::Problem => problem,
        Due::Told => problem || note,
        Due::Note => note && report.is_ok(),
        Due::Nothing => report.is_ok(),
    };
    match right {
        true => Ok(()),
        false => Err(format!("{due:?} is due for byte {at} of {}: {report:#?}", path.display())),
    }
}

fn flipped(sample: &Sample, places: &[(usize, usize)]) -> MemFs {
    let disk = sample.disk.image();
    for (file, at) in places {
        assert!(disk.corrupt(&sample.files[*file].0, *at as u64, 1 << (at % 8)));
    }
    disk
}

/// Whether opening goes on without an error, and all that is then there can be read.
fn opens(sample: &Sample, disk: &MemFs) -> Result<(), String> {
    let store = Lsm::open_with(ROOT, config(sample, &disk.image())).map_err(|e| e.to_string())?;
    let report = store.verify().map_err(|e| e.to_string())?;
    if report.is_ok() { Ok(()) } else { Err(format!("{:?}", report.problems)) }
}

#[test]
fn every_changed_byte_is_told_of_with_its_place() {
    let test = "-p nori-lsm --test verify every_changed_byte";
    run_suite("verify", "flips", test, 6, |seed| {
        let (sample, share) = of_seed(seed);
        let unused = unused(&sample);
        let mut flips = 0;
        for file in 0..sample.files.len() {
            for at in (share..sample.files[file].1.len()).step_by(crate::SHARE) {
                let disk = flipped(&sample, &[(file, at)]);
                let report = verify(&disk, &config(&sample, &disk));
                let due = due(&sample, &unused, file, at);
                if let Err(wrong) = check(&report, &sample, due, (file, at)) {
                    panic!("{:?} store: {wrong}", sample.kind);
                }
                let opened = opens(&sample, &disk);
                assert_eq!(opened.is_ok(), report.is_ok(), "{opened:?}, but {report:?}");
                flips += 1;
            }
        }
        flips
    });
}

#[test]
fn several_damages_are_all_listed() {
    let test = "-p nori-lsm --test verify several_damages";
    run_suite("verify-several", "stores", test, 12, |seed| {
        let (sample, _) = of_seed(seed);
        let unused = unused(&sample);
        let mut rng = Rng::new(seed);
        for _ in 0..40 {
            // One place in each of some files. Not the last edit of the manifest: a state that
            // lacks it does not know what the edit installed. Not a segment's header: that of the
            // next one tells where a segment ends whose last record lost its own.
            let mut places: Vec<(usize, usize)> = Vec::new();
            for file in 0..sample.files.len() {
                let bytes = sample.files[file].1.len();
                let at = rng.index(bytes.max(1));
                let is_manifest = kind_of(&sample.files[file].0) == "manifest";
                let is_lone = is_manifest && due(&sample, &unused, file, at) == Due::Told;
                let is_header = kind_of(&sample.files[file].0) == "log" && at < 64;
                if rng.chance(40) && bytes > 0 && !is_lone && !is_header {
                    places.push((file, at));
                }
            }
            let disk = flipped(&sample, &places);
            let report = verify(&disk, &config(&sample, &disk));
            for (file, at) in &places {
                let path = &sample.files[*file].0;
                let is_due = due(&sample, &unused, *file, *at) == Due::Problem;
                if is_due && !is_in(&report.problems, path, *at) {
                    let all: Vec<_> = places
                        .iter()
                        .map(|(file, at)| (sample.files[*file].0.display(), at))
                        .collect();
                    panic!(
                        "{:?} store, {all:?}: byte {at} of {} is not listed: {report:#?}",
                        sample.kind,
                        path.display()
                    );
                }
            }
        }
        40
    });
}

#[test]
fn a_store_without_problems_opens_and_one_that_does_not_open_has_some() {
    let test = "-p nori-lsm --test verify a_store_without_problems";
    let (mut good, mut bad) = (0, 0);
    run_suite("verify-damage", "damages", test, 3, |seed| {
        let (sample, share) = of_seed(seed);
        let all = damage::all(&sample);
        // The rest are flips and cuts, of which some will do here.
        let chosen = all.iter().skip(share).step_by(211);
        let mut count = 0;
        for damage in chosen {
            let disk = image(&sample, &damage.outcome(&sample));
            let report = verify(&disk, &config(&sample, &disk));
            let opened = opens(&sample, &disk);
            let told = || format!("{:?} store, {damage:?}: {opened:?}: {report:#?}", sample.kind);
            assert_eq!(opened.is_ok(), report.is_ok(), "{}", told());
            (good, bad) = (good + u64::from(report.is_ok()), bad + u64::from(!report.is_ok()));
            count += 1;
        }
        count
    });
    println!("{good} damages that harm nothing, {bad} that do");
    assert!(good > 10 && bad > 100);
}
