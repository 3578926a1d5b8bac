//! load-dir and verify-dir: any tree goes in whole, also after a kill.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::disallowed_types)]

mod support;

use serde_json::{Value, json};
use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};
use support::{Dir, bytes_of, noise};

/// Names and contents that something may stumble over.
fn odd_tree(dir: &Dir) -> u64 {
    let long = "n".repeat(255);
    let names = [
        "a",
        "b/c/d/e/f/deep",
        "b.txt",
        "b-1/x",
        "with blank",
        "quo\"te'",
        "back\\slash",
        "new\nline",
        "tab\there",
        "-x",
        "--help",
        ".hidden/.file",
        "файл/数",
        "50%",
        "*?",
        &long,
    ];
    for (n, name) in names.iter().enumerate() {
        dir.write(&format!("files/{name}"), noise(n as u64, n * 100));
    }
    dir.write("files/empty", "");
    dir.write("files/big/5mb", noise(1, 5 << 20));
    dir.write("files/big/zeros", vec![0; 3 << 20]);
    fs::create_dir_all(dir.path("files/nothing/here")).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        let odd = std::ffi::OsStr::from_bytes(b"bytes-\xff\xfe");
        fs::write(dir.path("files").join(odd), "odd").unwrap();
        std::os::unix::fs::symlink("/", dir.path("files/link")).unwrap();
    }
    names.len() as u64 + 3 + u64::from(cfg!(unix))
}

#[test]
fn a_tree_goes_in_and_is_equal() {
    let dir = Dir::new();
    let files = odd_tree(&dir);
    let loaded = dir.json("load-dir s files");
    assert_eq!(loaded["files"], json!(files), "{loaded}");
    assert_eq!(loaded["stored"]["files"], json!(files));
    assert_eq!(loaded["skipped"], json!(u64::from(cfg!(unix))));
    assert!(loaded["store_bytes"].as_u64().unwrap() > 5 << 20);
    let equal = dir.json("verify-dir s files");
    assert_eq!((&equal["ok"], &equal["equal"]["files"]), (&json!(true), &json!(files)));
    assert_eq!(equal["equal"]["bytes"], loaded["bytes"]);
    assert!(dir.ok("verify-dir s files").contains("are equal"));
    let value = dir.nori(["get", "s", "big/5mb", "--raw"]);
    assert!(value.stdout == noise(1, 5 << 20));
    assert_eq!(dir.ok("count s --prefix b/"), "1\n");

    // Nothing has changed, so nothing is written again.
    let again = dir.json("load-dir s files");
    assert_eq!(again["unchanged"], loaded["stored"]);
    assert_eq!(again["stored"], json!({ "files": 0, "bytes": 0 }));

    // One file changes without changing its size; one is new.
    dir.write("files/b.txt", noise(77, 200));
    dir.write("files/new", "n");
    let third = dir.json("load-dir s files");
    assert_eq!(third["stored"], json!({ "files": 2, "bytes": 201 }));
    assert!(dir.ok("load-dir s files --keyspace k2").contains("loaded files into s"));
    dir.ok("verify-dir s files");
    dir.ok("verify-dir s files --keyspace k2");
}

#[test]
fn differences_are_found_both_ways() {
    let dir = Dir::new();
    for name in ["equal", "d/differs", "shorter", "longer", "missing"] {
        dir.write(&format!("files/{name}"), "0123456789");
    }
    dir.ok("load-dir s files");
    dir.write("files/d/differs", "01234x6789");
    dir.write("files/shorter", "01234");
    dir.write("files/longer", "0123456789abc");
    dir.write("files/d/new", "n");
    fs::remove_file(dir.path("files/missing")).unwrap();
    let run = dir.run("verify-dir s files");
    assert_eq!((run.code, &run.stderr[..]), (Some(1), ""));
    let wanted = "differs: d/differs: differs at byte 5; the file has 10 bytes, the value 10\n\
                  missing: d/new: not in the store\n\
                  differs: longer: the file has 13 bytes, the value 10\n\
                  extra: missing: a key without a file\n\
                  differs: shorter: the file has 5 bytes, the value 10\n\
                  1 file equal (10 B, ";
    assert!(run.text().starts_with(wanted), "{}", run.text());
    assert!(run.text().contains("5 problems: 1 missing, 1 extra, 3 differing, 0 unreadable"));
    let told: Value = serde_json::from_slice(&dir.run("verify-dir s files --json").stdout).unwrap();
    assert_eq!((&told["ok"], told["problems"].as_array().unwrap().len()), (&json!(false), 5));
    assert_eq!(told["problems"][3]["kind"], json!("extra"));
}

/// What a store cannot take is told, and does not keep the rest from being loaded.
#[test]
fn a_file_that_cannot_be_stored_is_told_and_the_rest_is_loaded() {
    let dir = Dir::new();
    dir.write("files/a", "a");
    dir.write("files/c", "c");
    // Holes, so that it takes no room.
    let huge = fs::File::create(dir.path("files/b")).unwrap();
    huge.set_len((1 << 30) + 1).unwrap();
    let run = dir.run("load-dir s files");
    assert_eq!((run.code, &run.stderr[..]), (Some(1), ""));
    assert!(run.text().starts_with("problem: files/b: is larger than 1.0 GiB\n"), "{run:?}");
    assert_eq!(dir.ok("scan s"), "a\ta\nc\tc\n");
    let told = dir.run("verify-dir s files");
    assert!(told.text().starts_with("missing: b: not in the store\n"), "{told:?}");
}

/// A load that is killed leaves a prefix; the next one completes it without writing that again.
#[test]
fn a_killed_load_is_completed() {
    const FILES: u64 = 2000;
    let dir = Dir::new();
    for n in 0..FILES {
        dir.write(&format!("files/{:02}/{n:05}", n % 50), noise(n, 8000));
    }
    let prefix = (0..10).find_map(|_| {
        let _ = dir.run("destroy s");
        kill_in_the_middle(&dir).then_some(())?;
        let found: u64 = dir.ok("count s").trim().parse().unwrap();
        (0 < found && found < FILES).then_some(found)
    });
    let prefix = prefix.expect("one of ten loads is killed in the middle");
    let half = dir.run("verify-dir s files --json");
    let half: Value = serde_json::from_slice(&half.stdout).unwrap();
    // What is there is whole: files are missing, none differs.
    assert_eq!((&half["missing"], &half["differing"]), (&json!(FILES - prefix), &json!(0)));
    let resumed = dir.json("load-dir s files");
    assert_eq!(resumed["unchanged"]["files"], json!(prefix), "{resumed}");
    assert_eq!(resumed["stored"]["files"], json!(FILES - prefix));
    assert_eq!(dir.json("verify-dir s files")["equal"]["files"], json!(FILES));
    assert_eq!(dir.json("verify s")["ok"], json!(true));
}

/// Kills a load once some of the log is written. False if it was done before.
fn kill_in_the_middle(dir: &Dir) -> bool {
    let mut load = dir.command();
    load.args(["load-dir", "s", "files"]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = load.spawn().unwrap();
    let started = Instant::now();
    while bytes_of(&dir.path("s/wal"), ".wal") < 4 << 20 {
        assert!(started.elapsed() < Duration::from_secs(60), "the load does not begin");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    // Ended by the signal: no exit code.
    child.wait().unwrap().code().is_none()
}
