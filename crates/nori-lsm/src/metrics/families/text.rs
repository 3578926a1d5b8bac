//! Families as text: the exposition format of Prometheus, version 0.0.4.
//!
//! ```text
//! # HELP nori_flushes_total Memtables flushed.
//! # TYPE nori_flushes_total counter
//! nori_flushes_total{store="/data"} 12
//! ```
//!
//! A histogram has a line for each bound, `_bucket{le="..."}`, and `_sum` and `_count`.

use super::{Family, Kind, Sample, Value, seconds};
use crate::metrics::{DiskInfo, Latency, Metrics};
use std::fmt::{self, Display, Write};

impl Metrics {
    /// All of it as text for Prometheus, served as `text/plain; version=0.0.4`. The book's page on
    /// metrics lists the names.
    pub fn to_prometheus(&self) -> String {
        self.to_prometheus_with(&[])
    }

    /// As [`Metrics::to_prometheus`], with labels on every line: a program with several stores
    /// tells them apart by one. What a label's name may not have, letters, digits and `_` aside,
    /// becomes `_`.
    pub fn to_prometheus_with(&self, labels: &[(&str, &str)]) -> String {
        text(&self.families(), labels)
    }
}

impl DiskInfo {
    /// As [`Metrics::to_prometheus`]; the two can be put behind each other.
    pub fn to_prometheus(&self) -> String {
        self.to_prometheus_with(&[])
    }

    /// As [`Metrics::to_prometheus_with`].
    pub fn to_prometheus_with(&self, labels: &[(&str, &str)]) -> String {
        text(&self.families(), labels)
    }
}

/// Families as text, the given labels on each line.
fn text(families: &[Family], labels: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for family in families {
        // Writing to a string does not fail.
        let _ = write_family(&mut out, family, labels);
    }
    out
}

fn write_family(out: &mut String, family: &Family, labels: &[(&str, &str)]) -> fmt::Result {
    let kind = match family.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    };
    let name = family.name;
    writeln!(out, "# HELP {name} {}", family.help)?;
    writeln!(out, "# TYPE {name} {kind}")?;
    for Sample { labels: own, value } in &family.samples {
        let mut all: Vec<(String, &str)> = labels.iter().map(|(n, v)| (label(n), *v)).collect();
        all.extend(own.iter().map(|(name, value)| (name.to_string(), value.as_str())));
        match value {
            Value::Integer(n) => line(out, name, "", &all, n)?,
            Value::Float(x) => line(out, name, "", &all, &Number(*x))?,
            Value::Durations(of) => write_histogram(out, name, &all, of)?,
        }
    }
    Ok(())
}

fn write_histogram(
    out: &mut String,
    name: &str,
    labels: &[(String, &str)],
    of: &Latency,
) -> fmt::Result {
    let bounds = of.buckets.iter().map(|b| (Number(seconds(b.le_ns)).to_string(), b.count));
    for (le, count) in bounds.chain([("+Inf".to_string(), of.count)]) {
        let mut labels = labels.to_vec();
        labels.push(("le".to_string(), &le));
        line(out, name, "_bucket", &labels, &count)?;
    }
    line(out, name, "_sum", labels, &Number(seconds(of.sum_ns)))?;
    line(out, name, "_count", labels, &of.count)
}

fn line(
    out: &mut String,
    name: &str,
    end: &str,
    labels: &[(String, &str)],
    value: &dyn Display,
) -> fmt::Result {
    write!(out, "{name}{end}")?;
    for (n, (label, of)) in labels.iter().enumerate() {
        let open = if n == 0 { '{' } else { ',' };
        write!(out, "{open}{label}=\"{}\"", escaped(of))?;
    }
    if !labels.is_empty() {
        out.push('}');
    }
    writeln!(out, " {value}")
}

/// A label's value between quotes.
fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

/// A label's name.
fn label(name: &str) -> String {
    let good = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let digit_first = name.starts_with(|c: char| c.is_ascii_digit());
    let first = if digit_first || name.is_empty() { "_" } else { "" };
    first.chars().chain(name.chars().map(good)).collect()
}

/// A number as Prometheus writes it.
struct Number(f64);

impl Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            x if x.is_nan() => f.write_str("NaN"),
            x if x == f64::INFINITY => f.write_str("+Inf"),
            x if x == f64::NEG_INFINITY => f.write_str("-Inf"),
            x => write!(f, "{x}"),
        }
    }
}

#[cfg(test)]
mod tests;
