//! The arguments of `nori export` and `nori import`.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// How a stream looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StreamForm {
    /// Compact, each frame with a checksum.
    Frames,
    /// One JSON object a line, for other programs.
    Lines,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The store's directory.
    pub(crate) store: PathBuf,
    /// The keyspace to write, or "all"; may be given several times.
    #[arg(long, value_name = "NAME", default_value = "all")]
    pub(crate) keyspace: Vec<String>,
    /// Where to write, "-" for stdout.
    #[arg(long, short, value_name = "FILE", default_value = "-")]
    pub(crate) output: PathBuf,
    /// How the stream looks.
    #[arg(long, value_enum, default_value_t = StreamForm::Frames)]
    pub(crate) format: StreamForm,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The store's directory; made where it is missing.
    pub(crate) store: PathBuf,
    /// Where to read, "-" for stdin. Frames and lines are told apart by the first byte.
    #[arg(value_name = "FILE", default_value = "-")]
    pub(crate) input: PathBuf,
}
