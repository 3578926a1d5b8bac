//! What is said of damaged bytes, and of bytes from the future.

use std::path::{Path, PathBuf};
use thiserror::Error;

/// Bytes on disk that are not what was written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{}: {what} at offset {offset}: expected {expected}, found {found}. \
     Restore the store from a backup, or run \"nori verify\".", path.display()
)]
pub struct Corruption {
    /// The damaged file.
    pub path: PathBuf,
    /// Where in the file, in bytes.
    pub offset: u64,
    /// What was being read.
    pub what: String,
    /// What should have been there.
    pub expected: String,
    /// What was there.
    pub found: String,
}

impl Corruption {
    /// Damage found in `what` of a file.
    pub fn new(
        path: impl AsRef<Path>,
        offset: u64,
        what: impl Into<String>,
        expected: impl ToString,
        found: impl ToString,
    ) -> Corruption {
        Corruption {
            path: path.as_ref().to_path_buf(),
            offset,
            what: what.into(),
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }

    /// A checksum that does not fit.
    pub fn checksum(
        path: impl AsRef<Path>,
        offset: u64,
        what: impl Into<String>,
        expected: u32,
        found: u32,
    ) -> Corruption {
        let (expected, found) = (format!("checksum {expected:08x}"), format!("{found:08x}"));
        Corruption::new(path, offset, what, expected, found)
    }
}

/// A file written by a later nori, which this one must not guess at.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{}: {what} is {found}, this build reads up to {supported}. Open it with a newer nori.",
    path.display()
)]
pub struct FormatTooNew {
    /// The file.
    pub path: PathBuf,
    /// Which number is too new: a format version, feature bits, a value kind.
    pub what: String,
    /// What the file says.
    pub found: u64,
    /// The highest this build knows.
    pub supported: u64,
}
