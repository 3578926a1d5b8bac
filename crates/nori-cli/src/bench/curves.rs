//! `nori bench curves`: what operations cost as data and threads grow.
//!
//! Each point is a process of its own, `nori bench` with one size and one count of threads: memory
//! is that of the point alone, and the control group that bounds it bounds nothing else.

use crate::args::{Compressor, CurvesArgs};
use crate::failure::Failure;
use crate::out::Out;
use group::Group;
use nori_bench::{Workload, machine};
use serde_json::Value;
use std::process::{Command, Stdio};

mod group;
mod report;

/// What is measured at each point, in this order.
const WORKLOADS: [Workload; 4] =
    [Workload::FillRandom, Workload::Overwrite, Workload::ReadRandom, Workload::Reopen];

/// One point of the curves.
pub(super) struct Point {
    /// How many times the smallest store.
    size: u64,
    threads: u64,
    /// The rows of `nori bench --json`.
    rows: Vec<Value>,
}

/// `nori bench curves`
pub(super) fn curves(args: &CurvesArgs, out: &mut Out) -> Result<(), Failure> {
    super::check_new(&args.dir)?;
    let bounded = args.memory_mb.map(|mib| Group::new(mib << 20)).transpose()?;
    let mut points: Vec<Point> = Vec::new();
    let sizes = args.sizes.iter().map(|size| (*size, 1));
    let threads = args.threads.iter().map(|threads| (1, *threads));
    for (size, threads) in sizes.chain(threads) {
        if points.iter().any(|point| (point.size, point.threads) == (size, threads)) {
            continue;
        }
        let rows = measure(args, bounded.as_ref(), size, threads);
        // Also after a failure: a store that is left over keeps the next run from starting.
        let removed = super::remove(&args.dir);
        let point = Point { size, threads, rows: rows? };
        removed?;
        report::progress(&point, out)?;
        points.push(point);
    }
    if let Some(path) = &args.plot {
        let svg = report::drawing(args, &points);
        std::fs::write(path, svg).map_err(|e| Failure::io("writing", path, &e))?;
    }
    report::end(args, &points, out)
}

/// Runs `nori bench` in a process of its own.
fn measure(
    args: &CurvesArgs,
    group: Option<&Group>,
    size: u64,
    threads: u64,
) -> Result<Vec<Value>, Failure> {
    let program = std::env::current_exe().map_err(Failure::failed)?;
    let mut command = match group {
        Some(group) => group.command(&program),
        None => Command::new(&program),
    };
    let names: Vec<&str> = WORKLOADS.iter().map(|workload| workload.name()).collect();
    let compression = match args.compression {
        Compressor::None => "none",
        Compressor::Lz4 => "lz4",
    };
    let mut option = |name: &str, value: &str| {
        command.arg(name).arg(value);
    };
    option("bench", "--json");
    option("--workload", &names.join(","));
    option("--keys", &(args.keys * size).to_string());
    option("--threads", &threads.to_string());
    option("--value-bytes", &args.value_bytes.to_string());
    option("--cache-mb", &args.cache_mb.to_string());
    option("--buffer-mb", &args.buffer_mb.to_string());
    option("--compression", compression);
    option("--seed", &args.seed.to_string());
    command.arg("--dir").arg(&args.dir);
    let ran = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let ran = ran.map_err(|e| Failure::io("starting", &program, &e))?;
    if !ran.status.success() {
        let what = format!("the bench of size {size} with {threads} threads: {}", ran.status);
        return Err(Failure::failed(what));
    }
    let document: Value = serde_json::from_slice(&ran.stdout).map_err(Failure::failed)?;
    Ok(document["workloads"].as_array().cloned().unwrap_or_default())
}

/// What was measured, in a line.
fn setup(args: &CurvesArgs) -> String {
    let bounded = match args.memory_mb {
        Some(mib) => format!("process and page cache bounded to {mib} MiB"),
        None => "page cache not bounded".to_string(),
    };
    format!(
        "{} keys of 16 + {} bytes, cache {} MiB, buffer {} MiB, {bounded}; {}",
        args.keys,
        args.value_bytes,
        args.cache_mb,
        args.buffer_mb,
        machine::about()
    )
}

impl Point {
    /// The row of a workload, by its part where it has several.
    fn row(&self, workload: Workload, part: &str) -> Option<&Value> {
        let is = |row: &&Value| row["workload"] == workload.name() && row["part"] == part;
        self.rows.iter().find(is)
    }

    fn data(&self, args: &CurvesArgs) -> String {
        let bytes = args.keys * self.size * (16 + args.value_bytes);
        crate::units::bytes(bytes)
    }
}
