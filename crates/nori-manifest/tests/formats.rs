//! The bytes on disk: held to golden files, and damaged in every way.

#![allow(clippy::unwrap_used)]

mod common;

use bytes::Bytes;
use common::{DIR, Edits, dir, dump};
use nori_env::sync::Arc;
use nori_env::{FileSystem, MemFs};
use nori_manifest::{Error, Manifest, ManifestOptions, Version, VersionEdit};
use nori_testkit::{flips, golden, golden_text, truncations};
use nori_types::{FileNumber, SeqNo, TableMeta};
use nori_wal::Position;
use std::path::Path;

fn testdata(name: &str) -> String {
    format!("{}/testdata/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// A store with a bit of everything; the edits are the ones behind its snapshot.
fn store(fs: &MemFs) -> (Manifest, Vec<Arc<Version>>) {
    fs.create_dir_all(Path::new(DIR)).unwrap();
    let mut start = Version::new();
    let created = start.edit_create_keyspace("events", SeqNo::new(1), Position::new(1, 90));
    start = start.apply(&created.unwrap()).unwrap();
    let guards = ["\0f", "\0m", "\x01q"].map(Bytes::from_static_str);
    start = start.apply(&start.edit_split(&guards, true).unwrap()).unwrap();
    start = start.apply(&flush(&start, 40, "\0apple", "\x01quince")).unwrap();
    let mut versions = vec![Arc::new(start)];
    let options = ManifestOptions::default();
    let mut manifest =
        Manifest::create(Arc::new(fs.clone()), &dir(), &versions[0], options).unwrap();
    let mut log = |make: &dyn Fn(&Version) -> VersionEdit| {
        let last = Arc::clone(versions.last().unwrap());
        versions.push(manifest.log(&last, make(&last)).unwrap());
    };
    log(&|v| flush(v, 50, "\0banana", "\0melon"));
    log(&|v| {
        let slot = v.slot(0).unwrap();
        let outputs = [meta(51, "\0apple", "\0cherry"), meta(52, "\0date", "\0e")];
        let edit = v.edit_replace(slot.id, &slot.runs, &outputs, &[Bytes::from("\0d")], 3).unwrap();
        v.measured(edit, &|number, _| Some(number.0 * 10)).unwrap().with_next_file(60)
    });
    log(&|v| v.edit_move_run(v.slot(2).unwrap().id, 0, 0, 5).unwrap());
    log(&|v| v.edit_merge_slots(v.slot(0).unwrap().id, v.slot(1).unwrap().id).unwrap());
    log(&|v| v.edit_drop_keyspace(1, SeqNo::new(70), Position::new(9, 1000)).unwrap());
    log(&|v| v.edit_purge_slot(v.slot(4).unwrap().id, SeqNo::new(70)).unwrap());
    log(&|v| v.edit_positions(9, SeqNo::new(71), Position::new(9, 2000)));
    (manifest, versions)
}

trait Text {
    fn from_static_str(text: &'static str) -> Bytes;
}

impl Text for Bytes {
    fn from_static_str(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }
}

fn meta(number: u64, smallest: &'static str, largest: &'static str) -> TableMeta {
    TableMeta {
        number: FileNumber(number),
        id: number * 0x0101_0101,
        bytes: 1000,
        entries: 30,
        tombstones: 3,
        smallest: Bytes::from(smallest),
        largest: Bytes::from(largest),
        seq_min: SeqNo::new(2),
        seq_max: SeqNo::new(9),
        raw_bytes: 2000,
    }
}

fn flush(v: &Version, number: u64, first: &'static str, last: &'static str) -> VersionEdit {
    let (tables, at) = ([meta(number, first, last)], Position::new(4, number * 100));
    v.edit_flush(&tables, &|_| true, 4, SeqNo::new(number + 1), at)
}

fn file(fs: &MemFs, manifest: &Manifest) -> String {
    assert_eq!(fs.list(&dir()).unwrap().len(), 2);
    format!("{DIR}/MANIFEST-{:06}", manifest.number())
}

#[test]
fn the_bytes_are_those_of_the_golden_files() {
    let fs = MemFs::new(7);
    let (manifest, versions) = store(&fs);
    golden(testdata("CURRENT"), &fs.read_file(format!("{DIR}/CURRENT")).unwrap());
    golden(testdata("MANIFEST"), &fs.read_file(file(&fs, &manifest)).unwrap());
    golden_text(testdata("version.txt"), &dump(versions.last().unwrap()));
}

#[test]
fn the_golden_files_are_still_read() {
    #![allow(clippy::disallowed_methods)]
    let read = |name| std::fs::read(testdata(name)).unwrap();
    let fs = MemFs::new(8);
    fs.write_file(format!("{DIR}/CURRENT"), &read("CURRENT"));
    fs.write_file(format!("{DIR}/MANIFEST-000041"), &read("MANIFEST"));
    let loaded = Manifest::load(&fs, &dir()).unwrap().unwrap();
    assert_eq!(dump(&loaded.version).into_bytes(), read("version.txt"));
    assert_eq!((loaded.edits, loaded.cut), (7, false));
}

/// The manifest and CURRENT of a store, damaged in one of them.
fn load(current: &[u8], manifest: &[u8], number: u64) -> nori_manifest::Result<(String, bool)> {
    let fs = MemFs::new(1);
    fs.write_file(format!("{DIR}/CURRENT"), current);
    fs.write_file(format!("{DIR}/MANIFEST-{number:06}"), manifest);
    Manifest::load(&fs, &dir())
        .map(|loaded| loaded.expect("CURRENT is there"))
        .map(|loaded| (dump(&loaded.version), loaded.cut))
}

#[test]
fn every_flipped_byte_is_an_error_or_costs_the_last_edit() {
    let fs = MemFs::new(7);
    let (manifest, versions) = store(&fs);
    let current = fs.read_file(format!("{DIR}/CURRENT")).unwrap();
    let bytes = fs.read_file(file(&fs, &manifest)).unwrap();
    let number = manifest.number();
    let [.., before, newest] = &versions[..] else { panic!("several versions") };
    assert_eq!(load(&current, &bytes, number).unwrap(), (dump(newest), false));
    let (mut refused, mut cut) = (0, 0);
    for (at, bad) in flips(&bytes) {
        match load(&current, &bad, number) {
            Err(Error::Corruption(_) | Error::FormatTooNew(_)) => refused += 1,
            Ok((version, true)) if version == dump(before) => cut += 1,
            other => panic!("byte {at}: {other:?}"),
        }
    }
    println!("{refused} flips refused, {cut} cost the last edit");
    assert!(refused > 1000 && cut > 20);
    for (at, bad) in flips(&current) {
        let error = load(&bad, &bytes, number).expect_err("it names nothing");
        assert!(matches!(error, Error::Corruption(_)), "CURRENT, byte {at}: {error}");
    }
}

#[test]
fn a_cut_manifest_is_an_earlier_version_or_an_error() {
    let fs = MemFs::new(7);
    let (manifest, versions) = store(&fs);
    let current = fs.read_file(format!("{DIR}/CURRENT")).unwrap();
    let bytes = fs.read_file(file(&fs, &manifest)).unwrap();
    let known: Vec<String> = versions.iter().map(|v| dump(v)).collect();
    let (mut last, mut refused) = (0, 0);
    for part in truncations(&bytes) {
        match load(&current, part, manifest.number()) {
            Err(Error::Corruption(_)) if last == 0 => refused += 1,
            Ok((version, _)) => {
                let which = known.iter().position(|v| *v == version).expect("a known version");
                assert!(which >= last, "it shrinks as the file grows");
                last = which;
            }
            other => panic!("{} bytes: {other:?}", part.len()),
        }
    }
    assert!(refused > 300 && last == known.len() - 2);
    for current in truncations(&current) {
        assert!(matches!(load(current, &bytes, manifest.number()), Err(Error::Corruption(_))));
    }
}

#[test]
fn a_missing_or_swapped_manifest_is_corruption() {
    let fs = MemFs::new(7);
    let (manifest, _) = store(&fs);
    let bytes = fs.read_file(file(&fs, &manifest)).unwrap();
    fs.write_file(format!("{DIR}/MANIFEST-000099"), &bytes);
    let current = fs.read_file(format!("{DIR}/CURRENT")).unwrap();
    let other = MemFs::new(9);
    other.create_dir_all(Path::new(DIR)).unwrap();
    let version = Version::new();
    let edit = version.edit_positions(0, SeqNo::ZERO, Position::default()).with_next_file(99);
    let version = version.apply(&edit).unwrap();
    Manifest::create(Arc::new(other.clone()), &dir(), &version, ManifestOptions::default())
        .unwrap();
    // Another store's CURRENT names a number under which our manifest lies.
    let foreign = other.read_file(format!("{DIR}/CURRENT")).unwrap();
    assert!(matches!(load(&foreign, &bytes, 99), Err(Error::Corruption(_))));
    assert!(matches!(load(&current, &bytes, 98), Err(Error::Corruption(_))), "no such file");
}

#[test]
fn every_edit_goes_to_disk_and_back() {
    nori_testkit::run_seeds("-p nori-manifest --test formats every_edit", 10, |seed| {
        let fs = MemFs::new(seed);
        fs.create_dir_all(Path::new(DIR)).unwrap();
        let mut current = Arc::new(Version::new());
        let mut edits = Edits::new(seed, &current);
        let options = ManifestOptions::default();
        let mut manifest =
            Manifest::create(Arc::new(fs.clone()), &dir(), &current, options).unwrap();
        for _ in 0..200 {
            let edit = edits.next(&current);
            current = manifest.log(&current, edit).unwrap();
        }
        // All edits, and then all of them as one snapshot.
        let loaded = Manifest::load(&fs, &dir()).unwrap().unwrap();
        assert_eq!((dump(&loaded.version), loaded.edits), (dump(&current), 200));
        Manifest::create(Arc::new(fs.clone()), &dir(), &current, options).unwrap();
        let loaded = Manifest::load(&fs, &dir()).unwrap().unwrap();
        assert_eq!((dump(&loaded.version), loaded.edits), (dump(&current), 0));
    });
}
