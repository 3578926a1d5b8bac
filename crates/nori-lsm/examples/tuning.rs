//! Tuning: four stores set up for four purposes, and where to look whether it helped.
//!
//! `cargo run -p nori-lsm --example tuning`

use nori_lsm::{
    Background, CompactionMode, Compression, Config, Durability, Lsm, Result, WriteBatch,
};
use std::time::Duration;

// ANCHOR: small
/// Little memory: one limit for all of the store, a twentieth of the data or more.
fn small() -> Config {
    Config::default().memory_budget(32 << 20).max_open_files(64)
}
// ANCHOR_END: small

// ANCHOR: ingest
/// Much is written, and losing the last 100 ms to a power cut is bearable.
fn ingest() -> Config {
    Config::default()
        .durability(Durability::Interval(Duration::from_millis(100)))
        .memtable_bytes(128 << 20) // Fewer, larger flushes.
        .lambda(256.0) // Looks are cheap: merge less.
        .background(Background::Threads(2))
}
// ANCHOR_END: ingest

// ANCHOR: reads
/// Much is read, all of it fits into memory, and the disk is trusted.
fn reads() -> Config {
    Config::default()
        .compression(Compression::None)
        .mmap_reads(true) // A disk that cannot give a page ends the process.
        .lambda(8192.0) // Looks are dear: merge more.
}
// ANCHOR_END: reads

// ANCHOR: space
/// The disk is small.
fn space() -> Config {
    Config::default()
        .compaction(CompactionMode::Leveled)
        .alpha(0.2) // Rewrite once a fifth may be garbage.
        .block_bytes(16 << 10) // Larger blocks compress better and cost more for each read.
}
// ANCHOR_END: space

fn main() -> Result<()> {
    let setups = [("small", small()), ("ingest", ingest()), ("reads", reads()), ("space", space())];
    for (name, config) in setups {
        let dir = std::env::temp_dir().join(format!("nori-{name}-{}", std::process::id()));
        // ANCHOR: look
        config.validate()?; // `open_with` does it as well, before it touches the disk.
        let store = Lsm::open_with(&dir, config)?;
        // ANCHOR_END: look
        let mut batch = WriteBatch::new();
        for i in 0..2000_u32 {
            batch.put(i.to_be_bytes(), "a value that says little ".repeat(8));
        }
        store.write(batch)?;
        store.flush()?;
        store.get(7_u32.to_be_bytes())?;
        // ANCHOR: metrics
        let metrics = store.metrics();
        let pressure = store.pressure();
        println!(
            "{name:>6}: {} KiB in memory, {} KiB in tables, pressure {:.2} ({:?})",
            metrics.memory.total_bytes >> 10,
            store.slots().iter().map(|slot| slot.bytes).sum::<u64>() >> 10,
            pressure.pressure,
            pressure.zone,
        );
        // ANCHOR_END: metrics
        assert!(store.health().is_ok());
        assert_eq!(store.iter().count(), 2000);
        store.close()?;
        Lsm::destroy(&dir)?;
    }

    let wrong = Config::default().k_global(40).block_bytes(1);
    let refused = wrong.validate().expect_err("both are out of bounds");
    println!("refused: {refused}");
    Ok(())
}
