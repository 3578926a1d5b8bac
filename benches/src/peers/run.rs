//! Rounds of workloads, and what is compared.

#[cfg(feature = "peers-rocksdb")]
use super::ROCKSDB;
use super::args::Args;
use super::report;
use super::{FJALL, LMDB};
use nori_bench::{Bench, EngineKind, Error, NORI, NORI_MMAP, Plan, Quiet, Result, Row, plot};
use std::io::Write;

/// nori first: the others are compared with it.
pub(super) const ENGINES: &[EngineKind] = &[
    NORI,
    #[cfg(feature = "peers-rocksdb")]
    ROCKSDB,
    FJALL,
    LMDB,
];

/// One part of a workload with all its rows: by engine, then by round.
pub(super) struct Compared {
    pub(super) rows: Vec<Vec<Row>>,
}

/// Runs all and writes the tables; false if engines answered differently.
///
/// # Errors
/// Those of engines and files.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<bool> {
    let engines = chosen(args)?;
    let plans: Vec<Plan> = engines
        .iter()
        .map(|engine| Plan { dir: args.plan.dir.join(engine.name), ..args.plan.clone() })
        .collect();
    std::fs::create_dir_all(&args.plan.dir).map_err(Error::new)?;
    let mut benches = Vec::new();
    for (engine, plan) in engines.iter().zip(&plans) {
        benches.push(Bench::new(*engine, plan)?);
    }
    let done = all_workloads(args, &mut benches, out);
    for bench in benches {
        bench.remove()?;
    }
    let all = done?;
    // What somebody else keeps there stays there.
    let _ = std::fs::remove_dir(&args.plan.dir);
    if let Some(path) = &args.plot {
        let last = all.iter().flat_map(|part| part.rows.iter().filter_map(|rows| rows.last()));
        let last: Vec<Row> = last.cloned().collect();
        let svg = plot("nori and its peers", &report::setup(args), &last);
        std::fs::write(path, svg).map_err(Error::new)?;
    }
    report::tables(args, &engines, &all, out)
}

fn chosen(args: &Args) -> Result<Vec<EngineKind>> {
    if args.engines.is_empty() {
        return Ok(ENGINES.to_vec());
    }
    let find = |name: &String| {
        // The mapped one is not one of all: it asks for more than the others get.
        let mut known = ENGINES.iter().chain([&NORI_MMAP]);
        let found = known.find(|engine| engine.name == name).copied();
        found.ok_or_else(|| Error::new(format!("there is no engine {name} in this build")))
    };
    args.engines.iter().map(find).collect()
}

fn all_workloads(
    args: &Args,
    benches: &mut [Bench<'_>],
    out: &mut dyn Write,
) -> Result<Vec<Compared>> {
    let mut all = Vec::new();
    for workload in &args.workloads {
        let mut parts: Vec<Compared> = Vec::new();
        for round in 0..args.rounds {
            for (at, bench) in benches.iter_mut().enumerate() {
                let rows = bench.run(*workload, &Quiet)?;
                for (part, row) in rows.into_iter().enumerate() {
                    report::progress(round, &row, out)?;
                    if parts.len() <= part {
                        parts.push(Compared { rows: Vec::new() });
                    }
                    let of_engines = &mut parts[part].rows;
                    if of_engines.len() <= at {
                        of_engines.push(Vec::new());
                    }
                    of_engines[at].push(row);
                }
            }
        }
        all.extend(parts);
    }
    Ok(all)
}

impl Compared {
    /// The median of what `pick` takes from the rows of an engine, if they have it.
    pub(super) fn median(&self, engine: usize, pick: fn(&Row) -> Option<f64>) -> Option<f64> {
        let rows = self.rows.get(engine)?;
        let mut values: Vec<f64> = rows.iter().filter_map(pick).collect();
        values.sort_unstable_by(f64::total_cmp);
        let (middle, last) = (values.len() / 2, values.len().checked_sub(1)?);
        Some((values[middle] + values[last - middle]) / 2.0)
    }

    /// Whether all engines read the same in each round; none if that cannot be known.
    pub(super) fn alike(&self) -> Option<bool> {
        let mut known = None;
        for round in 0..self.rows.iter().map(Vec::len).min()? {
            let rows = self.rows.iter().map(|rows| &rows[round]);
            let mut answers = rows.map(|row| row.checksum.map(|sum| (sum, row.found, row.ops)));
            let Some(Some(first)) = answers.next() else { continue };
            known = Some(known.unwrap_or(true) && answers.all(|answer| answer == Some(first)));
        }
        known
    }
}
