//! Puts of a whole store: synced ones by how hard the store is pressed, and loads.

use super::Named;
use super::table::Line;
use crate::parts::Result;
use crate::{Scratch, key, value};
use nori_bench::{Histogram, Rng};
use nori_lsm::{Config, Durability, Lsm, PressureZone};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Keys of a load are drawn from so many.
const KEYS: u64 = 2_000_000;
/// How often the zone is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// Fewer puts than this say nothing of a p95.
const PUTS_MIN: u64 = 100;
/// A write buffer so small that flushes and merges cannot follow.
const PRESSED_BYTES: usize = 64 << 10;
const PRESSED_VALUE: usize = 4_000;
const PRESSED_THREADS: u64 = 16;
const ZONES: [PressureZone; 4] =
    [PressureZone::Green, PressureZone::Yellow, PressureZone::Orange, PressureZone::Red];

/// What one load did.
struct Load {
    threads: u64,
    value_bytes: usize,
    time: Duration,
}

/// What came of it: latencies by the zone in which a put began, and puts of each second.
#[derive(Default)]
struct Loaded {
    zones: [Histogram; ZONES.len()],
    seconds: Vec<u64>,
}

impl Load {
    fn run(&self, store: &Lsm) -> Result<Loaded> {
        let (zone, ended) = (AtomicUsize::new(0), AtomicBool::new(false));
        let started = Instant::now();
        std::thread::scope(|scope| {
            let (zone, ended) = (&zone, &ended);
            scope.spawn(move || {
                while !ended.load(Ordering::Acquire) {
                    let now = store.pressure().zone;
                    let at = ZONES.iter().position(|zone| *zone == now).unwrap_or(0);
                    zone.store(at, Ordering::Relaxed);
                    std::thread::sleep(LOOK_EVERY);
                }
            });
            let start = |thread| scope.spawn(move || self.part(store, thread, started, zone));
            let running: Vec<_> = (0..self.threads).map(start).collect();
            let mut all = Loaded::default();
            let mut failed: Result<()> = Ok(());
            for thread in running {
                match thread.join() {
                    Ok(Ok(done)) => all.add(done),
                    Ok(Err(error)) => failed = Err(error.into()),
                    Err(_) => failed = Err("a thread of the bench panicked".into()),
                }
            }
            ended.store(true, Ordering::Release);
            failed.map(|()| all)
        })
    }

    fn part(
        &self,
        store: &Lsm,
        thread: u64,
        started: Instant,
        zone: &AtomicUsize,
    ) -> nori_lsm::Result<Loaded> {
        let (mut done, mut rng) = (Loaded::default(), Rng::new(thread));
        let mut bytes = vec![b'v'; self.value_bytes];
        let mut before = Instant::now();
        while before - started < self.time {
            let number = rng.below(KEYS);
            // The head of a large value, or all of a small one.
            let head = value(number);
            let len = head.len().min(bytes.len());
            bytes[..len].copy_from_slice(&head[..len]);
            let at = zone.load(Ordering::Relaxed);
            store.put(key(number), &bytes)?;
            let now = Instant::now();
            done.zones[at].record((now - before).as_nanos() as u64);
            let second = (now - started).as_secs() as usize;
            if done.seconds.len() <= second {
                done.seconds.resize(second + 1, 0);
            }
            done.seconds[second] += 1;
            before = now;
        }
        Ok(done)
    }
}

impl Loaded {
    fn add(&mut self, other: Loaded) {
        for (mine, theirs) in self.zones.iter_mut().zip(&other.zones) {
            mine.merge(theirs);
        }
        self.seconds.resize(self.seconds.len().max(other.seconds.len()), 0);
        for (mine, theirs) in self.seconds.iter_mut().zip(other.seconds) {
            *mine += theirs;
        }
    }

    fn puts(&self) -> u64 {
        self.seconds.iter().sum()
    }

    /// The p95 of a zone in milliseconds, if it has enough puts.
    fn p95_ms(&self, zone: usize) -> Option<f64> {
        let puts = &self.zones[zone];
        (puts.total() >= PUTS_MIN).then(|| puts.percentile(950) as f64 / 1e6)
    }
}

fn config(durability: Durability) -> Config {
    Config::default().durability(durability).stall_timeout(Duration::from_secs(3600))
}

/// Synced puts: by one thread into a store at ease, then by many into one that cannot follow.
pub(super) fn zones(time: Duration) -> Result<Vec<Line>> {
    let at_ease = Scratch::new("concept-green");
    let store = Lsm::open_with(at_ease.path(), config(Durability::Synced))?;
    let green = Load { threads: 1, value_bytes: 100, time }.run(&store)?;
    store.close()?;
    let pressed = Scratch::new("concept-yellow");
    let config = config(Durability::Synced).memtable_bytes(PRESSED_BYTES);
    let store = Lsm::open_with(pressed.path(), config)?;
    let (threads, value_bytes) = (PRESSED_THREADS, PRESSED_VALUE);
    let yellow = Load { threads, value_bytes, time }.run(&store)?;
    store.close()?;
    Ok(vec![
        Line {
            what: "synced put, 1 thread, p95 in the green zone".into(),
            words: "2.1 ms",
            named: Named::AtMost(2.1),
            unit: "ms",
            measured: green.p95_ms(0),
        },
        Line {
            what: format!("synced puts of 4 kB, {threads} threads, p95 in the yellow zone"),
            words: "20-40 ms",
            named: Named::AtMost(40.0),
            unit: "ms",
            measured: yellow.p95_ms(1),
        },
    ])
}

/// Loads as fast as they go: what is kept up, all merges included, and the best second.
pub(super) fn loads(time: Duration) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for (name, durability, threads) in [
        ("synced, 16 threads", Durability::Synced, 16),
        ("buffered, 2 threads", Durability::Buffered, 2),
    ] {
        let scratch = Scratch::new("concept-load");
        let store = Lsm::open_with(scratch.path(), config(durability))?;
        let started = Instant::now();
        let loaded = Load { threads, value_bytes: 100, time }.run(&store)?;
        store.flush()?;
        store.wait_idle()?;
        let sustained = loaded.puts() as f64 / started.elapsed().as_secs_f64();
        store.close()?;
        let peak = loaded.seconds.iter().copied().max().unwrap_or(0);
        let line = |what: &str, words, named, measured| Line {
            what: format!("{what}, {name}"),
            words,
            named: Named::AtLeast(named),
            unit: "puts/s",
            measured: Some(measured),
        };
        lines.push(line("sustained, flushed and merged", "20 k/s", 20e3, sustained));
        lines.push(line("the best second", "50 k/s", 50e3, peak as f64));
    }
    Ok(lines)
}
