//! The entries of a store as a stream: written by [`export`], read by [`import`].
//!
//! A stream holds keys and values, not files: it goes from one store to another whatever their
//! formats, options and keyspaces. It is of one moment. Two forms: frames, which are compact and
//! checked bit by bit, and lines of JSON, which other programs read and write.
//!
//! 1. A stream that was cut anywhere is an error: the last frame, or line, says that it is the
//!    last and how much came before it.
//! 2. What is imported is written in batches as it comes, and whoever watches knows how far it
//!    came. Importing again writes the same again, so an import that was interrupted is repeated
//!    from the start.
//! 3. No length that a stream claims is believed: memory is taken as bytes arrive.

mod frames;
mod lines;
mod read;
mod write;

pub use read::import;
pub use write::export;

use crate::error::{Error, Result};
use nori_env::sync::Arc;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;

/// How a stream looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StreamFormat {
    /// Frames with checksums.
    #[default]
    Frames,
    /// One JSON object a line. Only JSON and the end are checked, not each bit.
    Lines,
}

/// What a stream holds, or how much of it came through so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StreamTally {
    /// Keyspaces, empty ones included.
    pub keyspaces: u64,
    /// Keys with their values.
    pub entries: u64,
    /// Bytes of these keys and values.
    pub bytes: u64,
}

/// One thing in a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// A keyspace; what follows is in it.
    Keyspace(String),
    /// A key and its value.
    Entry(Vec<u8>, Vec<u8>),
    /// Nothing follows, and this much came before.
    End(StreamTally),
}

/// What a decoder says: the next items, in order; none at the end of a stream that needs no end.
pub(crate) trait Decoder {
    fn next(&mut self, items: &mut Vec<Item>) -> Result<bool>;
}

/// A stream that cannot be read on.
pub(crate) fn damaged(
    path: &Path,
    offset: u64,
    what: &str,
    expected: impl ToString,
    found: impl ToString,
) -> Error {
    Error::corrupt(path, offset, what, expected, found)
}

/// A call on the stream that failed.
pub(crate) fn failed(op: &'static str, path: &Path, error: io::Error) -> Error {
    Error::Io { op, path: path.to_path_buf(), source: Arc::new(error) }
}

#[cfg(test)]
mod tests;
