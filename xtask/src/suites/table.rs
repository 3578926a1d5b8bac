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
        test: &["-p", "nori-sim", "--test", "suites", "--", "--exact", "sim"],
        seeds: 300,
    },
    Suite {
        name: "crash",
        about: "power cuts and kills before every operation of the disk",
        test: &["-p", "nori-sim", "--test", "suites", "--", "--exact", "crash"],
        seeds: 84,
    },
    Suite {
        name: "crash-nested",
        about: "crashes inside the recovery from a crash, three deep",
        test: &["-p", "nori-sim", "--test", "suites", "--", "--exact", "nested"],
        seeds: 20,
    },
    Suite {
        name: "io-errors",
        about: "errors, full disks and short writes at every operation",
        test: &["-p", "nori-sim", "--test", "suites", "--", "--exact", "io_errors"],
        seeds: 26,
    },
    Suite {
        name: "determinism",
        about: "one seed is one trace",
        test: &["-p", "nori-sim", "--test", "suites", "--", "--exact", "determinism"],
        seeds: 40,
    },
    Suite {
        name: "corruption",
        about: "bytes changed, files cut, swapped, removed; then opened to write",
        test: &[
            "-p",
            "nori-lsm",
            "--test",
            "corruption",
            "--",
            "--exact",
            "damage_is_never_believed",
        ],
        seeds: 78,
    },
    Suite {
        name: "corruption-read-only",
        about: "the same, opened to read",
        test: &[
            "-p",
            "nori-lsm",
            "--test",
            "corruption",
            "--",
            "--exact",
            "damage_is_never_believed_by_readers",
        ],
        seeds: 78,
    },
    Suite {
        name: "panics",
        about: "a file system of the user that panics at every call",
        test: &["-p", "nori-lsm", "--test", "hostile", "a_panic_in_any_call"],
        seeds: 6,
    },
    Suite {
        name: "panics-threads",
        about: "the same, among threads",
        test: &["-p", "nori-lsm", "--test", "hostile", "a_panic_among_threads"],
        seeds: 60,
    },
    Suite {
        name: "open-while-closing",
        about: "a store is opened while another thread closes it",
        test: &["-p", "nori-lsm", "--test", "hostile", "opening_while_another_closes"],
        seeds: 20,
    },
    Suite {
        name: "closing-races",
        about: "closing and dropping against every verb",
        test: &["-p", "nori-lsm", "--test", "hostile", "closing_races_with_every_verb"],
        seeds: 100,
    },
    Suite {
        name: "copied-while-open",
        about: "a directory copied while its store is written",
        test: &["-p", "nori-lsm", "--test", "hostile", "a_copy_of_an_open_store"],
        seeds: 3,
    },
    Suite {
        name: "kill-9",
        about: "a process that writes is killed, its store opened",
        test: &["-p", "nori-torture", "--test", "kill9", "--", "--exact", "kill_9"],
        seeds: 10,
    },
    Suite {
        name: "power-cut-ext4",
        about: "the power of a real ext4 is cut under a process that writes",
        test: &["-p", "nori-torture", "--test", "power_cut", "--", "--exact", "ext4"],
        seeds: 5,
    },
    Suite {
        name: "power-cut-xfs",
        about: "the power of a real XFS is cut",
        test: &["-p", "nori-torture", "--test", "power_cut", "--", "--exact", "xfs"],
        seeds: 5,
    },
    Suite {
        name: "full-disk",
        about: "a real disk is filled and freed, without opening again",
        test: &["-p", "nori-torture", "--test", "full_disk"],
        seeds: 1,
    },
    Suite {
        name: "linearizable",
        about: "calls of threads on three keys have an order",
        test: &["-p", "nori-torture", "--test", "linearizable", "--", "--exact", "linearizable"],
        seeds: 20,
    },
    Suite {
        name: "snapshots",
        about: "snapshots of running writers are whole and never go back",
        test: &["-p", "nori-torture", "--test", "linearizable", "--", "--exact", "snapshots"],
        seeds: 20,
    },
    Suite {
        name: "sanitized",
        about: "threads of a store, without a sanitizer here",
        test: &["-p", "nori-torture", "--test", "sanitized"],
        seeds: 4,
    },
];
