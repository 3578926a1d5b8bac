//! The one error type of the facade.

use nori_types::{Corruption, FormatTooNew};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;

/// The result of a store's verbs.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a verb failed. Every error names what was being done, and to which file.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused a call.
    #[error("{op} {}: {source}", path.display())]
    Io {
        /// The call: "open", "write", "sync", ...
        op: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// Bytes on disk are not what was written. Other parts of the store go on working.
    #[error(
        "{}: {what} at offset {offset}: expected {expected}, found {found}. \
         Restore the store from a backup, or run \"nori verify\".", path.display()
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
    /// Another process, or another handle in this one, has the store open.
    #[error(
        "{}: the store is open elsewhere. Close it there, or open it read-only.", path.display()
    )]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// There is no room on the disk. Nothing was changed; writes resume when space is back.
    #[error("{}: the disk is full. Free some space; writes resume by themselves.", path.display())]
    DiskFull {
        /// What could not grow.
        path: PathBuf,
    },
    /// Background work is too far behind. Nothing was written.
    #[error("writes are stalled by background work; try again in {retry_after:?}")]
    Stalled {
        /// How long to wait before trying again.
        retry_after: Duration,
    },
    /// The caller's argument cannot be used. Nothing was changed.
    #[error("{what}")]
    InvalidArgument {
        /// One sentence that says what is wrong.
        what: String,
    },
    /// The file was written by a later nori.
    #[error("{what} is {found}, this build reads up to {supported}. Open it with a newer nori.")]
    FormatTooNew {
        /// The file and what in it is too new.
        what: String,
        /// What the file says.
        found: u64,
        /// The highest this build knows.
        supported: u64,
    },
    /// An earlier write or sync failed, so later ones cannot be promised. Reads go on; open the
    /// store again to write.
    #[error("writes ended by an earlier failure: {cause}. Open the store again.")]
    Poisoned {
        /// The first failure.
        cause: Arc<str>,
    },
    /// A repair, or a restore of a backup, that fills this directory goes on or was ended before
    /// its end: what is in it is no whole store.
    #[error(
        "{}: an unfinished repair or restore. Unless it is still running, remove the directory and \
         do it again.", path.display()
    )]
    UnfinishedRepair {
        /// The directory.
        path: PathBuf,
    },
    /// The log does not reach back to where a change feed was asked to begin.
    #[error(
        "the changes behind {requested} are gone, the log begins with {oldest}. Begin again from \
         a checkpoint, and raise wal_retention_bytes if that happens often."
    )]
    SeqNoTooOld {
        /// The sequence number behind which changes were asked for.
        requested: u64,
        /// The first sequence number that the log still holds.
        oldest: u64,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// Whoever watched the work ended it.
    #[error("cancelled")]
    Cancelled,
    /// The store was opened read-only.
    #[error("the store was opened read-only")]
    ReadOnly,
    /// The keyspace of this handle was dropped.
    #[error("keyspace {name:?} was dropped")]
    KeyspaceDropped {
        /// Its name.
        name: String,
    },
}

/// The kinds of [`enum@Error`], to compare and to match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[allow(missing_docs)] // The names are those of `Error`, which documents them.
pub enum ErrorKind {
    Io,
    Corruption,
    Locked,
    DiskFull,
    Stalled,
    InvalidArgument,
    FormatTooNew,
    Poisoned,
    UnfinishedRepair,
    SeqNoTooOld,
    Closed,
    Cancelled,
    ReadOnly,
    KeyspaceDropped,
}

impl Error {
    /// Which kind of error this is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Io { .. } => ErrorKind::Io,
            Error::Corruption { .. } => ErrorKind::Corruption,
            Error::Locked { .. } => ErrorKind::Locked,
            Error::DiskFull { .. } => ErrorKind::DiskFull,
            Error::Stalled { .. } => ErrorKind::Stalled,
            Error::InvalidArgument { .. } => ErrorKind::InvalidArgument,
            Error::FormatTooNew { .. } => ErrorKind::FormatTooNew,
            Error::Poisoned { .. } => ErrorKind::Poisoned,
            Error::UnfinishedRepair { .. } => ErrorKind::UnfinishedRepair,
            Error::SeqNoTooOld { .. } => ErrorKind::SeqNoTooOld,
            Error::Closed => ErrorKind::Closed,
            Error::Cancelled => ErrorKind::Cancelled,
            Error::ReadOnly => ErrorKind::ReadOnly,
            Error::KeyspaceDropped { .. } => ErrorKind::KeyspaceDropped,
        }
    }

    /// Whether the same call may succeed later without reopening: a full disk, a stall.
    pub fn is_retryable(&self) -> bool {
        matches!(self.kind(), ErrorKind::DiskFull | ErrorKind::Stalled)
    }

    pub(crate) fn invalid(what: impl Into<String>) -> Error {
        Error::InvalidArgument { what: what.into() }
    }
}

impl From<nori_env::FsError> for Error {
    fn from(e: nori_env::FsError) -> Error {
        if e.is_full() {
            return Error::DiskFull { path: e.path };
        }
        Error::Io { op: e.op, path: e.path, source: Arc::new(e.source) }
    }
}

impl From<Corruption> for Error {
    fn from(c: Corruption) -> Error {
        Error::Corruption {
            path: c.path,
            offset: c.offset,
            what: c.what,
            expected: c.expected,
            found: c.found,
        }
    }
}

impl From<FormatTooNew> for Error {
    fn from(e: FormatTooNew) -> Error {
        let what = format!("{}: {}", e.path.display(), e.what);
        Error::FormatTooNew { what, found: e.found, supported: e.supported }
    }
}

impl From<nori_wal::Error> for Error {
    fn from(e: nori_wal::Error) -> Error {
        match e {
            nori_wal::Error::Io(e) => e.into(),
            nori_wal::Error::Corruption(e) => e.into(),
            nori_wal::Error::FormatTooNew(e) => e.into(),
            nori_wal::Error::DiskFull { path } => Error::DiskFull { path },
            nori_wal::Error::Poisoned { cause } => Error::Poisoned { cause },
            e => Error::invalid(e.to_string()),
        }
    }
}

impl From<nori_sstable::Error> for Error {
    fn from(e: nori_sstable::Error) -> Error {
        match e {
            nori_sstable::Error::Io(e) => e.into(),
            nori_sstable::Error::Corruption(e) => e.into(),
            nori_sstable::Error::FormatTooNew(e) => e.into(),
            e => Error::invalid(e.to_string()),
        }
    }
}

impl From<nori_manifest::Error> for Error {
    fn from(e: nori_manifest::Error) -> Error {
        match e {
            nori_manifest::Error::Io(e) => e.into(),
            nori_manifest::Error::Corruption(e) => e.into(),
            nori_manifest::Error::FormatTooNew(e) => e.into(),
            nori_manifest::Error::Poisoned { cause } => Error::Poisoned { cause },
            e => Error::invalid(e.to_string()),
        }
    }
}

impl From<nori_compaction::Error> for Error {
    fn from(e: nori_compaction::Error) -> Error {
        match e {
            nori_compaction::Error::Io(e) => e.into(),
            nori_compaction::Error::Table(e) => e.into(),
            nori_compaction::Error::Cancelled => Error::Closed,
        }
    }
}
