//! The text read back, by what the format says of it.

use super::*;
use crate::metrics::KeyspaceInfo;
use std::collections::{BTreeMap, BTreeSet};

/// What a reader of the format understands.
#[derive(Debug, Default)]
struct Read {
    kinds: BTreeMap<String, String>,
    helps: BTreeSet<String>,
    /// Values by name and labels.
    values: BTreeMap<(String, Vec<(String, String)>), f64>,
}

fn is_name(name: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && name.chars().all(good) && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// `a="b",c="d"}` and what follows.
fn labels(text: &str) -> (Vec<(String, String)>, &str) {
    let (mut found, mut rest) = (Vec::new(), text);
    loop {
        let (name, behind) = rest.split_once("=\"").expect("a label has a value");
        assert!(is_name(name), "{name}");
        let (mut value, mut chars) = (String::new(), behind.char_indices());
        let end = loop {
            match chars.next().expect("a label's value ends") {
                (at, '"') => break at + 1,
                (_, '\\') => match chars.next().expect("something is escaped").1 {
                    'n' => value.push('\n'),
                    c => value.push(c),
                },
                (_, c) => value.push(c),
            }
        };
        found.push((name.to_string(), value));
        rest = &behind[end..];
        match rest.strip_prefix('}') {
            Some(end) => return (found, end),
            None => rest = rest.strip_prefix(',').expect("another label"),
        }
    }
}

fn read(text: &str) -> Read {
    let mut all = Read::default();
    let mut family = String::new();
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').expect("a help text");
            assert!(is_name(name) && !help.is_empty() && all.helps.insert(name.to_string()));
            family = name.to_string();
            continue;
        }
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').expect("a kind");
            assert_eq!(name, family, "HELP and TYPE stand together, before the values");
            assert!(all.kinds.insert(name.to_string(), kind.to_string()).is_none());
            continue;
        }
        let at = line.find(['{', ' ']).expect("a value");
        let (name, rest) = line.split_at(at);
        let (labels, rest) = match rest.strip_prefix('{') {
            Some(inside) => labels(inside),
            None => (Vec::new(), rest),
        };
        let value = rest.strip_prefix(' ').expect("a space").parse().expect("a number");
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        let base = base.filter(|base| all.kinds.get(*base).is_some_and(|k| k == "histogram"));
        assert_eq!(base.unwrap_or(name), family, "values stand below their family");
        assert!(all.values.insert((name.to_string(), labels), value).is_none(), "twice: {line}");
    }
    all
}

fn sample() -> Metrics {
    let histogram = crate::metrics::latency::Histogram::default();
    [300, 5_000, 5_000_000_000].iter().for_each(|ns| histogram.add(*ns, 2));
    let mut metrics = Metrics { flushes: 12, pressure: 0.25, ..Metrics::default() };
    metrics.latencies.get = histogram.read();
    let name = "quo\"ted\\ and\nbroken".to_string();
    metrics.keyspaces = vec![
        KeyspaceInfo { name, bytes: 7, ..KeyspaceInfo::default() },
        KeyspaceInfo { name: "default".into(), reads_per_s: 1.5, ..KeyspaceInfo::default() },
    ];
    metrics
}

#[test]
fn what_is_written_is_read_back() {
    let text = sample().to_prometheus_with(&[("store", "C:\\nori"), ("2nd-label", "x")]);
    let read = read(&text);
    let value = |name: &str, own: &[(&str, &str)]| {
        let mut labels = vec![("store", "C:\\nori"), ("_2nd_label", "x")];
        labels.extend(own);
        let owned = labels.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
        *read.values.get(&(name.to_string(), owned)).unwrap_or_else(|| panic!("{name} {own:?}"))
    };
    assert_eq!(value("nori_flushes_total", &[]), 12.0);
    assert_eq!(value("nori_pressure", &[]), 0.25);
    let odd = [("keyspace", "quo\"ted\\ and\nbroken")];
    assert_eq!(value("nori_keyspace_table_bytes", &odd), 7.0);
    assert_eq!(value("nori_keyspace_reads_per_second", &[("keyspace", "default")]), 1.5);
    assert_eq!(value("nori_get_duration_seconds_count", &[]), 6.0);
    assert_eq!(value("nori_get_duration_seconds_sum", &[]), 10.0000106);
    assert_eq!(value("nori_get_duration_seconds_bucket", &[("le", "0.000000255")]), 0.0);
    assert_eq!(value("nori_get_duration_seconds_bucket", &[("le", "0.000000511")]), 2.0);
    assert_eq!(value("nori_get_duration_seconds_bucket", &[("le", "+Inf")]), 6.0);
    let top = value("nori_duration_quantile_seconds", &[("op", "get"), ("quantile", "1")]);
    assert_eq!(top, 5.0);
    assert_eq!(read.kinds["nori_get_duration_seconds"], "histogram");
}

#[test]
fn names_say_what_they_are() {
    let disk = DiskInfo::default().to_prometheus();
    let read = read(&(sample().to_prometheus() + &disk));
    assert_eq!(read.kinds.len(), read.helps.len());
    for (name, kind) in &read.kinds {
        assert!(name.starts_with("nori_"), "{name}");
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
        assert_eq!(kind == "histogram", name.ends_with("_duration_seconds"), "{name}");
        assert!(read.values.keys().any(|(of, _)| of.starts_with(name.as_str())), "{name}");
    }
    let bounds = read.values.keys().filter(|(name, _)| name == "nori_get_duration_seconds_bucket");
    assert_eq!(bounds.count(), 30);
}
