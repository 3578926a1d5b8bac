//! The tests that run programs: one for each kind of store.

use crate::op::{Op, program};
use crate::options::{KINDS, Kind};
use crate::planted::Plant;
use crate::run::{Counts, run};
use crate::slots::{SLOT_KINDS, slot_program};
use nori_testkit::{env_usize, run_suite, shrink};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How long a program is.
pub(crate) const STEPS: usize = 2_000;
/// How many seeds there are, and on how many kinds of store each runs.
const SEEDS: usize = 16;
const SETS: u64 = 8;
const ALL_SETS: u64 = (KINDS.len() + SLOT_KINDS.len()) as u64;

macro_rules! tests {
    ($run:ident: $($number:literal $name:ident,)*) => {
        $(#[test]
        fn $name() {
            $run($number, stringify!($name));
        })*
    };
}

tests! {
    run_kind:
    0 everything_tiny,
    1 leveled,
    2 two_runs_few_files,
    3 many_slots,
    4 large_blocks,
    5 tiered,
    6 in_memory,
    7 in_memory_buffered_no_filters,
    8 threads_leveled,
    9 threads_tiered,
}

tests! {
    run_slots:
    0 slots_adaptive,
    1 slots_of_one_kilobyte,
    2 slots_of_one_run,
    3 slots_full_of_garbage,
    4 slots_leveled,
    5 slots_tiered,
    6 slots_threads,
    7 slots_threads_of_any_mode,
}

fn run_kind(number: usize, name: &str) {
    let steps = env_usize("NORI_STEPS", STEPS);
    let turn = number as u64;
    let make = |seed| program(seed, steps);
    let (programs, total) = run_programs((&KINDS[number], turn), name, make);
    if programs > 5 && steps >= STEPS {
        assert!(total.merges > 0 && total.reopened > 0 && total.checkpoints > 0, "{total:?}");
    }
}

fn run_slots(number: usize, name: &str) {
    let steps = env_usize("NORI_STEPS", STEPS);
    let turn = (KINDS.len() + number) as u64;
    let make = |seed| slot_program(seed, steps);
    let (programs, total) = run_programs((&SLOT_KINDS[number], turn), name, make);
    // What never happened was never tested.
    if programs > 5 && steps >= STEPS {
        assert!(total.slots.is_complete(SLOT_KINDS[number].threads > 0), "{total:?}");
    }
}

/// Runs the seeds whose turn it is on one kind.
fn run_programs(
    (kind, turn): (&Kind, u64),
    name: &str,
    program: impl Fn(u64) -> Vec<Op>,
) -> (u64, Counts) {
    assert_eq!(kind.name, name, "the kinds are numbered as their tests");
    let every_seed = env_usize("NORI_ALL_SETS", 0) > 0 || env_usize("NORI_SEED", 0) > 0;
    let (mut programs, mut total) = (0, Counts::default());
    let test = format!("-p nori-lsm --test model {name}");
    run_suite("model", "steps", &test, SEEDS, |seed| {
        if !every_seed && (seed + turn) % ALL_SETS >= SETS {
            return 0;
        }
        let program = program(seed);
        match attempt(kind, seed, &program, None) {
            Ok(counts) => total.add(counts),
            Err(why) => report(kind, seed, &program, &why),
        }
        programs += 1;
        program.len() as u64
    });
    println!("{name}: {programs} programs; {total:?}");
    (programs, total)
}

impl Counts {
    fn add(&mut self, other: Counts) {
        self.steps += other.steps;
        self.stalled += other.stalled;
        self.reopened += other.reopened;
        self.replayed += other.replayed;
        self.flushes += other.flushes;
        self.merges += other.merges;
        self.checkpoints += other.checkpoints;
        self.slots.add(other.slots);
    }
}

/// Runs a program; a panic inside the store is a failure like any other.
fn attempt(kind: &Kind, seed: u64, program: &[Op], plant: Option<Plant>) -> Result<Counts, String> {
    let outcome = catch_unwind(AssertUnwindSafe(|| run(kind, seed, program, plant)));
    outcome.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(format!("a panic: {}", text.unwrap_or("of no words")))
    })
}

/// The shortest program that still fails.
pub(crate) fn shortest(kind: &Kind, seed: u64, program: &[Op], plant: Option<Plant>) -> Vec<Op> {
    shrink(program, |program| attempt(kind, seed, program, plant).is_err())
}

fn report(kind: &Kind, seed: u64, program: &[Op], why: &str) -> ! {
    eprintln!("seed {seed} on {kind:?}: {why}\nlooking for a shorter program ...");
    let short = shortest(kind, seed, program, None);
    let why = attempt(kind, seed, &short, None).err();
    let why = why.unwrap_or_else(|| "it passes when it runs again".to_string());
    let steps: String = short.iter().map(|op| format!("  {op:?}\n")).collect();
    if env_usize("NORI_STEPS", 0) > 0 {
        eprintln!("Set NORI_STEPS={} beside the seed.", program.len());
    }
    panic!("{} steps fail on {:?}:\n{steps}{why}", short.len(), kind.name);
}
