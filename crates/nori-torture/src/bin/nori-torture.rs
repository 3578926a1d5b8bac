//! The child of the suites: a process that writes a store until it is killed.
//!
//! `nori-torture write DIR PLAN` writes, `nori-torture open DIR PLAN` only opens and closes. What
//! it was told is safe goes to standard output in messages that the library reads.

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match nori_torture::child_main(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(said) => {
            eprintln!("nori-torture: {said}");
            ExitCode::FAILURE
        }
    }
}
