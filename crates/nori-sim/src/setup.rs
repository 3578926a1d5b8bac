//! What a store is opened with: tiny limits, so that a short program meets every path. They
//! differ from opening to opening; the same number is always the same.

use nori_env::sync::Arc;
use nori_env::{Clock, FileSystem, Rng};
use nori_lsm::{Background, CompactionMode, Compression, Config, Durability, RecoveryMode};
use std::time::Duration;

/// The time between periodic syncs, where there are any.
pub(crate) const INTERVAL: Duration = Duration::from_secs(9);

/// What a number of options says about durability.
pub(crate) fn durability(options: u64) -> Durability {
    let modes = [Durability::Synced, Durability::Buffered, Durability::Interval(INTERVAL)];
    *Rng::new(options ^ 0xd0a).pick(&modes)
}

/// The options of a number, for a store on `fs`.
pub(crate) fn config(fs: Arc<dyn FileSystem>, clock: Arc<dyn Clock>, options: u64) -> Config {
    let mut rng = Rng::new(options);
    let config = Config::default()
        .file_system(fs)
        .clock(clock)
        .background(Background::Manual)
        .durability(durability(options))
        .memtable_bytes(*rng.pick(&[4096, 4096, 9000]))
        .max_sealed(1 + rng.index(3))
        .block_bytes(*rng.pick(&[64, 256, 4096]))
        .table_bytes(*rng.pick(&[1024, 4096]))
        .k_global(1 + rng.index(4))
        .bloom_bits_per_key(*rng.pick(&[0.0, 10.0]))
        .block_cache_bytes(*rng.pick(&[0, 1 << 20]))
        .compression(*rng.pick(&[Compression::Lz4, Compression::None]))
        .max_open_files(*rng.pick(&[1, 1024]))
        .wal_recovery(RecoveryMode::CutTornTail)
        .disk_reserve_bytes(*rng.pick(&[Some(0), Some(0), Some(0), Some(8000), None]));
    // Slots of a few kilobytes are cut and joined all the time, in every shape.
    let (soft, atll) = (1 + rng.index(4), CompactionMode::Atll);
    let modes = [atll, atll, atll, CompactionMode::Leveled, CompactionMode::Tiered];
    config
        .slot_target_bytes(Some(*rng.pick(&[512, 512, 2048, 8192, 1 << 20])))
        .compaction(*rng.pick(&modes))
        .alpha(*rng.pick(&[0.1, 0.5, 2.0]))
        .l0_soft(Some(soft))
        .l0_hard(Some(soft + 1 + rng.index(3)))
        .half_life(Some(Duration::from_secs(*rng.pick(&[5, 60]))))
        .bandit_epsilon(*rng.pick(&[0.05, 1.0]))
        .seed(rng.next_u64())
}
