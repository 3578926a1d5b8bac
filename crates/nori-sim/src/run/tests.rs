//! A failing program becomes a short one, and one seed is one run.

use super::*;
use crate::make::{Taste, program};

/// Says that a flush behind a crash is wrong.
fn odd(program: &Program, _: &mut Seen) -> Result<(), String> {
    let crash = program.ops.iter().position(|op| matches!(op, Op::Crash(_)));
    let flush = program.ops.iter().rposition(|op| *op == Op::Flush);
    match crash.zip(flush).is_some_and(|(crash, flush)| crash < flush) {
        true => Err("a flush behind a crash".to_string()),
        false => Ok(()),
    }
}

#[test]
fn a_failing_program_is_shown_short_and_can_be_read_again() {
    let long = program(4, Taste::Crashes);
    let said = odd(&long, &mut Seen::default()).unwrap_err();
    let text = explain(&long, &said, odd);
    let start = text.find("nori-sim 1").unwrap();
    let short: Program = text[start..].parse().unwrap();
    assert_eq!(short.ops.len(), 2, "{text}");
    assert!(odd(&short, &mut Seen::default()).is_err());
}

#[test]
fn a_program_that_fails_no_more_is_shown_whole() {
    let long = program(4, Taste::Plain);
    let (same, said) = shrunk(&long, "once", |_, _| Ok(()));
    assert_eq!((same, said.as_str()), (long, "once"));
}

#[test]
fn a_panic_is_an_error() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    let said = attempt::<()>(|| panic!("no {}", "way"));
    std::panic::set_hook(hook);
    assert_eq!(said, Err("panic: no way".to_string()));
}

#[test]
fn different_programs_leave_different_traces() {
    let trace =
        |seed| run_traced(&program(seed, Taste::Mixed), &mut Seen::default(), |_| ()).unwrap();
    let traces = [trace(1), trace(2), trace(3)];
    assert_eq!(traces, [trace(1), trace(2), trace(3)]);
    assert!(traces[0] != traces[1] && traces[1] != traces[2]);
}

#[test]
fn a_program_with_steps_taken_out_is_a_program() {
    for seed in 0..20 {
        let (mut part, mut rng) = (program(seed, Taste::Mixed), nori_env::Rng::new(seed));
        part.ops.retain(|_| rng.chance(50));
        assert_eq!(run(&part, &mut Seen::default()), Ok(()), "seed {seed}");
        // A Crash without crashes is a step too.
        part.ops.insert(part.ops.len() / 2, Op::Crash(Vec::new()));
        assert_eq!(run(&part, &mut Seen::default()), Ok(()), "seed {seed}");
    }
}
