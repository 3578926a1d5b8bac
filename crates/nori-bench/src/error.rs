//! What can go wrong in a bench.

use std::fmt;

/// Why a bench stopped, in one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(String);

/// The result of what can go wrong in a bench.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of an engine, or any other, by its words.
    pub fn new(what: impl fmt::Display) -> Error {
        Error(what.to_string())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}
