//! Curves of tiny stores.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::disallowed_types)]

mod support;

use support::Dir;

#[test]
fn points_of_sizes_and_threads_stand_in_a_table_and_a_drawing() {
    let dir = Dir::new();
    let call = "bench curves --keys 1000 --sizes 1,2 --threads 1,2 --plot c.svg";
    let table = dir.ok(call);
    for part in [
        "| 113.3 KiB | 1 | fillrandom |",
        "| 226.6 KiB | 1 | readrandom |",
        "| 113.3 KiB | 2 | overwrite |",
        "open after a close, ms",
        "page cache not bounded",
    ] {
        assert!(table.contains(part), "{part}\n{table}");
    }
    // One point of both kinds is measured once.
    assert_eq!(table.matches("| fillrandom |").count(), 3, "{table}");
    let svg = std::fs::read_to_string(dir.path("c.svg")).unwrap();
    for name in ["fillrandom", "overwrite", "readrandom", "open"] {
        assert!(svg.contains(&format!(">{name}</text>")), "{name}");
    }
    assert!(!dir.path("nori-bench").exists());
    let told = dir.json("bench curves --keys 1000 --sizes 1 --threads 1");
    assert_eq!(told["points"].as_array().unwrap().len(), 1);
    assert_eq!(told["points"][0]["workloads"].as_array().unwrap().len(), 5, "{told}");
}
