//! dump, layout, estimate: looking into files.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::disallowed_types)]

mod support;

use serde_json::json;
use std::fs;
use support::Dir;

/// A store with tables, one of them newer than the other, and a log that is not in tables.
fn filled() -> Dir {
    let dir = Dir::new();
    for n in 0..40 {
        dir.ok(&format!("put s key-{n:02} value-{n}"));
    }
    dir.ok("compact s");
    dir.ok(r"put s \xff\x01 odd");
    dir.ok("delete s key-07");
    dir
}

fn only(dir: &Dir, below: &str, ending: &str) -> String {
    let mut names: Vec<String> = fs::read_dir(dir.path(below))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains(ending))
        .collect();
    names.sort();
    format!("{below}/{}", names[0])
}

#[test]
fn a_table_alone_is_shown_and_its_damage_is_told() {
    let dir = filled();
    let table = only(&dir, "s/sst", ".sst");
    fs::copy(dir.path(&table), dir.path("alone")).unwrap();
    let shown = dir.ok("dump sst alone --keys --limit 3");
    assert!(shown.contains("40 entries") && shown.contains("put 0/key-02 at "), "{shown}");
    assert!(!shown.contains("key-03 at"), "{shown}");
    let whole = dir.json("dump sst alone --keys");
    assert_eq!(whole["keys"].as_array().unwrap().len(), 40);
    assert_eq!(whole["problems"], json!([]));
    let good = fs::read(dir.path("alone")).unwrap();
    for at in [3, good.len() / 2, good.len() - 100, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        fs::write(dir.path("bad"), &bad).unwrap();
        let told = dir.run("dump sst bad --keys");
        assert_eq!(told.code, Some(1), "byte {at}: {told:?}");
        assert!(told.text().contains("cannot be read: bad: bytes "), "byte {at}: {told:?}");
    }
    fs::write(dir.path("none"), b"").unwrap();
    assert_eq!(dir.run("dump sst none").code, Some(1));
}

#[test]
fn a_segment_is_shown_and_its_damage_is_told() {
    let dir = Dir::new();
    let store = nori_lsm::Lsm::open(dir.path("s")).unwrap();
    for n in 0..5 {
        store.put(format!("key-{n}"), "value").unwrap();
    }
    store.delete("key-1").unwrap();
    let segment = only(&dir, "s/wal", ".wal");
    let shown = dir.ok(&format!("dump wal {segment} --keys"));
    assert!(shown.contains("put 0/key-4 (5 B)") && shown.contains("delete 0/key-1"), "{shown}");
    let all = dir.json(&format!("dump wal {segment} --limit 2"));
    assert_eq!((all["records"].as_array().unwrap().len(), &all["count"]), (2, &json!(6)));
    let mut bytes = fs::read(dir.path(&segment)).unwrap();
    let at = all["records"][1]["offset"].as_u64().unwrap() as usize;
    bytes[at + 30] ^= 1;
    dir.write("copy/000001.wal", &bytes);
    if segment.ends_with("000001.wal") {
        let told = dir.run("dump wal copy/000001.wal --keys");
        assert_eq!(told.code, Some(1), "{told:?}");
        let text = told.text();
        assert!(text.contains("put 0/key-4") && text.contains("cannot be read: "), "{text}");
    }
    dir.run("dump wal nowhere").fails(2, "000042.wal");
    store.close().unwrap();
}

#[test]
fn a_manifest_is_shown_and_its_damage_is_told() {
    let dir = filled();
    let manifest = only(&dir, "s", "MANIFEST-");
    let shown = dir.ok(&format!("dump manifest {manifest}"));
    assert!(shown.contains("keyspace 0: \"default\"") && shown.contains(".sst  id "), "{shown}");
    let shown = dir.ok(&format!("dump manifest {manifest} --records"));
    for words in ["state: end of", "edit: flush ", "new tables 0", "is the newest"] {
        assert!(shown.contains(words), "{words} is missing in {shown}");
    }
    let records = dir.json(&format!("dump manifest {manifest} --records --limit 2"));
    assert_eq!(records["records"].as_array().unwrap().len(), 2);
    let mut bytes = fs::read(dir.path(&manifest)).unwrap();
    bytes[100] ^= 1;
    fs::write(dir.path(&manifest), &bytes).unwrap();
    let told = dir.run(&format!("dump manifest {manifest} --json"));
    assert_eq!(told.code, Some(1));
    assert!(told.text().contains("problems"), "{told:?}");
}

#[test]
fn layout_and_estimate_tell_what_there_is() {
    let dir = filled();
    let shown = dir.ok("layout s");
    assert!(shown.contains("of default: (first) to (last)"), "{shown}");
    assert!(shown.contains("key-00 to key-39"), "{shown}");
    let slots = dir.json("layout s --keyspace default");
    let runs = slots["slots"][0]["runs"].as_array().unwrap();
    assert!(!runs.is_empty() && runs[0]["tables"][0]["file"].is_string());
    dir.run("layout s --keyspace nowhere").fails(1, "nowhere");
    dir.run("layout empty").fails(1, "no store");

    let all = dir.json("estimate s");
    assert_eq!(all["estimate"], json!(true));
    assert!(all["entries"].as_f64().unwrap() >= 40.0 && all["tables_opened"] == json!(0), "{all}");
    let none = dir.json("estimate s --prefix zzz");
    assert_eq!(none["bytes"].as_f64(), Some(0.0), "{none}");
    let part = dir.ok("estimate s --from key-10 --to key-20");
    assert!(part.contains("an estimate from the manifest"), "{part}");
}

/// A process has the store open and writes to it: all of this works beside it.
#[test]
fn looking_works_beside_a_live_process() {
    let dir = filled();
    let store = nori_lsm::Lsm::open(dir.path("s")).unwrap();
    store.put("live", "1").unwrap();
    for command in ["layout s", "estimate s", "slots s", "heat s", "why s"] {
        dir.ok(command);
    }
    store.put("live", "2").unwrap();
    store.close().unwrap();
}
