//! export, import: the entries of a store as a stream.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::disallowed_types)]

mod support;

use serde_json::{Value, json};
use std::fs;
use std::process::Stdio;
use support::{Dir, Run};

fn filled() -> Dir {
    let dir = Dir::new();
    for n in 0..20 {
        dir.ok(&format!("put s key-{n:02} value-{n}"));
    }
    dir.ok(r"put s \xff\x00 \x80");
    // A keyspace comes to be by importing into it.
    dir.write("other.jsonl", "{\"keyspace\":\"other\",\"key\":\"a\",\"value\":\"1\"}\n");
    assert!(dir.ok("import s other.jsonl").starts_with("imported 1 entry of 1 keyspace"));
    dir
}

fn same(dir: &Dir, one: &str, two: &str) {
    for keyspace in ["default", "other"] {
        let scan = |store: &str| dir.ok(&format!("scan {store} --keyspace {keyspace}"));
        assert_eq!(scan(one), scan(two));
    }
}

#[test]
fn a_store_goes_through_a_file_and_through_a_pipe() {
    let dir = filled();
    let told = dir.json("export s -o e");
    assert_eq!(told["exported"]["entries"], json!(22));
    assert_eq!(dir.json("import t e")["imported"], told["exported"]);
    same(&dir, "s", "t");
    let again = dir.ok("import t e");
    assert!(again.starts_with("imported 22 entries of 2 keyspaces"), "{again}");
    same(&dir, "s", "t");

    let mut writer = dir.command();
    let mut writer = writer.args(["export", "s"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut reader = dir.command();
    reader.args(["import", "u", "-"]).stdin(writer.stdout.take().unwrap());
    let read = Run::of(reader.output().unwrap());
    assert!(writer.wait().unwrap().success());
    assert_eq!(read.code, Some(0), "{read:?}");
    same(&dir, "s", "u");
}

#[test]
fn lines_are_json() {
    let dir = filled();
    let text = dir.ok("export s --format lines");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0], json!({ "nori_export": 1 }));
    let first = json!({ "keyspace": "default", "key": "key-00", "value": "value-0" });
    assert_eq!(lines[2], first);
    assert!(text.contains("{\"keyspace\":\"default\",\"key_hex\":\"ff00\",\"value_hex\":\"80\"}"));
    dir.write("lines", &text);
    dir.ok("import t lines");
    same(&dir, "s", "t");
    let only = dir.ok("export s --keyspace other --format lines");
    assert_eq!(only.lines().count(), 4, "{only}");
}

#[test]
fn what_is_cut_or_damaged_is_told_and_repeated() {
    let dir = filled();
    for format in ["frames", "lines"] {
        dir.ok(&format!("export s -o e --format {format}"));
        let bytes = fs::read(dir.path("e")).unwrap();
        fs::write(dir.path("cut"), &bytes[..bytes.len() - 30]).unwrap();
        let cut = dir.run("import t cut");
        cut.fails(1, "were stored; importing the whole stream again is right");
        dir.ok("import t e");
        same(&dir, "s", "t");
    }
    let mut bytes = fs::read(dir.path("e")).unwrap();
    bytes[1] = b'!';
    fs::write(dir.path("bad"), &bytes).unwrap();
    dir.run("import t bad").fails(1, "bad: line 1 at offset 0");
}

#[test]
fn wrong_calls_are_refused() {
    let dir = filled();
    dir.run("export nowhere").fails(1, "does not exist");
    dir.run("export s --json").fails(2, "-o");
    dir.run("export s --keyspace nowhere").fails(1, "nowhere");
    dir.run("export s --format xml").fails(2, "xml");
    dir.run("import t missing").fails(1, "missing");
    assert!(!dir.path("t").exists());
    dir.write("letter", "dear");
    dir.run("import t letter").fails(1, "nori-exp");
}
