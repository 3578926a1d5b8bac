//! The first part of the demo: many records written, read one by one, and read in order.

use crate::failure::Failure;
use crate::out::Out;
use crate::progress::Progress;
use crate::units;
use nori_bench::{Histogram, Latency, Rng, Shuffle};
use nori_lsm::Lsm;
use serde::Serialize;
use std::time::{Duration, Instant};

/// Operations between two looks of the progress.
const PROGRESS_EVERY: u64 = 1024;
const SEED: u64 = 2024;

/// What the three rounds took, and whether all was as it must be.
#[derive(Serialize)]
pub(super) struct Report {
    count: u64,
    user_bytes: u64,
    write: Round,
    read: Round,
    scan_seconds: f64,
    scan_per_second: f64,
    wrong: u64,
}

impl Report {
    pub(super) fn ok(&self) -> bool {
        self.wrong == 0
    }
}

#[derive(Serialize)]
struct Round {
    seconds: f64,
    per_second: f64,
    latency: Latency,
}

impl Round {
    fn new(histogram: &Histogram, elapsed: Duration) -> Round {
        let seconds = elapsed.as_secs_f64();
        let per_second = units::rate(histogram.total(), seconds);
        Round { seconds, per_second, latency: histogram.latency() }
    }

    fn tell(&self, bytes: u64, out: &mut Out) -> Result<(), Failure> {
        let ns = units::nanoseconds;
        out.say(format!(
            "  {}/s ({}), {} in all. Each took p50 {}, p99 {}, p99.9 {}, at most {}.\n",
            units::count(self.per_second as u64),
            units::bytes_rate(bytes, self.seconds),
            units::time(Duration::from_secs_f64(self.seconds)),
            ns(self.latency.p50_ns),
            ns(self.latency.p99_ns),
            ns(self.latency.p999_ns),
            ns(self.latency.max_ns)
        ))
    }
}

fn key(i: u64) -> String {
    format!("user:{i:012}")
}

/// What a record must be, whenever it is asked for.
fn value(i: u64) -> String {
    const NAMES: [&str; 8] = ["Ada", "Alan", "Barbara", "Edgar", "Grace", "Jim", "Leslie", "Pat"];
    const CITIES: [&str; 5] = ["Kyoto", "Lisbon", "Nairobi", "Oslo", "Quito"];
    let mut rng = Rng::new(i);
    let name = NAMES[rng.below(NAMES.len() as u64) as usize];
    let city = CITIES[rng.below(CITIES.len() as u64) as usize];
    let (visits, token) = (rng.below(10_000), rng.next_u64());
    format!(
        r#"{{"id":{i},"name":"{name}","city":"{city}","visits":{visits},"token":"{token:016x}"}}"#
    )
}

/// Writes `n` records, reads as many, and reads all in order.
pub(super) fn run(store: &Lsm, n: u64, out: &mut Out) -> Result<Report, Failure> {
    out.say(format!(
        "  Writing {}, one put each, in random order. Each put goes to the log and to\n  \
         memory; full memory becomes sorted tables in the background.",
        units::plural(n, "record", "records")
    ))?;
    let (write, user_bytes) = write_all(store, n, out)?;
    write.tell(user_bytes, out)?;
    out.say("  Reading random records, and checking every byte of each.")?;
    let (read, read_bytes, read_wrong) = read_random(store, n, out)?;
    read.tell(read_bytes, out)?;
    out.say("  Reading all records in order, and checking that each is there once.")?;
    let (elapsed, scan_wrong) = scan_all(store, n, out)?;
    let scan_seconds = elapsed.as_secs_f64();
    let scan_per_second = units::rate(n, scan_seconds);
    let wrong = read_wrong + scan_wrong;
    let verdict = match wrong {
        0 => "all are right".to_string(),
        wrong => format!("{wrong} ARE WRONG"),
    };
    out.say(format!(
        "  {}/s ({}), {} in all; {verdict}.\n",
        units::count(scan_per_second as u64),
        units::bytes_rate(user_bytes, scan_seconds),
        units::time(elapsed)
    ))?;
    Ok(Report { count: n, user_bytes, write, read, scan_seconds, scan_per_second, wrong })
}

fn write_all(store: &Lsm, n: u64, out: &Out) -> Result<(Round, u64), Failure> {
    let progress = Progress::things(out, "  writing", n);
    let (mut histogram, order) = (Histogram::new(), Shuffle::new(n, SEED));
    let (started, mut bytes) = (Instant::now(), 0);
    for at in 0..n {
        let i = order.at(at);
        let (key, value) = (key(i), value(i));
        bytes += (key.len() + value.len()) as u64;
        let before = Instant::now();
        store.put(&key, &value)?;
        histogram.record(before.elapsed().as_nanos() as u64);
        tick(&progress, at);
    }
    store.sync()?;
    Ok((Round::new(&histogram, started.elapsed()), bytes))
}

fn read_random(store: &Lsm, n: u64, out: &Out) -> Result<(Round, u64, u64), Failure> {
    let progress = Progress::things(out, "  reading", n);
    let (mut histogram, mut rng) = (Histogram::new(), Rng::new(SEED));
    let (started, mut bytes, mut wrong) = (Instant::now(), 0, 0);
    for at in 0..n {
        let i = rng.below(n);
        let key = key(i);
        let before = Instant::now();
        let found = store.get(&key)?;
        histogram.record(before.elapsed().as_nanos() as u64);
        let right = found.as_ref().is_some_and(|found| found[..] == *value(i).as_bytes());
        wrong += u64::from(!right);
        bytes += found.map_or(0, |found| (key.len() + found.len()) as u64);
        tick(&progress, at);
    }
    Ok((Round::new(&histogram, started.elapsed()), bytes, wrong))
}

fn scan_all(store: &Lsm, n: u64, out: &Out) -> Result<(Duration, u64), Failure> {
    let progress = Progress::things(out, "  scanning", n);
    let started = Instant::now();
    let (mut seen, mut wrong) = (0, 0);
    for entry in store.prefix("user:") {
        let (found, content) = entry?;
        let right = found[..] == *key(seen).as_bytes() && content[..] == *value(seen).as_bytes();
        wrong += u64::from(!right);
        tick(&progress, seen);
        seen += 1;
    }
    Ok((started.elapsed(), wrong + n.abs_diff(seen)))
}

fn tick(progress: &Progress, at: u64) {
    if (at + 1).is_multiple_of(PROGRESS_EVERY) {
        progress.add(PROGRESS_EVERY);
    }
}
