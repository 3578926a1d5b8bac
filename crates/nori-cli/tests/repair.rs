//! repair: a damaged store becomes a new one and is not touched.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::disallowed_types)]

mod support;

use serde_json::{Value, json};
use std::fs;
use support::Dir;

#[test]
fn a_store_without_its_manifest_is_repaired() {
    let dir = Dir::new();
    for n in 0..20 {
        dir.ok(&format!("put s key-{n:02} value-{n}"));
    }
    dir.ok("compact s");
    let whole = dir.json("repair s whole");
    assert_eq!((&whole["keys"], &whole["lost"]), (&json!(20), &json!([])));
    assert_eq!(dir.ok("scan whole"), dir.ok("scan s"));

    let wanted = dir.ok("scan s");
    fs::remove_file(dir.path("s/CURRENT")).unwrap();
    dir.run("get s key-01").fails(1, "CURRENT");
    let told = dir.run("repair s rescued");
    assert_eq!((told.code, &told.stderr[..]), (Some(1), ""));
    assert!(told.text().contains("CURRENT: bytes 0 to its end: the file is missing"), "{told:?}");
    assert_eq!(dir.ok("scan rescued"), wanted);
    assert!(dir.ok("verify rescued").contains("every byte is as it was written"));
    assert!(!dir.path("s/CURRENT").exists());
    let again: Value = serde_json::from_slice(&dir.run("repair s third --json").stdout).unwrap();
    assert_eq!(again["keys"], json!(20));
}

#[test]
fn a_wrong_place_is_refused() {
    let dir = Dir::new();
    dir.ok("put s key value");
    dir.write("full/file", "x");
    dir.run("repair s full").fails(1, "not empty");
    dir.run("repair s s/inside").fails(1, "lies in");
    dir.run("repair nowhere new").fails(1, "does not exist");
    dir.run("repair s").fails(2, "INTO");
}

/// What an ended repair left says so, whatever is asked of it.
#[test]
fn an_unfinished_repair_is_told() {
    let dir = Dir::new();
    dir.ok("put s key value");
    dir.ok("repair s new");
    assert!(!dir.path("new/REPAIRING").exists());
    dir.write("new/REPAIRING", "nori-repair");
    for command in ["scan new", "put new key value", "verify new", "repair s new"] {
        dir.run(command).fails(1, "an unfinished repair or restore. Unless it is still");
    }
    dir.ok("destroy new");
    dir.ok("repair s new");
}
