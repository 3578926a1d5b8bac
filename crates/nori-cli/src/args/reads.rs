//! The arguments of `nori bench reads`.

use clap::Args;
use std::ffi::OsString;
use std::path::PathBuf;

/// Which keys of which store are read, and for how long.
#[derive(Debug, Args)]
pub(crate) struct ReadsArgs {
    /// The store's directory; it stays.
    pub(crate) store: PathBuf,
    /// Only keys that start with this.
    #[arg(long, value_name = "PREFIX", default_value = "")]
    pub(crate) prefix: OsString,
    /// The keyspace to read.
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) keyspace: String,
    /// How long, in seconds.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) seconds: u64,
    /// Threads that read.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=64))]
    pub(crate) threads: u64,
    /// Memory for one write buffer, in MiB; that of the process which filled the store, since the
    /// size of slots follows it.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=1 << 16))]
    pub(crate) buffer_mb: u64,
    /// Explains the order of keys.
    #[arg(long, default_value_t = 42)]
    pub(crate) seed: u64,
}
