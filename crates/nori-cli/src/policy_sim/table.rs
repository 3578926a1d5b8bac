//! `nori policy-sim table`: the seven workloads when compaction may do all it wants.
//!
//! The figures stand beside those of the separate simulator in which the policy was first tried,
//! so a change of either that the other does not know of shows as a ratio away from 1.

use super::store::{FLUSH_TIME, Figures, Setup, simulate};
use super::workload::{self, Workload};
use crate::failure::Failure;
use crate::out::Out;
use crate::table::Table;
use nori_scheduler::Policy;
use serde::Serialize;

/// Heat is half forgotten after so many flushes.
const HALF_LIFE_FLUSHES: u32 = 32;

/// What one look is worth in written bytes: the default, and one for stores that rarely read.
const LAMBDAS: [f64; 2] = [2048.0, 256.0];

/// Write, read and space amplification by lambda, in the order of the workloads.
const REFERENCES_10_GB: [[[f64; 3]; 2]; 7] = [
    [[6.90, 3.57, 1.27], [4.15, 7.54, 1.29]],
    [[6.22, 3.05, 1.27], [3.51, 7.12, 1.28]],
    [[4.52, 2.15, 1.31], [3.05, 3.50, 1.33]],
    [[5.95, 2.28, 1.27], [4.50, 3.89, 1.29]],
    [[4.10, 2.17, 1.26], [3.32, 3.25, 1.26]],
    [[5.84, 2.48, 1.21], [2.89, 5.22, 1.26]],
    [[7.69, 2.42, 1.00], [4.35, 4.21, 1.00]],
];

/// The same for ten times the data.
const REFERENCES_100_GB: [[[f64; 3]; 2]; 7] = [
    [[9.92, 4.62, 1.26], [5.72, 9.24, 1.27]],
    [[9.40, 4.08, 1.26], [5.13, 8.64, 1.26]],
    [[7.79, 2.96, 1.28], [3.85, 7.24, 1.28]],
    [[7.60, 3.21, 1.24], [6.24, 4.85, 1.27]],
    [[6.87, 2.35, 1.23], [4.81, 4.17, 1.24]],
    [[6.97, 3.76, 1.26], [4.24, 7.41, 1.26]],
    [[10.96, 3.46, 1.00], [4.93, 7.13, 1.00]],
];

/// One workload with one lambda.
#[derive(Debug, Serialize)]
struct Row {
    workload: &'static str,
    lambda: f64,
    write_amplification: f64,
    read_amplification: f64,
    space_amplification: f64,
    largest_job_bytes: u64,
    l0_tables: f64,
    jobs_per_flush: f64,
    reference: Option<[f64; 3]>,
}

impl Row {
    fn new(
        workload: &'static str,
        lambda: f64,
        figures: &Figures,
        reference: Option<[f64; 3]>,
    ) -> Row {
        Row {
            workload,
            lambda,
            write_amplification: figures.wa(),
            read_amplification: figures.ra(),
            space_amplification: figures.sa(),
            largest_job_bytes: figures.job_max as u64,
            l0_tables: figures.l0(),
            jobs_per_flush: figures.jobs_per_flush(),
            reference,
        }
    }

    fn cells(&self) -> Vec<String> {
        let [wa, ra, sa] =
            [self.write_amplification, self.read_amplification, self.space_amplification];
        let reference = self.reference.unwrap_or_default();
        let beside = |found: f64, reference: f64| match self.reference {
            Some(_) => format!("{reference:.2} ({:.2}x)", found / reference),
            None => "-".to_string(),
        };
        vec![
            self.workload.to_string(),
            format!("{:.0}", self.lambda),
            format!("{wa:.2}"),
            format!("{ra:.2}"),
            format!("{sa:.2}"),
            format!("{}", self.largest_job_bytes >> 20),
            format!("{:.1}", self.l0_tables),
            format!("{:.1}", self.jobs_per_flush),
            beside(wa, reference[0]),
            beside(ra, reference[1]),
            beside(sa, reference[2]),
        ]
    }
}

/// `nori policy-sim table`
pub(super) fn print(gb: u64, out: &mut Out) -> Result<(), Failure> {
    let references = match gb {
        10 => Some(&REFERENCES_10_GB),
        100 => Some(&REFERENCES_100_GB),
        _ => None,
    };
    let mut rows = Vec::new();
    for (number, workload) in workload::all(gb as f64).iter().enumerate() {
        for (column, lambda) in LAMBDAS.into_iter().enumerate() {
            let reference = references.map(|all| all[number][column]);
            rows.push(Row::new(workload.name, lambda, &figures(workload, lambda), reference));
        }
    }
    if out.json() {
        return out.document(&rows);
    }
    out.line(format!("{gb} GB in memtables of 64 MiB, 1 point read for each KiB written"))?;
    let mut table = Table::new(&[
        "workload",
        "lambda",
        "WA",
        "RA",
        "SA",
        "max job MiB",
        "L0",
        "jobs/flush",
        "WA before",
        "RA before",
        "SA before",
    ]);
    rows.iter().for_each(|row| table.row(row.cells()));
    table.lines().into_iter().try_for_each(|line| out.line(line))
}

fn figures(workload: &Workload, lambda: f64) -> Figures {
    let half_life = Some(FLUSH_TIME * HALF_LIFE_FLUSHES);
    let policy = Policy { lambda, half_life, ..Policy::default() };
    let (warm, span) = workload.span();
    simulate(workload, &Setup { policy, ..Setup::default() }, warm, span)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A change of the scheduler that costs or saves a tenth does not pass unnoticed.
    #[test]
    fn the_scheduler_still_costs_what_its_references_say() {
        let workloads = workload::all(10.0);
        for number in [0, 4] {
            let (workload, reference) = (&workloads[number], REFERENCES_10_GB[number][0]);
            let found = figures(workload, LAMBDAS[0]);
            for (found, reference) in [found.wa(), found.ra(), found.sa()].iter().zip(reference) {
                let ratio = found / reference;
                assert!((0.9..=1.1).contains(&ratio), "{}: {ratio:.3}", workload.name);
            }
        }
    }
}
