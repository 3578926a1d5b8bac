//! The arguments of `nori bench curves`.

use super::Compressor;
use clap::Args;
use std::path::PathBuf;

/// From how much data to how much, and with how many threads.
#[derive(Debug, Args)]
pub(crate) struct CurvesArgs {
    /// Keys of the smallest store.
    #[arg(long, default_value_t = 250_000,
          value_parser = clap::value_parser!(u64).range(1_000..=1_000_000_000))]
    pub(crate) keys: u64,
    /// Sizes of stores, as multiples of the smallest; one thread.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_values_t = [1, 4, 16],
          value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub(crate) sizes: Vec<u64>,
    /// Counts of threads, on the smallest store.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_values_t = [1, 2, 4, 8],
          value_parser = clap::value_parser!(u64).range(1..=256))]
    pub(crate) threads: Vec<u64>,
    /// Memory of the measuring process and of the pages that the system caches for it, in MiB.
    ///
    /// Needs a writable control group with a memory controller (Linux, cgroup v2); without this,
    /// the page cache is as large as memory.
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(16..=1 << 20))]
    pub(crate) memory_mb: Option<u64>,
    /// Bytes of a value; half of them compress well.
    #[arg(long, default_value_t = 100,
          value_parser = clap::value_parser!(u64).range(0..=1 << 20))]
    pub(crate) value_bytes: u64,
    /// Memory for cached blocks, in MiB.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(0..=1 << 20))]
    pub(crate) cache_mb: u64,
    /// Memory for one write buffer, in MiB.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=1 << 16))]
    pub(crate) buffer_mb: u64,
    /// How tables are compressed.
    #[arg(long, value_enum, default_value_t = Compressor::Lz4)]
    pub(crate) compression: Compressor,
    /// Explains the order of random keys.
    #[arg(long, default_value_t = 42)]
    pub(crate) seed: u64,
    /// Where stores are made, one after the other; it must not exist.
    #[arg(long, value_name = "DIR", default_value = "./nori-bench")]
    pub(crate) dir: PathBuf,
    /// Draw the curves into this SVG file.
    #[arg(long, value_name = "FILE.svg")]
    pub(crate) plot: Option<PathBuf>,
}
