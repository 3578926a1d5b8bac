//! A small run, and what a line says.

use super::table::Line;
use super::*;

#[test]
fn a_small_run_has_a_line_for_each_figure() {
    let args = Args { rounds: 1, load: Duration::from_millis(50), largest_mb: 10, part_of: 50 };
    let mut out = Vec::new();
    run(&args, &mut out).expect("runs");
    let told = String::from_utf8(out).expect("text");
    for part in [
        "| memtable insert, up to 10000 entries | 50 ns |",
        "| filter of 2000 keys | 50 ms |",
        "| merge of 4 runs, 10 MB | 100 ms |",
        "| flush of 1 MB, filter included | 250 ms |",
        "green zone",
        "| the best second, buffered, 2 threads | 50 k/s |",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    assert!(!told.contains("1000 MB"), "{told}");
}

#[test]
fn better_is_less_time_or_more_of_a_rate() {
    let line = |named, measured| Line { what: String::new(), words: "", named, unit: "", measured };
    assert_eq!(line(Named::AtMost(50.0), Some(100.0)).better(), Some(0.5));
    assert_eq!(line(Named::AtLeast(50.0), Some(100.0)).better(), Some(2.0));
    assert_eq!(line(Named::AtLeast(50.0), None).better(), None);
    let parse = |words: &str| {
        Args::parse(&words.split_whitespace().map(str::to_string).collect::<Vec<_>>())
    };
    let said = parse("--rounds 2 --seconds 1 --largest-mb 10").expect("parses");
    assert_eq!((said.rounds, said.load.as_secs(), said.largest_mb), (2, 1, 10));
    for wrong in ["--rounds", "--rounds x", "--sideways 1"] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
}
