//! Small runs of all engines: they answer alike, and if one does not, that is told.

use super::run::Compared;
use super::*;
use nori_bench::{Bench, NORI, Plan, Quiet, Row, Workload};
use std::time::Duration;

fn args(name: &str) -> Args {
    let dir = std::env::temp_dir().join(format!("nori-peers-{name}-{}", std::process::id()));
    let mut args = Args::new(dir);
    args.plan = Plan { keys: 3000, durable_time: Duration::from_millis(50), ..args.plan };
    args.plan.options.buffer_bytes = 1 << 20;
    args.rounds = 1;
    args
}

#[test]
fn all_engines_answer_alike_on_every_workload() {
    let mut args = args("alike");
    args.workloads = Workload::ALL.to_vec();
    args.plot = Some(std::env::temp_dir().join(format!("peers-{}.svg", std::process::id())));
    let mut out = Vec::new();
    let alike = run(&args, &mut out).expect("runs");
    let told = String::from_utf8(out).expect("text");
    assert!(alike, "{told}");
    for part in ["| scan | 1 |", "equal", "nori / lmdb", "CPU us/op", "| ycsb-e | 1 |"] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    // 12 that read one by one or scan; more with their parts, and none of those with a writer.
    assert!(told.matches("equal").count() >= 15, "{told}");
    let plot = args.plot.expect("set above");
    let svg = std::fs::read_to_string(&plot).expect("drawn");
    assert!(svg.contains(">lmdb</text>"));
    std::fs::remove_file(plot).expect("removed");
    assert!(!args.plan.dir.exists());
}

#[test]
fn medians_and_different_answers() {
    let args = args("medians");
    let rows = |seed| -> Vec<Row> {
        let plan = Plan { seed, dir: args.plan.dir.join("one"), ..args.plan.clone() };
        let mut bench = Bench::new(NORI, &plan).expect("a plan");
        let mut rows = bench.run(Workload::ReadRandom, &Quiet).expect("runs");
        bench.remove().expect("removed");
        rows.push(rows[0].clone());
        rows
    };
    let (mut one, other) = (rows(1), rows(2));
    assert_eq!(Compared { rows: vec![one.clone(), one.clone()] }.alike(), Some(true));
    assert_eq!(Compared { rows: vec![one.clone(), other] }.alike(), Some(false));
    one.push(one[0].clone());
    for (row, ops) in one.iter_mut().zip([3.0, 1.0, 2.0]) {
        row.ops_per_second = ops;
    }
    let pick = |row: &Row| Some(row.ops_per_second);
    let mut compared = Compared { rows: vec![one] };
    assert_eq!(compared.median(0, pick), Some(2.0));
    compared.rows[0].pop();
    // Of two the mean.
    assert_eq!((compared.median(0, pick), compared.median(1, pick)), (Some(2.0), None));
    std::fs::remove_dir_all(&args.plan.dir).expect("removed");
}

#[test]
fn a_wrong_command_line_is_told() {
    let parse = |words: &str| {
        Args::parse(&words.split_whitespace().map(str::to_string).collect::<Vec<_>>())
    };
    let said = parse("--keys 500 --workload scan,seek10 --engines nori,lmdb --rounds 5");
    let said = said.expect("parses");
    assert_eq!((said.plan.keys, said.rounds, said.workloads.len()), (500, 5, 2));
    for wrong in ["--keys", "--keys x", "--workload nothing", "--sideways 1"] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
    let unknown = Args { engines: vec!["other".to_string()], ..args("unknown") };
    assert!(run(&unknown, &mut Vec::new()).is_err());
}
