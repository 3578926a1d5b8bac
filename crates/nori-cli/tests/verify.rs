//! verify: every byte of a store, whether it opens or not.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::disallowed_types)]

mod support;

use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use support::{Dir, bytes_of};

/// The files of a directory whose names end so, sorted.
fn files(dir: &Path, suffix: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|p| p.to_string_lossy().ends_with(suffix)).collect();
    files.sort();
    files
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn filled() -> Dir {
    let dir = Dir::new();
    for n in 0..5 {
        dir.nori(["put", "s", &format!("key-{n}"), &"v".repeat(3000)]).success();
    }
    dir
}

#[test]
fn a_whole_store_is_read_and_every_byte_counted() {
    let dir = filled();
    let told = dir.ok("verify s");
    assert!(told.contains("every byte is as it was written"), "{told}");
    assert!(told.contains("manifest  1 file, ") && told.contains("5 entries"), "{told}");
    let told = dir.json("verify s");
    assert_eq!((&told["ok"], &told["open_elsewhere"]), (&json!(true), &json!(false)));
    assert_eq!((&told["problems"], &told["notes"]), (&json!([]), &json!([])));
    let (wal, sst) = (dir.path("s/wal"), dir.path("s/sst"));
    // LOCK is empty.
    let all = bytes_of(&dir.path("s"), "") + bytes_of(&wal, "") + bytes_of(&sst, "");
    let directories =
        [dir.path("s/wal"), dir.path("s/sst")].map(|d| fs::metadata(d).unwrap().len());
    let all = all - directories.iter().sum::<u64>();
    assert_eq!(told["bytes"].as_u64().unwrap() + told["unused"]["bytes"].as_u64().unwrap(), all);
    assert_eq!(told["tables"]["bytes"], json!(bytes_of(&sst, ".sst")));
}

#[test]
fn all_damage_is_listed_also_of_a_store_that_does_not_open() {
    let dir = filled();
    let tables = files(&dir.path("s/sst"), ".sst");
    flip(&tables[0], 20);
    flip(&tables[1], fs::metadata(&tables[1]).unwrap().len() as usize - 60);
    let log = files(&dir.path("s/wal"), ".wal");
    flip(&log[0], 30);
    fs::remove_file(dir.path("s/CURRENT")).unwrap();
    dir.run("get s key-0").fails(1, "CURRENT");
    let told = dir.run("verify s");
    assert_eq!((told.code, &told.stderr[..]), (Some(1), ""));
    let text = told.text();
    for part in [
        "s/CURRENT: the file is missing".to_string(),
        format!("{}: at byte 0: block: expected checksum ", tables[0].display()),
        format!("{}: at byte ", tables[1].display()),
        format!("{}: at byte 0: WAL segment header: ", log[0].display()),
        "4 problems".to_string(),
        "nori repair s INTO".to_string(),
    ] {
        assert!(text.contains(&part), "{part:?} is missing: {text}");
    }
    let told: Value = serde_json::from_slice(&dir.run("verify s --json").stdout).unwrap();
    let problems = told["problems"].as_array().unwrap();
    assert_eq!((&told["ok"], problems.len()), (&json!(false), 4), "{told}");
    assert!(problems.iter().any(|p| p["offset"] == json!(0) && p["bytes"] == json!(64)), "{told}");
    // Nothing was changed, so what it advises works.
    dir.run("repair s rescued");
    assert!(dir.ok("verify rescued").contains("every byte is as it was written"));
}
