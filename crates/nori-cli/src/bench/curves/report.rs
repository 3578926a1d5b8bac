//! The curves, as a table in Markdown and as a drawing.

use super::{Point, WORKLOADS, setup};
use crate::args::CurvesArgs;
use crate::failure::Failure;
use crate::out::Out;
use crate::units;
use nori_bench::{Curve, Workload, curves};
use serde_json::{Value, json};

/// Says at once how a point went.
pub(super) fn progress(point: &Point, out: &mut Out) -> Result<(), Failure> {
    let cell = |workload: &Workload| {
        let ops = point.row(*workload, "")?["ops_per_second"].as_f64()?;
        Some(format!("{workload} {} ops/s", units::count(ops as u64)))
    };
    let cells: Vec<String> = WORKLOADS.iter().filter_map(cell).collect();
    let (size, threads) = (point.size, point.threads);
    out.say(format!("x{size:<4} {threads} threads: {}", cells.join(", ")))
}

/// The table, or the document.
pub(super) fn end(args: &CurvesArgs, points: &[Point], out: &mut Out) -> Result<(), Failure> {
    if out.json() {
        let point = |point: &Point| {
            let (size, threads) = (point.size, point.threads);
            json!({ "size": size, "threads": threads, "workloads": point.rows })
        };
        return out.document(&json!({
            "keys": args.keys,
            "memory_bytes": args.memory_mb.map(|mib| mib << 20),
            "setup": setup(args),
            "points": points.iter().map(point).collect::<Vec<_>>(),
        }));
    }
    out.line(format!("\n{}\n", setup(args)))?;
    out.line(
        "| data | threads | workload | ops/s | p99 us | WA | RA | disk / live | CPU us/op | \
         memory MiB |\n|---|--:|---|--:|--:|--:|--:|--:|--:|--:|",
    )?;
    for point in points {
        let named = |workload: Workload| Some((workload.name(), point.row(workload, "")?));
        for (name, row) in WORKLOADS.into_iter().filter_map(named) {
            out.line(line(args, point, name, row))?;
        }
    }
    out.line("\n| data | threads | open after a close, ms | open after a kill, ms |")?;
    out.line("|---|--:|--:|--:|")?;
    for point in points {
        let open = |part| {
            let row = point.row(Workload::Reopen, part);
            number(row.and_then(|row| row["seconds"].as_f64()).map(|seconds| seconds * 1e3), 1)
        };
        let cells = [open("after a close"), open("after a kill")];
        let (data, threads) = (point.data(args), point.threads);
        out.line(format!("| {data} | {threads} | {} |", cells.join(" | ")))?;
    }
    Ok(())
}

fn line(args: &CurvesArgs, point: &Point, name: &str, row: &Value) -> String {
    let figure = |name: &str| row[name].as_f64();
    let reads = row["found"].is_u64();
    let cells = [
        point.data(args),
        point.threads.to_string(),
        name.to_string(),
        figure("ops_per_second").map_or("-".into(), |ops| units::count(ops as u64)),
        number(row["latency"]["p99_ns"].as_f64().map(|ns| ns / 1e3), 1),
        number(figure("write_amplification"), 2),
        number(figure("runs_probed_per_read").filter(|_| reads), 2),
        number(figure("space_amplification"), 2),
        number(figure("cpu_us_per_op"), 2),
        number(figure("memory_peak_bytes").map(|bytes| bytes / 1_048_576.0), 0),
    ];
    format!("| {} |", cells.join(" | "))
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or("-".into(), |value| format!("{value:.digits$}"))
}

/// Operations per second by size and by threads, and the time to open by size.
pub(super) fn drawing(args: &CurvesArgs, points: &[Point]) -> String {
    let ops = |workload: Workload| {
        move |point: &Point| point.row(workload, "").and_then(|row| row["ops_per_second"].as_f64())
    };
    let open = |point: &Point| {
        let row = point.row(Workload::Reopen, "after a close")?;
        row["seconds"].as_f64().map(|seconds| seconds * 1e3)
    };
    let sizes: Vec<&Point> = points.iter().filter(|point| point.threads == 1).collect();
    let mut threads: Vec<&Point> = points.iter().filter(|point| point.size == 1).collect();
    threads.sort_by_key(|point| point.threads);
    let by = |title: &str, along: &[&Point], label: &dyn Fn(&Point) -> String, opens: bool| {
        let of = |name: &str, pick: &dyn Fn(&Point) -> Option<f64>| {
            (name.to_string(), along.iter().map(|point| pick(point)).collect::<Vec<_>>())
        };
        let lines = if opens {
            vec![of("open", &open)]
        } else {
            let rates = WORKLOADS.into_iter().filter(|workload| *workload != Workload::Reopen);
            rates.map(|workload| of(workload.name(), &ops(workload))).collect()
        };
        let steps = along.iter().map(|point| label(point)).collect();
        Curve { title: title.to_string(), steps, lines }
    };
    let (size, count) = (|p: &Point| p.data(args), |p: &Point| p.threads.to_string());
    let charts = [
        by("operations per second, by data, one thread", &sizes, &size, false),
        by("operations per second, by threads, smallest store", &threads, &count, false),
        by("milliseconds to open after a close, by data", &sizes, &size, true),
    ];
    curves("nori bench curves", &setup(args), &charts)
}
