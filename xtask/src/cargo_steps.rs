//! The steps that are mostly one cargo command: fmt, clippy, test, doctest, deny.

use std::process::Command;

use crate::ci::Context;
use crate::failure::Failure;
use crate::shell;
use crate::suites;
use crate::tally::Tally;

/// `cargo fmt --check`.
pub(crate) fn fmt(context: &Context, _: &[String]) -> Result<(), Failure> {
    let mut command = shell::cargo(&context.workspace.root);
    command.args(["fmt", "--all", "--check"]);
    shell::run(&mut command, "run `cargo fmt --all` and commit the result")
}

/// Clippy over every target of every crate, warnings refused.
pub(crate) fn clippy(context: &Context, _: &[String]) -> Result<(), Failure> {
    let mut command = shell::cargo(&context.workspace.root);
    command.args(["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]);
    shell::run(&mut command, "follow clippy's advice; allow a lint only with a reason beside it")
}

/// All tests but those in docs; extra arguments go to the runner.
///
/// The random suites run the sizes of the table in `suites`, which `NORI_SEEDS` overrides.
pub(crate) fn test(context: &Context, args: &[String]) -> Result<(), Failure> {
    let mut command = shell::cargo(&context.workspace.root);
    if shell::is_installed("cargo-nextest", &["nextest", "--version"]) {
        command.args(["nextest", "run", "--workspace", "--no-fail-fast", "--status-level", "slow"]);
    } else {
        command.args(["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast"]);
    }
    command.args(args);
    if std::env::var_os("NORI_SUITE_SEEDS").is_none() {
        command.env("NORI_SUITE_SEEDS", suites::sizes());
    }
    let log = suites::Log::new(context)?;
    log.hand_to(&mut command);
    counted(context, &mut command, "a failing random test prints the command that repeats it")?;
    // With arguments only some tests run.
    if args.is_empty() { suites::check_all(log) } else { Ok(()) }
}

/// The examples in doc comments.
pub(crate) fn doctest(context: &Context, _: &[String]) -> Result<(), Failure> {
    let mut command = shell::cargo(&context.workspace.root);
    command.args(["test", "--workspace", "--doc", "--quiet"]);
    counted(context, &mut command, "an example in a doc comment is out of date: mend it")
}

/// What is off by default, and the tests that are for it alone.
const FEATURES: &str = "nori-lsm/metrics,nori-lsm/tracing,nori-backup/object-store";
const OF_FEATURES: [&str; 8] =
    ["-p", "nori-lsm", "-p", "nori-backup", "--test", "published", "--test", "bucket"];

/// The features that are off by default, seen by clippy and by tests of their own.
pub(crate) fn features(context: &Context, _: &[String]) -> Result<(), Failure> {
    let mut command = shell::cargo(&context.workspace.root);
    // The targets that `test` does not build: the libraries with all features, and their tests.
    command.arg("clippy").args(OF_FEATURES).args(["--lib", "--features", FEATURES]);
    command.args(["--quiet", "--", "-D", "warnings"]);
    shell::run(&mut command, "follow clippy's advice; allow a lint only with a reason beside it")?;
    let mut command = shell::cargo(&context.workspace.root);
    command.arg("test").args(OF_FEATURES).args(["--features", FEATURES, "--quiet"]);
    counted(context, &mut command, "with its features a crate does what its pages say")
}

/// Runs a test command, adds its tests to the tally, and refuses a run without any.
fn counted(context: &Context, command: &mut Command, remedy: &str) -> Result<(), Failure> {
    let shown = shell::shown(command);
    let ran = shell::run_and_keep(command)?;
    let tally = Tally::of(&ran.lines);
    context.tally.borrow_mut().add(tally);
    if !ran.ok {
        return Err(Failure::new(format!("`{shown}`: {tally}"), remedy));
    }
    if tally.is_empty() {
        return Err(Failure::new(
            format!("`{shown}` ran no test"),
            "the summary line was not understood, or every test is filtered out",
        ));
    }
    println!("{tally}");
    Ok(())
}

/// `cargo deny`, without the network; skipped where it is not installed.
pub(crate) fn deny(context: &Context, _: &[String]) -> Result<(), Failure> {
    if !shell::is_installed("cargo-deny", &["--version"]) {
        println!("skipped: cargo-deny is not installed (cargo install cargo-deny --locked)");
        return Ok(());
    }
    // Every platform's crates are looked at, also those that this machine never compiles.
    let mut command = shell::cargo(&context.workspace.root);
    command.args(["fetch", "--quiet", "--locked"]);
    shell::run(&mut command, "commit Cargo.lock as cargo wants it, or look at the network")?;
    let mut command = shell::cargo(&context.workspace.root);
    command.args(["deny", "--offline", "check", "bans", "licenses", "sources"]);
    shell::run(&mut command, "see deny.toml: each entry there says why it is there")
}
