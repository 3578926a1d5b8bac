//! nori-scheduler by itself: half of the slots are read, the other half is written, and budgets
//! of runs part ways.

use nori_scheduler::{Done, Policy, Reads, RunView, Scheduler};
use std::collections::BTreeMap;
use std::time::Duration;

const SLOTS: u64 = 8;

fn main() {
    let policy = Policy { half_life: Some(Duration::from_secs(32)), ..Policy::default() };
    let mut scheduler = Scheduler::new(policy);
    let mut store: BTreeMap<u64, Vec<RunView>> = BTreeMap::new();
    for slot in 0..SLOTS {
        let bottom = RunView { bytes: 256 << 20, entries: 1 << 18, level: 1, ..RunView::default() };
        store.insert(slot, vec![bottom]);
        scheduler.insert(usize::MAX, slot, &store[&slot]);
    }
    let mut written = 0;
    for second in 1..=300 {
        // ANCHOR: traffic
        // One flush a second: the right half gets most of it. Readers like the left half.
        for (&slot, runs) in &mut store {
            let is_right = slot >= SLOTS / 2;
            let bytes = if is_right { 7 << 20 } else { 1 << 20 };
            let entries = bytes >> 10;
            let flush = RunView { bytes, entries, flush_seq: second, ..RunView::default() };
            runs.push(flush);
            scheduler.set_runs(slot, runs);
            scheduler.note_flush(slot, bytes);
            let points = if is_right { 10 } else { 5_000 };
            scheduler.note_reads(slot, Reads { points, ..Reads::default() });
        }
        // ANCHOR_END: traffic
        scheduler.flush_installed(Duration::from_secs(second), second);
        // ANCHOR: pick
        while let Some(pick) = scheduler.pick(&|_| false) {
            let Some(runs) = store.get_mut(&pick.slot) else { break };
            let end = pick.first + pick.count;
            // Everything flushed replaces something in the bottom run.
            let inputs: u64 = runs[pick.first..end].iter().map(|run| run.bytes).sum();
            let bytes = if pick.first == 0 { runs[0].bytes } else { inputs };
            let entries = bytes >> 10;
            let merged = RunView { bytes, entries, level: pick.level, ..RunView::default() };
            runs.splice(pick.first..end, [merged]);
            scheduler.set_runs(pick.slot, runs);
            scheduler.finish(&pick, Done { bytes_written: bytes, bytes_read: inputs });
            written += bytes;
        }
        // ANCHOR_END: pick
    }
    // ANCHOR: told
    for slot in [0, SLOTS - 1] {
        if let Some(explanation) = scheduler.explain(slot) {
            println!("{explanation}");
        }
    }
    // ANCHOR_END: told
    let runs = |slot: u64| store[&slot].len();
    println!("runs: {} where it is read, {} where it is written", runs(0), runs(SLOTS - 1));
    assert!(runs(0) < runs(SLOTS - 1));
    println!("{} MiB written by merges in 300 flushes of 32 MiB", written >> 20);
}
