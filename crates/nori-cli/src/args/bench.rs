//! The arguments of `nori bench`.

use super::{CurvesArgs, HotspotArgs, OverloadArgs, ReadsArgs};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand, ValueEnum};
use nori_bench::Workload;
use std::path::PathBuf;

/// How new tables are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Compressor {
    /// Not at all.
    None,
    /// LZ4.
    Lz4,
}

/// What is measured when nothing is said.
const WORKLOADS: [Workload; 9] = [
    Workload::FillSeq,
    Workload::FillRandom,
    Workload::Overwrite,
    Workload::ReadRandom,
    Workload::ReadMissing,
    Workload::Seek10,
    Workload::Scan,
    Workload::ScanReverse,
    Workload::Durable,
];

/// The names of workloads, as clap shows them.
fn workload_names() -> impl TypedValueParser<Value = Workload> {
    let named = |workload: Workload| PossibleValue::new(workload.name()).help(workload.about());
    PossibleValuesParser::new(Workload::ALL.map(named)).try_map(|name| name.parse::<Workload>())
}

/// Benches that are more than a list of workloads.
#[derive(Debug, Subcommand)]
pub(crate) enum BenchKind {
    /// One long load with a hot spot that moves; tells each second how the store bears it.
    ///
    /// Checks what is read meanwhile and, at the end, every key; exit code 1 if one is wrong.
    Hotspot(HotspotArgs),
    /// Puts by all processors for minutes, as fast as they go; tells latencies and memory.
    Overload(OverloadArgs),
    /// What operations cost as the data and the threads grow; a table and a drawing.
    Curves(CurvesArgs),
    /// Read keys of a store again and again, and show what that does to its slots.
    Reads(ReadsArgs),
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    pub(crate) kind: Option<BenchKind>,
    /// What to measure, in this order; reads fill the store first where nothing did.
    #[arg(
        long,
        value_parser = workload_names(),
        value_name = "LIST",
        value_delimiter = ',',
        default_values_t = WORKLOADS
    )]
    pub(crate) workload: Vec<Workload>,
    /// Threads that call the store.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=256))]
    pub(crate) threads: u64,
    /// Keys in the store, and operations of each workload.
    #[arg(long, default_value_t = 1_000_000,
          value_parser = clap::value_parser!(u64).range(1..=10_000_000_000))]
    pub(crate) keys: u64,
    /// Bytes of a key.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u64).range(10..=1024))]
    pub(crate) key_bytes: u64,
    /// Bytes of a value; half of them compress well.
    #[arg(long, default_value_t = 100,
          value_parser = clap::value_parser!(u64).range(0..=64 << 20))]
    pub(crate) value_bytes: u64,
    /// Memory for cached blocks, in MiB.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(0..=1 << 20))]
    pub(crate) cache_mb: u64,
    /// Memory for one write buffer, in MiB.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=1 << 16))]
    pub(crate) buffer_mb: u64,
    /// Bits of bloom filter per key.
    #[arg(long, default_value_t = 10.0)]
    pub(crate) bloom_bits: f64,
    /// How tables are compressed.
    #[arg(long, value_enum, default_value_t = Compressor::Lz4)]
    pub(crate) compression: Compressor,
    /// How long each count of threads of "durable" runs, in seconds.
    #[arg(long, default_value_t = 3.0)]
    pub(crate) durable_seconds: f64,
    /// Explains the order of random keys.
    #[arg(long, default_value_t = 42)]
    pub(crate) seed: u64,
    /// Where the store is made; it must not exist.
    #[arg(long, value_name = "DIR", default_value = "./nori-bench")]
    pub(crate) dir: PathBuf,
    /// Leave the store for looking at.
    #[arg(long)]
    pub(crate) keep: bool,
    /// Draw throughput and p99 over time, one strip for each workload, into this SVG file.
    #[arg(long, value_name = "FILE.svg")]
    pub(crate) plot: Option<PathBuf>,
}
