//! The figures that the first concept of the engine named, measured on this machine.
//!
//! Each line is measured as the concept words it: parts by themselves, a synced put in each zone of
//! pressure, a load. Figures are medians of rounds.

// It looks at the real disk and clock, as all of a bench does.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod jobs;
mod puts;
mod table;

use crate::parts::Result;
use nori_bench::machine;
use std::io::Write;
use std::time::Duration;

/// What can be said.
pub const USAGE: &str = "\
cargo xtask bench-concept [--rounds N] [--seconds S] [--largest-mb N] [--part-of N]
    --rounds      measurements of each part, of which the median is told; 3
    --seconds     how long each load of puts runs; 10
    --largest-mb  the largest merge, above which the others are left out; 1000
    --part-of     sizes of memtables, flushes and filters over N, to try the command; 1";

/// What was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Args {
    /// Measurements of each part.
    pub rounds: usize,
    /// How long each load of puts runs.
    pub load: Duration,
    /// User bytes of the largest merge, in millions.
    pub largest_mb: u64,
    /// Sizes of memtables, flushes and filters are divided by this.
    pub part_of: u64,
}

impl Default for Args {
    fn default() -> Args {
        Args { rounds: 3, load: Duration::from_secs(10), largest_mb: 1_000, part_of: 1 }
    }
}

impl Args {
    /// Reads a command line.
    ///
    /// # Errors
    /// In words, if it is wrong.
    pub fn parse(words: &[String]) -> Result<Args> {
        let mut all = Args::default();
        let mut words = words.iter();
        while let Some(name) = words.next() {
            let value = words.next().ok_or_else(|| format!("{name} needs a value"))?;
            let number = value.parse::<u64>().map_err(|e| format!("{name} {value}: {e}"))?;
            match name.as_str() {
                "--rounds" => all.rounds = usize::try_from(number.max(1))?,
                "--seconds" => all.load = Duration::from_secs(number.max(1)),
                "--largest-mb" => all.largest_mb = number,
                "--part-of" => all.part_of = number.clamp(1, 1_000),
                _ => return Err(format!("{name} is not known\n{USAGE}").into()),
            }
        }
        Ok(all)
    }
}

/// Measures all and writes the table.
///
/// # Errors
/// Those of the store and of `out`.
pub fn run(args: &Args, out: &mut dyn Write) -> Result<()> {
    let mut lines = jobs::memtables(args);
    lines.push(jobs::log()?);
    lines.extend(puts::zones(args.load)?);
    lines.push(jobs::flush(args)?);
    lines.push(jobs::filter(args));
    lines.extend(jobs::merges(args)?);
    lines.extend(puts::loads(args.load)?);
    table::write(&lines, &setup(args), out)?;
    Ok(())
}

fn setup(args: &Args) -> String {
    format!(
        "16 + 100 bytes, LZ4, medians of {}, loads of {} s; {}",
        args.rounds,
        args.load.as_secs(),
        machine::about()
    )
}

/// What a concept names: at most, or at least.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Named {
    /// A time: less is better.
    AtMost(f64),
    /// A rate: more is better.
    AtLeast(f64),
}

#[cfg(test)]
mod tests;
