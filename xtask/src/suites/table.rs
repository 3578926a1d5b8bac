//! Which suites there are, and their sizes in `ci`.

use super::Suite;

pub(super) const SUITES: &[Suite] = &[
    Suite {
        name: "model",
        about: "every verb of a store against a map, under 18 sets of options",
        test: &["-p", "nori-lsm", "--test", "model", "programs::"],
        seeds: 300,
    },
    Suite {
        name: "sim",
        about: "a whole store, simulated: programs, faults, crashes, other options",
        test: &["-p", "nori-sim", "--test", "suites", "sim"],
        seeds: 300,
    },
    Suite {
        name: "crash",
        about: "power cuts and kills before every operation of the disk",
        test: &["-p", "nori-sim", "--test", "suites", "crash"],
        seeds: 84,
    },
    Suite {
        name: "crash-nested",
        about: "crashes inside the recovery from a crash, three deep",
        test: &["-p", "nori-sim", "--test", "suites", "nested"],
        seeds: 20,
    },
    Suite {
        name: "io-errors",
        about: "errors, full disks and short writes at every operation",
        test: &["-p", "nori-sim", "--test", "suites", "io_errors"],
        seeds: 24,
    },
    Suite {
        name: "determinism",
        about: "one seed is one trace",
        test: &["-p", "nori-sim", "--test", "suites", "determinism"],
        seeds: 40,
    },
    Suite {
        name: "corruption",
        about: "bytes changed, files cut, swapped, removed; then opened to write",
        test: &["-p", "nori-lsm", "--test", "corruption", "write"],
        seeds: 60,
    },
    Suite {
        name: "corruption-read-only",
        about: "the same, opened to read",
        test: &["-p", "nori-lsm", "--test", "corruption", "read"],
        seeds: 30,
    },
    Suite {
        name: "panics",
        about: "a file system that panics at every call",
        test: &["-p", "nori-lsm", "--test", "hostile", "panics"],
        seeds: 2,
    },
    Suite {
        name: "closing-races",
        about: "closing and dropping against every verb",
        test: &["-p", "nori-lsm", "--test", "hostile", "kept"],
        seeds: 60,
    },
];
