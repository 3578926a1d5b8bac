//! `cargo xtask amplification`: write, read and space amplification of the adaptive shape beside
//! the two fixed ones, on the real engine.
//!
//! ```text
//! cargo xtask amplification [--reads R] [--only NAME] [--live-mib N] [--disk DIR] [--seed N]
//! ```

use nori_benches::amplification::{
    Options, Outcome, WORKLOADS, Workload, print_row, print_targets, print_title, run,
};
use nori_lsm::{CompactionMode, Config};
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match parse(&args).and_then(|(options, only)| measure(&options, only.as_deref())) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            println!("something is missed; the lines above say what");
            ExitCode::FAILURE
        }
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}

fn parse(args: &[String]) -> Result<(Options, Option<String>), String> {
    let (mut options, mut only) = (Options::default(), None);
    let mut args = args.iter();
    while let Some(name) = args.next() {
        let value = args.next().ok_or_else(|| format!("{name} needs a value"))?;
        let number = || value.parse::<f64>().map_err(|e| format!("{name} {value}: {e}"));
        match name.as_str() {
            "--reads" => options.reads_per_kb = number()?,
            "--live-mib" => options.live_bytes = (number()? as u64) << 20,
            "--seed" => options.seed = number()? as u64,
            "--disk" => options.disk = Some(value.into()),
            "--only" => only = Some(value.clone()),
            _ => return Err(format!("{name} is not known; see the head of this program")),
        }
    }
    Ok((options, only))
}

fn measure(options: &Options, only: Option<&str>) -> Result<bool, String> {
    println!(
        "{} MiB of live data, memtable {} MiB, {} point reads for each KiB written, seed {}",
        options.live_bytes >> 20,
        options.memtable_bytes >> 20,
        options.reads_per_kb,
        options.seed
    );
    print_title();
    let mut all_met = true;
    for workload in WORKLOADS.iter().filter(|w| only.is_none_or(|only| w.name.contains(only))) {
        let as_is = |config: Config| config;
        let one = |shape, mode| shaped(workload, shape, mode, options, as_is);
        let adaptive = one("adaptive", CompactionMode::Atll)?;
        let leveled = one("leveled", CompactionMode::Leveled)?;
        // Tiering as it is known, over all keys at once; in slots it is kinder to reads.
        let whole = |config: Config| config.slot_target_bytes(Some(u64::MAX));
        let tiered = shaped(workload, "tiered 4", CompactionMode::Tiered, options, whole)?;
        one("tiered 4, slots", CompactionMode::Tiered)?;
        all_met &=
            print_targets(workload.name, options.reads_per_kb, [&adaptive, &leveled, &tiered]);
        if workload.name == "random load" {
            let thrifty = |config: Config| config.lambda(256.0);
            let thrifty = shaped(workload, "lambda 256", CompactionMode::Atll, options, thrifty)?;
            let ratio = thrifty.wa / tiered.wa;
            let met = ratio <= 1.205;
            let missed = if met { "" } else { ", MISSED" };
            println!("  lambda 256: WA/tiered {ratio:.2} (owed 1.20{missed})");
            all_met &= met;
        }
    }
    Ok(all_met)
}

fn shaped(
    workload: &Workload,
    shape: &str,
    mode: CompactionMode,
    options: &Options,
    tune: impl Fn(Config) -> Config,
) -> Result<Outcome, String> {
    let outcome = run(workload, mode, options, tune);
    let outcome = outcome.map_err(|e| format!("{}, {shape}: {e}", workload.name))?;
    print_row(workload.name, shape, &outcome);
    Ok(outcome)
}
