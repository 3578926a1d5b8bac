//! Long runs of suites that `ci` runs in their small sizes. Nothing here is part of `ci`.
//!
//! Each line is a cargo command with the sizes that make it long. A size that is set in the
//! environment wins over the one here.

use crate::ci::Context;
use crate::failure::Failure;
use crate::{
    benches, cluster, coverage, drill, libfuzzer, mutants, plants, sanitize, shell, suites,
};

/// One long run.
pub(crate) struct Long {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    work: Work,
}

/// What a long run does.
enum Work {
    /// A function of its own.
    Own(fn(&Context, &[String]) -> Result<(), Failure>),
    /// What follows `cargo`, and sizes in the environment; the user's own arguments come behind.
    Cargo(&'static [&'static str], &'static [(&'static str, &'static str)]),
}

/// All long runs.
pub(crate) const LONG: &[Long] = &[
    Long {
        name: "suites",
        about: "the suites of ci one by one, in its sizes [NAME..]",
        work: Work::Own(suites::suites),
    },
    Long {
        name: "soak",
        about: "the suites for a time, from new seeds on [--minutes N] [NAME..]",
        work: Work::Own(suites::soak),
    },
    Long {
        name: "mutants-planted",
        about: "every planted fault is caught, and every known bug is among them",
        work: Work::Own(plants::mutants_planted),
    },
    Long {
        name: "mutants",
        about: "small changes in the codecs, noticed by their own tests [--shard K/N]",
        work: Work::Own(mutants::mutants),
    },
    Long {
        name: "sanitize",
        about: "threads of a store under ThreadSanitizer and AddressSanitizer [--seeds N]",
        work: Work::Own(sanitize::sanitize),
    },
    Long {
        name: "libfuzzer",
        about: "the fuzz targets under libFuzzer [--seconds N] [TARGET..]",
        work: Work::Own(libfuzzer::libfuzzer),
    },
    Long {
        name: "coverage",
        about: "lines of the crates that hold data, run by the tests of ci",
        work: Work::Own(coverage::coverage),
    },
    Long {
        name: "backup-drill",
        about: "backups and checkpoints under load, each compared to the byte [--gb N]",
        work: Work::Own(drill::backup_drill),
    },
    Long {
        name: "cluster",
        about: "three members of examples/replicated-kv on this machine, until Ctrl-C [DIR]",
        work: Work::Own(cluster::cluster),
    },
    Long {
        name: "cluster-test",
        about: "clients and faults on three members; nothing lost, all equal [--minutes N]",
        work: Work::Own(cluster::cluster_test),
    },
    Long {
        name: "cluster-bench",
        about: "durable puts: a store, a member alone, three members [--seconds N]",
        work: Work::Own(cluster::cluster_bench),
    },
    Long {
        name: "fuzz",
        about: "the fuzz targets over a million changes of their seeds",
        work: Work::Cargo(
            &["test", "--release", "-p", "nori-fuzz", "--test", "replay", "--", "--nocapture"],
            &[("NORI_STEPS", "1000000")],
        ),
    },
    Long {
        name: "crash",
        about: "a whole store: power cuts and kills before every operation of the disk",
        work: Work::Cargo(
            &[
                "test",
                "--release",
                "-p",
                "nori-sim",
                "--test",
                "suites",
                "crash",
                "--",
                "--nocapture",
            ],
            &[("NORI_SEEDS", "700")],
        ),
    },
    Long {
        name: "slots",
        about: "stores of tiny slots: cut, joined, heated and cooled, in every mode",
        work: Work::Cargo(
            &["test", "-p", "nori-lsm", "--test", "model", "slots_", "--", "--nocapture"],
            &[("NORI_SEEDS", "1600")],
        ),
    },
    Long {
        name: "amplification",
        about: "bytes written, runs met and space taken: adaptive, leveled, tiered",
        work: Work::Cargo(
            &["run", "--release", "-p", "nori-benches", "--bin", "amplification", "--"],
            &[],
        ),
    },
    Long {
        name: "bench-concept",
        about: "the figures that the first concept named, measured [--rounds N] [--seconds S] [..]",
        work: Work::Cargo(
            &["run", "--release", "-p", "nori-benches", "--bin", "concept", "--"],
            &[],
        ),
    },
    Long {
        name: "bench-peers",
        about: "nori bench on nori, RocksDB, fjall, LMDB in turn [--no-rocksdb] [--keys N] [..]",
        work: Work::Own(benches::peers),
    },
    Long {
        name: "plants",
        about: "rules of the store broken one by one, each to be caught",
        work: Work::Cargo(
            &["test", "-p", "nori-sim", "--test", "plants", "every_plant", "--", "--nocapture"],
            &[
                ("RUSTFLAGS", "--cfg nori_plant"),
                ("CARGO_TARGET_DIR", "target/plant"),
                ("NORI_SEEDS", "400"),
            ],
        ),
    },
];

/// Runs one with the user's arguments.
pub(crate) fn run(long: &Long, args: &[String]) -> Result<(), Failure> {
    let context = Context::load()?;
    let (fixed, sizes) = match long.work {
        Work::Own(run) => return run(&context, args),
        Work::Cargo(fixed, sizes) => (fixed, sizes),
    };
    let mut command = shell::cargo(&context.workspace.root);
    command.args(fixed).args(args);
    for (name, size) in sizes {
        let size = std::env::var(name).unwrap_or_else(|_| (*size).to_owned());
        println!("{name}={size}");
        command.env(name, size);
    }
    shell::run(&mut command, "the output above says which seed failed and how to repeat it")
}
