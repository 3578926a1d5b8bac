//! What nori is to reach on each workload, as a ratio in one run, and whether it did.
//!
//! 1. A goal is held against the better of the peers that it names, on that line.
//! 2. A peer that did not run has no part in it; without any of them there is no verdict.
//! 3. What is no rate of one line stands in a table of its own: bytes, space, and lines against
//!    each other.

use super::run::Compared;
use nori_bench::Row;

/// Peers that are LSM-trees.
const LSM: &[&str] = &["rocksdb", "fjall"];
const ROCKSDB: &[&str] = &["rocksdb"];
const FJALL: &[&str] = &["fjall"];
const ALL: &[&str] = &["rocksdb", "fjall", "lmdb"];

/// One ratio that is to be reached.
struct Goal {
    /// nori's figure over that of the best of the peers.
    ratio: f64,
    /// The peers' names, and a word for them.
    peers: &'static [&'static str],
    word: &'static str,
    measure: Measure,
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Measure {
    /// Operations per second, to be at least the ratio.
    Speed,
    /// Processor time per operation, to be at most the ratio.
    Processor,
}

fn faster(ratio: f64, peers: &'static [&'static str], word: &'static str) -> Goal {
    Goal { ratio, peers, word, measure: Measure::Speed }
}

/// The goals of a row; none where nothing was set.
fn goals(row: &Row) -> Vec<Goal> {
    let lsm = |ratio| vec![faster(ratio, LSM, "LSM")];
    match (row.workload.as_str(), row.part.as_str()) {
        ("fillseq" | "fillrandom" | "overwrite", _) => {
            let processor =
                Goal { ratio: 1.0, peers: LSM, word: "LSM", measure: Measure::Processor };
            vec![faster(1.5, LSM, "LSM"), processor]
        }
        ("durable", _) => vec![faster(if row.threads == 1 { 1.0 } else { 1.5 }, ALL, "best")],
        ("readmissing", _) => {
            vec![faster(1.2, FJALL, "fjall"), faster(3.0, ROCKSDB, "rocksdb")]
        }
        ("readrandom" | "readzipf" | "seek10" | "seek100", _) => lsm(2.0),
        ("scan" | "scan-reverse" | "readwhilewriting" | "mixed-hotcold", _) => lsm(1.5),
        ("timeseries" | "largevalues", _) => lsm(1.5),
        ("delete-scan", "scan at once" | "scan settled") => {
            vec![faster(1.0, ROCKSDB, "rocksdb")]
        }
        (name, _) if name.starts_with("ycsb-") => lsm(1.3),
        _ => Vec::new(),
    }
}

/// The cells for goal and verdict of one part; `names` are the engines, nori first.
pub(super) fn cells(names: &[&str], part: &Compared) -> [String; 2] {
    let Some(row) = part.rows.first().and_then(|rows| rows.first()) else {
        return [String::new(), String::new()];
    };
    let goals = goals(row);
    let told: Vec<String> = goals.iter().map(Goal::told).collect();
    let verdicts: Option<Vec<f64>> = goals.iter().map(|goal| goal.reached(names, part)).collect();
    let verdict = match verdicts {
        Some(shares) if !shares.is_empty() => verdict(&goals, &shares),
        _ => String::new(),
    };
    [told.join(", "), verdict]
}

fn verdict(goals: &[Goal], reached: &[f64]) -> String {
    let met = goals.iter().zip(reached).all(|(goal, reached)| goal.is_met(*reached));
    let told: Vec<String> = reached.iter().map(|reached| format!("{reached:.2}")).collect();
    format!("{} ({})", if met { "met" } else { "MISSED" }, told.join(", "))
}

impl Goal {
    fn told(&self) -> String {
        match self.measure {
            Measure::Speed => format!(">= {:.1} {}", self.ratio, self.word),
            Measure::Processor => format!("CPU <= {:.1} {}", self.ratio, self.word),
        }
    }

    fn is_met(&self, reached: f64) -> bool {
        match self.measure {
            Measure::Speed => reached >= self.ratio,
            Measure::Processor => reached <= self.ratio,
        }
    }

    /// nori's figure over that of the best of the goal's peers that ran.
    fn reached(&self, names: &[&str], part: &Compared) -> Option<f64> {
        let figure = |at| match self.measure {
            Measure::Speed => part.median(at, |row| Some(row.ops_per_second)),
            Measure::Processor => part.median(at, |row| row.cpu_us_per_op),
        };
        let ours = figure(names.iter().position(|name| *name == "nori")?)?;
        let theirs = names
            .iter()
            .enumerate()
            .filter(|(_, name)| self.peers.contains(name))
            .filter_map(|(at, _)| figure(at));
        let best = match self.measure {
            Measure::Speed => theirs.reduce(f64::max)?,
            Measure::Processor => theirs.reduce(f64::min)?,
        };
        (best > 0.0).then_some(ours / best)
    }
}

/// Bytes to disk for each that RocksDB hands over, after a fill and as many overwrites.
const WRITTEN_MAX: f64 = 0.8;
/// Bytes on disk for each of the live entries.
const SPACE_MAX: f64 = 1.3;
/// Scans in both directions, the slower one over the faster one.
const SCANS_MIN: f64 = 0.8;

/// Goals across figures and lines: what, what was reached, the verdict. Only of what was measured.
pub(super) fn across(names: &[&str], all: &[Compared]) -> Vec<[String; 3]> {
    let Some(nori) = names.iter().position(|name| *name == "nori") else { return Vec::new() };
    let part = |workload: &str| {
        let is = |part: &&Compared| {
            let row = part.rows.first().and_then(|rows| rows.first());
            row.is_some_and(|row| row.workload == workload)
        };
        all.iter().find(is)
    };
    let told = |what: &str, reached: Option<f64>, is_met: fn(f64) -> bool| {
        let reached = reached.filter(|reached| reached.is_finite())?;
        let verdict = if is_met(reached) { "met" } else { "MISSED" };
        Some([what.to_string(), format!("{reached:.2}"), verdict.to_string()])
    };
    let written = |engine| {
        part("overwrite")?.median(engine, |row| row.system_bytes_written.map(|bytes| bytes as f64))
    };
    let rocksdb = names.iter().position(|name| *name == "rocksdb");
    let speed = |workload| part(workload)?.median(nori, |row| Some(row.ops_per_second));
    let scans = speed("scan").zip(speed("scan-reverse"));
    let lines = [
        told(
            &format!("overwrite: bytes to disk <= {WRITTEN_MAX} rocksdb"),
            written(nori).zip(rocksdb.and_then(written)).map(|(ours, theirs)| ours / theirs),
            |reached| reached <= WRITTEN_MAX,
        ),
        told(
            &format!("overwrite: disk / live bytes <= {SPACE_MAX}"),
            part("overwrite").and_then(|part| part.median(nori, |row| row.space_amplification)),
            |reached| reached <= SPACE_MAX,
        ),
        told(
            &format!("scan and scan-reverse: the slower one >= {SCANS_MIN} of the faster one"),
            scans.map(|(one, other)| one.min(other) / one.max(other)),
            |reached| reached >= SCANS_MIN,
        ),
    ];
    lines.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests;
