//! What can go wrong, told so that a caller can act on it.

use nori_env::FsError;
use nori_env::sync::Arc;
use nori_types::{Corruption, FormatTooNew};
use std::path::PathBuf;
use thiserror::Error as ThisError;

/// A failed call on a log.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// A file-system call failed. Unless [`Wal::poisoned`](crate::Wal::poisoned) says otherwise,
    /// the log is as it was before the call.
    #[error(transparent)]
    Io(#[from] FsError),
    /// Bytes that were promised to be durable are damaged or missing.
    #[error(transparent)]
    Corruption(#[from] Corruption),
    /// A file was written by a later version.
    #[error(transparent)]
    FormatTooNew(#[from] FormatTooNew),
    /// The disk is full. Nothing was changed; the call may be repeated when there is room.
    #[error("{}: the disk is full. Free some space; nothing was written.", path.display())]
    DiskFull {
        /// The file or directory that could not grow.
        path: PathBuf,
    },
    /// An earlier failure left the log's tail unknown; it takes no more records. Open the store
    /// again: recovery finds out what is there.
    #[error("the log is closed for writing since an earlier failure: {cause}")]
    Poisoned {
        /// The first failure.
        cause: Arc<str>,
    },
    /// A record is longer than the format allows. Nothing was written.
    #[error("a record of {bytes} bytes is longer than {bytes_max}")]
    TooLarge {
        /// Its length.
        bytes: u64,
        /// The longest allowed.
        bytes_max: u64,
    },
}

/// The result of a call on a log.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A failed attempt to make room: a full disk is told apart from a broken one.
    pub(crate) fn growing(error: FsError) -> Error {
        if error.is_full() { Error::DiskFull { path: error.path } } else { Error::Io(error) }
    }
}
