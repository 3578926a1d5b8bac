//! What can go wrong, told so that a caller can act on it.

use nori_env::FsError;
use nori_env::sync::Arc;
use openraft::{AnyError, ErrorSubject, ErrorVerb, NodeId, StorageError, StorageIOError};
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error as ThisError;

/// The result of the verbs of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a verb failed. openraft sees it as a [`StorageError`], with this as its source, and ends
/// its node; what was durable before the call is there when the store is opened again.
#[derive(Clone, Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused a call on a snapshot file.
    #[error("{op} {}: {source}", path.display())]
    Io {
        /// The call: "open", "write", ...
        op: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What was said.
        source: Arc<io::Error>,
    },
    /// There is no room for a snapshot file.
    #[error("{}: the disk is full. Free some space and start the node again.", path.display())]
    DiskFull {
        /// What could not grow.
        path: PathBuf,
    },
    /// Bytes of a snapshot are not what was written.
    #[error(
        "{}: {what} at offset {offset}: expected {expected}, found {found}. The state is as it \
         was; have the snapshot sent again.", path.display()
    )]
    Corruption {
        /// The snapshot's file.
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
    /// A store or a snapshot was written by a later nori-openraft.
    #[error("{what} is {found}, this build reads up to {supported}. Use a newer one.")]
    FormatTooNew {
        /// What is too new.
        what: String,
        /// What it says.
        found: u64,
        /// The highest this build knows.
        supported: u64,
    },
    /// A record cannot be encoded or decoded: the types of the request, the response or the node
    /// are not those that it was written with.
    #[error("{what}: {cause}. Are the types of the RaftTypeConfig those it was written with?")]
    Record {
        /// Which record.
        what: String,
        /// What the decoder said.
        cause: String,
    },
    /// A call that would leave a hole in the log, or apply or purge what it must not. Nothing was
    /// changed.
    #[error("{what}")]
    OutOfOrder {
        /// One sentence that says what is wrong.
        what: String,
    },
    /// The state machine gave up on a request. Nothing of the request was applied.
    #[error("the state machine failed: {what}")]
    StateMachine {
        /// What it said.
        what: String,
    },
    /// A thread of the store has ended: the state machine panicked, or the system gave no thread.
    #[error("the thread {name} has ended: {cause}. Open the store again.")]
    Ended {
        /// The thread.
        name: String,
        /// Why.
        cause: String,
    },
    /// The nori store failed.
    #[error(transparent)]
    Store(#[from] nori_lsm::Error),
}

impl Error {
    /// A state machine's reason to give up. openraft ends the node then: a request that is only
    /// not allowed has a response of its own that says so.
    pub fn state_machine(what: impl Into<String>) -> Error {
        Error::StateMachine { what: what.into() }
    }

    /// Whether bytes on a disk are damaged, as against a call that was refused.
    pub fn is_corruption(&self) -> bool {
        let in_store = |e: &nori_lsm::Error| e.kind() == nori_lsm::ErrorKind::Corruption;
        matches!(self, Error::Corruption { .. })
            || matches!(self, Error::Store(error) if in_store(error))
    }

    pub(crate) fn out_of_order(what: impl Into<String>) -> Error {
        Error::OutOfOrder { what: what.into() }
    }

    pub(crate) fn corrupt(
        path: &Path,
        offset: u64,
        what: impl Into<String>,
        expected: impl ToString,
        found: impl ToString,
    ) -> Error {
        let (path, what) = (path.to_path_buf(), what.into());
        let (expected, found) = (expected.to_string(), found.to_string());
        Error::Corruption { path, offset, what, expected, found }
    }

    /// As openraft wants it.
    pub(crate) fn to_storage<N: NodeId>(
        &self,
        subject: ErrorSubject<N>,
        verb: ErrorVerb,
    ) -> StorageError<N> {
        StorageIOError::new(subject, verb, AnyError::new(self)).into()
    }

    /// As the callback of an append and the traits of asynchronous files want it.
    pub(crate) fn to_io(&self) -> io::Error {
        let kind = match self {
            Error::Io { source, .. } => source.kind(),
            Error::DiskFull { .. } | Error::Store(nori_lsm::Error::DiskFull { .. }) => {
                io::ErrorKind::StorageFull
            }
            Error::Corruption { .. } | Error::Record { .. } => io::ErrorKind::InvalidData,
            Error::OutOfOrder { .. } => io::ErrorKind::InvalidInput,
            _ => io::ErrorKind::Other,
        };
        io::Error::new(kind, self.clone())
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
