//! `cargo xtask mutants-planted`: every planted fault must be caught, and every bug that a store
//! of this kind is known for must be among them.
//!
//! Tests of planted faults print `plant: name=X by=SUITE after=N unit=U`, loom's twins print
//! `loom: TWIN name=X caught after=N`; a test whose fault escapes fails. The list of known bugs
//! names for each the faults that stand for it.

mod bugs;

use std::collections::BTreeMap;

use crate::ci::Context;
use crate::failure::Failure;
use crate::shell;
use crate::suites::Log;
use bugs::BUGS;

/// Where a fault was caught, and after how many of what.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Catch {
    by: String,
    after: String,
}

type Catches = BTreeMap<String, Vec<Catch>>;

/// What follows `cargo test`, and whether it needs a build in which faults can be planted.
const RUNS: &[(&[&str], bool)] = &[
    (&["-p", "nori-wal", "--lib", "every_planted"], false),
    (&["-p", "nori-manifest", "--test", "crash", "planted"], false),
    (&["-p", "nori-manifest", "--test", "model", "planted"], false),
    (&["-p", "nori-compaction", "--lib", "noticed"], false),
    (&["-p", "nori-compaction", "--lib", "planted"], false),
    (&["-p", "nori-lsm", "--test", "model", "every_planted"], false),
    (&["-p", "nori-torture", "--test", "kill9", "lies"], false),
    (&["-p", "nori-torture", "--test", "power_cut", "a_durable_lie"], false),
    (&["-p", "nori-lsm", "--test", "corruption", "blind"], true),
    (&["-p", "nori-sim", "--test", "plants", "every_plant"], true),
];

pub(crate) fn mutants_planted(context: &Context, args: &[String]) -> Result<(), Failure> {
    let root = &context.workspace.root;
    let mut catches = Catches::new();
    let mut findings = Vec::new();
    for (test, planted) in RUNS {
        println!("-- cargo test {}", test.join(" "));
        let log = Log::new(context)?;
        let mut command = shell::cargo(root);
        command.arg("test").args(*test).args(["--", "--nocapture"]).env("RUST_BACKTRACE", "0");
        log.hand_to(&mut command);
        if *planted {
            command.env("RUSTFLAGS", "--cfg nori_plant");
            command.env("CARGO_TARGET_DIR", root.join("target/plant"));
        }
        let ran = shell::run_and_keep(&mut command)?;
        if !ran.ok {
            findings.push(format!("`{}` failed", shell::shown(&command)));
        }
        collect(&mut catches, log.lines().iter().map(String::as_str));
    }
    if !args.iter().any(|arg| arg == "--no-loom") {
        let mut command = shell::cargo(root);
        command.args(["xtask", "loom"]);
        let ran = shell::run_and_keep(&mut command)?;
        if !ran.ok {
            findings.push("`cargo xtask loom` failed".to_owned());
        }
        collect(&mut catches, ran.lines.iter().map(String::as_str));
    }
    print!("{}", table(&catches));
    findings.extend(escaped(&catches));
    Failure::of_findings(&findings, "a fault that no suite sees needs a test that does")
}

fn collect<'a>(catches: &mut Catches, lines: impl Iterator<Item = &'a str>) {
    for line in lines {
        let plant = line.find("plant: ").map(|at| &line[at + 7..]);
        let twin = line.find("loom: TWIN ").map(|at| &line[at + 11..]);
        let Some(fields) = plant.or(twin.filter(|twin| twin.contains(" caught "))) else {
            continue;
        };
        let field = |name: &str| {
            let found = fields.split(' ').find_map(|field| field.strip_prefix(name));
            // Faults that are names and not variants are printed in quotes.
            found.map(|found| found.trim_matches('"').to_owned())
        };
        let (Some(name), Some(after)) = (field("name="), field("after=")) else { continue };
        let unit = field("unit=").unwrap_or_else(|| "executions".to_owned());
        let by = field("by=").unwrap_or_else(|| "loom".to_owned());
        catches.entry(name).or_default().push(Catch { by, after: format!("{after} {unit}") });
    }
}

/// The faults that these lines tell of, as a table.
pub(crate) fn table_of(lines: &[String]) -> String {
    let mut catches = Catches::new();
    collect(&mut catches, lines.iter().map(String::as_str));
    faults(&catches)
}

fn faults(catches: &Catches) -> String {
    let mut text = format!("{:<34} {:<16} after\n", "planted fault", "caught by");
    for (name, all) in catches {
        for Catch { by, after } in all {
            text.push_str(&format!("{name:<34} {by:<16} {after}\n"));
        }
    }
    text
}

fn table(catches: &Catches) -> String {
    let mut text = faults(catches);
    text.push_str(&format!("\n{:<52} caught as\n", "known bug"));
    for (bug, plants) in BUGS {
        let caught: Vec<_> =
            plants.iter().filter(|plant| catches.contains_key(**plant)).copied().collect();
        text.push_str(&format!("{bug:<52} {}\n", caught.join(", ")));
    }
    let total: usize = catches.values().map(Vec::len).sum();
    text.push_str(&format!(
        "{} faults, caught {total} times; {} known bugs\n",
        catches.len(),
        BUGS.len()
    ));
    text
}

/// The known bugs for which nothing was caught.
fn escaped(catches: &Catches) -> Vec<String> {
    let is_open = |plants: &[&str]| !plants.iter().any(|plant| catches.contains_key(*plant));
    let open = BUGS.iter().filter(|(_, plants)| is_open(plants));
    open.map(|(bug, plants)| format!("{bug}: none of {} was caught", plants.join(", "))).collect()
}

#[cfg(test)]
mod tests {
    use super::{BUGS, Catches, collect, escaped, table};

    #[test]
    fn lines_of_plants_and_twins_are_read() {
        let mut catches = Catches::new();
        let lines = [
            "plant: name=AckBeforeSync by=crash after=12 unit=images",
            "test x ... loom: TWIN name=gate_relaxed caught after=3",
            "loom: TWIN name=blind missed",
            "plant: name=AckBeforeSync by=sim after=9 unit=images",
            "plant: name=\"BlindChecksums\" by=corruption after=195 unit=opens",
        ];
        collect(&mut catches, lines.into_iter());
        assert_eq!(catches["AckBeforeSync"].len(), 2);
        assert_eq!(catches["gate_relaxed"][0].after, "3 executions");
        assert!(!catches.contains_key("blind"));
        assert!(table(&catches).contains("12 images"));
        let open = escaped(&catches);
        assert_eq!(open.len(), BUGS.len() - 2, "{open:?}");
    }
}
