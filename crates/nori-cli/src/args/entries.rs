//! The arguments of commands about entries: one key, a range of keys.

use clap::Args;
use std::ffi::OsString;
use std::path::PathBuf;

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
