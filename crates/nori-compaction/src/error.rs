//! Why a job did not finish.

use nori_env::FsError;
use std::convert::Infallible;
use thiserror::Error;

/// The result of a job.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a job did not finish. Its outputs are removed; its inputs are as they were.
#[derive(Debug, Error)]
pub enum Error {
    /// A file-system call failed, on an output or its directory.
    #[error(transparent)]
    Io(#[from] FsError),
    /// An input could not be read, or an output not be built.
    #[error(transparent)]
    Table(#[from] nori_sstable::Error),
    /// The caller asked to stop.
    #[error("the job was cancelled")]
    Cancelled,
}

impl From<Infallible> for Error {
    fn from(never: Infallible) -> Error {
        match never {}
    }
}
