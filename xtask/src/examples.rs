//! The examples: each one runs, says something, cleans up behind itself and does not take long.
//!
//! They are what the book shows, so an example that stopped working would be a page that lies. All
//! are built by one cargo command and then run with a temporary directory of their own, which has
//! to be empty afterwards. Programs that measure are built and not run.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::ci::Context;
use crate::failure::Failure;
use crate::shell;

/// Examples that measure end in this, and one has a name of its own.
const MEASURES_SUFFIX: &str = "_speed";
const MEASURES_MEMORY: &str = "memory";

/// A reader who tries an example should not wait; a loaded machine gets some patience.
const TIME_MAX: Duration = Duration::from_secs(20);

const REMEDY: &str = "an example shows what it did by assertions and a few printed lines, works in \
                      `std::env::temp_dir()` and removes what it made there";

/// An example that was built.
struct Example {
    name: String,
    program: PathBuf,
}

/// The step. Arguments are parts of names: those examples run alone and show what they print.
pub(crate) fn step(context: &Context, args: &[String]) -> Result<(), Failure> {
    let root = &context.workspace.root;
    let all = build(root)?;
    let is_wanted =
        |name: &str| args.is_empty() || args.iter().any(|part| name.contains(part.as_str()));
    let wanted: Vec<&Example> = all
        .iter()
        .filter(|example| !is_measure(&example.name) && is_wanted(&example.name))
        .collect();
    if wanted.is_empty() {
        return Err(Failure::new(
            "there is no such example",
            "see crates/*/examples and examples/",
        ));
    }
    let scratch = std::env::temp_dir().join(format!("nori-examples-{}", std::process::id()));
    let mut findings = Vec::new();
    for example in &wanted {
        match run(example, &scratch, !args.is_empty()) {
            Ok(took) => println!("{:<24} {:>5.2} s", example.name, took.as_secs_f64()),
            Err(problem) => findings.push(format!("{}: {problem}", example.name)),
        }
    }
    Failure::of_findings(&findings, REMEDY)?;
    println!("{} examples", wanted.len());
    Ok(())
}

fn is_measure(name: &str) -> bool {
    name.ends_with(MEASURES_SUFFIX) || name == MEASURES_MEMORY
}

/// Builds all examples in the test profile, so that what `test` has built is used again.
fn build(root: &Path) -> Result<Vec<Example>, Failure> {
    let mut command = shell::cargo(root);
    command.args(["build", "--quiet", "--workspace", "--examples", "--bins", "--profile", "test"]);
    // Examples of features that are off by default run as well.
    command.args(["--features", "nori-backup/object-store"]);
    command.arg("--message-format=json-render-diagnostics").stderr(Stdio::inherit());
    let output = command.output()?;
    if !output.status.success() {
        return Err(Failure::new("an example does not compile", "see cargo's message above"));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let mut found: Vec<Example> = text.lines().filter_map(example_of).collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// The example that a line of cargo's JSON tells of, if it tells of one.
fn example_of(line: &str) -> Option<Example> {
    let message: Value = serde_json::from_str(line).ok()?;
    let program = PathBuf::from(message["executable"].as_str()?);
    let target = &message["target"];
    let is = |kind: &str| target["kind"].as_array().is_some_and(|k| k.iter().any(|k| k == kind));
    let in_programs = message["manifest_path"]
        .as_str()
        .is_some_and(|path| Path::new(path).parent().is_some_and(|dir| dir.ends_with("examples")));
    (is("example") || (is("bin") && in_programs))
        .then(|| Example { name: target["name"].as_str().unwrap_or_default().to_owned(), program })
}

/// Runs one example to its end and looks at what it did; says what was wrong.
fn run(example: &Example, scratch: &Path, is_shown: bool) -> Result<Duration, String> {
    let told = |e: std::io::Error| format!("{}: {e}", scratch.display());
    // What a program leaves where it was started is seen by its user; a temporary directory is not.
    let (here, temporary) = (scratch.join("here"), scratch.join("temporary"));
    std::fs::create_dir_all(&here).map_err(told)?;
    std::fs::create_dir_all(&temporary).map_err(told)?;
    let started = Instant::now();
    let output = Command::new(&example.program)
        .current_dir(&here)
        .env("TMPDIR", &temporary)
        .stdin(Stdio::null())
        .output()
        .map_err(told)?;
    let took = started.elapsed();
    let left = std::fs::read_dir(&temporary).map_err(told)?.count();
    std::fs::remove_dir_all(scratch).map_err(told)?;
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    if is_shown {
        print!("{said}{complaint}");
    }
    if !output.status.success() {
        return Err(format!("ended with {}\n{said}{complaint}", output.status));
    }
    if said.trim().is_empty() {
        return Err("printed nothing; what did it show?".to_owned());
    }
    if left > 0 {
        return Err(format!("left {left} entries in its temporary directory"));
    }
    if took > TIME_MAX {
        return Err(format!("took {:.1} s, at most {} s", took.as_secs_f64(), TIME_MAX.as_secs()));
    }
    Ok(took)
}

#[cfg(test)]
mod tests {
    use super::{Example, example_of, is_measure, run};
    use std::path::{Path, PathBuf};

    fn message(kind: &str, manifest: &str, executable: &str) -> String {
        format!(
            r#"{{"target":{{"kind":["{kind}"],"name":"queue"}},"manifest_path":"{manifest}",
            "executable":{executable}}}"#
        )
    }

    #[test]
    fn examples_and_the_programs_of_their_crate_are_found() {
        let lsm = "/n/crates/nori-lsm/Cargo.toml";
        let own = "/n/examples/Cargo.toml";
        let is_found = |line: &str| example_of(line).is_some_and(|e| e.name == "queue");
        assert!(is_found(&message("example", lsm, "\"/t/queue\"")));
        assert!(is_found(&message("bin", own, "\"/t/queue\"")));
        assert!(!is_found(&message("bin", lsm, "\"/t/queue\"")));
        assert!(!is_found(&message("example", lsm, "null")));
        assert!(!is_found("warning: something"));
    }

    #[test]
    fn what_measures_is_not_run() {
        assert!(is_measure("table_speed") && is_measure("memory"));
        assert!(!is_measure("table_alone"));
    }

    /// A shell script stands for the example.
    fn outcome(name: &str, script: &str) -> Result<(), String> {
        let dir = std::env::temp_dir();
        let program = dir.join(format!("nori-xtask-{name}-{}", std::process::id()));
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        let mut command = std::process::Command::new("chmod");
        assert!(command.arg("+x").arg(&program).status().unwrap().success());
        let example = Example { name: name.to_owned(), program: program.clone() };
        let scratch: PathBuf = Path::new(&dir).join(format!("nori-xtask-scratch-{name}"));
        let outcome = run(&example, &scratch, false).map(|_| ());
        std::fs::remove_file(program).unwrap();
        assert!(!scratch.exists());
        outcome
    }

    #[test]
    fn a_good_example_passes_and_each_fault_is_named() {
        let told = |name, script| outcome(name, script).unwrap_err();
        assert_eq!(outcome("good", "echo done"), Ok(()));
        assert!(told("fails", "echo no >&2; exit 3").contains("no"));
        assert!(told("mute", "true").contains("printed nothing"));
        assert!(told("litter", "echo done; echo x > \"$TMPDIR/x\"").contains("left 1"));
    }
}
