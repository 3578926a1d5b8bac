//! The arguments of commands that copy a store: checkpoints, backups, restores.

use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct CheckpointArgs {
    /// The store's directory.
    pub(crate) store: PathBuf,
    /// Where the copy is made: a directory that is missing or empty.
    pub(crate) dir: PathBuf,
}

/// A backup is made of STORE and TARGET, or one of the options names a TARGET to look at.
#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The store's directory.
    #[arg(required_unless_present_any = ["list", "check", "prune", "remove"])]
    pub(crate) store: Option<PathBuf>,
    /// Where backups are kept, for one store; made where it is missing.
    #[arg(required_unless_present_any = ["list", "check", "prune", "remove"])]
    pub(crate) target: Option<PathBuf>,
    /// Keep so many generations; older ones are removed.
    #[arg(long, value_name = "N", default_value_t = 7,
          value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) keep: u64,
    /// Read the tables again that are there already, and copy damaged ones anew.
    #[arg(long, requires = "target")]
    pub(crate) verify: bool,
    /// Show the generations.
    #[arg(long, value_name = "TARGET", conflicts_with_all = ["store", "check", "prune", "remove"])]
    pub(crate) list: Option<PathBuf>,
    /// Read every byte of all generations and check it.
    #[arg(long, value_name = "TARGET", conflicts_with_all = ["store", "prune", "remove"])]
    pub(crate) check: Option<PathBuf>,
    /// Remove the oldest generations until --keep are left.
    #[arg(long, value_name = "TARGET", conflicts_with_all = ["store", "remove"])]
    pub(crate) prune: Option<PathBuf>,
    /// Remove the generation that --generation names, be it damaged or not.
    #[arg(long, value_name = "TARGET", conflicts_with = "store", requires = "generation")]
    pub(crate) remove: Option<PathBuf>,
    /// The generation to remove.
    #[arg(long, value_name = "N", requires = "remove")]
    pub(crate) generation: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// Where backups are kept.
    pub(crate) target: PathBuf,
    /// Where the store is made: a directory that is missing or empty.
    pub(crate) dir: PathBuf,
    /// Which generation; the newest where none is named.
    #[arg(long, value_name = "N")]
    pub(crate) generation: Option<u64>,
}
