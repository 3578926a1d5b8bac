//! Running the threads of one part of a workload, and what that cost.

use crate::data::Data;
use crate::engine::{Engine, Facts};
use crate::error::{Error, Result};
use crate::histogram::Histogram;
use crate::machine;
use crate::plan::Plan;
use crate::row::{Row, Sample};
use crate::watch::{Live, Observer};
use crate::worker::{Done, Worker};
use crate::workload::Workload;
use std::path::Path;
use std::time::{Duration, Instant};

/// What a workload has at hand.
pub(crate) struct Ctx<'a> {
    pub(crate) meter: Meter<'a>,
    pub(crate) engine: &'a dyn Engine,
    pub(crate) data: &'a Data,
    pub(crate) plan: &'a Plan,
    pub(crate) workload: Workload,
}

/// Runs parts of a workload and makes their rows.
pub(crate) struct Meter<'a> {
    /// The engine's name.
    pub(crate) name: &'static str,
    /// None before it is open.
    pub(crate) engine: Option<&'a dyn Engine>,
    pub(crate) dir: &'a Path,
    pub(crate) observer: &'a dyn Observer,
    pub(crate) workload: Workload,
}

/// What one thread of a part does.
pub(crate) type Body<'a> = &'a (dyn Fn(&mut Worker<'_>) -> Result<()> + Sync);

/// One part of a workload.
pub(crate) struct Part<'a> {
    /// Its name; empty if the workload has only this.
    pub(crate) name: &'static str,
    pub(crate) threads: u64,
    pub(crate) body: Body<'a>,
    /// Operations of all threads, if that is known before.
    pub(crate) ops: Option<u64>,
    /// The row tells how many reads found something.
    pub(crate) reads: bool,
    /// The answers do not depend on how threads interleave.
    pub(crate) certain: bool,
}

impl<'a> Part<'a> {
    /// Threads that write or do not answer.
    pub(crate) fn of(threads: u64, ops: impl Into<Option<u64>>, body: Body<'a>) -> Part<'a> {
        Part { name: "", threads, body, ops: ops.into(), reads: false, certain: false }
    }

    pub(crate) fn named(self, name: &'static str) -> Part<'a> {
        Part { name, ..self }
    }

    /// Threads that read, while nobody writes if `certain`.
    pub(crate) fn reads(self, certain: bool) -> Part<'a> {
        Part { reads: true, certain, ..self }
    }
}

/// When background work was quiet, and what all of it cost.
struct Cost {
    acknowledged: Duration,
    settled: Duration,
    cpu: Option<f64>,
    memory: Option<u64>,
    disk_bytes: u64,
    live_bytes: u64,
    written: Option<u64>,
    facts: Facts,
}

impl Meter<'_> {
    fn facts(&self) -> Facts {
        self.engine.map_or_else(Facts::default, |engine| engine.facts())
    }

    /// Runs one part; `settles`: its time ends when background work is quiet.
    pub(crate) fn run(&self, part: Part<'_>, settles: bool, live_bytes: u64) -> Result<Row> {
        let mut rows = self.run_beside(&[part], settles, live_bytes)?;
        rows.pop().ok_or_else(|| Error::new("a workload without a part"))
    }

    /// Runs parts beside each other. Each row's cost is that of all.
    pub(crate) fn run_beside(
        &self,
        parts: &[Part<'_>],
        settles: bool,
        live_bytes: u64,
    ) -> Result<Vec<Row>> {
        machine::reset_memory_peak();
        let ops = parts.iter().map(|part| part.ops).sum::<Option<u64>>();
        let what = format!("{} {}", self.workload.name(), parts.first().map_or("", |p| p.name));
        let live = self.observer.begin(what.trim_end(), ops);
        let (facts, written) = (self.facts(), machine::written_bytes());
        let (cpu, started) = (machine::cpu_seconds(), Instant::now());
        let done = run_threads(parts, &*live, started)?;
        let acknowledged = started.elapsed();
        if let (true, Some(engine)) = (settles, self.engine) {
            live.note("waiting for background work");
            engine.wait_idle()?;
        }
        let cost = Cost {
            acknowledged,
            settled: started.elapsed(),
            cpu: machine::cpu_seconds().zip(cpu).map(|(now, then)| now - then),
            memory: machine::memory_peak(),
            disk_bytes: machine::disk_bytes(self.dir),
            live_bytes,
            written: machine::written_bytes().zip(written).map(|(now, then)| now - then),
            facts: self.facts().since(&facts),
        };
        let ops = done.iter().map(|done| done.tally.ops).sum();
        Ok(parts.iter().zip(&done).map(|(part, done)| self.row(part, done, &cost, ops)).collect())
    }

    fn row(&self, part: &Part<'_>, done: &Done, cost: &Cost, all_ops: u64) -> Row {
        let (ops, user_bytes) = (done.tally.ops, done.tally.user_bytes);
        let (settled, acknowledged) = (cost.settled.as_secs_f64(), cost.acknowledged.as_secs_f64());
        let facts = &cost.facts;
        let (log, flushed) = (facts.log_bytes, facts.flush_bytes);
        let bytes_written = [log, flushed, facts.merge_bytes].into_iter().sum::<Option<u64>>();
        let reads = facts.point_reads.filter(|reads| *reads > 0);
        Row {
            engine: self.name.to_string(),
            workload: self.workload.name().to_string(),
            part: part.name.to_string(),
            threads: part.threads,
            ops,
            found: part.reads.then_some(done.tally.found),
            checksum: part.certain.then_some(done.tally.checksum),
            seconds: settled,
            seconds_until_acknowledged: acknowledged,
            ops_per_second: ops as f64 / settled.max(1e-9),
            ops_per_second_until_acknowledged: ops as f64 / acknowledged.max(1e-9),
            latency: (done.latency.total() > 0).then(|| done.latency.latency()),
            user_bytes,
            log_bytes: log,
            flush_bytes: flushed,
            merge_bytes: facts.merge_bytes,
            bytes_written,
            system_bytes_written: cost.written,
            write_amplification: ratio(bytes_written, user_bytes),
            cpu_seconds: cost.cpu,
            cpu_us_per_op: cost.cpu.map(|cpu| cpu * 1e6 / all_ops.max(1) as f64),
            memory_peak_bytes: cost.memory,
            disk_bytes: cost.disk_bytes,
            live_bytes: cost.live_bytes,
            space_amplification: ratio(Some(cost.disk_bytes), cost.live_bytes),
            runs_probed_per_read: facts.runs_probed.zip(reads).map(|(p, r)| p as f64 / r as f64),
            stalls: facts.stalls,
            cache_hits: facts.cache_hits,
            cache_misses: facts.cache_misses,
            samples: samples(done, cost.acknowledged),
        }
    }
}

fn ratio(part: Option<u64>, whole: u64) -> Option<f64> {
    part.filter(|_| whole > 0).map(|part| part as f64 / whole as f64)
}

/// What is left of a last second is a sample of its own if it is at least so long: of a few
/// milliseconds there is little to say.
const REST_MIN: f64 = 0.25;

/// A sample for each second up to the last operation, also for those without any.
fn samples(done: &Done, elapsed: Duration) -> Vec<Sample> {
    let Some(&last) = done.seconds.keys().next_back() else { return Vec::new() };
    let end = elapsed.as_secs_f64().min(last as f64 + 1.0);
    let rest = last > 0 && end - (last as f64) < REST_MIN;
    let samples = if rest { last } else { last + 1 };
    let sample = |second: u64| {
        let is_last = second + 1 == samples;
        let numbers = second..=if is_last { last } else { second };
        let (mut ops, mut latency) = (0, Vec::new());
        for (_, second) in done.seconds.range(numbers) {
            ops += second.ops;
            latency.extend_from_slice(&second.latency);
        }
        let latency = Histogram::of_sparse(&latency);
        let at_seconds = if is_last { end } else { second as f64 + 1.0 };
        Sample {
            at_seconds,
            ops_per_second: ops as f64 / (at_seconds - second as f64).max(1e-9),
            p99_ns: (latency.total() > 0).then(|| latency.percentile(990)),
        }
    };
    (0..samples).map(sample).collect()
}

fn run_threads<'a>(parts: &[Part<'a>], live: &'a dyn Live, started: Instant) -> Result<Vec<Done>> {
    std::thread::scope(|scope| {
        let start = |body: Body<'a>, threads, thread| {
            let mut worker = Worker::new(thread, threads, live, started);
            scope.spawn(move || body(&mut worker).map(|()| worker.done()))
        };
        let start_all = |part: &Part<'a>| {
            let (body, threads) = (part.body, part.threads);
            (0..threads).map(|thread| start(body, threads, thread)).collect::<Vec<_>>()
        };
        let running: Vec<_> = parts.iter().map(start_all).collect();
        let mut all = Vec::new();
        let mut failed = Ok(());
        for threads in running {
            let mut done = Done::default();
            for thread in threads {
                match thread.join() {
                    Ok(Ok(one)) => done.add(one),
                    Ok(Err(error)) => failed = Err(error),
                    Err(_) => failed = Err(Error::new("a thread of the bench panicked")),
                }
            }
            all.push(done);
        }
        failed.map(|()| all)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::Second;

    #[test]
    fn a_sample_a_second_and_a_short_rest_belongs_to_the_last() {
        let mut done = Done::default();
        for (at, ops, ns) in [(0, 100, 10), (2, 300, 30), (3, 60, 40)] {
            done.seconds.insert(at, Second { ops, latency: vec![(ns, ops as u32)] });
        }
        let told = |ms| {
            let samples = samples(&done, Duration::from_millis(ms));
            let told = samples.iter().map(|s| (s.at_seconds, s.ops_per_second.round(), s.p99_ns));
            told.collect::<Vec<_>>()
        };
        let first = [(1.0, 100.0, Some(10)), (2.0, 0.0, None)];
        let third = [(3.0, 300.0, Some(30)), (3.5, 120.0, Some(40))];
        assert_eq!(told(3_500), [first, third].concat());
        // 360 operations in 1.2 seconds.
        assert_eq!(told(3_200), [first.to_vec(), vec![(3.2, 300.0, Some(40))]].concat());
        assert!(samples(&Done::default(), Duration::from_secs(1)).is_empty());
    }
}
