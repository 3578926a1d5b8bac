//! Loom: every interleaving of the concurrency models, up to a bound of preemptions.
//!
//! A model lives in `crates/X/tests/loom_*.rs` and prints
//!
//! ```text
//! loom: MODEL name=seal_gate executions=1234
//! loom: TWIN name=seal_gate_relaxed caught after=17
//! ```
//!
//! A twin is the model with one ordering weakened or one step swapped; it must fail. This step
//! refuses a model that saw a single execution (it has no concurrency to explore), a twin that was
//! not caught, and a crate that has models but no twin (nothing shows that they can fail).

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::ci::Context;
use crate::failure::Failure;
use crate::shell;
use crate::tally::Tally;
use crate::workspace::{Workspace, files_below};

/// Preemptions per execution, unless `--bound` or `LOOM_MAX_PREEMPTIONS` says otherwise.
const BOUND: &str = "2";

const REMEDY: &str = "run the model alone: RUSTFLAGS='--cfg nori_loom' LOOM_LOG=trace cargo test \
                      --release -p CRATE --test loom_NAME -- --nocapture";

/// What the models of one run reported.
#[derive(Debug, Default)]
struct Outcome {
    /// Executions of each model.
    models: BTreeMap<String, u64>,
    /// Executions until each twin was caught; `None` if it was not.
    twins: BTreeMap<String, Option<u64>>,
}

/// The step.
pub(crate) fn step(context: &Context, args: &[String]) -> Result<(), Failure> {
    let workspace = &context.workspace;
    let bound = bound(args)?;
    let crates = crates_with_models(workspace);
    if crates.is_empty() {
        return Err(Failure::new(
            "no crate has a tests/loom_*.rs",
            "a lock-free path has its model; put it into the crate that owns the path",
        ));
    }
    println!("at most {bound} preemptions per execution");
    let mut total = Outcome::default();
    let mut findings = Vec::new();
    for name in &crates {
        println!("-- {name}");
        let ran = shell::run_and_keep(&mut command(&workspace.root, name, &bound))?;
        context.tally.borrow_mut().add(Tally::of(&ran.lines));
        let outcome = Outcome::read(&ran.lines);
        if ran.ok {
            findings.extend(outcome.problems(name));
        } else {
            findings.push(format!("{name}: a model failed, or the models do not build"));
        }
        total.models.extend(outcome.models);
        total.twins.extend(outcome.twins);
    }
    print!("{}", total.table());
    Failure::of_findings(&findings, REMEDY)
}

/// Runs the models of one crate. Models want speed, not small binaries: no link-time optimisation.
fn command(root: &Path, name: &str, bound: &str) -> Command {
    let mut command = shell::cargo(root);
    command
        .args(["test", "--quiet", "--release", "-p", name, "--test", "loom_*"])
        .args(["--", "--nocapture", "--test-threads=1"])
        .env("RUSTFLAGS", "--cfg nori_loom")
        .env("LOOM_MAX_PREEMPTIONS", bound)
        .env("CARGO_TARGET_DIR", root.join("target/loom"))
        // Twins panic on purpose, many times.
        .env("RUST_BACKTRACE", "0")
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "none");
    command
}

/// The bound from the arguments, the environment, or the default.
fn bound(args: &[String]) -> Result<String, Failure> {
    let given = match args {
        [] => std::env::var("LOOM_MAX_PREEMPTIONS").unwrap_or_else(|_| BOUND.to_owned()),
        [flag, bound] if flag == "--bound" => bound.clone(),
        _ => return Err(Failure::new("loom takes --bound N and nothing else", "see --help")),
    };
    match given.parse::<u8>() {
        Ok(_) => Ok(given),
        Err(_) => Err(Failure::new(format!("{given:?} is no bound"), "give a small number")),
    }
}

fn crates_with_models(workspace: &Workspace) -> Vec<String> {
    let has_models = |dir: &Path| {
        files_below(&dir.join("tests"), ".rs").iter().any(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("loom_"))
        })
    };
    let members = workspace.crates.iter().filter(|member| has_models(&member.dir));
    members.map(|member| member.name.clone()).collect()
}

impl Outcome {
    fn read(lines: &[String]) -> Outcome {
        let mut outcome = Outcome::default();
        for line in lines {
            // The harness may have begun the line with the test's name.
            if let Some(at) = line.find("loom: MODEL ") {
                let fields = &line[at..];
                let executions = number(fields, "executions=").unwrap_or(0);
                outcome.models.insert(word(fields, "name="), executions);
            } else if let Some(at) = line.find("loom: TWIN ") {
                let fields = &line[at..];
                let caught = fields.contains(" caught ");
                let after = if caught { number(fields, "after=").or(Some(0)) } else { None };
                outcome.twins.insert(word(fields, "name="), after);
            }
        }
        outcome
    }

    /// Why this outcome proves nothing, if it does not.
    fn problems(&self, name: &str) -> Vec<String> {
        let mut found = Vec::new();
        if self.models.is_empty() {
            found.push(format!("{name}: has loom tests and no line `loom: MODEL name=..`"));
        }
        if self.twins.is_empty() {
            found.push(format!("{name}: no twin was caught; nothing shows that a model can fail"));
        }
        for (model, &executions) in &self.models {
            if executions <= 1 {
                found.push(format!("{name}: model {model} saw {executions} execution(s)"));
            }
        }
        for (twin, caught) in &self.twins {
            if caught.is_none() {
                found.push(format!("{name}: twin {twin} was not caught"));
            }
        }
        found
    }

    fn table(&self) -> String {
        let mut text = format!("{:<48} {:>12}\n", "model", "executions");
        for (model, executions) in &self.models {
            text.push_str(&format!("{model:<48} {executions:>12}\n"));
        }
        text.push_str(&format!("{:<48} {:>12}\n", "twin", "caught after"));
        for (twin, after) in &self.twins {
            let after = after.map_or("not".to_owned(), |after| after.to_string());
            text.push_str(&format!("{twin:<48} {after:>12}\n"));
        }
        let executions: u64 = self.models.values().sum();
        let (models, twins) = (self.models.len(), self.twins.len());
        let caught = self.twins.values().flatten().count();
        text.push_str(&format!(
            "{models} models, {executions} executions; {twins} twins, {caught} caught\n"
        ));
        text
    }
}

/// The word after `field`, up to the next space.
fn word(fields: &str, field: &str) -> String {
    let rest = fields.split_once(field).map_or("", |(_, rest)| rest);
    rest.split_whitespace().next().unwrap_or_default().to_owned()
}

fn number(fields: &str, field: &str) -> Option<u64> {
    word(fields, field).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::Outcome;

    fn read(text: &str) -> Outcome {
        Outcome::read(&text.lines().map(str::to_owned).collect::<Vec<_>>())
    }

    const GOOD: &str = "test gate ... loom: MODEL name=gate executions=41\n\
                        loom: TWIN name=gate_relaxed caught after=3\n";

    #[test]
    fn a_model_with_its_twin_passes() {
        let outcome = read(GOOD);
        assert_eq!(outcome.problems("c"), Vec::<String>::new());
        assert!(outcome.table().contains("1 models, 41 executions; 1 twins, 1 caught"));
    }

    #[track_caller]
    fn refused(text: &str, expected: &str) {
        let found = read(text).problems("c");
        assert!(found.iter().any(|finding| finding.contains(expected)), "{found:#?}");
    }

    #[test]
    fn what_proves_nothing_is_refused() {
        refused("", "no line `loom: MODEL");
        refused("loom: MODEL name=a executions=9\n", "no twin was caught");
        refused("loom: MODEL name=a executions=1\n", "model a saw 1 execution");
        refused(&format!("{GOOD}loom: TWIN name=b missed\n"), "twin b was not caught");
    }
}
