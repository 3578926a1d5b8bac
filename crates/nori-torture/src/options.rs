//! Options of the stores: small, so that flushes, merges and cuts happen all the time.

use crate::plan::{Mode, Plan};
use nori_env::Rng;
use nori_lsm::{Background, CompactionMode, Compression, Config, Durability};

/// The options of a run of a child.
pub fn child_config(plan: &Plan) -> Config {
    let mut rng = Rng::new(plan.seed ^ 0x0c0f_f1e5);
    let durability = match plan.mode {
        Mode::Synced => Durability::Synced,
        Mode::Interval => Durability::Interval(plan.interval()),
        Mode::Buffered => Durability::Buffered,
    };
    small(&mut rng).background(Background::Threads(threads(plan))).durability(durability)
}

/// Threads of the child's store besides the one for flushes.
pub(crate) fn threads(plan: &Plan) -> usize {
    1 + (plan.seed % 3) as usize
}

/// Sealed memtables that may wait in a child's store.
pub(crate) const MAX_SEALED: usize = 2;

/// Options for the parent, who looks at a store and closes it.
pub fn parent_config(rng: &mut Rng) -> Config {
    let background = if rng.chance(50) { Background::Manual } else { Background::Threads(1) };
    small(rng).background(background)
}

fn small(rng: &mut Rng) -> Config {
    let modes = [CompactionMode::Atll, CompactionMode::Atll, CompactionMode::Leveled];
    let compaction = if rng.chance(20) { CompactionMode::Tiered } else { *rng.pick(&modes) };
    Config::default()
        .memtable_bytes(*rng.pick(&[4 << 10, 16 << 10, 64 << 10, 1 << 20]))
        .max_sealed(MAX_SEALED)
        .block_bytes(*rng.pick(&[256, 1024, 4096]))
        .table_bytes(*rng.pick(&[4 << 10, 32 << 10, 1 << 20]))
        .block_cache_bytes(*rng.pick(&[0, 1 << 20]))
        .max_open_files(*rng.pick(&[4, 64, 1024]))
        .bloom_bits_per_key(*rng.pick(&[0.0, 10.0]))
        .compression(*rng.pick(&[Compression::None, Compression::Lz4]))
        .k_global(1 + rng.index(8))
        .slot_target_bytes(*rng.pick(&[None, Some(8 << 10), Some(64 << 10)]))
        .compaction(compaction)
        .disk_reserve_bytes(Some(1 << 20))
        .seed(rng.next_u64())
}
