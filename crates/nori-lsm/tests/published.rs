//! The features `metrics` and `tracing`: what a recorder and a subscriber of a program hear.

#[path = "support/small.rs"]
#[allow(dead_code)] // Each program takes what it needs.
mod small;

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, Key, KeyName, Metadata, Recorder, SharedString,
    Unit,
};
use nori_env::sync::{Arc, Mutex};
use nori_env::{Fault, FaultFs, FaultRule, FsOp, MemFs};
use nori_lsm::Lsm;
use small::{ROOT, config, fill, key, on};
use std::collections::BTreeMap;
use std::fmt::{Debug, Write};
use std::sync::LazyLock;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};

/// Held by each test: whether anybody hears of a place in the code is remembered for the process,
/// and a thread without a subscriber, which comes there first, would say that nobody does.
static ALONE: LazyLock<Mutex<()>> = LazyLock::new(|| Mutex::new(()));

/// A value by its key as text.
#[derive(Clone, Default)]
struct Heard {
    values: Arc<Mutex<BTreeMap<String, f64>>>,
    units: Arc<Mutex<BTreeMap<String, Unit>>>,
}

struct Cell {
    of: String,
    values: Arc<Mutex<BTreeMap<String, f64>>>,
}

impl CounterFn for Cell {
    fn increment(&self, n: u64) {
        panic!("{}: {n} more, and not all of them", self.of);
    }

    fn absolute(&self, n: u64) {
        self.set(n as f64);
    }
}

impl GaugeFn for Cell {
    fn increment(&self, x: f64) {
        panic!("{}: {x} more, and not all", self.of);
    }

    fn decrement(&self, x: f64) {
        panic!("{}: {x} less, and not what is left", self.of);
    }

    fn set(&self, x: f64) {
        self.values.lock().insert(self.of.clone(), x);
    }
}

impl Heard {
    fn cell(&self, key: &Key) -> Arc<Cell> {
        let mut of = key.name().to_string();
        key.labels().for_each(|label| {
            let _ = write!(of, " {}={}", label.key(), label.value());
        });
        Arc::new(Cell { of, values: Arc::clone(&self.values) })
    }

    fn describe(&self, name: &KeyName, unit: Option<Unit>, help: &str) {
        assert!(!help.is_empty());
        self.units.lock().insert(name.as_str().to_string(), unit.expect("has a unit"));
    }

    fn value(&self, of: &str) -> f64 {
        *self.values.lock().get(of).unwrap_or_else(|| panic!("{of} was not published"))
    }
}

impl Recorder for Heard {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.describe(&name, unit, &help);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
        self.describe(&name, unit, &help);
    }

    fn describe_histogram(&self, name: KeyName, _: Option<Unit>, _: SharedString) {
        panic!("{}: durations go out by bounds", name.as_str());
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.cell(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.cell(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        panic!("{}: durations go out by bounds", key.name());
    }
}

/// All that the text for Prometheus has is published too, under the same names and values.
#[test]
fn a_recorder_hears_what_the_text_says() {
    let _alone = ALONE.lock();
    let disk = MemFs::new(51);
    let store = Lsm::open_with(ROOT, config(on(&disk))).expect("opens");
    fill(&store, 300, 0);
    store.compact().expect("merges");
    store.keyspace("other").expect("makes").put("a", "b").expect("writes");
    let heard = Heard::default();
    let publish = || store.publish_metrics(&[("store", "x")]).expect("publishes");
    metrics::with_local_recorder(&heard, publish);
    let text = store.metrics().to_prometheus() + &store.disk().expect("looks").to_prometheus();
    let mut lines = 0;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (of, value) = line.rsplit_once(' ').expect("a value");
        let (name, labels) = of.trim_end_matches('}').split_once('{').unwrap_or((of, ""));
        let mut of = format!("{name} store=x");
        for label in labels.split(',').filter(|label| !label.is_empty()) {
            let _ = write!(of, " {}", label.replace('"', ""));
        }
        assert_eq!(heard.value(&of), value.parse::<f64>().expect("a number"), "{line}");
        lines += 1;
    }
    assert_eq!(lines, heard.values.lock().len());
    assert_eq!(heard.value("nori_flushes_total store=x"), store.metrics().flushes as f64);
    let units = heard.units.lock();
    assert_eq!(units["nori_flush_bytes_total"], Unit::Bytes);
    assert_eq!(units["nori_sync_duration_seconds_sum"], Unit::Seconds);
    assert_eq!(units["nori_paced_microseconds_total"], Unit::Microseconds);
    assert_eq!(units["nori_keyspace_reads_per_second"], Unit::CountPerSecond);
    assert_eq!(units["nori_slots"], Unit::Count);
}

/// Lines of level, message and fields.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<(Level, String)>>>);

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = match field.name() {
            "message" => write!(self.0, "[{value:?}]"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "nori_lsm"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        self.0.lock().push((*event.metadata().level(), text.0));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

impl Lines {
    fn has(&self, level: Level, part: &str) -> bool {
        self.0.lock().iter().any(|(at, line)| *at == level && line.contains(part))
    }

    fn len(&self) -> usize {
        self.0.lock().len()
    }
}

#[test]
fn a_subscriber_hears_of_work_and_failures_and_not_of_gets_and_puts() {
    let _alone = ALONE.lock();
    let lines = Lines::default();
    tracing::subscriber::with_default(lines.clone(), || {
        let disk = MemFs::new(52);
        let faults = FaultFs::new(on(&disk));
        let open = || Lsm::open_with(ROOT, config(Arc::new(faults.clone())).max_sealed(1));
        let store = open().expect("opens");
        assert!(lines.has(Level::INFO, "[opened]") && lines.has(Level::INFO, "created=true"));
        let before = lines.len();
        fill(&store, 10, 0);
        (0..10).for_each(|n| drop(store.get(key(n)).expect("reads")));
        assert_eq!(lines.len(), before, "{:?}", lines.0.lock());
        fill(&store, 400, 1);
        store.compact().expect("merges");
        assert!(lines.has(Level::DEBUG, "[flush begins]") && lines.has(Level::DEBUG, "[flushed]"));
        assert!(lines.has(Level::DEBUG, "[merge begins]") && lines.has(Level::DEBUG, "[merged]"));
        assert!(lines.has(Level::TRACE, "[TableDeleted]") || store.metrics().tables_deleted == 0);
        store.checkpoint("/copy").expect("copies");
        store.checkpoint("/copy").expect_err("there is something");
        assert!(lines.has(Level::INFO, "[checkpoint done]"));
        assert!(lines.has(Level::ERROR, "[checkpoint failed]"));
        faults.inject(FaultRule::new(Fault::Eio).on(FsOp::Create).path(".sst"));
        assert!((0..1000).any(|n| store.put(key(n), [1; 100]).is_err()), "waits in vain");
        assert!(lines.has(Level::WARN, "[a writer waits]"));
        assert!(lines.has(Level::WARN, "admitted=false"));
        assert!(lines.has(Level::ERROR, "[background work failed]"));
        assert!(lines.0.lock().iter().all(|(_, line)| line.contains("store=\"/store\"")));
    });
    assert!(lines.len() > 20);
}
