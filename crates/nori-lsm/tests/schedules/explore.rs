//! Running a scenario under many schedules.

use nori_env::Rng;
use nori_env::sync::shuttle::scheduler::{
    PctScheduler, RandomScheduler, Scheduler, UncontrolledNondeterminismCheckScheduler,
};
use nori_env::sync::shuttle::{Config, FailurePersistence, Runner, rand};
use nori_env::sync::{Arc, set_patience};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Points at which PCT changes a priority, plus one: how many ordered steps a bug may need.
const PCT_DEPTH: usize = 4;

/// Bytes of a thread's stack: opening a store nests deeply.
const STACK_BYTES: usize = 512 << 10;

/// Threads that get in each other's way.
pub struct Scenario {
    pub name: &'static str,
    /// Waits of at least this long end by a notification only.
    pub patience: Option<Duration>,
    /// One run; panics if something is wrong.
    pub run: fn(&Seen),
    /// What must happen in some schedules.
    pub outcomes: &'static [&'static str],
}

/// What happened, and in how many schedules. Shared by all schedules; std's lock, no scheduling
/// point.
#[derive(Clone, Default)]
pub struct Seen(Arc<Mutex<BTreeMap<&'static str, u64>>>);

impl Seen {
    pub fn outcome(&self, name: &'static str) {
        *self.0.lock().unwrap().entry(name).or_default() += 1;
    }
}

/// The choices of this schedule: they follow from its seed.
pub fn dice() -> Rng {
    Rng::new(rand::RngCore::next_u64(&mut rand::thread_rng()))
}

fn config() -> Config {
    let mut config = Config::new();
    config.stack_size = STACK_BYTES;
    // A seed repeats a failure; the list of a schedule's steps is long.
    config.failure_persistence = FailurePersistence::None;
    config.silence_warnings = true;
    config.ungraceful_shutdown_config.immediately_return_on_panic = true;
    config
}

/// Runs a scenario as often as the scheduler likes; `count` counts the schedules begun.
fn run(
    scenario: &Scenario,
    scheduler: impl Scheduler + 'static,
    seen: &Seen,
    count: &Arc<AtomicU64>,
) {
    set_patience(scenario.patience);
    let (body, seen, count) = (scenario.run, seen.clone(), Arc::clone(count));
    Runner::new(scheduler, config()).run(move || {
        count.fetch_add(1, Ordering::Relaxed);
        body(&seen);
    });
}

/// Half of the schedules random, half by PCT. The seeds of different scenarios differ.
pub fn schedules(
    scenario: &Scenario,
    seed: u64,
    schedules: usize,
    seen: &Seen,
    count: &Arc<AtomicU64>,
) -> Result<(), (&'static str, Box<dyn std::any::Any + Send>)> {
    let mixed = scenario.name.bytes().fold(seed, |mixed, b| mixed.rotate_left(9) ^ u64::from(b));
    let seed = Rng::new(mixed).next_u64();
    let (random, pct) = (schedules / 2, schedules - schedules / 2);
    let half = |name, half: &dyn Fn()| catch_unwind(AssertUnwindSafe(half)).map_err(|e| (name, e));
    half("random", &|| run(scenario, RandomScheduler::new_from_seed(seed, random), seen, count))?;
    let by_priority = || PctScheduler::new_from_seed(seed, PCT_DEPTH, pct);
    half("pct", &|| run(scenario, by_priority(), seen, count))
}

/// All that was seen, over all seeds.
#[derive(Default)]
pub struct Tally {
    scenarios: Mutex<BTreeMap<&'static str, (Seen, Arc<AtomicU64>, Duration)>>,
}

impl Tally {
    /// Runs one seed of a scenario; tells how many schedules that were.
    pub fn explore(&self, scenario: &'static Scenario, seed: u64, count: usize) -> u64 {
        let mut scenarios = self.scenarios.lock().unwrap();
        let (seen, total, time) = scenarios.entry(scenario.name).or_default();
        let (before, start) = (total.load(Ordering::Relaxed), Instant::now());
        let outcome = schedules(scenario, seed, count, seen, total);
        let ran = total.load(Ordering::Relaxed) - before;
        if let Err((scheduler, panic)) = outcome {
            let name = scenario.name;
            eprintln!("{name}: schedule {ran} of this seed fails, scheduler {scheduler}.");
            eprintln!("Repeat it with NORI_SCENARIO={name} NORI_SCHEDULES={count}, RUSTFLAGS=");
            eprintln!("\"--cfg nori_shuttle\" CARGO_TARGET_DIR=target/shuttle and what follows.");
            resume_unwind(panic);
        }
        *time += start.elapsed();
        ran
    }

    /// Prints what was seen, and fails if an outcome was not, unless only a few schedules ran.
    pub fn report(&self, scenarios: impl Iterator<Item = &'static Scenario>) {
        let all = self.scenarios.lock().unwrap();
        let mut missing = Vec::new();
        for scenario in scenarios {
            let Some((seen, total, time)) = all.get(scenario.name) else { continue };
            let (seen, total) = (seen.0.lock().unwrap(), total.load(Ordering::Relaxed));
            println!("{:<22} {total:>8} schedules in {time:>8.1?}: {seen:?}", scenario.name);
            let unseen = scenario.outcomes.iter().filter(|name| !seen.contains_key(*name));
            missing.extend(unseen.map(|name| (scenario.name, *name)).filter(|_| total >= 200));
        }
        assert!(missing.is_empty(), "never seen: {missing:?}");
    }
}

/// After how many schedules a scenario fails; `None` if it does not.
pub fn catches(scenario: &Scenario, count: usize) -> Option<u64> {
    let total = Arc::default();
    let outcome = schedules(scenario, 1, count, &Seen::default(), &total);
    outcome.err().map(|_| total.load(Ordering::Relaxed))
}

/// Runs some schedules of a scenario twice, step by step.
pub fn check_determinism(scenario: &Scenario) {
    let scheduler =
        UncontrolledNondeterminismCheckScheduler::new(RandomScheduler::new_from_seed(1, 4));
    run(scenario, scheduler, &Seen::default(), &Arc::default());
    println!("{}: decided by the schedule", scenario.name);
}
