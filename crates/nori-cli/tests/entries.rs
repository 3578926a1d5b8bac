//! Each command on single keys and ranges, and upkeep, through the real binary.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::disallowed_types)]

mod support;

use serde_json::{Value, json};
use std::io::Write;
use std::process::Stdio;
use support::{Dir, Run};

/// A store with three fruits and one key in another keyspace.
fn fruits() -> Dir {
    let dir = Dir::new();
    for (key, value) in [("fig", "green"), ("plum", "blue"), ("quince", "yellow")] {
        dir.ok(&format!("put s {key} {value}"));
    }
    dir.ok("put s fig other --keyspace side");
    dir
}

#[test]
fn a_key_is_put_read_and_deleted() {
    let dir = fruits();
    assert_eq!(dir.ok("get s plum"), "blue\n");
    assert_eq!(dir.ok("get s plum --raw"), "blue");
    assert_eq!(dir.ok("get s fig --keyspace side"), "other\n");
    let wanted = json!({ "key": "plum", "found": true, "value": "blue", "value_bytes": 4 });
    assert_eq!(dir.json("get s plum"), wanted);
    assert_eq!(dir.ok("delete s plum"), "plum: deleted\n");
    assert_eq!(dir.json("delete s plum"), json!({ "key": "plum", "existed": false }));
    dir.run("get s plum").fails(1, "there is no key plum");
    let gone = dir.run("get s plum --json");
    assert_eq!((gone.code, &gone.stderr[..]), (Some(1), ""));
    let gone: Value = serde_json::from_slice(&gone.stdout).unwrap();
    assert_eq!(gone, json!({ "key": "plum", "found": false, "value": null }));
    assert_eq!(dir.json("put s plum red"), json!({ "key": "plum", "value_bytes": 3 }));
}

#[test]
fn any_bytes_go_in_and_come_out() {
    let dir = Dir::new();
    let all: Vec<u8> = (0..=255).collect();
    let file = dir.write("all", &all);
    dir.nori(["put", "s", r"k\x00\xff\\", "--file", file.to_str().unwrap()]).success();
    let raw = dir.nori(["get", "s", r"k\x00\xff\\", "--raw"]);
    assert_eq!(raw.stdout, all);
    let shown = dir.nori(["get", "s", "6b00ff5c", "--hex"]).success();
    assert_eq!(shown.len(), 2 * 256 + 1);
    assert!(shown.starts_with("000102") && shown.ends_with("feff\n"), "{shown}");
    assert_eq!(dir.ok("scan s --keys-only"), "k\\x00\\xff\\\\\n");
    // What was shown can be put again and is the same.
    let text = dir.nori(["get", "s", r"k\x00\xff\\"]).success();
    dir.nori(["put", "s", "copy", text.trim_end_matches('\n')]).success();
    assert_eq!(dir.run("get s copy --raw").stdout, all);
    dir.nori(["put", "s", "", ""]).success();
    assert_eq!(dir.nori(["get", "s", ""]).success(), "\n");
}

#[test]
fn a_value_comes_from_stdin() {
    let dir = Dir::new();
    let mut put = dir.command();
    put.args(["put", "s", "k", "--file", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = put.stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"from\nfar").unwrap();
    assert_eq!(Run::of(child.wait_with_output().unwrap()).success(), "k: 8 B stored\n");
    assert_eq!(dir.run("get s k --raw").stdout, b"from\nfar");
}

#[test]
fn ranges_are_scanned_and_counted() {
    let dir = fruits();
    let cases = [
        ("", "fig\tgreen\nplum\tblue\nquince\tyellow\n"),
        ("--prefix p", "plum\tblue\n"),
        ("--from g", "plum\tblue\nquince\tyellow\n"),
        ("--to plum", "fig\tgreen\n"),
        ("--from fig --to quince --reverse", "plum\tblue\nfig\tgreen\n"),
        ("--limit 1", "fig\tgreen\n"),
        ("--reverse --limit 1 --keys-only", "quince\n"),
        ("--from z", ""),
        ("--from q --to a", ""),
        ("--keyspace side", "fig\tother\n"),
        ("--hex --prefix 7175", "7175696e6365\t79656c6c6f77\n"),
    ];
    for (range, wanted) in cases {
        assert_eq!(dir.ok(&format!("scan s {range}")), wanted, "{range}");
        if !range.contains("--limit") {
            let range = range.replace("--reverse", "");
            let counted = wanted.lines().count();
            assert_eq!(dir.ok(&format!("count s {range}")), format!("{counted}\n"), "{range}");
        }
    }
    assert_eq!(dir.json("count s"), json!({ "count": 3 }));
    let lines = dir.ok("scan s --json");
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(first, json!({ "key": "fig", "value": "green" }));
    assert_eq!(lines.lines().count(), 3);
}

#[test]
fn long_values_are_cut_for_people_only() {
    let dir = Dir::new();
    let long = "v".repeat(3000);
    dir.nori(["put", "s", "k", &long]).success();
    assert_eq!(dir.ok("scan s"), format!("k\t{}... (2.9 KiB)\n", "v".repeat(100)));
    assert_eq!(dir.ok("scan s --full"), format!("k\t{long}\n"));
    assert!(dir.ok("scan s --json").contains(&long));
}

#[test]
fn a_store_is_looked_at_merged_and_removed() {
    let dir = fruits();
    let stats = dir.json("stats s");
    assert_eq!(stats["keyspaces"], json!(["default", "side"]));
    assert_eq!(stats["healthy"], json!(true));
    assert!(stats["metrics"]["tables"].as_u64().unwrap() >= 1, "{stats}");
    assert!(stats["slots"].as_array().unwrap().len() >= 2, "{stats}");
    let text = dir.ok("stats s");
    assert!(text.contains("keyspaces") && text.contains("(first)"), "{text}");
    let text = dir.ok("stats s --prometheus");
    assert!(
        text.contains("# TYPE nori_table_bytes gauge\nnori_table_bytes{store=\"s\"} "),
        "{text}"
    );
    assert!(text.contains("nori_keyspace_slots{store=\"s\",keyspace=\"side\"} "), "{text}");
    assert!(text.contains("nori_disk_bytes{store=\"s\",use=\"tables\"} "), "{text}");
    let side = dir.json("stats s --keyspace side");
    assert!(side["slots"].as_array().unwrap().iter().all(|slot| slot["keyspace"] == "side"));
    assert!(dir.ok("compact s --keyspace side").starts_with("merged in "));
    assert!(dir.json("compact s")["disk_bytes_after"].as_u64().unwrap() > 0);
    assert!(dir.ok("verify s").contains("every byte is as it was written"));
    assert_eq!(dir.json("verify s")["ok"], json!(true));
    assert_eq!(dir.ok("count s"), "3\n");
    dir.write("s/mine", "not nori's");
    assert_eq!(dir.json("destroy s"), json!({ "destroyed": true, "directory_left": true }));
    assert!(dir.path("s/mine").exists() && !dir.path("s/CURRENT").exists());
    dir.run("get s fig").fails(1, "holds no store");
    std::fs::remove_file(dir.path("s/mine")).unwrap();
    dir.ok("put s k v");
    assert!(dir.ok("destroy s").starts_with("removed the store s"));
    assert!(!dir.path("s").exists());
}

#[test]
fn a_flipped_bit_is_found() {
    let dir = Dir::new();
    dir.nori(["put", "s", "k", &"v".repeat(5000)]).success();
    let mut tables = std::fs::read_dir(dir.path("s/sst")).unwrap();
    let table = tables.next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&table).unwrap();
    bytes[20] ^= 1;
    std::fs::write(&table, bytes).unwrap();
    let found = dir.run("verify s");
    assert_eq!((found.code, &found.stderr[..]), (Some(1), ""));
    assert!(found.text().contains("sst: at byte 0: block: expected checksum"), "{found:?}");
    let found: Value = serde_json::from_slice(&dir.run("verify s --json").stdout).unwrap();
    assert_eq!((&found["ok"], found["problems"].as_array().unwrap().len()), (&json!(false), 1));
    dir.run("get s k").fails(1, "offset");
}

/// Reads in a running process make slots hot; the commands show it after the process has ended.
#[test]
fn slots_heat_and_why_tell_of_what_was_learned() {
    let dir = Dir::new();
    for n in 0..60u64 {
        dir.write(&format!("files/{}/{n}", n % 3), support::noise(n, 40_000));
    }
    dir.ok("load-dir s files --buffer-mb 1");
    let shown = dir.ok("bench reads s --prefix 1/ --seconds 1 --buffer-mb 1");
    assert!(shown.contains("before: ") && shown.contains("after: "), "{shown}");
    let slots = dir.json("slots s");
    let slots = slots["slots"].as_array().unwrap();
    let sum = |name: &str| slots.iter().map(|s| s["lifetime"][name].as_u64().unwrap()).sum::<u64>();
    assert!(sum("flushed_user_bytes") >= 60 * 40_000 && sum("point_reads") > 1000, "{slots:?}");
    assert!(slots.iter().all(|s| s["k"].as_u64().unwrap() >= 1));
    assert!(dir.ok("slots s").contains("writes/s"));
    let heat = dir.ok("heat s");
    assert!(heat.contains('|') && heat.contains('#'), "{heat}");
    // A merge that was asked for is a decision too.
    dir.ok("compact s");
    assert!(dir.ok("why s").contains("asked for"), "{}", dir.ok("why s"));
    assert_ne!(dir.json("why s --last 1")["decisions"].as_array().unwrap().len(), 0);
    dir.run("bench reads s --prefix nothing").fails(1, "no key starts with");
}
