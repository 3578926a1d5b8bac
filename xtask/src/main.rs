//! The project's own commands, `cargo xtask NAME`.
//!
//! Each check of the project is one step with a name. `cargo xtask ci` runs all of them in order
//! and is exactly what the continuous integration runs; there is no second list anywhere. A step
//! that fails says which rule was broken, why the rule is there and what to do.

// The tool looks at the real disk and the real clock: it is no part of a store.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod api;
mod benches;
mod browser;
mod cargo_steps;
mod ci;
mod cluster;
mod coverage;
mod docs;
mod drill;
mod examples;
mod failure;
mod layers;
mod libfuzzer;
mod long;
mod loom;
mod mutants;
mod package;
mod plants;
mod rust_text;
mod sanitize;
mod schedules;
mod shell;
mod suites;
mod tally;
mod tidy;
mod workspace;

use std::process::ExitCode;

use ci::STEPS;
use long::LONG;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.split_first() {
        None => {
            print!("{}", usage());
            ExitCode::SUCCESS
        }
        Some((name, rest)) => dispatch(name, rest),
    }
}

/// Runs the command called `name`.
fn dispatch(name: &str, rest: &[String]) -> ExitCode {
    let outcome = match name {
        "ci" => ci::run_all(rest),
        "help" | "--help" | "-h" => {
            print!("{}", usage());
            return ExitCode::SUCCESS;
        }
        _ => {
            let step = STEPS.iter().find(|step| step.name == name);
            let long = LONG.iter().find(|long| long.name == name);
            match (step, long) {
                (Some(step), _) => ci::run_one(step, rest),
                (None, Some(long)) => long::run(long, rest),
                (None, None) => {
                    eprintln!("xtask: there is no step called {name:?}\n\n{}", usage());
                    return ExitCode::from(2);
                }
            }
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

/// The help text.
fn usage() -> String {
    let mut text = String::from(
        "cargo xtask ci [--keep-going]   all steps, in this order\n\
         cargo xtask STEP                one of them:\n\n",
    );
    for step in STEPS {
        text.push_str(&format!("  {:<13} {}\n", step.name, step.about));
    }
    text.push_str("\nlong runs, not part of ci:\n\n");
    for long in LONG {
        text.push_str(&format!("  {:<13} {}\n", long.name, long.about));
    }
    text
}
