//! Lengths and digests of files. XXH3-128 finds any damage by chance; it is no seal against one
//! who means harm, who could write a new list as well.

use std::fmt;
use xxhash_rust::xxh3::Xxh3;

/// Length and digest of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) bytes: u64,
    pub(crate) digest: u128,
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:032x}", self.bytes, self.digest)
    }
}

/// The digest of bytes.
pub(crate) fn digest(bytes: &[u8]) -> u128 {
    xxhash_rust::xxh3::xxh3_128(bytes)
}

/// A sum in the making.
#[derive(Default)]
pub(crate) struct Summing {
    hash: Xxh3,
    bytes: u64,
}

impl Summing {
    pub(crate) fn add(&mut self, piece: &[u8]) {
        self.hash.update(piece);
        self.bytes += piece.len() as u64;
    }

    pub(crate) fn finish(&self) -> Sum {
        Sum { bytes: self.bytes, digest: self.hash.digest128() }
    }
}
