//! Why bytes are not a filter. The container knows the file and the offset and adds them.

use thiserror::Error;

/// Bytes that cannot be read as a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// A later version of the format.
    #[error("filter format {found}, this build reads up to {supported}")]
    TooNew {
        /// The version the bytes name.
        found: u8,
        /// The highest version this build reads.
        supported: u8,
    },
    /// The bytes are not what a builder makes.
    #[error("{what}: expected {expected}, found {found}")]
    Invalid {
        /// The part that is wrong.
        what: &'static str,
        /// What should be there.
        expected: u64,
        /// What is there.
        found: u64,
    },
}

/// The result of reading a filter.
pub type Result<T> = std::result::Result<T, Error>;
