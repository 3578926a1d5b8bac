//! The tables, in Markdown.

use super::args::Args;
use super::goals;
use super::run::Compared;
use nori_bench::{EngineKind, Error, Result, Row, machine};
use std::io::Write;

/// What is measured and where, in a line.
pub(super) fn setup(args: &Args) -> String {
    let plan = &args.plan;
    format!(
        "{} keys of {} + {} bytes, {} threads, cache {} MiB, buffer {} MiB, bloom {} bits, {}, \
         medians of {} rounds; {}",
        plan.keys,
        plan.key_bytes,
        plan.value_bytes,
        plan.threads,
        plan.options.cache_bytes >> 20,
        plan.options.buffer_bytes >> 20,
        plan.options.bloom_bits,
        if plan.options.lz4 { "LZ4" } else { "not compressed" },
        args.rounds,
        machine::about(),
    )
}

fn line(out: &mut dyn Write, text: &str) -> Result<()> {
    writeln!(out, "{text}").map_err(Error::new)
}

/// One row as it comes.
pub(super) fn progress(round: u64, row: &Row, out: &mut dyn Write) -> Result<()> {
    let ops = row.ops_per_second;
    let (round, engine) = (round + 1, &row.engine);
    line(out, &format!("round {round}  {engine:<7} {:<26} {ops:>12.0} ops/s", row.name()))
}

/// What an engine is compared by beside its speed.
const COSTS: [(&str, fn(&Row) -> Option<f64>); 6] = [
    ("ops/s until acknowledged", |row| Some(row.ops_per_second_until_acknowledged)),
    ("p99, us", |row| row.latency.map(|latency| latency.p99_ns as f64 / 1e3)),
    ("CPU us/op", |row| row.cpu_us_per_op),
    ("bytes to disk / user bytes", |row| {
        let written = row.system_bytes_written.filter(|_| row.user_bytes > 0)?;
        Some(written as f64 / row.user_bytes as f64)
    }),
    ("disk / live bytes", |row| row.space_amplification),
    ("process memory, MiB", |row| row.memory_peak_bytes.map(|b| b as f64 / 1_048_576.0)),
];

/// All tables; false if engines answered differently.
pub(super) fn tables(
    args: &Args,
    engines: &[EngineKind],
    all: &[Compared],
    out: &mut dyn Write,
) -> Result<bool> {
    line(out, &format!("\n{}\n", setup(args)))?;
    let alike = speed(engines, all, out)?;
    line(out, "")?;
    costs(engines, all, out)?;
    let names: Vec<&str> = engines.iter().map(|engine| engine.name).collect();
    let across = goals::across(&names, all);
    if !across.is_empty() {
        line(out, "\n| goal of nori | reached | verdict |\n|---|--:|---|")?;
    }
    for cells in across {
        line(out, &format!("| {} |", cells.join(" | ")))?;
    }
    if !alike {
        line(out, "\nThe engines did NOT all read the same; see the column \"answers\".")?;
    }
    Ok(alike)
}

fn speed(engines: &[EngineKind], all: &[Compared], out: &mut dyn Write) -> Result<bool> {
    let mut head = String::from("| ops/s until quiet | threads |");
    let mut rule = String::from("|---|--:|");
    for engine in engines {
        head += &format!(" {} |", engine.name);
        rule += "--:|";
    }
    for engine in engines.iter().skip(1) {
        head += &format!(" {} / {} |", engines[0].name, engine.name);
        rule += "--:|";
    }
    line(out, &format!("{head} answers | goal | verdict |\n{rule}---|---|---|"))?;
    let names: Vec<&str> = engines.iter().map(|engine| engine.name).collect();
    let mut all_alike = true;
    for part in all {
        let Some(row) = part.rows.first().and_then(|rows| rows.first()) else { continue };
        let ops: Vec<Option<f64>> =
            (0..engines.len()).map(|at| part.median(at, |row| Some(row.ops_per_second))).collect();
        let mut cells = format!("| {} | {} |", row.name(), row.threads);
        for ops in &ops {
            cells += &format!(" {} |", number(*ops));
        }
        for other in ops.iter().skip(1) {
            let ratio = ops[0].zip(*other).map(|(ours, theirs)| ours / theirs.max(1e-9));
            cells += &format!(" {} |", number(ratio));
        }
        let alike = part.alike();
        all_alike &= alike.unwrap_or(true);
        let word = match alike {
            Some(true) => "equal",
            Some(false) => "DIFFERENT",
            None => "",
        };
        let [goal, verdict] = goals::cells(&names, part);
        line(out, &format!("{cells} {word} | {goal} | {verdict} |"))?;
    }
    Ok(all_alike)
}

fn costs(engines: &[EngineKind], all: &[Compared], out: &mut dyn Write) -> Result<()> {
    let names: Vec<&str> = engines.iter().map(|engine| engine.name).collect();
    let mut head = format!("| each: {} |", names.join(", "));
    let mut rule = String::from("|---|");
    for (name, _) in COSTS {
        head += &format!(" {name} |");
        rule += "--:|";
    }
    line(out, &format!("{head}\n{rule}"))?;
    for part in all {
        let Some(row) = part.rows.first().and_then(|rows| rows.first()) else { continue };
        let mut cells = format!("| {}, {} |", row.name(), row.threads);
        for (_, pick) in COSTS {
            let all: Vec<String> =
                (0..engines.len()).map(|at| number(part.median(at, pick))).collect();
            cells += &format!(" {} |", all.join(", "));
        }
        line(out, &cells)?;
    }
    Ok(())
}

/// Three digits that say something; whole above a hundred.
fn number(value: Option<f64>) -> String {
    match value {
        None => "-".to_string(),
        Some(value) if value >= 100.0 => format!("{value:.0}"),
        Some(value) if value >= 10.0 => format!("{value:.1}"),
        Some(value) => format!("{value:.2}"),
    }
}
