//! The overload, short.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::disallowed_types)]

mod support;

use serde_json::Value;
use support::Dir;

/// Latencies, the store's memory against what was configured, and the second that was longest.
#[test]
fn an_overload_tells_latencies_and_memory() {
    let dir = Dir::new();
    let call = "bench overload --minutes 0.02 --keys 20000 --buffer-mb 1 --cache-mb 1";
    let told = dir.json(&format!("{call} --threads 3"));
    let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{value} in {told}"));
    assert!(number(&told["puts"]) >= 3.0 && number(&told["seconds"]) >= 1.2, "{told}");
    for kind in ["latency", "latency_own"] {
        let latency = |name: &str| number(&told[kind][name]);
        assert!(latency("p50_ns") <= latency("p99_ns") && latency("p999_ns") <= latency("max_ns"));
        assert!(latency("p50_ns") > 0.0);
    }
    let max = |kind: &str| number(&told[kind]["max_ns"]);
    assert!(max("latency_own") <= max("latency"));
    // Three buffers and the cache.
    assert_eq!(number(&told["after"]["memory_budget_bytes"]), f64::from(4 << 20));
    assert!(number(&told["memory_ratio"]) > 0.1, "{told}");
    let zones = told["zones"].as_object().unwrap();
    let in_zones: f64 = zones.values().map(|zone| number(&zone["puts"])).sum();
    assert_eq!(in_zones, number(&told["puts"]));
    assert!(!told["each_second"].as_array().unwrap().is_empty());
    assert!(!dir.path("nori-bench").exists());
}

#[test]
fn it_prints_a_line_for_each_second_and_refuses_nonsense() {
    let dir = Dir::new();
    let call = "bench overload --minutes 0.02 --keys 20000 --buffer-mb 1 --keep";
    let table = dir.ok(call);
    for part in ["p99.9 ms", "longest", "of the 67.0 MiB configured", "its own", "zones"] {
        assert!(table.contains(part), "{part}\n{table}");
    }
    dir.run(call).fails(2, "exists already");
    dir.run("bench overload --minutes 0 --dir other").fails(2, "--minutes");
    dir.run("bench overload --budget-mb 64 --cache-mb 8 --dir other").fails(2, "--cache-mb");
    let told = dir.json("bench overload --minutes 0.01 --budget-mb 64 --buffer-mb 4 --dir other");
    assert_eq!(told["after"]["memory_budget_bytes"], serde_json::json!(64 << 20));
}
