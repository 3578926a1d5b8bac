//! A disk that fails at one call, or from one on: no panic, no wrong answer, nothing lost.

use crate::make::{Taste, program};
use crate::op::{Op, Program, Rule, When, Wrong};
use crate::run::run;
use crate::seen::Seen;

/// The ways in which a disk fails at a call, from its number on.
pub const FAILINGS: [(&str, fn(u32) -> Rule); 6] = [
    ("an I/O error once", |n| rule(Wrong::Eio, ANY, When::Once(n))),
    ("an I/O error for ever", |n| rule(Wrong::Eio, ANY, When::From(n))),
    ("a full disk once", |n| rule(Wrong::Full, ANY, When::Once(n))),
    ("a full disk until it is freed", |n| rule(Wrong::Full, ANY, When::From(n))),
    ("a short write", |n| rule(Wrong::Short, ANY, When::Once(n))),
    ("a sync that fails", |n| rule(Wrong::Eio, SYNC, When::Once(n))),
];

/// Places of the table of places.
const ANY: u8 = 0;
const SYNC: u8 = 1;

fn rule(wrong: Wrong, place: u8, when: When) -> Rule {
    Rule { wrong, place, when }
}

/// The program of a seed on a disk that fails so at the n-th call that can fail so. The disk
/// works again when the program has ended, and the store is then opened anew.
pub fn failing(seed: u64, fails: fn(u32) -> Rule, n: u32) -> Program {
    let mut program = program(seed, Taste::Plain);
    // No faults but this one, or the last call is never reached.
    program.ops.retain(|op| !matches!(op, Op::Fault(_) | Op::Room(_)));
    program.ops.insert(0, Op::Fault(fails(n)));
    // A disk that was full is freed in the middle of a life, and writes resume.
    program.ops.extend([Op::Mend, Op::Steps(20), Op::Flush, Op::Reopen(seed.is_multiple_of(2))]);
    program
}

/// Fails the program of a seed at call 0, 1, .. until a run meets no fault any more; returns
/// how many runs that were.
///
/// # Errors
/// The first program that is not as it must be, and why.
pub fn sweep(
    seed: u64,
    fails: fn(u32) -> Rule,
    seen: &mut Seen,
) -> Result<u64, (Box<Program>, String)> {
    for n in 0.. {
        let (program, before) = (failing(seed, fails, n), seen.faults);
        run(&program, seen).map_err(|said| (Box::new(program), said))?;
        if seen.faults == before {
            return Ok(u64::from(n) + 1);
        }
    }
    Ok(0)
}
