//! Long runs of suites that `ci` runs in their small sizes. Nothing here is part of `ci`.
//!
//! Each line is a cargo command with the sizes that make it long. A size that is set in the
//! environment wins over the one here.

use crate::ci::Context;
use crate::failure::Failure;
use crate::shell;

/// One long run.
pub(crate) struct Long {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// What follows `cargo`; the user's own arguments come behind.
    args: &'static [&'static str],
    sizes: &'static [(&'static str, &'static str)],
}

/// All long runs.
pub(crate) const LONG: &[Long] = &[
    Long {
        name: "fuzz",
        about: "the fuzz targets over a million changes of their seeds",
        args: &["test", "--release", "-p", "nori-fuzz", "--test", "replay", "--", "--nocapture"],
        sizes: &[("NORI_STEPS", "1000000")],
    },
    Long {
        name: "crash",
        about: "a whole store: power cuts and failing disks at every operation",
        args: &["test", "--release", "-p", "nori-sim", "--test", "suites", "--", "--nocapture"],
        sizes: &[("NORI_SEEDS", "700")],
    },
    Long {
        name: "slots",
        about: "stores of tiny slots: cut, joined, heated and cooled, in every mode",
        args: &["test", "-p", "nori-lsm", "--test", "model", "slots_", "--", "--nocapture"],
        sizes: &[("NORI_SEEDS", "1600")],
    },
    Long {
        name: "amplification",
        about: "bytes written, runs met and space taken: adaptive, leveled, tiered",
        args: &["run", "--release", "-p", "nori-benches", "--bin", "amplification", "--"],
        sizes: &[],
    },
    Long {
        name: "plants",
        about: "rules of the store broken one by one, each to be caught",
        args: &["test", "-p", "nori-sim", "--test", "plants", "every_plant", "--", "--nocapture"],
        sizes: &[
            ("RUSTFLAGS", "--cfg nori_plant"),
            ("CARGO_TARGET_DIR", "target/plant"),
            ("NORI_SEEDS", "400"),
        ],
    },
];

/// Runs one with the user's arguments.
pub(crate) fn run(long: &Long, args: &[String]) -> Result<(), Failure> {
    let context = Context::load()?;
    let mut command = shell::cargo(&context.workspace.root);
    command.args(long.args).args(args);
    for (name, size) in long.sizes {
        let size = std::env::var(name).unwrap_or_else(|_| (*size).to_owned());
        println!("{name}={size}");
        command.env(name, size);
    }
    shell::run(&mut command, "the output above says which seed failed and how to repeat it")
}
