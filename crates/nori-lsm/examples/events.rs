//! Events: what a store does in the background, told as it happens, and counted.
//!
//! `cargo run -p nori-lsm --example events`

use nori_lsm::{Config, Durability, Lsm, Result, VizEvent};

fn main() -> Result<()> {
    let dir = std::env::temp_dir().join(format!("nori-events-{}", std::process::id()));
    // Small memtables, so that there is something to see in a second.
    let config = Config::default().memtable_bytes(64 << 10).durability(Durability::Buffered);
    let store = Lsm::open_with(&dir, config)?;

    // ANCHOR: listen
    let mut events = store.events(); // From now on. Nobody listening costs nothing.
    let (mut flushes, mut merges, mut written) = (0, 0, 0);
    for i in 0..20_000_u32 {
        store.put(format!("key:{:05}", i * 7919 % 5000), format!("value {i}"))?;
    }
    store.wait_idle()?; // Until nothing is left to flush or merge.
    while let Some(event) = events.try_next() {
        match event {
            VizEvent::Flush { entries, bytes_written, .. } => {
                flushes += 1;
                println!("flush: {entries} entries became a table of {bytes_written} bytes");
            }
            VizEvent::Compaction { slot, runs_before, runs_after, bytes_written, .. } => {
                merges += 1;
                written += bytes_written;
                println!("merge in slot {slot}: {runs_before} runs became {runs_after}");
            }
            _ => {} // There are more kinds, and later versions may add some.
        }
    }
    println!("{flushes} flushes; {merges} merges, which wrote {written} bytes");
    println!("{} events missed", events.dropped());
    // ANCHOR_END: listen
    assert!(flushes > 0);

    // ANCHOR: why
    for decision in store.decisions(3) {
        println!("slot {}: {}; {} runs", decision.slot, decision.reason, decision.runs);
    }
    for slot in store.slots() {
        println!(
            "slot {}: {} of at most {} runs, {} bytes",
            slot.id, slot.runs, slot.k, slot.bytes
        );
    }
    // ANCHOR_END: why
    assert_eq!(store.iter().count(), 5000);
    store.close()?;
    Lsm::destroy(&dir)
}
