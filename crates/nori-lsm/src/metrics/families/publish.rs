//! Families for a recorder of the `metrics` crate.
//!
//! A histogram goes out as Prometheus keeps it: a counter for each bound, a count and a sum. To a
//! histogram of that crate each value would have to be told by itself, but only one get of 64 is
//! timed and stands for the others, and exporters keep every value until they are asked.

use super::{Family, Kind, Sample, Value, seconds};
use crate::error::Result;
use crate::lsm::Lsm;
use ::metrics::{Key, Label, Level, Metadata, Recorder, SharedString, Unit};

static METADATA: Metadata<'static> = Metadata::new("nori_lsm", Level::INFO, Some(module_path!()));

impl Lsm {
    /// Hands the numbers of the store and of its files to the recorder of the `metrics` crate that
    /// the program has installed, under the names that the book lists. To be called when they are
    /// wanted, before a scrape or every few seconds: a store starts no thread for it and looks at
    /// nothing while nobody asks. `labels` go on every value; a program with several stores tells
    /// them apart by one.
    ///
    /// # Errors
    /// As [`Lsm::disk`]; all but the files was published then.
    pub fn publish_metrics(&self, labels: &[(&str, &str)]) -> Result<()> {
        let own = |(name, value): &(&str, &str)| Label::new(name.to_string(), value.to_string());
        let labels: Vec<Label> = labels.iter().map(own).collect();
        let publish = |families: &[Family]| {
            ::metrics::with_recorder(|to| families.iter().for_each(|f| record(to, f, &labels)));
        };
        publish(&self.metrics().families());
        publish(&self.disk()?.families());
        Ok(())
    }
}

fn unit_of(name: &str) -> Unit {
    match name.trim_end_matches("_total") {
        bytes if bytes.ends_with("_bytes") => Unit::Bytes,
        micros if micros.ends_with("_microseconds") => Unit::Microseconds,
        rate if rate.ends_with("_per_second") => Unit::CountPerSecond,
        seconds if seconds.ends_with("_seconds") => Unit::Seconds,
        _ => Unit::Count,
    }
}

fn record(to: &dyn Recorder, family: &Family, labels: &[Label]) {
    let (name, unit) = (family.name, unit_of(family.name));
    let help = || SharedString::const_str(family.help);
    match family.kind {
        Kind::Counter => to.describe_counter(name.into(), Some(unit), help()),
        Kind::Gauge => to.describe_gauge(name.into(), Some(unit), help()),
        Kind::Histogram => {
            to.describe_counter(format!("{name}_bucket").into(), Some(Unit::Count), help());
            to.describe_counter(format!("{name}_count").into(), Some(Unit::Count), help());
            to.describe_gauge(format!("{name}_sum").into(), Some(unit), help());
        }
    }
    for Sample { labels: own, value } in &family.samples {
        let own = own.iter().map(|(name, value)| Label::new(*name, value.clone()));
        let all: Vec<Label> = labels.iter().cloned().chain(own).collect();
        let counter = |name: String, labels: Vec<Label>, n: u64| {
            to.register_counter(&Key::from_parts(name, labels), &METADATA).absolute(n);
        };
        let gauge = |name: String, labels: Vec<Label>, x: f64| {
            to.register_gauge(&Key::from_parts(name, labels), &METADATA).set(x);
        };
        match value {
            Value::Integer(n) if family.kind == Kind::Counter => counter(name.into(), all, *n),
            Value::Integer(n) => gauge(name.into(), all, *n as f64),
            Value::Float(x) => gauge(name.into(), all, *x),
            Value::Durations(of) => {
                let bounds = of.buckets.iter().map(|b| (seconds(b.le_ns).to_string(), b.count));
                for (le, count) in bounds.chain([("+Inf".to_string(), of.count)]) {
                    let mut labels = all.clone();
                    labels.push(Label::new("le", le));
                    counter(format!("{name}_bucket"), labels, count);
                }
                counter(format!("{name}_count"), all.clone(), of.count);
                gauge(format!("{name}_sum"), all, seconds(of.sum_ns));
            }
        }
    }
}
