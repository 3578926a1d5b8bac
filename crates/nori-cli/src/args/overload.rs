//! The arguments of `nori bench overload`.

use super::Compressor;
use clap::Args;
use std::path::PathBuf;

/// How long a store is overloaded, and what kind of store.
#[derive(Debug, Args)]
pub(crate) struct OverloadArgs {
    /// How long, in minutes.
    #[arg(long, default_value_t = 10.0)]
    pub(crate) minutes: f64,
    /// Threads that put; as many as the machine has processors if unset.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=256))]
    pub(crate) threads: Option<u64>,
    /// The size of the key space that random keys are drawn from.
    #[arg(long, default_value_t = 10_000_000,
          value_parser = clap::value_parser!(u64).range(1_000..=10_000_000_000))]
    pub(crate) keys: u64,
    /// Bytes of a key.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u64).range(10..=1024))]
    pub(crate) key_bytes: u64,
    /// Bytes of a value; half of them compress well.
    #[arg(long, default_value_t = 100,
          value_parser = clap::value_parser!(u64).range(0..=1 << 20))]
    pub(crate) value_bytes: u64,
    /// Memory for cached blocks, in MiB.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(0..=1 << 20))]
    pub(crate) cache_mb: u64,
    /// One limit for all memory of the store, in MiB, in the place of a cache.
    #[arg(long, value_name = "MIB", conflicts_with = "cache_mb",
          value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    pub(crate) budget_mb: Option<u64>,
    /// Memory for one write buffer, in MiB.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=1 << 16))]
    pub(crate) buffer_mb: u64,
    /// Write buffers that may wait to be flushed.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=64))]
    pub(crate) sealed: u64,
    /// How tables are compressed.
    #[arg(long, value_enum, default_value_t = Compressor::Lz4)]
    pub(crate) compression: Compressor,
    /// Explains the order of random keys.
    #[arg(long, default_value_t = 42)]
    pub(crate) seed: u64,
    /// Where the store is made; it must not exist.
    #[arg(long, value_name = "DIR", default_value = "./nori-bench")]
    pub(crate) dir: PathBuf,
    /// Leave the store for looking at.
    #[arg(long)]
    pub(crate) keep: bool,
}
