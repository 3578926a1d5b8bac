//! The arguments of `nori top` and `nori viz`, and of loads that can be watched.

use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;

/// What is looked at.
#[derive(Debug, Args)]
pub(crate) struct SourceArgs {
    /// The endpoint of a process (127.0.0.1:PORT), a store's directory, or a recording.
    pub(crate) source: String,
    /// How often a store's directory is looked at, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 3,
          value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) every: u64,
}

#[derive(Debug, Args)]
pub(crate) struct TopArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Print one picture as text, and end.
    #[arg(long)]
    pub(crate) once: bool,
    /// Columns of that picture.
    #[arg(long, value_name = "N", default_value_t = 110, requires = "once",
          value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) width: u16,
    /// Lines of that picture.
    #[arg(long, value_name = "N", default_value_t = 40, requires = "once",
          value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) height: u16,
}

#[derive(Debug, Args)]
pub(crate) struct VizArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Where the page is served; only 127.0.0.1, and port 0 for any that is free.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7171")]
    pub(crate) listen: SocketAddr,
}

/// How a load is shown while it runs.
#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// Serve the page and the endpoint of `nori top` here while it runs, for example on
    /// 127.0.0.1:7171.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) viz: Option<SocketAddr>,
    /// Record what happens, for `nori viz` and `nori top`; the file must not exist.
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
}
