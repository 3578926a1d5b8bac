//! `cargo xtask sanitize`: threads of a store under ThreadSanitizer and AddressSanitizer.
//!
//! Needs a nightly compiler, whose target brings the sanitizers' runtimes; without one it says so.
//! That a race would be seen is shown first, by one that is planted.

use std::process::Command;

use crate::ci::Context;
use crate::failure::Failure;
use crate::shell;

const TARGET: &str = "x86_64-unknown-linux-gnu";

pub(crate) fn sanitize(context: &Context, args: &[String]) -> Result<(), Failure> {
    if !shell::is_installed("rustc", &["+nightly", "--version"]) {
        println!("skipped: there is no nightly compiler (rustup toolchain install nightly)");
        return Ok(());
    }
    let seeds = match args {
        [] => "200",
        [flag, seeds] if flag == "--seeds" => seeds,
        _ => return Err(Failure::new("sanitize takes --seeds N", "say how many rounds")),
    };
    println!("-- a planted race");
    let mut race = command(context, "thread");
    race.env("NORI_RACE", "1");
    let ran = shell::run_and_keep(&mut race)?;
    let is_seen = ran.lines.iter().any(|line| line.contains("ThreadSanitizer: data race"));
    if ran.ok || !is_seen {
        return Err(Failure::new("the planted race was not seen", "the sanitizer does not work"));
    }
    for sanitizer in ["thread", "address"] {
        println!("-- {sanitizer}");
        let mut command = command(context, sanitizer);
        command.env("NORI_SEEDS", seeds);
        shell::run(&mut command, "the sanitizer's report names both places")?;
    }
    Ok(())
}

fn command(context: &Context, sanitizer: &str) -> Command {
    let root = &context.workspace.root;
    // The proxy of rustup, not the compiler that runs this.
    let mut command = Command::new("cargo");
    command.current_dir(root).env_remove("RUSTUP_TOOLCHAIN");
    command.args(["+nightly", "test", "--target", TARGET, "-p", "nori-torture"]);
    command.args(["--test", "sanitized"]);
    // The standard library comes without a sanitizer.
    let flags = format!("-Zsanitizer={sanitizer} -Cunsafe-allow-abi-mismatch=sanitizer");
    let watched = if sanitizer == "thread" { " --cfg nori_tsan" } else { "" };
    command.env("RUSTFLAGS", flags + watched);
    command.env("CARGO_TARGET_DIR", root.join("target").join(format!("sanitize-{sanitizer}")));
    let suppressions = root.join("crates/nori-torture/suppressions.txt");
    let mut options = "halt_on_error=1".to_owned();
    if suppressions.is_file() {
        options.push_str(&format!(" suppressions={}", suppressions.display()));
    }
    command.env("TSAN_OPTIONS", options);
    command
}
