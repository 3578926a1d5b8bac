//! Running programs, and making those short that fail.

use crate::image::Checked;
use crate::op::{Op, Program};
use crate::seen::Seen;
use crate::sim::Sim;
use crate::trace::Trace;
use nori_env::{Clock, Cut, SystemClock};
use nori_testkit::shrink;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// How long a failing program is made shorter.
const SHRINK_TIME: Duration = Duration::from_secs(60);

/// Runs a program against the oracle.
///
/// # Errors
/// The first step or image that is not as it must be, in words. A panic of the store is one too.
pub fn run(program: &Program, seen: &mut Seen) -> Result<(), String> {
    attempt(|| whole(program, seen, Trace::default()).map(|_| ()))
}

/// As [`run`]; returns a number for everything that happened: each call of the disk with its
/// bytes, each answer, each event. The order of the disk's calls is checked too. `tell` is
/// told each answer and event.
///
/// # Errors
/// As [`run`].
pub fn run_traced(program: &Program, seen: &mut Seen, tell: fn(&str)) -> Result<u64, String> {
    attempt(|| whole(program, seen, Trace::on(tell)))
}

fn whole(program: &Program, seen: &mut Seen, trace: Trace) -> Checked<u64> {
    let mut sim = Sim::new(program, seen, trace);
    for (n, op) in program.ops.iter().enumerate() {
        sim.step(op).map_err(|e| format!("step {n}, {}: {e}", shortened(&op.to_string())))?;
    }
    sim.end().map_err(|e| format!("at the end: {e}"))
}

/// A panic as an error.
pub(crate) fn attempt<T>(run: impl FnOnce() -> Checked<T>) -> Checked<T> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(done) => done,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
            Err(format!("panic: {}", text.unwrap_or_default()))
        }
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

/// Runs a program twice, call by call.
///
/// # Errors
/// As [`run_traced`], and if the two runs differ.
pub fn run_twice(program: &Program, seen: &mut Seen) -> Result<(), String> {
    let first = run_traced(program, seen, |_| ())?;
    let second = run_traced(program, &mut Seen::default(), |_| ())?;
    if first == second {
        Ok(())
    } else {
        Err(format!("one program, two runs: {first:x} {second:x}"))
    }
}

/// How a program is run: [`run`] or [`run_twice`].
pub type Runner = fn(&Program, &mut Seen) -> Result<(), String>;

/// The shortest program that was found to fail, where `program` does; and what it says.
fn shrunk(program: &Program, said: &str, how: Runner) -> (Program, String) {
    let clock = SystemClock::default();
    let mut best = program.clone();
    // The crash that was met is met again sooner if all images have it.
    best.cut = Cut::ALL.into_iter().find(|cut| said.contains(&format!("{cut:?} before call")));
    best.images = if program.images > 0 { 4 } else { 0 };
    let fails = |ops: &[Op]| {
        let program = Program { ops: ops.to_vec(), ..best.clone() };
        clock.now() < SHRINK_TIME && how(&program, &mut Seen::default()).is_err()
    };
    let ops = shrink(&best.ops, fails);
    best.ops = ops;
    match how(&best, &mut Seen::default()) {
        Err(said) => (best, said),
        // Other dice did not meet it.
        Ok(()) => (program.clone(), said.to_string()),
    }
}

/// What to say about a program that failed: the error, and the program made short.
pub fn explain(program: &Program, said: &str, how: Runner) -> String {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    let (short, again) = shrunk(program, said, how);
    std::panic::set_hook(hook);
    format!(
        "{said}\n\n{} of {} steps are enough; keep them in a file for `nori-sim replay FILE`:\n\n\
         # {}\n{short}",
        short.ops.len(),
        program.ops.len(),
        again.replace('\n', " ")
    )
}

#[cfg(test)]
mod tests;
