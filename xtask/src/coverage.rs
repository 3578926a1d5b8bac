//! `cargo xtask coverage`: which lines of the crates that hold the data the tests of `ci` run.
//!
//! Needs cargo-llvm-cov, and LLVM's tools: rustup's, or the distribution's named in `LLVM_COV` and
//! `LLVM_PROFDATA` (Debian's llvm-19 is found by itself).

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::ci::Context;
use crate::failure::Failure;
use crate::{shell, suites};

/// The crates that are counted.
const COUNTED: [&str; 4] = ["nori-wal", "nori-manifest", "nori-sstable", "nori-lsm"];
/// The crates whose tests run.
const RUN: [&str; 8] = [
    "nori-wal",
    "nori-manifest",
    "nori-sstable",
    "nori-lsm",
    "nori-sim",
    "nori-fuzz",
    "nori-cli",
    "nori-torture",
];
/// The least share of lines, in percent.
const LINES_MIN: f64 = 90.0;

pub(crate) fn coverage(context: &Context, args: &[String]) -> Result<(), Failure> {
    if !shell::is_installed("cargo-llvm-cov", &["llvm-cov", "--version"]) {
        let remedy = "cargo install cargo-llvm-cov --locked; apt-get install llvm-19";
        return Err(Failure::new("cargo-llvm-cov is not installed", remedy));
    }
    let members = context.workspace.crates.iter().map(|member| member.name.as_str());
    let members: Vec<&str> = members.filter(|name| RUN.contains(name)).collect();
    let mut test =
        command(context, &["--no-report", "--no-fail-fast", "--lib", "--bins", "--tests"]);
    for name in &members {
        test.args(["-p", name]);
    }
    test.args(args);
    if std::env::var_os("NORI_SUITE_SEEDS").is_none() {
        test.env("NORI_SUITE_SEEDS", suites::sizes());
    }
    shell::run(&mut test, "mend the test that failed")?;
    // Children that were killed leave profiles that are not whole.
    let args = ["report", "--failure-mode", "all", "--json", "--summary-only"];
    let mut report = command(context, &args);
    let output = report.stdout(Stdio::piped()).output()?;
    let json: Value = serde_json::from_slice(&output.stdout)
        .map_err(|e| Failure::new(format!("the report is no JSON: {e}"), "look at the output"))?;
    let crates = by_crate(&json);
    let mut findings = Vec::new();
    println!("{:<16} {:>8} {:>8} {:>8}", "crate", "lines", "run", "percent");
    for name in COUNTED {
        let (lines, ran) = crates.get(name).copied().unwrap_or_default();
        let percent = 100.0 * ran as f64 / lines.max(1) as f64;
        println!("{name:<16} {lines:>8} {ran:>8} {percent:>8.1}");
        if percent < LINES_MIN {
            findings.push(format!("{name}: {percent:.1} % of lines, {LINES_MIN} are asked for"));
        }
    }
    Failure::of_findings(&findings, "cargo llvm-cov report --show-missing-lines names the lines")
}

fn command(context: &Context, args: &[&str]) -> Command {
    let mut command = shell::cargo(&context.workspace.root);
    command.arg("llvm-cov").args(args);
    for (name, program) in [("LLVM_COV", "llvm-cov-19"), ("LLVM_PROFDATA", "llvm-profdata-19")] {
        if std::env::var_os(name).is_none() && shell::is_installed(program, &["--version"]) {
            command.env(name, format!("/usr/bin/{program}"));
        }
    }
    command
}

/// Lines and lines run, by crate; tests that live in `src` do not count.
fn by_crate(json: &Value) -> BTreeMap<String, (u64, u64)> {
    let mut crates: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let files = json["data"][0]["files"].as_array().into_iter().flatten();
    for file in files {
        let path = file["filename"].as_str().unwrap_or_default();
        let Some((_, path)) = path.rsplit_once("/crates/") else { continue };
        let Some((name, path)) = path.split_once("/src/") else { continue };
        if path.ends_with("tests.rs") || path.contains("/tests/") || path.starts_with("crash") {
            continue;
        }
        let lines = &file["summary"]["lines"];
        let sum = crates.entry(name.to_owned()).or_default();
        sum.0 += lines["count"].as_u64().unwrap_or(0);
        sum.1 += lines["covered"].as_u64().unwrap_or(0);
    }
    crates
}

#[cfg(test)]
mod tests {
    use super::by_crate;
    use serde_json::json;

    #[test]
    fn lines_are_added_up_by_crate_without_tests() {
        let file = |name: &str, count: u64, covered: u64| {
            let lines = json!({ "count": count, "covered": covered });
            json!({ "filename": name, "summary": { "lines": lines } })
        };
        let files = [
            file("/x/crates/nori-wal/src/wal.rs", 100, 90),
            file("/x/crates/nori-wal/src/wal/sync.rs", 10, 10),
            file("/x/crates/nori-wal/src/wal/tests.rs", 500, 500),
            file("/x/xtask/src/main.rs", 7, 0),
        ];
        let crates = by_crate(&json!({ "data": [{ "files": files }] }));
        assert_eq!(crates.len(), 1);
        assert_eq!(crates["nori-wal"], (110, 100));
    }
}
