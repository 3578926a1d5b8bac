//! What can go wrong with versions and their log.

use nori_env::FsError;
use nori_types::{Corruption, FormatTooNew};
use std::sync::Arc;
use thiserror::Error;

/// Why a version could not be changed, written or read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The file system said no.
    #[error(transparent)]
    Io(#[from] FsError),
    /// Bytes on disk are not what was written.
    #[error(transparent)]
    Corruption(#[from] Corruption),
    /// The file is of a later format.
    #[error(transparent)]
    FormatTooNew(#[from] FormatTooNew),
    /// The edit does not fit the version it was applied to: a pinned run is gone, a slot does not
    /// exist, a guard lies where none may. Nothing was changed.
    #[error("the edit does not fit the version: {0}")]
    Misfit(String),
    /// CURRENT could not be replaced, so which manifest rules is unknown. Reopen the store.
    #[error("the manifest is poisoned: {cause}. Reopen the store.")]
    Poisoned {
        /// What failed first.
        cause: Arc<str>,
    },
}

impl Error {
    pub(crate) fn misfit<T>(text: impl Into<String>) -> Result<T> {
        Err(Error::Misfit(text.into()))
    }
}

/// The result of working with versions and their log.
pub type Result<T> = std::result::Result<T, Error>;
