//! `cargo xtask libfuzzer [--seconds N] [TARGET..]`: the fuzz targets under libFuzzer, each for a
//! time, with AddressSanitizer.
//!
//! Needs a nightly compiler and cargo-fuzz. What it finds interesting is kept in
//! `target/fuzz-corpus` and is where the next run goes on from.

use std::process::Command;

use crate::ci::Context;
use crate::failure::Failure;
use crate::shell;

pub(crate) fn libfuzzer(context: &Context, args: &[String]) -> Result<(), Failure> {
    let (seconds, wanted) = match args {
        [flag, seconds, wanted @ ..] if flag == "--seconds" => (seconds.as_str(), wanted),
        wanted => ("180", wanted),
    };
    let has_nightly = shell::is_installed("rustc", &["+nightly", "--version"]);
    if !has_nightly || !shell::is_installed("cargo-fuzz", &["fuzz", "--version"]) {
        println!("skipped: needs rustup toolchain install nightly; cargo install cargo-fuzz");
        return Ok(());
    }
    let root = &context.workspace.root;
    let cargo_fuzz = |args: &[&str]| {
        // The proxy of rustup, not the compiler that runs this.
        let mut command = Command::new("cargo");
        command.current_dir(root).env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO_TARGET_DIR");
        command.args(["+nightly", "fuzz"]).args(args);
        command
    };
    shell::run(&mut cargo_fuzz(&["build"]), "mend what the compiler says")?;
    let mut targets: Vec<String> = std::fs::read_dir(root.join("fuzz/seeds"))?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| wanted.is_empty() || wanted.contains(name))
        .collect();
    targets.sort_unstable();
    if targets.is_empty() {
        return Err(Failure::new("there is no such target", "they are named in fuzz/seeds"));
    }
    let (mut findings, mut total) = (Vec::new(), 0);
    let mut table = format!("{:<20} {:>12} {:>8}  crashes\n", "target", "executions", "edges");
    for target in &targets {
        let corpus = root.join("target/fuzz-corpus").join(target);
        std::fs::create_dir_all(&corpus)?;
        let mut command = cargo_fuzz(&["run", target]);
        command.arg(&corpus).arg(root.join("fuzz/seeds").join(target));
        command.args(["--", &format!("-max_total_time={seconds}"), "-print_final_stats=1"]);
        let ran = shell::run_and_keep(&mut command)?;
        let count = executions(&ran.lines);
        total += count;
        let crashes = if ran.ok { "0" } else { "1" };
        table.push_str(&format!("{target:<20} {count:>12} {:>8}  {crashes}\n", edges(&ran.lines)));
        if !ran.ok {
            findings.push(format!("{target}: see fuzz/artifacts/{target}"));
        }
    }
    println!("{table}{} targets, {seconds} s each, {total} executions", targets.len());
    Failure::of_findings(&findings, "keep the input in fuzz/seeds, then mend what it breaks")
}

fn executions(lines: &[String]) -> u64 {
    let stat = |line: &String| {
        line.strip_prefix("stat::number_of_executed_units:")?.trim().parse::<u64>().ok()
    };
    lines.iter().filter_map(stat).next_back().unwrap_or(0)
}

/// What the last progress line calls `cov`.
fn edges(lines: &[String]) -> u64 {
    let cov = |line: &String| {
        let behind = line.split(" cov: ").nth(1)?;
        behind.split(' ').next()?.parse::<u64>().ok()
    };
    lines.iter().filter_map(cov).next_back().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{edges, executions};

    #[test]
    fn what_libfuzzer_says_is_read() {
        let lines = [
            "#2\tINITED cov: 12 ft: 13 corp: 1/1b exec/s: 0 rss: 30Mb",
            "#99\tDONE   cov: 345 ft: 900 corp: 20/4Kb exec/s: 0 rss: 41Mb",
            "stat::number_of_executed_units: 99",
        ];
        let lines = lines.map(str::to_owned);
        assert_eq!((executions(&lines), edges(&lines)), (99, 345));
        assert_eq!((executions(&[]), edges(&[])), (0, 0));
    }
}
