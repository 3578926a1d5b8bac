//! How long one pick takes among 1,024 slots, and one tick of all of them.

use nori_env::{Clock, SystemClock};
use nori_scheduler::{Policy, Reads, RunView, Scheduler};
use std::time::Duration;

const SLOTS: u64 = 1024;
const BATCHES: u32 = 200;

fn main() {
    let clock = SystemClock::default();
    // The best of many batches is what the code takes; the rest is what others on the machine do.
    let timed = |what: &str, rounds: u32, work: &mut dyn FnMut()| {
        let batch = || {
            let start = clock.now();
            (0..rounds).for_each(|_| work());
            (clock.now() - start) / rounds
        };
        let best = std::iter::repeat_with(batch).take(BATCHES as usize).min();
        println!("{what:<34} {:?}", best.unwrap_or_default());
    };
    for eligible in [0, SLOTS] {
        let mut scheduler = store(eligible);
        let pick = || {
            std::hint::black_box(scheduler.pick(&|slot| slot == 3));
        };
        timed(&format!("pick, {eligible} of {SLOTS} slots eligible"), 100, &mut { pick });
    }
    let tenth = |slot: u64| !slot.is_multiple_of(10);
    let mut scheduler = store(SLOTS);
    let pick = || {
        std::hint::black_box(scheduler.pick(&tenth));
    };
    timed("pick, 9 of 10 eligible slots busy", 100, &mut { pick });
    let (mut scheduler, mut seconds) = (store(SLOTS), 1000);
    let tick = || {
        seconds += 1;
        scheduler.tick(Duration::from_secs(seconds));
    };
    timed("tick", 1, &mut { tick });
}

/// Slots of which the first have more runs than the limit, each with traffic of its own.
fn store(eligible: u64) -> Scheduler {
    let mut scheduler =
        Scheduler::new(Policy { fixed_k: (eligible == 0).then_some(12), ..Policy::default() });
    scheduler.tick(Duration::ZERO);
    for slot in 0..SLOTS {
        let bottom = RunView { bytes: 1 << 30, entries: 1 << 20, level: 1, ..RunView::default() };
        let upper = RunView { bytes: 1 << 20, entries: 1 << 10, ..bottom };
        let mut runs = vec![bottom];
        runs.resize(if slot < eligible { 14 } else { 8 }, upper);
        runs.push(RunView { level: 0, flush_seq: 1 + slot % 8, ..upper });
        scheduler.insert(usize::MAX, slot, &runs);
        scheduler.note_flush(slot, 1 << 20);
        let points = 1 + slot * 7919 % 1000;
        scheduler.note_reads(slot, Reads { points, ..Reads::default() });
    }
    scheduler.flush_installed(Duration::from_secs(60), 8);
    scheduler
}
