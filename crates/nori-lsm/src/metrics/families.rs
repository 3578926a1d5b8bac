//! The names under which the numbers of a store are shown to tools, with their units.
//!
//! A family is what Prometheus calls so: a name, what it means, and one value or several that
//! differ by their labels. [`text`] writes families as text; with the feature `metrics` they are
//! also handed to that crate's recorder.
//!
//! 1. Nothing that [`Metrics`](super::Metrics) and [`DiskInfo`](super::DiskInfo) have is left out;
//!    a test counts.
//! 2. A counter ends in `_total` and only grows; a name says its unit: `bytes`, `seconds`.

mod disk;
mod keyspaces;
#[cfg(feature = "metrics")]
mod publish;
mod store;
pub(super) mod text;

use super::latency::Latency;

/// What kind of value a family has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Grows from 0 when the store is opened.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by duration.
    Histogram,
}

/// A name and its values.
#[derive(Clone, Debug)]
pub(crate) struct Family {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) help: &'static str,
    pub(crate) samples: Vec<Sample>,
}

/// A value and what tells it apart from the others of its family.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) labels: Vec<(&'static str, String)>,
    pub(crate) value: Value,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    Integer(u64),
    Float(f64),
    Durations(Latency),
}

impl Family {
    fn one(name: &'static str, kind: Kind, help: &'static str, value: Value) -> Family {
        Family { name, kind, help, samples: vec![Sample { labels: Vec::new(), value }] }
    }

    fn counter(name: &'static str, help: &'static str, value: u64) -> Family {
        Family::one(name, Kind::Counter, help, Value::Integer(value))
    }

    fn gauge(name: &'static str, help: &'static str, value: u64) -> Family {
        Family::one(name, Kind::Gauge, help, Value::Integer(value))
    }

    /// Several values that one label tells apart.
    fn by<T: Into<String>>(
        name: &'static str,
        kind: Kind,
        help: &'static str,
        label: &'static str,
        values: impl IntoIterator<Item = (T, Value)>,
    ) -> Family {
        let sample = |(of, value): (T, Value)| Sample { labels: vec![(label, of.into())], value };
        Family { name, kind, help, samples: values.into_iter().map(sample).collect() }
    }
}

/// Nanoseconds as seconds.
pub(crate) fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}
