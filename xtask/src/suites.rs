//! Suites: the random tests that prove reliability, in the size of `ci` and in the long one.
//!
//! A suite is a test that prints
//!
//! ```text
//! suite: name=crash unit=images seeds=1..=24 cases=54876 seconds=12.3 violations=0
//! suite: name=power-cut-xfs skipped=this needs root
//! ```
//!
//! and adds the line to the file in `NORI_SUITE_LOG`. The table below says how many seeds `ci`
//! runs of each; the step `test` hands the sizes to the tests and refuses a run in which a suite
//! of the table said nothing. `cargo xtask soak` runs the same suites, optimised but with all
//! assertions, for a time, each time from other seeds on.

mod table;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::ci::Context;
use crate::failure::Failure;
use crate::tally::Tally;
use crate::{schedules, shell};
use table::SUITES;

/// One suite; several tests may share its name.
pub(crate) struct Suite {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// What follows `cargo test` to run it alone; behind `--` for the test itself.
    pub(super) test: &'static [&'static str],
    /// How many seeds `ci` runs.
    seeds: u32,
}

const REMEDY: &str = "the output says which seed failed and the command that repeats it";

/// What the suites' lines say, added up by name.
#[derive(Debug, Default)]
struct Report(BTreeMap<String, Line>);

#[derive(Debug, Default)]
struct Line {
    unit: String,
    seeds: u64,
    cases: u64,
    seconds: f64,
    skipped: Option<String>,
}

/// Where the lines of a run go.
pub(crate) struct Log(PathBuf);

impl Log {
    pub(crate) fn new(context: &Context) -> Result<Log, Failure> {
        let dir = context.workspace.root.join("target");
        std::fs::create_dir_all(&dir)?;
        let path = dir.join(format!("suites-{}.log", std::process::id()));
        let _ = std::fs::remove_file(&path);
        Ok(Log(path))
    }

    pub(crate) fn hand_to(&self, command: &mut Command) {
        command.env("NORI_SUITE_LOG", &self.0);
    }

    /// The lines of the run.
    pub(crate) fn lines(self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.0).unwrap_or_default();
        let _ = std::fs::remove_file(&self.0);
        text.lines().map(str::to_owned).collect()
    }

    fn read(self) -> Report {
        Report::read(&self.lines())
    }
}

/// What these lines say, as a table.
pub(crate) fn table_of(lines: &[String]) -> String {
    Report::read(lines).table()
}

/// The sizes of `ci`, as the tests read them.
pub(crate) fn sizes() -> String {
    let sizes = SUITES.iter().map(|suite| format!("{}={}", suite.name, suite.seeds));
    sizes.collect::<Vec<_>>().join(",")
}

/// Prints what ran; an error if a suite of the table did not.
pub(crate) fn check_all(log: Log) -> Result<(), Failure> {
    let report = log.read();
    print!("{}", report.table());
    let missing = SUITES.iter().filter(|suite| !report.0.contains_key(suite.name));
    let missing: Vec<_> = missing.map(|suite| format!("{} said nothing", suite.name)).collect();
    Failure::of_findings(&missing, "a suite of xtask/src/suites/table.rs has no test any more")
}

/// `cargo xtask suites [NAME..]`: the sizes of `ci`, a suite at a time.
pub(crate) fn suites(context: &Context, args: &[String]) -> Result<(), Failure> {
    let chosen = choose(args)?;
    let run = |suite: &Suite, command: &mut Command| {
        command.env("NORI_SUITE_SEEDS", format!("{}={}", suite.name, suite.seeds));
    };
    let (report, findings) = run_each(context, &chosen, &[], run)?;
    print!("{}", report.table());
    Failure::of_findings(&findings, REMEDY)
}

/// `cargo xtask soak [--minutes N] [NAME..]`: the time is shared among the chosen suites; all of
/// them, and the schedules, if none is named.
pub(crate) fn soak(context: &Context, args: &[String]) -> Result<(), Failure> {
    let (minutes, names) = match args {
        [flag, minutes, names @ ..] if flag == "--minutes" => (minutes.parse().ok(), names),
        names => (Some(60), names),
    };
    let minutes: u64 =
        minutes.ok_or_else(|| Failure::new("no number of minutes", "say --minutes 60"))?;
    let chosen = choose(names)?;
    let with_schedules = names.is_empty();
    let parts = chosen.len() as u64 + u64::from(with_schedules);
    let seconds = (minutes * 60 / parts).max(1);
    let first = first_seed();
    println!("{seconds} s for each of {parts} suites, seeds from {first} on");
    let run = |_: &Suite, command: &mut Command| {
        command.env("NORI_SECONDS", seconds.to_string());
        command.env("NORI_FIRST", first.to_string());
    };
    let (mut report, mut findings) = run_each(context, &chosen, &["--profile", "soak"], run)?;
    if with_schedules {
        println!("-- schedules: threads of the whole engine under shuttle");
        let size = [("NORI_SECONDS", seconds.to_string()), ("NORI_FIRST", first.to_string())];
        match schedules::run(context, &size) {
            Ok(lines) => report.0.extend(Report::read(&lines).0),
            Err(failure) => findings.push(failure.to_string()),
        }
    }
    print!("{}", report.table());
    Failure::of_findings(&findings, REMEDY)
}

/// The minute of the start, so that each soak begins with other seeds and says with which.
fn first_seed() -> u64 {
    if let Some(first) = std::env::var("NORI_FIRST").ok().and_then(|first| first.parse().ok()) {
        return first;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.as_secs() / 60 * 1_000_000
}

fn choose(names: &[String]) -> Result<Vec<&'static Suite>, Failure> {
    if names.is_empty() {
        return Ok(SUITES.iter().collect());
    }
    let find = |name: &String| SUITES.iter().find(|suite| suite.name == name);
    let known: Vec<_> = SUITES.iter().map(|s| format!("  {:<22} {}", s.name, s.about)).collect();
    let unknown = |name: &String| {
        let remedy = format!("one of\n{}", known.join("\n"));
        Failure::new(format!("there is no suite called {name:?}"), remedy)
    };
    names.iter().map(|name| find(name).ok_or_else(|| unknown(name))).collect()
}

/// Runs suites one after another; those behind one that failed run too.
fn run_each(
    context: &Context,
    suites: &[&Suite],
    profile: &[&str],
    size: impl Fn(&Suite, &mut Command),
) -> Result<(Report, Vec<String>), Failure> {
    let mut all = Report::default();
    let mut findings = Vec::new();
    for suite in suites {
        println!("-- {}: {}", suite.name, suite.about);
        let log = Log::new(context)?;
        let mut command = shell::cargo(&context.workspace.root);
        let mut parts = suite.test.split(|arg| *arg == "--");
        let (cargo, test) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        command.arg("test").args(profile).args(cargo).args(["--", "--nocapture"]).args(test);
        // Twins and planted faults panic on purpose.
        command.env("RUST_BACKTRACE", "0");
        log.hand_to(&mut command);
        size(suite, &mut command);
        let ran = shell::run_and_keep(&mut command)?;
        context.tally.borrow_mut().add(Tally::of(&ran.lines));
        let report = log.read();
        if !ran.ok {
            findings.push(format!("{}: `{}` failed", suite.name, shell::shown(&command)));
        } else if !report.0.contains_key(suite.name) {
            findings.push(format!("{}: said nothing", suite.name));
        }
        all.0.extend(report.0);
    }
    Ok((all, findings))
}

impl Report {
    fn read(lines: &[String]) -> Report {
        let mut report = Report::default();
        for fields in lines.iter().filter_map(|line| line.strip_prefix("suite: ")) {
            let field = |name: &str| {
                let found = fields.split(' ').find_map(|field| field.strip_prefix(name));
                found.and_then(|value| value.strip_prefix('=')).unwrap_or_default()
            };
            let line = report.0.entry(field("name").to_owned()).or_default();
            if let Some((_, reason)) = fields.split_once("skipped=") {
                line.skipped = Some(reason.to_owned());
                continue;
            }
            let (first, last) = field("seeds").split_once("..=").unwrap_or_default();
            let number = |text: &str| text.parse::<u64>().unwrap_or(0);
            line.unit = field("unit").to_owned();
            line.seeds = line.seeds.max((number(last) + 1).saturating_sub(number(first)));
            line.cases += number(field("cases"));
            line.seconds += field("seconds").parse().unwrap_or(0.0);
        }
        report
    }

    /// Seconds are those of all tests of a suite added up; some run at once.
    fn table(&self) -> String {
        let mut text = format!(
            "{:<22} {:>8} {:>12} {:<10} {:>9} {:>10}  violations\n",
            "suite", "seeds", "cases", "unit", "seconds", "per second"
        );
        for (name, line) in &self.0 {
            if let Some(reason) = &line.skipped {
                text.push_str(&format!("{name:<22} skipped: {reason}\n"));
                continue;
            }
            let rate = line.cases as f64 / line.seconds.max(0.1);
            text.push_str(&format!(
                "{name:<22} {:>8} {:>12} {:<10} {:>9.1} {rate:>10.0}  0\n",
                line.seeds, line.cases, line.unit, line.seconds
            ));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::{Report, SUITES, sizes};

    #[test]
    fn lines_of_one_name_are_added_up() {
        let text = "suite: name=model unit=steps seeds=1..=3 cases=60 seconds=2.0 violations=0\n\
             noise\n\
             suite: name=model unit=steps seeds=1..=4 cases=40 seconds=3.0 violations=0\n\
             suite: name=disk skipped=this needs root\n";
        let report = Report::read(&text.lines().map(str::to_owned).collect::<Vec<_>>());
        let model = &report.0["model"];
        assert_eq!((model.seeds, model.cases, model.seconds), (4, 100, 5.0));
        assert_eq!(report.0["disk"].skipped.as_deref(), Some("this needs root"));
        let table = report.table();
        assert!(table.contains("skipped: this needs root") && table.contains(" 20  0"), "{table}");
    }

    #[test]
    fn suites_have_different_names_and_a_size() {
        let mut names: Vec<_> = SUITES.iter().map(|suite| suite.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), SUITES.len());
        assert!(SUITES.iter().all(|suite| suite.seeds > 0 && !suite.test.is_empty()));
        assert!(sizes().contains("model="));
    }
}
