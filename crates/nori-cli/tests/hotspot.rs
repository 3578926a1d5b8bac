//! The load with a moving hot spot, small.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::disallowed_types)]

mod support;

use serde_json::{Value, json};
use support::Dir;

/// Memtables rotate, the hot spot moves, readers look on, and nothing is lost or wrong.
#[test]
fn a_load_is_told_second_by_second_and_verified() {
    let dir = Dir::new();
    let told = dir.json("bench hotspot --keys 50000 --buffer-kb 256 --readers 2");
    assert_eq!((&told["ok"], &told["puts"]), (&json!(true), &json!(50_000)));
    let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{value} in {told}"));
    let verified = &told["verified"];
    let written = number(&verified["keys_written"]);
    // A fifth of the writes goes anywhere; the rest, to five twentieths of all keys in turn.
    assert!((15_000.0..30_000.0).contains(&written), "{verified}");
    assert_eq!(number(&verified["keys_found"]), written);
    for nothing in ["keys_unknown", "values_wrong", "gets_wrong"] {
        assert_eq!(verified[nothing], json!(0), "{nothing}");
    }
    assert_eq!(told["reads_wrong"], json!(0));
    assert!(number(&told["reads"]) > 0.0);
    let latency = |name: &str| number(&told["put_latency"][name]);
    assert!(latency("p50_ns") <= latency("p99_ns") && latency("p999_ns") <= latency("max_ns"));
    let settled = &told["settled"];
    // About 6 MB went through memtables of 256 KiB.
    assert!(number(&settled["write_amplification"]) > 0.2, "{settled}");
    assert!(number(&settled["tables"]) >= 1.0 && number(&settled["slots"]) >= 1.0, "{settled}");
    let seconds = told["each_second"].as_array().unwrap();
    assert!(!seconds.is_empty());
    let last = seconds.last().unwrap();
    assert_eq!(last["phase"], json!(4));
    assert!(number(&last["memtable_bytes"]) > 0.0 && number(&last["worst_put_ms"]) > 0.0, "{last}");
    assert!(!dir.path("nori-bench").exists());
}

#[test]
fn it_prints_a_table_and_keeps_its_hands_off_other_stores() {
    let dir = Dir::new();
    let call = "bench hotspot --keys 2000 --buffer-kb 64 --moves 1 --readers 0 --keep --no-settle";
    let table = dir.ok(call);
    for part in ["worst ms", "p99.9", "0 values wrong", "slow puts", "2,000"] {
        assert!(table.contains(part), "{part}\n{table}");
    }
    let kept: u64 = dir.ok("count nori-bench").trim().parse().unwrap();
    let told = format!("{kept} keys written, {kept} found");
    assert!(table.replace(',', "").contains(&told.replace(',', "")), "{told}\n{table}");
    dir.run(call).fails(2, "exists already");
    dir.run("bench hotspot --keys 10").fails(2, "--keys");
    dir.run("bench --threads 2 hotspot").fails(2, "hotspot");
}
