//! demo and bench, small; and reading beside a process that writes.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::disallowed_types)]

mod support;

use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use support::Dir;

#[test]
fn the_demo_proves_its_point() {
    let dir = Dir::new();
    let told = dir.ok("demo --keys 3000");
    for part in ["1. 3,000 records", "all are right", "SIGKILL", "without a gap", "nori stats"] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    assert_eq!(dir.ok("count nori-demo --prefix user:"), "3000\n");
    let batches = dir.ok("count nori-demo --keyspace recovery");
    assert!(batches.trim().parse::<u64>().unwrap() >= 10, "{batches}");
    // It replaces its own store, and removes it when asked to.
    let report = dir.json("demo --keys 500 --clean");
    assert_eq!((&report["ok"], &report["removed"]), (&json!(true), &json!(true)));
    assert_eq!(report["records"]["wrong"], json!(0));
    let recovery = &report["recovery"];
    assert!(recovery["acknowledged_batches"].as_u64().unwrap() > 0, "{recovery}");
    assert!(recovery["found_batches"].as_u64() >= recovery["acknowledged_batches"].as_u64());
    assert_eq!(recovery["missing_batches"], json!(0));
    assert!(!dir.path("nori-demo").exists());
}

#[test]
fn each_workload_is_measured() {
    let dir = Dir::new();
    let call = "bench --keys 2000 --threads 2 --cache-mb 1 --buffer-mb 1 --durable-seconds 0.05 \
                --workload fillseq,fillrandom,overwrite,readrandom,readmissing,seek10,scan,\
                scan-reverse,compact,durable";
    let told = dir.json(call);
    let rows = told["workloads"].as_array().unwrap();
    let names: Vec<&str> = rows.iter().map(|row| row["workload"].as_str().unwrap()).collect();
    let wanted = "fillseq fillrandom overwrite readrandom readmissing seek10 scan scan-reverse \
                  compact durable durable durable";
    assert_eq!(names, wanted.split_whitespace().collect::<Vec<_>>());
    let row = |name: &str| rows.iter().find(|row| row["workload"] == name).unwrap();
    // A fill writes every key once, so every read finds one and no other does.
    assert_eq!(row("readrandom")["found"], json!(2000));
    assert_eq!(row("readmissing")["found"], json!(0));
    assert_eq!(row("scan")["ops"], json!(2 * 2000));
    assert_eq!(row("scan-reverse")["ops"], json!(2 * 2000));
    assert!(row("fillseq")["write_amplification"].as_f64().unwrap() >= 1.0);
    assert_eq!(rows[11]["threads"], json!(16));
    assert!(rows.iter().all(|row| row["ops"].as_u64().unwrap() > 0), "{told}");
    assert!(rows.iter().all(|row| row["engine"] == "nori" && row["samples"].is_array()), "{told}");
    assert_eq!(row("scan")["checksum"], row("scan-reverse")["checksum"]);
    assert!(!dir.path("nori-bench").exists());
}

#[test]
fn workloads_with_parts_are_told_and_drawn() {
    let dir = Dir::new();
    let told =
        dir.ok("bench --keys 1000 --buffer-mb 1 --plot p.svg --workload fillseq,delete-scan");
    for part in ["delete-scan scan settled", "100.0 %", "CPU us/op", "probed"] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    let svg = std::fs::read_to_string(dir.path("p.svg")).unwrap();
    for part in ["<svg ", "1,000 keys of 16 + 100 bytes", "delete-scan deletes, 1 thread", "</svg>"]
    {
        assert!(svg.contains(part), "{part}\n{svg}");
    }
    dir.run("bench --keys 100 --workload fillseq --plot no/p.svg").fails(1, "no/p.svg");
    assert!(!dir.path("nori-bench").exists());
}

#[test]
fn the_policy_is_simulated_alike_each_time() {
    let dir = Dir::new();
    let rows = dir.json("policy-sim table --gb 1");
    assert_eq!(rows, dir.json("policy-sim table --gb 1"));
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 14, "seven workloads, two prices of a look");
    for row in rows {
        let number = |name: &str| row[name].as_f64().unwrap();
        assert!(
            number("write_amplification") > 0.1 && number("read_amplification") >= 1.0,
            "{row}"
        );
    }
    let told = dir.ok("policy-sim table --gb 1");
    assert!(told.contains("moving hot spot") && told.lines().count() == 16, "{told}");
}

#[test]
fn reads_alone_fill_first_and_the_store_may_stay() {
    let dir = Dir::new();
    let table = dir.ok("bench --keys 500 --workload readrandom --keep --compression none");
    assert!(table.contains("500 keys of 16 + 100 bytes") && table.contains("100.0 %"), "{table}");
    assert_eq!(dir.ok("count nori-bench"), "500\n");
}

/// The reading commands work while another process has the store open, and the writing ones say
/// that it is.
#[test]
fn reads_work_beside_a_writer() {
    let dir = Dir::new();
    dir.ok("put s a 1");
    let mut writer = dir.command();
    writer.args(["demo-writer", "s"]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut writer = writer.spawn().unwrap();
    let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
    for _ in 0..20 {
        lines.next().unwrap().unwrap();
    }
    let drained = std::thread::spawn(move || lines.map_while(Result::ok).count());
    assert_eq!(dir.ok("get s a"), "1\n");
    assert_eq!(dir.ok("scan s --limit 1"), "a\t1\n");
    let counted: u64 = dir.ok("count s --keyspace recovery").trim().parse().unwrap();
    // All that was acknowledged before, and whole batches only.
    assert!(counted >= 200 && counted.is_multiple_of(10), "{counted}");
    let verified = dir.json("verify s");
    assert_eq!((&verified["ok"], &verified["open_elsewhere"]), (&json!(true), &json!(true)));
    let stats: Value = dir.json("stats s");
    assert!(stats["recovery"]["operations"].as_u64().unwrap() >= 200, "{stats}");
    for command in ["put s k v", "delete s a", "compact s", "destroy s", "load-dir s s2"] {
        std::fs::create_dir_all(dir.path("s2")).unwrap();
        dir.run(command).fails(1, "open elsewhere");
    }
    writer.kill().unwrap();
    writer.wait().unwrap();
    drained.join().unwrap();
    dir.ok("put s k v");
}
