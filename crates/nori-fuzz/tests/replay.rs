//! The committed seeds, and many small changes of each, through every target.
//!
//! This is the part of fuzzing that needs no other toolchain. `NORI_STEPS` sets how many changes
//! are tried per target.

#![allow(clippy::disallowed_methods)]

use std::path::{Path, PathBuf};

use nori_env::Rng;
use nori_fuzz::{TARGETS, Target};
use nori_testkit::{env_usize, golden, run_suite};

/// Changes per target, unless `NORI_STEPS` says otherwise.
const CHANGES: usize = 2_000;

/// The longest input that is tried.
const INPUT_BYTES_MAX: usize = 64 * 1024;

fn folder(target: &Target) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds")).join(target.name)
}

/// All files of a target's folder: the generated ones and any that a fuzzer found.
fn committed(target: &Target) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder(target)).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, std::fs::read(entry.path()).expect("a seed can be read"))
        })
        .collect();
    found.sort();
    found
}

/// Formats change on purpose only: the generated seeds are committed as they are now.
#[test]
fn generated_seeds_are_committed() {
    for target in TARGETS {
        for (name, bytes) in (target.seeds)() {
            golden(folder(target).join(name), &bytes);
        }
    }
}

#[test]
fn every_target_survives_its_seeds() {
    for target in TARGETS {
        let seeds = committed(target);
        assert!(!seeds.is_empty(), "{} has no seed in fuzz/seeds", target.name);
        for (_, bytes) in &seeds {
            (target.run)(bytes);
        }
        println!("{}: {} seeds", target.name, seeds.len());
    }
}

/// Each change follows from the seed's number, so one command repeats a failure.
#[test]
fn every_target_survives_changes_of_its_seeds() {
    let test = "-p nori-fuzz every_target_survives_changes";
    run_suite("fuzz-replay", "inputs", test, 1, |seed| {
        let mut rng = Rng::new(seed);
        let mut inputs = 0;
        for target in TARGETS {
            let seeds = committed(target);
            let steps = env_usize("NORI_STEPS", CHANGES);
            inputs += seeds.len() as u64 + steps as u64;
            seeds.iter().for_each(|(_, bytes)| (target.run)(bytes));
            for step in 0..steps {
                let (name, bytes) = rng.pick(&seeds);
                let changed = change(bytes, &seeds, &mut rng);
                let outcome = std::panic::catch_unwind(|| (target.run)(&changed));
                if let Err(panic) = outcome {
                    eprintln!("{}: step {step}, from seed {name}, bytes:", target.name);
                    eprintln!("{changed:02x?}");
                    std::panic::resume_unwind(panic);
                }
            }
            println!("{}: {steps} changes of {} seeds", target.name, seeds.len());
        }
        inputs
    });
}

/// One to three small edits of the bytes.
fn change(bytes: &[u8], others: &[(String, Vec<u8>)], rng: &mut Rng) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for _ in 0..=rng.below(3) {
        let at = rng.below(out.len() as u64 + 1) as usize;
        match rng.below(8) {
            0 | 1 if at < out.len() => out[at] ^= 1 << rng.below(8),
            2 if at < out.len() => out[at] = *rng.pick(&[0, 1, 0x7f, 0x80, 0xff]),
            3 => out.truncate(at),
            4 => out.insert(at, rng.below(256) as u8),
            5 if at < out.len() => drop(out.remove(at)),
            6 => {
                // A number where a length may be.
                let value = *rng.pick(&[0, 1, 255, 65_535, u64::from(u32::MAX), u64::MAX]);
                let end = (at + 8).min(out.len());
                out[at..end].copy_from_slice(&value.to_le_bytes()[..end - at]);
            }
            _ => {
                let (_, other) = rng.pick(others);
                let from = rng.below(other.len() as u64 + 1) as usize;
                out.truncate(at);
                out.extend_from_slice(&other[from..]);
            }
        }
    }
    out.truncate(INPUT_BYTES_MAX);
    out
}

/// libFuzzer's binaries and the table of targets name the same targets.
#[test]
fn every_target_has_its_binary() {
    let fuzz = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz"));
    let manifest = std::fs::read_to_string(fuzz.join("Cargo.toml")).expect("fuzz/Cargo.toml");
    for target in TARGETS {
        let binary = std::fs::read_to_string(fuzz.join(format!("fuzz_targets/{}.rs", target.name)));
        let call = format!("nori_fuzz::run(\"{}\", data)", target.name);
        assert!(binary.is_ok_and(|text| text.contains(&call)), "{}", target.name);
        assert!(manifest.contains(&format!("name = \"{}\"", target.name)), "{}", target.name);
    }
    assert_eq!(manifest.matches("[[bin]]").count(), TARGETS.len());
}
