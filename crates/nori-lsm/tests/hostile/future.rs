//! Files of a later nori: refused by name, never guessed at, and left as they are.

use crate::{ROOT, check, config, fill, kind, on};
use nori_env::{Cut, MemFs};
use nori_lsm::{ErrorKind, Lsm};
use nori_types::checksum;
use nori_wal::{LogFormat, LogHeader, Position, frame, scan};
use std::path::{Path, PathBuf};

/// A store with twenty keys in tables, forty in its log, and what was learned.
fn sample() -> MemFs {
    let disk = MemFs::new(1);
    let store = Lsm::open_with(ROOT, config(on(&disk))).expect("opens");
    fill(&store, 20, 0);
    store.close().expect("closes");
    let store = Lsm::open_with(ROOT, config(on(&disk))).expect("opens");
    fill(&store, 40, 1);
    disk.crash(Cut::Kill, 1)
}

fn all_but_the_lock(disk: &MemFs) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let files = disk.files().into_iter().filter(|(path, _)| !path.ends_with("LOCK"));
    files.map(|(path, _)| (path.clone(), disk.read_file(&path))).collect()
}

fn find(disk: &MemFs, part: &str) -> PathBuf {
    let mut files = disk.files().into_iter().map(|(path, _)| path);
    files.rfind(|path| path.to_string_lossy().contains(part)).expect("there is one")
}

/// Rewrites a file and takes what opening says of it.
fn with(part: &str, change: impl FnOnce(&mut Vec<u8>, &Path)) -> MemFs {
    let disk = sample();
    let path = find(&disk, part);
    let mut bytes = disk.read_file(&path).expect("is there");
    change(&mut bytes, &path);
    assert!(disk.write_file(&path, &bytes));
    disk
}

fn is_refused(what: &str, disk: &MemFs) {
    let before = all_but_the_lock(disk);
    for _ in 0..2 {
        let refused = Lsm::open_with(ROOT, config(on(disk))).expect_err(what);
        assert_eq!(refused.kind(), ErrorKind::FormatTooNew, "{what}: {refused}");
        let reader = kind(Lsm::open_read_only_with(ROOT, config(on(disk))));
        assert_eq!(reader, Err(ErrorKind::FormatTooNew), "{what}");
        assert!(before == all_but_the_lock(disk), "{what}: the files have changed");
    }
}

fn is_read(what: &str, disk: &MemFs) {
    let reader = Lsm::open_read_only_with(ROOT, config(on(disk))).expect(what);
    check(&reader, 40, 1);
    let store = Lsm::open_with(ROOT, config(on(disk))).expect(what);
    check(&store, 40, 1);
    store.compact().expect(what);
    assert!(store.verify().expect("reads").is_ok(), "{what}");
}

/// A word of a log file's header, and its checksum.
fn patch(at: usize, word: u32) -> impl FnOnce(&mut Vec<u8>, &Path) {
    move |bytes, _| {
        bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
        let sum = checksum(0, &bytes[..60]);
        bytes[60..64].copy_from_slice(&sum.to_le_bytes());
    }
}

#[test]
fn logs_and_manifests_of_later_versions_are_refused() {
    for part in ["/wal/", "MANIFEST"] {
        is_refused(part, &with(part, patch(4, 9)));
        is_refused(part, &with(part, patch(4, u32::MAX)));
        for bit in [0, 5, 31] {
            is_refused(part, &with(part, patch(8, 1 << bit)));
            is_read(part, &with(part, patch(16, 1 << bit)));
        }
    }
}

fn with_check(text: &str) -> Vec<u8> {
    format!("{text} check={:08x}\n", checksum(0, text.as_bytes())).into_bytes()
}

#[test]
fn a_later_current_is_refused() {
    let manifest = find(&sample(), "MANIFEST");
    let name = manifest.file_name().expect("a name").to_string_lossy().into_owned();
    let current = |words: &str| {
        let text = format!("nori-current {words} manifest={name}");
        with("CURRENT", move |bytes, _| *bytes = with_check(&text))
    };
    is_refused("format", &current("format=2 features=0,0,0"));
    is_refused("format", &current("format=18446744073709551615 what comes then"));
    is_refused("features", &current("format=1 features=1,0,0"));
    is_read("ignorable features", &current("format=1 features=0,0,ffff"));
    let more = format!("nori-current format=1 features=0,0,1 manifest={name} more=words");
    is_read("more words", &with("CURRENT", move |bytes, _| *bytes = with_check(&more)));
}

/// Tables are looked at when they are read. None is removed or replaced for it.
#[test]
fn a_later_table_is_refused_by_its_readers_and_stays() {
    for (word, value) in [(0, 2), (0, u32::MAX), (4, 1), (4, 1 << 31)] {
        let disk = with(".sst", |bytes, _| {
            let footer = bytes.len() - 128;
            let footer = &mut bytes[footer..];
            footer[word..word + 4].copy_from_slice(&u32::to_le_bytes(value));
            let sum = checksum(u64::from_le_bytes(*b"nori-sst"), &footer[..116]);
            footer[116..120].copy_from_slice(&sum.to_le_bytes());
        });
        let path = find(&disk, ".sst");
        let bytes = disk.read_file(&path);
        let config = || config(on(&disk)).block_cache_bytes(0);
        let store = Lsm::open_with(ROOT, config()).expect("the rest is as it was");
        // Versions in newer tables hide some of its keys; a scan meets it.
        let items: Vec<_> = store.iter().collect();
        let refused = items.last().and_then(|item| item.as_ref().err());
        assert_eq!(refused.map(|e| e.kind()), Some(ErrorKind::FormatTooNew));
        assert_eq!(kind(store.compact()), Err(ErrorKind::FormatTooNew));
        assert!(!store.verify().expect("reads").is_ok());
        store.put("more", "1").expect("writes");
        assert!(disk.read_file(&path) == bytes, "the table has changed");
        drop(store);
        assert!(disk.read_file(&path) == bytes && bytes.is_some(), "the table is gone");
    }
    let ignorable = with(".sst", |bytes, _| {
        let footer = bytes.len() - 128;
        let footer = &mut bytes[footer..];
        footer[12..16].copy_from_slice(&u32::to_le_bytes(1 << 7));
        let sum = checksum(u64::from_le_bytes(*b"nori-sst"), &footer[..116]);
        footer[116..120].copy_from_slice(&sum.to_le_bytes());
    });
    is_read("an ignorable feature of a table", &ignorable);
}

/// Appends a record to a log file.
fn append(bytes: &mut Vec<u8>, path: &Path, magic: [u8; 4], number: u64, payload: &[u8]) {
    let format = LogFormat { magic, version: 2, incompatible: 0, what: "log" };
    let header = LogHeader::decode(bytes, &format, number, path).expect("a good header");
    let end = scan(bytes, &header).end;
    bytes.truncate(end as usize);
    frame(bytes, &header, end, payload, Position::new(number, end));
}

#[test]
fn records_that_a_later_nori_wrote_are_refused() {
    let number = |path: &Path| {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        name.trim_start_matches("MANIFEST-").parse().expect("a number")
    };
    // A batch of one operation, a kind of operation that comes later, of key and value "k".
    for operation in 6..8 {
        let batch = [60, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, operation, 2, 0, 0, b'k'];
        let disk = with("/wal/", |bytes, path| {
            let magic = *b"nWAL";
            append(bytes, path, magic, number(path), &batch);
        });
        is_refused("a kind of operation", &disk);
    }
    // A kind of edit, and a way to write edits.
    for payload in [[9, 2, 0, 0], [1, 9, 0, 0]] {
        let disk = with("MANIFEST", |bytes, path| {
            append(bytes, path, *b"nrmf", number(path), &payload);
        });
        is_refused("an edit", &disk);
    }
}

/// What was learned only guides: a file of another format is one that is missing.
#[test]
fn a_later_heat_is_learned_anew() {
    let disk = with("HEAT", |bytes, _| {
        bytes[8..12].copy_from_slice(&7u32.to_le_bytes());
        let body = bytes.len() - 4;
        let sum = checksum(0, &bytes[..body]);
        bytes[body..].copy_from_slice(&sum.to_le_bytes());
    });
    is_read("HEAT", &disk);
}
