//! What can be said on the command line.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
pub(crate) use curves::CurvesArgs;
pub(crate) use hotspot::HotspotArgs;
pub(crate) use nori_bench::Workload;
pub(crate) use overload::OverloadArgs;
pub(crate) use reads::ReadsArgs;
use std::ffi::OsString;
use std::path::PathBuf;

mod curves;
mod hotspot;
mod overload;
mod reads;

/// See, fill, check and measure a nori store.
///
/// Keys and values are text in which \xNN stands for any byte and \\ for a backslash, or hex
/// digits with --hex. Commands that only read work beside a process that has the store open.
#[derive(Debug, Parser)]
#[command(name = "nori", version, propagate_version = true, infer_subcommands = false)]
pub(crate) struct Cli {
    /// Print JSON: one document, or one line per entry for scan.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Set a key; durable when it returns. Makes the store where there is none.
    Put(PutArgs),
    /// Print the value of a key.
    Get(GetArgs),
    /// Delete a key; durable when it returns.
    Delete(KeyArgs),
    /// Print keys and values in order.
    Scan(ScanArgs),
    /// Count keys.
    Count(CountArgs),
    /// Show what a store holds: files, slots, keyspaces.
    Stats(StatsArgs),
    /// Show the slots: range, heat, budget of runs, traffic, amplifications.
    Slots(StatsArgs),
    /// Draw the slots: heat, runs against their budget, reads, writes, bytes.
    Heat(StatsArgs),
    /// Tell why the last merges were done, and what came of them.
    Why(WhyArgs),
    /// Read every byte of a store and check it; it need not open.
    Verify(StoreArgs),
    /// Make a new store from what can be read of a damaged one, which stays as it is.
    Repair(RepairArgs),
    /// Merge everything into one sorted run per slot.
    Compact(CompactArgs),
    /// Remove a store: its files, and its directory if nothing else is in it.
    Destroy(StoreArgs),
    /// Store every file below a directory: key = path with '/', value = the file's bytes.
    ///
    /// Files that are stored already with equal bytes are skipped, so a second run completes what
    /// an interrupted one began. Symbolic links are not followed.
    LoadDir(LoadDirArgs),
    /// Compare a store with a directory, byte by byte, both ways.
    VerifyDir(DirArgs),
    /// Show what nori does: a million records, a crash, and what is left after it.
    Demo(DemoArgs),
    /// What `demo` starts and kills.
    #[command(hide = true)]
    DemoWriter(DemoWriterArgs),
    /// Measure: fills, reads, scans, durable writes.
    Bench(BenchArgs),
    /// Play the compaction policy over synthetic stores, flush by flush, and print what it costs.
    PolicySim(PolicySimArgs),
}

#[derive(Debug, Args)]
pub(crate) struct StoreArgs {
    /// The store's directory.
    pub(crate) store: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct RepairArgs {
    /// The damaged store's directory.
    pub(crate) store: PathBuf,
    /// Where the new store is made: a directory that is missing or empty.
    pub(crate) into: PathBuf,
}

/// How bytes are written on the command line and in the output.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Form {
    /// Keys and values are hex digits instead of text.
    #[arg(long)]
    pub(crate) hex: bool,
}

#[derive(Debug, Args)]
pub(crate) struct KeyspaceArgs {
    /// The keyspace to work on.
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) keyspace: String,
}

#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    /// The store's directory.
    pub(crate) store: PathBuf,
    /// The key.
    pub(crate) key: OsString,
    #[command(flatten)]
    pub(crate) keyspace: KeyspaceArgs,
    #[command(flatten)]
    pub(crate) form: Form,
}

#[derive(Debug, Args)]
pub(crate) struct PutArgs {
    #[command(flatten)]
    pub(crate) at: KeyArgs,
    /// The value.
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    pub(crate) value: Option<OsString>,
    /// Take the value's bytes from a file, "-" for stdin.
    #[arg(long, value_name = "PATH")]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    #[command(flatten)]
    pub(crate) at: KeyArgs,
    /// Write the value's bytes as they are, and nothing else.
    #[arg(long, conflicts_with_all = ["json", "hex"])]
    pub(crate) raw: bool,
}

/// A range of keys.
#[derive(Debug, Args)]
pub(crate) struct RangeArgs {
    /// Only keys that start with this.
    #[arg(long, value_name = "PREFIX", conflicts_with_all = ["from", "to"])]
    pub(crate) prefix: Option<OsString>,
    /// First key, inclusive.
    #[arg(long, value_name = "KEY")]
    pub(crate) from: Option<OsString>,
    /// Last key, exclusive.
    #[arg(long, value_name = "KEY")]
    pub(crate) to: Option<OsString>,
    #[command(flatten)]
    pub(crate) keyspace: KeyspaceArgs,
    #[command(flatten)]
    pub(crate) form: Form,
}

#[derive(Debug, Args)]
pub(crate) struct ScanArgs {
    /// The store's directory.
    pub(crate) store: PathBuf,
    #[command(flatten)]
    pub(crate) range: RangeArgs,
    /// Stop after so many entries.
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// From the last key to the first.
    #[arg(long)]
    pub(crate) reverse: bool,
    /// Only keys.
    #[arg(long)]
    pub(crate) keys_only: bool,
    /// Whole values; without it and without --json, long values are cut for reading.
    #[arg(long)]
    pub(crate) full: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CountArgs {
    /// The store's directory.
    pub(crate) store: PathBuf,
    #[command(flatten)]
    pub(crate) range: RangeArgs,
}

#[derive(Debug, Args)]
pub(crate) struct StatsArgs {
    /// The store's directory.
    pub(crate) store: PathBuf,
    /// Show only this keyspace's slots.
    #[arg(long, value_name = "NAME")]
    pub(crate) keyspace: Option<String>,
    /// Show all slots, however many there are.
    #[arg(long)]
    pub(crate) all_slots: bool,
    #[command(flatten)]
    pub(crate) form: Form,
}

#[derive(Debug, Args)]
pub(crate) struct WhyArgs {
    /// The store's directory.
    pub(crate) store: PathBuf,
    /// How many merges, the newest last.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) last: u64,
}

#[derive(Debug, Args)]
pub(crate) struct CompactArgs {
    /// The store's directory.
    pub(crate) store: PathBuf,
    /// Merge only this keyspace.
    #[arg(long, value_name = "NAME")]
    pub(crate) keyspace: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct LoadDirArgs {
    #[command(flatten)]
    pub(crate) at: DirArgs,
    /// Memory for one write buffer, in MiB. The size of slots follows it: small buffers make many.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=1 << 16))]
    pub(crate) buffer_mb: u64,
}

#[derive(Debug, Args)]
pub(crate) struct DirArgs {
    /// The store's directory.
    pub(crate) store: PathBuf,
    /// The directory with the files.
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) keyspace: KeyspaceArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Where the store is made.
    #[arg(long, value_name = "DIR", default_value = "./nori-demo")]
    pub(crate) dir: PathBuf,
    /// How many records to write.
    #[arg(long, value_name = "N", default_value_t = 1_000_000,
          value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub(crate) keys: u64,
    /// Remove the store at the end.
    #[arg(long)]
    pub(crate) clean: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DemoWriterArgs {
    /// The store to write to.
    pub(crate) store: PathBuf,
}

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

#[derive(Debug, Args)]
pub(crate) struct PolicySimArgs {
    #[command(subcommand)]
    pub(crate) what: PolicySim,
}

/// What can be simulated.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicySim {
    /// Seven workloads without a limit on compaction: write, read and space amplification.
    Table {
        /// Live data in GB, in memtables of 64 MiB.
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=1000))]
        gb: u64,
    },
    /// Who should be compacted first when compaction has a budget: runs a read looks into.
    Bandit {
        /// Seeds to take the mean of.
        #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u64).range(1..=1000))]
        seeds: u64,
    },
}
