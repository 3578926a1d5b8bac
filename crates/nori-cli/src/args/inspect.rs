//! The arguments of commands that look into files: dump, layout, estimate.

use super::{Form, RangeArgs};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DumpKind {
    /// A segment of the log, named as 000042.wal.
    Wal,
    /// A manifest, named as MANIFEST-000007.
    Manifest,
    /// A table.
    Sst,
}

#[derive(Debug, Args)]
pub(crate) struct DumpArgs {
    /// What the file is.
    pub(crate) kind: DumpKind,
    /// The file; it needs no store around it.
    pub(crate) file: PathBuf,
    /// Show so many records, tables or keys at most.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) limit: u64,
    /// Show the keys, too.
    #[arg(long)]
    pub(crate) keys: bool,
    /// Of a manifest: show record by record what it says, before the state it ends in.
    #[arg(long)]
    pub(crate) records: bool,
    #[command(flatten)]
    pub(crate) form: Form,
}

#[derive(Debug, Args)]
pub(crate) struct LayoutArgs {
    /// The store's directory.
    pub(crate) store: PathBuf,
    /// Only this keyspace.
    #[arg(long, value_name = "NAME")]
    pub(crate) keyspace: Option<String>,
    #[command(flatten)]
    pub(crate) form: Form,
}

#[derive(Debug, Args)]
pub(crate) struct EstimateArgs {
    /// The store's directory.
    pub(crate) store: PathBuf,
    #[command(flatten)]
    pub(crate) range: RangeArgs,
}
