//! Stores with a memory budget: what they count adds up, stays within, and comes back.

#![cfg(not(any(nori_loom, nori_shuttle)))]

mod failing;
mod held;
mod programs;

use nori_env::sync::Arc;
use nori_env::{FileSystem, MemFs};
use nori_lsm::{Background, Config, Lsm, MemoryInfo};

const ROOT: &str = "/store";
const MIB: u64 = 1 << 20;

/// Small tables and memtables under a budget that the small things hardly fit in.
fn config(fs: Arc<dyn FileSystem>) -> Config {
    Config::default()
        .file_system(fs)
        .background(Background::Manual)
        .memory_budget(8 * MIB)
        .memtable_bytes(64 << 10)
        .table_bytes(32 << 10)
        .block_bytes(1024)
        .disk_reserve_bytes(Some(0))
}

fn on(disk: &MemFs) -> Arc<dyn FileSystem> {
    Arc::new(disk.clone())
}

fn key(n: u64) -> Vec<u8> {
    format!("key-{n:08}").into_bytes()
}

/// What is counted, after the parts were added up.
fn memory(store: &Lsm) -> MemoryInfo {
    let metrics = store.metrics();
    let memory = metrics.memory;
    let parts = [
        memory.blocks_bytes,
        memory.tables_bytes,
        memory.active_bytes,
        memory.sealed_bytes,
        memory.jobs_bytes,
        memory.iterators_bytes,
    ];
    assert_eq!(parts.iter().sum::<u64>(), memory.total_bytes, "{memory:?}");
    memory
}

/// Nothing runs and nobody reads: only what the store itself holds is charged.
fn check_at_rest(store: &Lsm) {
    // What was let go of is freed by the next step.
    while store.step().expect("steps") {}
    let memory = memory(store);
    assert_eq!((memory.jobs_bytes, memory.iterators_bytes), (0, 0), "{memory:?}");
    if store.metrics().memtables_sealed == 0 {
        assert_eq!(memory.sealed_bytes, 0, "{memory:?}");
    }
}
