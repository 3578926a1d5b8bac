//! `cargo xtask mutants [--shard K/N]`: small changes in the code that reads and writes bytes on
//! disk, one at a time; the crate's own tests must notice them.

use crate::ci::Context;
use crate::failure::Failure;
use crate::shell;

/// The crates, the files in each that know a format, and how many seeds its random tests run.
const CODECS: &[(&str, &[&str], &str)] = &[
    ("nori-wal", &["log/*.rs", "replay/segment.rs"], "40"),
    (
        "nori-manifest",
        &["codec.rs", "codec/**/*.rs", "format.rs", "current.rs", "log/load.rs"],
        "12",
    ),
    (
        "nori-sstable",
        &["block.rs", "block/*.rs", "format.rs", "properties.rs", "index.rs", "compress.rs"],
        "40",
    ),
];
/// The least share that is caught, in percent.
const CAUGHT_MIN: f64 = 90.0;

pub(crate) fn mutants(context: &Context, args: &[String]) -> Result<(), Failure> {
    if !shell::is_installed("cargo-mutants", &["mutants", "--version"]) {
        let remedy = "cargo install cargo-mutants --locked";
        return Err(Failure::new("cargo-mutants is not installed", remedy));
    }
    let mut findings = Vec::new();
    let mut table = format!("{:<16} {:>8} {:>8} {:>8}\n", "crate", "caught", "missed", "percent");
    for (name, files, seeds) in CODECS {
        let out = context.workspace.root.join("target/mutants").join(name);
        std::fs::create_dir_all(&out)?;
        let mut command = shell::cargo(&context.workspace.root);
        // A change may make a test wait for ever: five times as long as without it is enough.
        command.args(["mutants", "-p", name, "--minimum-test-timeout", "60", "-o"]).arg(&out);
        for file in *files {
            command.arg("-f").arg(format!("crates/{name}/src/{file}"));
        }
        // Files of tests that are left out of some builds are not known as such.
        command.args(["-e", "**/tests.rs"]);
        command.args(args).args(["--", "--lib", "--tests"]).env("NORI_SEEDS", seeds);
        // It ends with an error when one was missed: the lists say which.
        let _ = shell::run_and_keep(&mut command)?;
        let lines = |list: &str| {
            let text = std::fs::read_to_string(out.join("mutants.out").join(list));
            text.unwrap_or_default().lines().map(str::to_owned).collect::<Vec<_>>()
        };
        let (caught, missed) =
            (lines("caught.txt").len() + lines("timeout.txt").len(), lines("missed.txt"));
        let percent = 100.0 * caught as f64 / (caught + missed.len()).max(1) as f64;
        table.push_str(&format!("{name:<16} {caught:>8} {:>8} {percent:>8.1}\n", missed.len()));
        if percent < CAUGHT_MIN {
            findings.push(format!("{name}: {percent:.1} % caught\n{}", missed.join("\n")));
        }
    }
    print!("{table}");
    Failure::of_findings(&findings, "each line is a change that no test of the crate noticed")
}
