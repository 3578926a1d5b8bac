//! Verdicts on rows with made-up figures.

use super::*;
use nori_bench::{Bench, NORI, Plan, Quiet, Workload};

/// A row of a small run, to be changed.
fn row(workload: Workload) -> Row {
    let dir = std::env::temp_dir().join(format!("peers-goals-{workload}-{}", std::process::id()));
    let plan = Plan { keys: 500, ..Plan::new(&dir) };
    let mut bench = Bench::new(NORI, &plan).expect("a plan");
    let mut rows = bench.run(workload, &Quiet).expect("runs");
    bench.remove().expect("removed");
    rows.remove(0)
}

/// One round of engines with these operations per second and this processor time for each.
fn part(row: &Row, figures: &[(f64, f64)]) -> Compared {
    let one = |(ops, cpu): &(f64, f64)| {
        let mut row = row.clone();
        (row.ops_per_second, row.cpu_us_per_op) = (*ops, Some(*cpu));
        vec![row]
    };
    Compared { rows: figures.iter().map(one).collect() }
}

#[test]
fn a_goal_is_held_against_the_better_peer_that_ran() {
    let row = row(Workload::ReadRandom);
    let all = ["nori", "rocksdb", "fjall", "lmdb"];
    let verdict = |names: &[&str], ops: &[f64]| {
        let figures: Vec<(f64, f64)> = ops.iter().map(|ops| (*ops, 1.0)).collect();
        cells(names, &part(&row, &figures))[1].clone()
    };
    // LMDB is no LSM-tree; fjall is the better one.
    assert_eq!(verdict(&all, &[200.0, 50.0, 100.0, 900.0]), "met (2.00)");
    assert_eq!(verdict(&all, &[199.0, 50.0, 100.0, 900.0]), "MISSED (1.99)");
    assert_eq!(verdict(&["nori", "rocksdb"], &[199.0, 50.0]), "met (3.98)");
    assert_eq!(verdict(&["nori", "lmdb"], &[200.0, 50.0]), "");
    assert_eq!(verdict(&["fjall", "rocksdb"], &[200.0, 50.0]), "");
}

#[test]
fn fills_owe_processor_time_too_and_absent_keys_two_ratios() {
    let names = ["nori", "rocksdb", "fjall"];
    let fill = row(Workload::FillRandom);
    let told = cells(&names, &part(&fill, &[(300.0, 2.0), (200.0, 2.0), (100.0, 3.0)]));
    assert_eq!(told, [">= 1.5 LSM, CPU <= 1.0 LSM", "met (1.50, 1.00)"]);
    let told = cells(&names, &part(&fill, &[(300.0, 2.5), (200.0, 2.0), (100.0, 3.0)]));
    assert_eq!(told[1], "MISSED (1.50, 1.25)");
    let missing = row(Workload::ReadMissing);
    let told = cells(&names, &part(&missing, &[(300.0, 1.0), (100.0, 1.0), (200.0, 1.0)]));
    assert_eq!(told, [">= 1.2 fjall, >= 3.0 rocksdb", "met (1.50, 3.00)"]);
    // Nothing was set for a merge of everything.
    let none = cells(&names, &part(&row(Workload::Compact), &[(1.0, 1.0); 3]));
    assert_eq!(none, ["", ""]);
}

#[test]
fn bytes_space_and_both_directions_have_goals_of_their_own() {
    let names = ["nori", "rocksdb"];
    let mut overwrite = part(&row(Workload::Overwrite), &[(1.0, 1.0); 2]);
    for (rows, written) in overwrite.rows.iter_mut().zip([80, 100]) {
        rows[0].system_bytes_written = Some(written);
        rows[0].space_amplification = Some(1.5);
    }
    let (scan, reverse) = (row(Workload::Scan), row(Workload::ScanReverse));
    let all = [
        overwrite,
        part(&scan, &[(100.0, 1.0), (1.0, 1.0)]),
        part(&reverse, &[(79.0, 1.0), (1.0, 1.0)]),
    ];
    let told = across(&names, &all);
    let verdicts: Vec<[&str; 2]> = told.iter().map(|t| [t[1].as_str(), t[2].as_str()]).collect();
    assert_eq!(verdicts, [["0.80", "met"], ["1.50", "MISSED"], ["0.79", "MISSED"]], "{told:?}");
    // Without RocksDB nothing is said of bytes, without the other scan nothing of directions.
    assert_eq!(across(&["nori", "fjall"], &all[..2]).len(), 1);
    assert!(across(&["rocksdb", "fjall"], &all).is_empty());
}
