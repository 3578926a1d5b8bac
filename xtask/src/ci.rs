//! The list of steps, and running one or all of them.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::tally::Tally;
use crate::workspace::Workspace;
use crate::{api, browser, cargo_steps, docs, examples, layers, loom, package, schedules, tidy};

/// One check.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) run: fn(&Context, &[String]) -> Result<(), Failure>,
}

/// What every step may look at.
pub(crate) struct Context {
    pub(crate) workspace: Workspace,
    /// The tests counted so far.
    pub(crate) tally: RefCell<Tally>,
}

/// All steps, in the order of `cargo xtask ci`.
pub(crate) const STEPS: &[Step] = &[
    Step { name: "fmt", about: "rustfmt has nothing to change", run: cargo_steps::fmt },
    Step { name: "clippy", about: "clippy has nothing to say", run: cargo_steps::clippy },
    Step { name: "layers", about: "crates use only what the layer table lists", run: layers::step },
    Step { name: "tidy", about: "shape of files, unsafe, leftovers [CRATE..]", run: tidy::step },
    Step { name: "test", about: "unit and integration tests [ARGS..]", run: cargo_steps::test },
    Step { name: "doctest", about: "the examples in the docs run", run: cargo_steps::doctest },
    Step {
        name: "features",
        about: "what is off by default: built, tested",
        run: cargo_steps::features,
    },
    Step {
        name: "examples",
        about: "every example runs and cleans up [NAME..]",
        run: examples::step,
    },
    Step {
        name: "browser",
        about: "the page of nori viz in a headless chromium",
        run: browser::step,
    },
    Step { name: "api", about: "public names match crates/X/api.txt [--bless]", run: api::step },
    Step { name: "loom", about: "every interleaving of the models [--bound N]", run: loom::step },
    Step {
        name: "schedules",
        about: "threads of the whole engine under shuttle [--seeds N] [--minutes N]",
        run: schedules::step,
    },
    Step {
        name: "package",
        about: "crates are fit to be published [--verify]",
        run: package::step,
    },
    Step { name: "docs", about: "rustdoc and the book, links and includes", run: docs::step },
    Step {
        name: "deny",
        about: "licences, sources and bans, by cargo-deny",
        run: cargo_steps::deny,
    },
];

/// Runs one step with its arguments.
pub(crate) fn run_one(step: &Step, args: &[String]) -> Result<(), Failure> {
    let context = Context::load()?;
    timed(step, &context, args)?;
    Ok(())
}

/// Runs all steps and closes with the number of tests.
pub(crate) fn run_all(args: &[String]) -> Result<(), Failure> {
    let keep_going = args.iter().any(|arg| arg == "--keep-going");
    let context = Context::load()?;
    let started = Instant::now();
    let mut table = Vec::new();
    let mut failed = Vec::new();
    for step in STEPS {
        match timed(step, &context, &[]) {
            Ok(took) => table.push((step.name, took, "ok")),
            Err(failure) if keep_going => {
                eprintln!("{failure}");
                table.push((step.name, Duration::ZERO, "FAILED"));
                failed.push(step.name);
            }
            Err(failure) => return Err(failure),
        }
    }
    println!("\nci: all steps in {:.1} s", started.elapsed().as_secs_f64());
    for (name, took, verdict) in table {
        println!("  {name:<9} {:>7.1} s  {verdict}", took.as_secs_f64());
    }
    println!("{}", context.tally.borrow());
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        format!("failed: {}", failed.join(", ")),
        "run each of them alone with `cargo xtask STEP`",
    ))
}

fn timed(step: &Step, context: &Context, args: &[String]) -> Result<Duration, Failure> {
    println!("== {}: {}", step.name, step.about);
    let started = Instant::now();
    let outcome = (step.run)(context, args);
    let took = started.elapsed();
    match outcome {
        Ok(()) => {
            println!("== {}: ok, {:.1} s", step.name, took.as_secs_f64());
            Ok(took)
        }
        Err(failure) => Err(failure.in_step(step.name, took)),
    }
}

impl Context {
    pub(crate) fn load() -> Result<Context, Failure> {
        Ok(Context { workspace: Workspace::load()?, tally: RefCell::default() })
    }
}
