//! A filter's bytes.
//!
//! ```text
//! offset  size  content
//!      0     1  format version, 1
//!      1     1  probes k: bits set and tested per key, 1..=16
//!      2     2  zero
//!      4     4  blocks n, little-endian
//!      8     8  keys added, little-endian (for people; readers do not need it)
//!     16  64*n  blocks: bit b of a block is bit b % 8 of its byte b / 8
//! ```
//!
//! 1. No bytes at all mean "no filter": every key may be in the set.
//! 2. n = 0 is the filter of the empty set: no key is in it.
//! 3. There is no checksum here: the container's covers all these bytes. The reader still checks
//!    that the length is exactly what the header says before it copies anything.
//! 4. Which block and which bits belong to a key is part of the format (`probe.rs`), and so is
//!    the hash (XXH3, 64 bits, seed 0).

use crate::{Error, Result};

/// The version this build writes, and the highest it reads.
pub(crate) const VERSION: u8 = 1;
/// Bytes before the blocks.
pub(crate) const HEADER_BYTES: usize = 16;
/// Bytes of a block: one cache line.
pub(crate) const BLOCK_BYTES: usize = 64;
/// The most probes a header may name.
pub(crate) const PROBES_MAX: u8 = 16;

/// What stands before the blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) probes: u8,
    pub(crate) blocks: u32,
    pub(crate) keys: u64,
}

impl Header {
    pub(crate) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        out[0] = VERSION;
        out[1] = self.probes;
        out[4..8].copy_from_slice(&self.blocks.to_le_bytes());
        out[8..16].copy_from_slice(&self.keys.to_le_bytes());
        out
    }

    /// Splits bytes into header and blocks, exactly as many as the header says.
    pub(crate) fn decode(bytes: &[u8]) -> Result<(Header, &[u8])> {
        let invalid = |what, expected, found| Error::Invalid { what, expected, found };
        if let Some(&found) = bytes.first().filter(|&&v| v > VERSION) {
            return Err(Error::TooNew { found, supported: VERSION });
        }
        let (head, blocks) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(invalid(
            "filter header bytes",
            HEADER_BYTES as u64,
            bytes.len() as u64,
        ))?;
        let [version, probes, zero_a, zero_b, n0, n1, n2, n3, keys @ ..] = *head;
        if version != VERSION {
            return Err(invalid("filter version", VERSION.into(), version.into()));
        }
        if probes == 0 || probes > PROBES_MAX {
            return Err(invalid("filter probes, at most", PROBES_MAX.into(), probes.into()));
        }
        let zero = u16::from_le_bytes([zero_a, zero_b]);
        if zero != 0 {
            return Err(invalid("filter padding", 0, zero.into()));
        }
        let header = Header {
            probes,
            blocks: u32::from_le_bytes([n0, n1, n2, n3]),
            keys: u64::from_le_bytes(keys),
        };
        let expected = u64::from(header.blocks) * BLOCK_BYTES as u64;
        if expected != blocks.len() as u64 {
            return Err(invalid("filter block bytes", expected, blocks.len() as u64));
        }
        Ok((header, blocks))
    }
}
