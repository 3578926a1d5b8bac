//! Schedules of the whole engine: its threads and a test's under shuttle's schedulers.
//!
//! The scenarios live in `crates/nori-lsm/tests/schedules`; they need a build of their own, in
//! which threads, locks and channels are shuttle's.

use crate::ci::Context;
use crate::failure::Failure;
use crate::suites::{self, Log};
use crate::tally::Tally;
use crate::{plants, shell};

/// Seeds in `ci`; a seed is 50 schedules of each scenario.
const SEEDS: &str = "40";

const REMEDY: &str = "the line that begins with NORI_SEED repeats the schedule that failed";

pub(crate) fn step(context: &Context, args: &[String]) -> Result<(), Failure> {
    let size = match args {
        [] => ("NORI_SEEDS", SEEDS.to_owned()),
        [flag, seeds] if flag == "--seeds" => ("NORI_SEEDS", seeds.clone()),
        [flag, minutes] if flag == "--minutes" => {
            let minutes = minutes.parse::<u64>();
            let minutes = minutes.map_err(|e| Failure::new(e.to_string(), "say --minutes 10"))?;
            ("NORI_SECONDS", (minutes * 60).to_string())
        }
        _ => return Err(Failure::new("schedules takes --seeds N or --minutes N", "see --help")),
    };
    let lines = run(context, &[size])?;
    print!("{}{}", suites::table_of(&lines), plants::table_of(&lines));
    Ok(())
}

/// Runs all scenarios in the size that the environment says; returns their suites' lines.
pub(crate) fn run(context: &Context, size: &[(&str, String)]) -> Result<Vec<String>, Failure> {
    let log = Log::new(context)?;
    let mut command = shell::cargo(&context.workspace.root);
    command.args(["test", "--release", "-p", "nori-lsm", "--test", "schedules"]);
    command.args(["--", "--nocapture", "--test-threads=2"]);
    command.env("RUSTFLAGS", "--cfg nori_shuttle");
    command.env("CARGO_TARGET_DIR", context.workspace.root.join("target/shuttle"));
    command.env("CARGO_PROFILE_RELEASE_LTO", "off").env("CARGO_PROFILE_RELEASE_DEBUG", "none");
    command.env("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true").env("RUST_BACKTRACE", "0");
    command.envs(size.iter().map(|(name, value)| (name, value)));
    log.hand_to(&mut command);
    let ran = shell::run_and_keep(&mut command)?;
    let tally = Tally::of(&ran.lines);
    context.tally.borrow_mut().add(tally);
    if !ran.ok || tally.is_empty() {
        return Err(Failure::new(format!("schedules: {tally}"), REMEDY));
    }
    Ok(log.lines())
}
