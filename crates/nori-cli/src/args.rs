//! What can be said on the command line.

pub(crate) use backup::{BackupArgs, CheckpointArgs, RestoreArgs};
pub(crate) use bench::{BenchArgs, BenchKind, Compressor};
use clap::{Args, Parser, Subcommand};
pub(crate) use curves::CurvesArgs;
pub(crate) use entries::{CountArgs, Form, GetArgs, KeyArgs, KeyspaceArgs, PutArgs};
pub(crate) use entries::{RangeArgs, ScanArgs};
pub(crate) use hotspot::HotspotArgs;
pub(crate) use inspect::{DumpArgs, DumpKind, EstimateArgs, LayoutArgs};
pub(crate) use overload::OverloadArgs;
pub(crate) use reads::ReadsArgs;
use std::path::PathBuf;
pub(crate) use stream::{ExportArgs, ImportArgs, StreamForm};
pub(crate) use viz::{SourceArgs, TopArgs, VizArgs, WatchArgs};

mod backup;
mod bench;
mod curves;
mod entries;
mod hotspot;
mod inspect;
mod overload;
mod reads;
mod stream;
mod viz;

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
    Stats(StatsCommand),
    /// Show the slots: range, heat, budget of runs, traffic, amplifications.
    Slots(StatsArgs),
    /// Draw the slots: heat, runs against their budget, reads, writes, bytes.
    Heat(StatsArgs),
    /// Tell why the last merges were done, and what came of them.
    Why(WhyArgs),
    /// Show which tables hold which keys: slots, their runs, the runs' tables.
    Layout(LayoutArgs),
    /// Tell about how many bytes and entries a range of keys has, from indexes alone.
    Estimate(EstimateArgs),
    /// Show what stands in one file, and where it cannot be read.
    Dump(DumpArgs),
    /// Watch a store in the terminal: slots, merges, pressure, rates, decisions.
    ///
    /// Keys: arrows select a slot and show its details, esc shows all, q ends.
    Top(TopArgs),
    /// Watch a store on a local web page: slots over time, merges, decisions and why.
    Viz(VizArgs),
    /// Read every byte of a store and check it; it need not open.
    Verify(StoreArgs),
    /// Make a new store from what can be read of a damaged one, which stays as it is.
    Repair(RepairArgs),
    /// Copy a store into a directory that opens as one; tables are linked where that can be done.
    Checkpoint(CheckpointArgs),
    /// Make a generation of a store; only what the target lacks is copied, and checked.
    Backup(BackupArgs),
    /// Make a store of a generation; every byte is checked.
    Restore(RestoreArgs),
    /// Write the entries of a store as a stream, to a file or to stdout.
    Export(ExportArgs),
    /// Put the entries of a stream into a store. Again and again gives the same.
    Import(ImportArgs),
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

#[derive(Debug, Args)]
pub(crate) struct StatsCommand {
    #[command(flatten)]
    pub(crate) of: StatsArgs,
    /// Print all numbers as text for Prometheus instead.
    #[arg(long, conflicts_with_all = ["keyspace", "all_slots", "json"])]
    pub(crate) prometheus: bool,
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
