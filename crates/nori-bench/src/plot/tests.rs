//! The drawing is well-formed, and its marks are round.

use super::axis::{Unit, ticks};
use super::*;
use crate::histogram::Latency;

fn row(engine: &str, workload: &str, samples: Vec<Sample>) -> Row {
    let mut row = Row::empty(engine, workload);
    row.samples = samples;
    row.latency = Some(Latency { p50_ns: 1, p99_ns: 2, p999_ns: 3, max_ns: 4 });
    row
}

fn sample(at_seconds: f64, ops_per_second: f64, p99_ns: Option<u64>) -> Sample {
    Sample { at_seconds, ops_per_second, p99_ns }
}

/// Checks that each element is closed in order and that text holds no bare sign; gives the names.
fn elements(xml: &str) -> Vec<String> {
    let (mut open, mut all) = (Vec::new(), Vec::new());
    let mut rest = xml;
    while let Some(at) = rest.find('<') {
        let text = &rest[..at];
        assert!(!text.contains('>'), "{text}");
        for part in text.split('&').skip(1) {
            assert!(["amp;", "lt;", "gt;"].iter().any(|e| part.starts_with(e)), "&{part}");
        }
        let end = at + rest[at..].find('>').expect("a tag has an end");
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        let name = tag.trim_matches('/').split_whitespace().next().expect("a name").to_string();
        assert!(tag.matches('"').count().is_multiple_of(2), "{tag}");
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "{tag}");
        } else {
            if !tag.ends_with('/') {
                open.push(name.clone());
            }
            all.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
    all
}

#[test]
fn a_drawing_is_well_formed_and_holds_every_line() {
    let long = (1..=100).map(|s| sample(f64::from(s), 1e5 + f64::from(s), Some(7_000))).collect();
    let rows = [
        row("nori", "fillseq", vec![sample(1.0, 120_000.0, Some(4_500)), sample(1.4, 9e4, None)]),
        row("other <&>", "fillseq", vec![sample(0.7, 80_000.0, Some(1_500_000))]),
        row("nori", "scan", vec![sample(0.2, 3e6, None)]),
        row("nori", "compact", Vec::new()),
        row("nori", "readrandom", long),
    ];
    let svg = plot("a < b & c", "on \"this\" machine", &rows);
    let elements = elements(&svg);
    let count = |name: &str| elements.iter().filter(|element| *element == name).count();
    assert_eq!(count("svg"), 1);
    // Two engines in one strip, a scan without latencies, and a long line without dots.
    assert_eq!(count("polyline"), 4 + 1 + 2);
    assert_eq!(count("circle"), 2 + 1 + 1 + 1 + 1);
    for part in ["a &lt; b &amp; c", "fillseq, 1 thread", "p99 latency", "ms", "125 k", "100 s"] {
        assert!(svg.contains(part), "{part}\n{svg}");
    }
    assert!(svg.contains("not timed one by one") && !svg.contains("compact"));
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    assert_eq!(elements_of_nothing(), 1);
}

fn elements_of_nothing() -> usize {
    elements(&plot("", "", &[])).iter().filter(|element| *element == "svg").count()
}

#[test]
fn marks_are_round_and_reach_the_highest() {
    let mut highest = 0.000_123;
    while highest < 1e12 {
        let ticks = ticks(highest);
        let last = ticks[ticks.len() - 1];
        assert!(ticks[0] == 0.0 && last >= highest * 0.999 && ticks.len() <= 7, "{highest}");
        assert!(last < highest * 2.0, "{highest} {ticks:?}");
        highest *= 1.37;
    }
    assert_eq!(ticks(10.0), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
    for nothing in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(ticks(nothing), [0.0, 1.0]);
    }
    let cases = [
        (Unit::Count, 0.0, "0"),
        (Unit::Count, 250_000.0, "250 k"),
        (Unit::Count, 1_500_000.0, "1.5 M"),
        (Unit::Seconds, 0.25, "0.25 s"),
        (Unit::Seconds, 0.0025, "0.0025 s"),
        (Unit::Nanoseconds, 2_500.0, "2.5 us"),
        (Unit::Nanoseconds, 999.0, "999 ns"),
    ];
    for (unit, value, words) in cases {
        assert_eq!(unit.label(value), words);
    }
}
