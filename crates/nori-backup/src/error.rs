//! What can go wrong with a backup, told so that a caller can act on it.

use nori_env::FsError;
use nori_env::sync::Arc;
use nori_types::Corruption;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error as ThisError;

/// The result of the verbs of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a verb failed. Generations that were whole before the call are whole after it.
#[derive(Clone, Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// The operating system, or the service behind an object store, refused a call.
    #[error("{op} {}: {source}", path.display())]
    Io {
        /// The call: "open", "write", "upload", ...
        op: &'static str,
        /// The file, directory or object.
        path: PathBuf,
        /// What was said.
        source: Arc<io::Error>,
    },
    /// Bytes of a backup, or of the store while it was backed up, are not what was written.
    #[error(
        "{}: {what} at offset {offset}: expected {expected}, found {found}. If it is of a backup, \
         restore another generation; if of a store, run \"nori verify\" on it.", path.display()
    )]
    Corruption {
        /// The damaged file.
        path: PathBuf,
        /// Where in the file, in bytes.
        offset: u64,
        /// What was being read.
        what: String,
        /// What should have been there.
        expected: String,
        /// What was there.
        found: String,
    },
    /// There is no room where files are written.
    #[error("{}: the disk is full. Free some space and do it again.", path.display())]
    DiskFull {
        /// What could not grow.
        path: PathBuf,
    },
    /// A file was written by a later nori.
    #[error(
        "{}: {what} is {found}, this build reads up to {supported}. Use a newer nori.",
        path.display()
    )]
    FormatTooNew {
        /// The file.
        path: PathBuf,
        /// What in it is too new.
        what: String,
        /// What the file says.
        found: u64,
        /// The highest this build knows.
        supported: u64,
    },
    /// Somebody else changes or checks this backup now.
    #[error("{}: the backup is in use elsewhere. Wait for that to end.", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The caller's argument cannot be used. Nothing was changed.
    #[error("{what}")]
    InvalidArgument {
        /// One sentence that says what is wrong.
        what: String,
    },
    /// Whoever watched the work ended it.
    #[error("cancelled")]
    Cancelled,
    /// The store failed.
    #[error(transparent)]
    Store(nori_lsm::Error),
}

impl Error {
    pub(crate) fn invalid(what: impl Into<String>) -> Error {
        Error::InvalidArgument { what: what.into() }
    }

    /// Something is not what was written.
    pub(crate) fn corrupt(
        path: &Path,
        offset: u64,
        what: impl Into<String>,
        expected: impl ToString,
        found: impl ToString,
    ) -> Error {
        Error::Corruption {
            path: path.to_path_buf(),
            offset,
            what: what.into(),
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }

    /// A file that is listed and is not there.
    pub(crate) fn missing(path: &Path, what: impl Into<String>) -> Error {
        Error::corrupt(path, 0, what, "the file", "none")
    }

    /// Damage of a backup or of a store, as against a refusal.
    pub fn is_corruption(&self) -> bool {
        let in_store = |e: &nori_lsm::Error| e.kind() == nori_lsm::ErrorKind::Corruption;
        matches!(self, Error::Corruption { .. })
            || matches!(self, Error::Store(error) if in_store(error))
    }
}

impl From<FsError> for Error {
    fn from(error: FsError) -> Error {
        if error.is_full() {
            return Error::DiskFull { path: error.path };
        }
        Error::Io { op: error.op, path: error.path, source: Arc::new(error.source) }
    }
}

impl From<Corruption> for Error {
    fn from(c: Corruption) -> Error {
        let Corruption { path, offset, what, expected, found } = c;
        Error::Corruption { path, offset, what, expected, found }
    }
}

impl From<nori_lsm::Error> for Error {
    fn from(error: nori_lsm::Error) -> Error {
        match error {
            nori_lsm::Error::Io { op, path, source } => Error::Io { op, path, source },
            nori_lsm::Error::DiskFull { path } => Error::DiskFull { path },
            nori_lsm::Error::Corruption { path, offset, what, expected, found } => {
                Error::Corruption { path, offset, what, expected, found }
            }
            nori_lsm::Error::Cancelled => Error::Cancelled,
            other => Error::Store(other),
        }
    }
}

impl From<nori_manifest::Error> for Error {
    fn from(error: nori_manifest::Error) -> Error {
        nori_lsm::Error::from(error).into()
    }
}

impl From<nori_wal::Error> for Error {
    fn from(error: nori_wal::Error) -> Error {
        nori_lsm::Error::from(error).into()
    }
}
