//! What `cargo xtask bench-peers` is told.

use nori_bench::{Error, Options, Plan, Result, Workload};
use std::path::PathBuf;
use std::time::Duration;

/// What can be said.
pub const USAGE: &str = "\
cargo xtask bench-peers [--no-rocksdb] [--keys N] [--value-bytes N] [--threads N]
    [--cache-mb N] [--buffer-mb N]
    [--workload LIST] [--engines LIST] [--rounds N] [--durable-seconds S] [--seed N]
    [--dir DIR] [--plot FILE.svg]";

/// What is measured when nothing is said.
const WORKLOADS: [Workload; 12] = [
    Workload::FillSeq,
    Workload::FillRandom,
    Workload::Overwrite,
    Workload::ReadRandom,
    Workload::ReadMissing,
    Workload::ReadZipf,
    Workload::Seek10,
    Workload::Seek100,
    Workload::Scan,
    Workload::ScanReverse,
    Workload::ReadWhileWriting,
    Workload::Durable,
];

/// What was said.
#[derive(Clone, Debug)]
pub struct Args {
    /// Sizes; each engine has a directory of its own below `plan.dir`.
    pub plan: Plan,
    /// What is measured, in this order.
    pub workloads: Vec<Workload>,
    /// The names of the engines; none: all.
    pub engines: Vec<String>,
    /// How often.
    pub rounds: u64,
    /// Where a drawing of the last round goes.
    pub plot: Option<PathBuf>,
}

impl Args {
    /// A cache and write buffers that are small against the data, so that all of an engine works.
    pub fn new(dir: PathBuf) -> Args {
        let options = Options { cache_bytes: 8 << 20, buffer_bytes: 4 << 20, ..Options::default() };
        let durable_time = Duration::from_secs(2);
        Args {
            plan: Plan { keys: 200_000, durable_time, options, ..Plan::new(dir) },
            workloads: WORKLOADS.to_vec(),
            engines: Vec::new(),
            rounds: 3,
            plot: None,
        }
    }

    /// Reads a command line.
    ///
    /// # Errors
    /// In words, if it is wrong.
    pub fn parse(words: &[String]) -> Result<Args> {
        let mut all = Args::new(std::env::temp_dir().join("nori-bench-peers"));
        let mut words = words.iter();
        while let Some(name) = words.next() {
            let value = words.next().ok_or_else(|| Error::new(format!("{name} needs a value")))?;
            let number = || {
                let number = value.parse::<u64>();
                number.map_err(|e| Error::new(format!("{name} {value}: {e}")))
            };
            match name.as_str() {
                "--keys" => all.plan.keys = number()?,
                "--value-bytes" => all.plan.value_bytes = number()?,
                "--threads" => all.plan.threads = number()?,
                "--cache-mb" => all.plan.options.cache_bytes = number()? << 20,
                "--buffer-mb" => all.plan.options.buffer_bytes = number()? << 20,
                "--seed" => all.plan.seed = number()?,
                "--rounds" => all.rounds = number()?.max(1),
                "--durable-seconds" => all.plan.durable_time = Duration::from_secs(number()?),
                "--dir" => all.plan.dir = PathBuf::from(value),
                "--plot" => all.plot = Some(PathBuf::from(value)),
                "--engines" => all.engines = value.split(',').map(str::to_string).collect(),
                "--workload" => {
                    let names = value.split(',');
                    all.workloads = names.map(str::parse).collect::<Result<_>>()?;
                }
                _ => return Err(Error::new(format!("{name} is not known\n{USAGE}"))),
            }
        }
        Ok(all)
    }
}
