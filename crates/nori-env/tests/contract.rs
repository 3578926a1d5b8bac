//! One list of checks, run against every file system: what the engine builds on must be true of
//! the real disk and of the simulated one, also behind the wrappers.
#![cfg(not(any(nori_loom, nori_shuttle)))]
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use nori_env::{FaultFs, FileSystem, MemFs, OpenMode, OsFs, TraceFs};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

type Check = fn(&dyn FileSystem, &Path);

/// Each check works in an empty directory of its own.
const CHECKS: &[(&str, Check)] = &[
    ("open_modes", open_modes),
    ("reads_end_with_the_file", reads_end_with_the_file),
    ("writes_land_where_they_say", writes_land_where_they_say),
    ("whole_files_are_read_piece_by_piece", whole_files_are_read_piece_by_piece),
    ("paths_are_the_same_when_absolute", paths_are_the_same_when_absolute),
    ("truncate_cuts_and_extends", truncate_cuts_and_extends),
    ("allocate_keeps_the_length", allocate_keeps_the_length),
    ("read_only_handles_do_not_write", read_only_handles_do_not_write),
    ("rename_replaces", rename_replaces),
    ("rename_stays_in_its_directory", rename_stays_in_its_directory),
    ("removed_files_stay_readable", removed_files_stay_readable),
    ("links_share_bytes", links_share_bytes),
    ("directories", directories),
    ("missing_things_are_not_found", missing_things_are_not_found),
    ("files_are_not_directories", files_are_not_directories),
    ("locks_exclude", locks_exclude),
    ("syncs_succeed", syncs_succeed),
    ("room_and_random", room_and_random),
    ("threads_share_a_file", threads_share_a_file),
];

fn run(fs: &dyn FileSystem, root: &Path) {
    for (name, check) in CHECKS {
        let dir = root.join(name);
        fs.create_dir_all(&dir).unwrap();
        check(fs, &dir);
    }
}

#[test]
fn the_real_disk() {
    let root = std::env::temp_dir().join(format!("nori-contract-{}", std::process::id()));
    run(&OsFs, &root);
    std::fs::remove_dir_all(root).unwrap();
}

#[test]
fn the_simulated_disk() {
    run(&MemFs::new(1), Path::new("/contract"));
}

#[test]
fn a_limited_simulated_disk() {
    let fs = MemFs::new(1);
    fs.set_capacity(Some(10_000_000));
    run(&fs, Path::new("contract"));
}

#[test]
fn behind_the_injector_and_the_tracer() {
    let fs = FaultFs::new(Arc::new(MemFs::new(1)));
    run(&TraceFs::new(Arc::new(fs), Vec::new()), Path::new("/contract"));
}

fn put(fs: &dyn FileSystem, path: &Path, bytes: &[u8]) {
    fs.open(path, OpenMode::CreateNew).unwrap().write_at(bytes, 0).unwrap();
}

fn get(fs: &dyn FileSystem, path: &Path) -> Vec<u8> {
    fs.open(path, OpenMode::Read).unwrap().read_all().unwrap()
}

fn open_modes(fs: &dyn FileSystem, dir: &Path) {
    let path = dir.join("a");
    for mode in [OpenMode::Read, OpenMode::Write] {
        let error = fs.open(&path, mode).unwrap_err();
        assert!(error.is_not_found(), "{error}");
        assert_eq!(error.path, path);
    }
    let file = fs.open(&path, OpenMode::CreateNew).unwrap();
    assert_eq!(file.path(), path);
    assert!(file.is_empty().unwrap());
    file.write_at(b"x", 0).unwrap();
    let error = fs.open(&path, OpenMode::CreateNew).unwrap_err();
    assert_eq!(error.source.kind(), ErrorKind::AlreadyExists);
    // Opening to write over keeps what is there, and both handles see one file.
    let again = fs.open(&path, OpenMode::Write).unwrap();
    again.write_at(b"y", 1).unwrap();
    assert_eq!(file.read_all().unwrap(), b"xy");
}

fn reads_end_with_the_file(fs: &dyn FileSystem, dir: &Path) {
    let path = dir.join("a");
    put(fs, &path, b"0123456789");
    let file = fs.open(&path, OpenMode::Read).unwrap();
    let mut buffer = [7; 4];
    assert_eq!(file.read_at(&mut buffer, 8).unwrap(), 2);
    assert_eq!(&buffer, b"89\x07\x07");
    assert_eq!(file.read_at(&mut buffer, 10).unwrap(), 0);
    assert_eq!(file.read_at(&mut buffer, u64::MAX).unwrap(), 0);
    assert_eq!(file.read_at(&mut [], 0).unwrap(), 0);
    file.read_exact_at(&mut buffer, 6).unwrap();
    assert_eq!(&buffer, b"6789");
    let error = file.read_exact_at(&mut buffer, 7).unwrap_err();
    assert_eq!(error.source.kind(), ErrorKind::UnexpectedEof);
}

fn writes_land_where_they_say(fs: &dyn FileSystem, dir: &Path) {
    let file = fs.open(&dir.join("a"), OpenMode::CreateNew).unwrap();
    file.write_at(b"end", 5_000).unwrap();
    file.write_at(b"start", 0).unwrap();
    file.write_at(b"", 9_000).unwrap();
    assert_eq!(file.len().unwrap(), 5_003);
    let bytes = file.read_all().unwrap();
    assert_eq!((&bytes[..5], &bytes[5_000..]), (&b"start"[..], &b"end"[..]));
    assert!(bytes[5..5_000].iter().all(|b| *b == 0));
    file.write_at(b"ART", 2).unwrap();
    let mut buffer = [0; 5];
    file.read_exact_at(&mut buffer, 0).unwrap();
    assert_eq!(&buffer, b"stART");
    assert!(file.write_at(b"x", u64::MAX).is_err());
}

fn whole_files_are_read_piece_by_piece(fs: &dyn FileSystem, dir: &Path) {
    for len in [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 5 << 19] {
        let file = fs.open(&dir.join(len.to_string()), OpenMode::CreateNew).unwrap();
        let bytes: Vec<u8> = (0..len).map(|n| (n % 251) as u8).collect();
        file.write_at(&bytes, 0).unwrap();
        assert!(file.read_all().unwrap() == bytes, "{len} bytes");
    }
}

fn paths_are_the_same_when_absolute(fs: &dyn FileSystem, dir: &Path) {
    let path = fs.absolute(&dir.join("file")).unwrap();
    let file = fs.open(&path, OpenMode::CreateNew).unwrap();
    file.write_at(b"x", 0).unwrap();
    assert_eq!(fs.open(&dir.join("file"), OpenMode::Read).unwrap().read_all().unwrap(), b"x");
    assert_eq!(fs.absolute(&path).unwrap(), path);
}

fn truncate_cuts_and_extends(fs: &dyn FileSystem, dir: &Path) {
    let file = fs.open(&dir.join("a"), OpenMode::CreateNew).unwrap();
    file.write_at(&[9; 6_000], 0).unwrap();
    file.truncate(2).unwrap();
    assert_eq!(file.read_all().unwrap(), [9, 9]);
    file.truncate(5).unwrap();
    assert_eq!(file.read_all().unwrap(), [9, 9, 0, 0, 0]);
    file.truncate(0).unwrap();
    assert!(file.is_empty().unwrap());
    file.write_at(b"x", 3).unwrap();
    assert_eq!(file.read_all().unwrap(), [0, 0, 0, b'x']);
}

fn allocate_keeps_the_length(fs: &dyn FileSystem, dir: &Path) {
    let file = fs.open(&dir.join("a"), OpenMode::CreateNew).unwrap();
    file.write_at(b"abc", 0).unwrap();
    file.allocate(100_000).unwrap();
    file.allocate(0).unwrap();
    assert_eq!(file.read_all().unwrap(), b"abc");
}

fn read_only_handles_do_not_write(fs: &dyn FileSystem, dir: &Path) {
    let path = dir.join("a");
    put(fs, &path, b"abc");
    let file = fs.open(&path, OpenMode::Read).unwrap();
    assert!(file.write_at(b"x", 0).is_err());
    assert!(file.truncate(0).is_err());
    assert!(file.allocate(10).is_err() || cfg!(not(target_os = "linux")));
    file.sync_data().unwrap();
    assert_eq!(get(fs, &path), b"abc");
}

fn rename_replaces(fs: &dyn FileSystem, dir: &Path) {
    let (a, b) = (dir.join("a"), dir.join("b"));
    put(fs, &a, b"new");
    put(fs, &b, b"old");
    let old = fs.open(&b, OpenMode::Read).unwrap();
    let new = fs.open(&a, OpenMode::Write).unwrap();
    fs.rename(&a, &b).unwrap();
    assert_eq!(fs.list(dir).unwrap(), ["b"]);
    assert_eq!(get(fs, &b), b"new");
    // Handles stay with their file.
    assert_eq!(old.read_all().unwrap(), b"old");
    new.write_at(b"NEW", 0).unwrap();
    assert_eq!(get(fs, &b), b"NEW");
    assert!(fs.rename(&a, &b).unwrap_err().is_not_found());
    fs.rename(&b, &b).unwrap();
    assert_eq!(get(fs, &b), b"NEW");
}

fn rename_stays_in_its_directory(fs: &dyn FileSystem, dir: &Path) {
    fs.create_dir_all(&dir.join("other")).unwrap();
    put(fs, &dir.join("a"), b"x");
    let error = fs.rename(&dir.join("a"), &dir.join("other/a")).unwrap_err();
    assert_eq!(error.source.kind(), ErrorKind::CrossesDevices);
    assert!(fs.rename(&dir.join("a"), &dir.join("other")).is_err());
    assert_eq!(get(fs, &dir.join("a")), b"x");
}

fn removed_files_stay_readable(fs: &dyn FileSystem, dir: &Path) {
    let path = dir.join("a");
    put(fs, &path, b"abc");
    let file = fs.open(&path, OpenMode::Write).unwrap();
    fs.remove(&path).unwrap();
    assert!(!fs.exists(&path).unwrap());
    assert!(fs.remove(&path).unwrap_err().is_not_found());
    fs.sync_dir(dir).unwrap();
    file.write_at(b"d", 3).unwrap();
    assert_eq!(file.read_all().unwrap(), b"abcd");
    // The name is free for another file.
    put(fs, &path, b"other");
    assert_eq!(file.read_all().unwrap(), b"abcd");
}

fn links_share_bytes(fs: &dyn FileSystem, dir: &Path) {
    let (a, b) = (dir.join("a"), dir.join("b"));
    put(fs, &a, b"abc");
    fs.hard_link(&a, &b).unwrap();
    fs.open(&b, OpenMode::Write).unwrap().write_at(b"X", 0).unwrap();
    assert_eq!(get(fs, &a), b"Xbc");
    fs.remove(&a).unwrap();
    assert_eq!(get(fs, &b), b"Xbc");
    put(fs, &a, b"new");
    let error = fs.hard_link(&a, &b).unwrap_err();
    assert_eq!(error.source.kind(), ErrorKind::AlreadyExists);
    assert!(fs.hard_link(&dir.join("none"), &dir.join("c")).unwrap_err().is_not_found());
    fs.create_dir_all(&dir.join("deep")).unwrap();
    fs.hard_link(&a, &dir.join("deep/a")).unwrap();
    assert_eq!(get(fs, &dir.join("deep/a")), b"new");
}

fn directories(fs: &dyn FileSystem, dir: &Path) {
    let deep = dir.join("x/y/z");
    fs.create_dir_all(&deep).unwrap();
    fs.create_dir_all(&deep).unwrap();
    put(fs, &deep.join("b"), b"");
    put(fs, &deep.join("a"), b"");
    assert_eq!(fs.list(&deep).unwrap(), ["a", "b"]);
    assert_eq!(fs.list(dir).unwrap(), ["x"]);
    assert!(fs.exists(&deep).unwrap() && fs.exists(&deep.join("a")).unwrap());
    assert_eq!(fs.remove_dir(&deep).unwrap_err().source.kind(), ErrorKind::DirectoryNotEmpty);
    fs.remove(&deep.join("a")).unwrap();
    fs.remove(&deep.join("b")).unwrap();
    fs.remove_dir(&deep).unwrap();
    assert!(!fs.exists(&deep).unwrap());
    assert!(fs.remove_dir(&deep).unwrap_err().is_not_found());
}

fn missing_things_are_not_found(fs: &dyn FileSystem, dir: &Path) {
    let none = dir.join("none");
    assert!(!fs.exists(&none).unwrap());
    assert!(!fs.exists(&none.join("deeper")).unwrap());
    assert!(fs.list(&none).unwrap_err().is_not_found());
    assert!(fs.sync_dir(&none).unwrap_err().is_not_found());
    assert!(fs.remove(&none).unwrap_err().is_not_found());
    assert!(fs.open(&none.join("a"), OpenMode::CreateNew).unwrap_err().is_not_found());
    assert!(fs.lock(&none.join("LOCK")).unwrap_err().is_not_found());
    assert!(fs.free_space(&none).unwrap_err().is_not_found());
}

fn files_are_not_directories(fs: &dyn FileSystem, dir: &Path) {
    let file = dir.join("file");
    put(fs, &file, b"x");
    for error in [
        fs.list(&file).unwrap_err(),
        fs.sync_dir(&file).unwrap_err(),
        fs.create_dir_all(&file).unwrap_err(),
        fs.create_dir_all(&file.join("below")).unwrap_err(),
        fs.remove_dir(&file).unwrap_err(),
        fs.open(&file.join("below"), OpenMode::CreateNew).unwrap_err(),
    ] {
        assert_eq!(error.source.kind(), ErrorKind::NotADirectory, "{error}");
    }
    assert!(!fs.exists(&file.join("below")).unwrap());
    for mode in [OpenMode::Read, OpenMode::Write] {
        let error = fs.open(dir, mode).unwrap_err();
        assert_eq!(error.source.kind(), ErrorKind::IsADirectory, "{error}");
    }
    assert!(fs.remove(dir).is_err());
    assert_eq!(get(fs, &file), b"x");
}

fn locks_exclude(fs: &dyn FileSystem, dir: &Path) {
    let path = dir.join("LOCK");
    let held = fs.lock(&path).unwrap();
    assert!(held.is_some() && fs.exists(&path).unwrap());
    assert!(fs.lock(&path).unwrap().is_none(), "held twice in one process");
    assert!(fs.lock(&dir.join("OTHER")).unwrap().is_some());
    drop(held);
    assert!(fs.lock(&path).unwrap().is_some());
}

fn syncs_succeed(fs: &dyn FileSystem, dir: &Path) {
    let file = fs.open(&dir.join("a"), OpenMode::CreateNew).unwrap();
    file.sync_data().unwrap();
    file.write_at(b"abc", 0).unwrap();
    file.sync_data().unwrap();
    file.sync_all().unwrap();
    fs.sync_dir(dir).unwrap();
    fs.sync_dir(dir).unwrap();
    assert_eq!(file.read_all().unwrap(), b"abc");
}

fn room_and_random(fs: &dyn FileSystem, dir: &Path) {
    assert!(fs.free_space(dir).unwrap() > 0);
    let mut numbers: Vec<u64> = (0..100).map(|_| fs.random()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 100);
}

fn threads_share_a_file(fs: &dyn FileSystem, dir: &Path) {
    let path: PathBuf = dir.join("a");
    let file = fs.open(&path, OpenMode::CreateNew).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            let file = &file;
            scope.spawn(move || {
                for n in 0..50_u64 {
                    let at = (n * 4 + u64::from(thread)) * 10;
                    file.write_at(&[thread + 1; 10], at).unwrap();
                }
            });
        }
    });
    let bytes = file.read_all().unwrap();
    assert_eq!(bytes.len(), 2_000);
    for (index, part) in bytes.chunks(10).enumerate() {
        assert!(part.iter().all(|b| usize::from(*b) == index % 4 + 1));
    }
}
