//! The arguments of `nori bench hotspot`.

use super::{Compressor, WatchArgs};
use clap::Args;
use std::path::PathBuf;

/// What is loaded, and into what kind of store.
#[derive(Debug, Args)]
pub(crate) struct HotspotArgs {
    /// Puts, and the size of the key space that they fall into.
    #[arg(long, default_value_t = 20_000_000,
          value_parser = clap::value_parser!(u64).range(1_000..=10_000_000_000))]
    pub(crate) keys: u64,
    /// How often the hot spot moves, at equal distances.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(0..=1_000))]
    pub(crate) moves: u64,
    /// Threads that read while the load goes on.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(0..=64))]
    pub(crate) readers: u64,
    /// Reads per second of each of them.
    #[arg(long, default_value_t = 5_000,
          value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub(crate) read_rate: u64,
    /// Bytes of a key.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u64).range(10..=1024))]
    pub(crate) key_bytes: u64,
    /// Bytes of a value; half of them compress well.
    #[arg(long, default_value_t = 100,
          value_parser = clap::value_parser!(u64).range(50..=1 << 20))]
    pub(crate) value_bytes: u64,
    /// Memory for cached blocks, in MiB.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(0..=1 << 20))]
    pub(crate) cache_mb: u64,
    /// Memory for one write buffer, in KiB.
    #[arg(long, default_value_t = 64 << 10,
          value_parser = clap::value_parser!(u64).range(4..=1 << 26))]
    pub(crate) buffer_kb: u64,
    /// Sorted runs that a slot may hold before it must be merged; the engine's default if unset.
    #[arg(long, value_name = "N")]
    pub(crate) k_global: Option<usize>,
    /// How tables are compressed.
    #[arg(long, value_enum, default_value_t = Compressor::Lz4)]
    pub(crate) compression: Compressor,
    /// Explains the order of random keys.
    #[arg(long, default_value_t = 42)]
    pub(crate) seed: u64,
    /// Check the store as the load left it, with merges still owed.
    #[arg(long)]
    pub(crate) no_settle: bool,
    /// Where the store is made; it must not exist.
    #[arg(long, value_name = "DIR", default_value = "./nori-bench")]
    pub(crate) dir: PathBuf,
    /// Leave the store for looking at.
    #[arg(long)]
    pub(crate) keep: bool,
    #[command(flatten)]
    pub(crate) watch: WatchArgs,
}
