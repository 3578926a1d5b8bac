//! Why a table could not be written or read.

use nori_env::FsError;
use nori_types::{Corruption, FormatTooNew};
use thiserror::Error;

/// A failed operation on a table.
#[derive(Debug, Error)]
pub enum Error {
    /// The file system refused.
    #[error(transparent)]
    Io(#[from] FsError),
    /// The file's bytes are not what was written.
    #[error(transparent)]
    Corruption(#[from] Corruption),
    /// The file was written by a later nori.
    #[error(transparent)]
    FormatTooNew(#[from] FormatTooNew),
    /// An entry was added that does not sort behind the one before it.
    #[error("entry {key} added behind {previous}: entries must ascend")]
    InvalidOrder {
        /// The entry before.
        previous: String,
        /// The entry refused.
        key: String,
    },
    /// A key, value or table beyond what the format holds.
    #[error("{what} of {bytes} bytes: at most {bytes_max} fit in a table")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// How large it is.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// Input that makes no table.
    #[error("{what}")]
    InvalidInput {
        /// What is wrong with it.
        what: &'static str,
    },
}

/// The result of an operation on a table.
pub type Result<T> = std::result::Result<T, Error>;

/// What a decoder says of bytes before the table adds the file and the offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    /// Bytes no builder makes.
    Damaged(&'static str),
    /// A number from a later format.
    Unknown { what: &'static str, found: u64, supported: u64 },
}

impl Bad {
    /// The error for bytes at `offset` of the file at `path`.
    pub(crate) fn at(self, path: &std::path::Path, offset: u64) -> Error {
        match self {
            Bad::Damaged(what) => {
                Corruption::new(path, offset, what, "well-formed bytes", "others").into()
            }
            Bad::Unknown { what, found, supported } => {
                let path = path.to_path_buf();
                FormatTooNew { path, what: what.into(), found, supported }.into()
            }
        }
    }
}

impl From<nori_types::Truncated> for Bad {
    fn from(_: nori_types::Truncated) -> Bad {
        Bad::Damaged("a value that ends too early")
    }
}
