//! A table's bytes. Numbers are little-endian; `varint` is LEB128.
//!
//! ```text
//! table:
//!   data block 0 | data block 1 | ... | filter block? | index block | properties block | footer
//!
//! every block:
//!   payload (n bytes) | tag 1 | checksum 4
//!     tag 0: the payload is the content
//!     tag 1: the payload is varint content length, then LZ4
//!
//! content of a data block or the index block:
//!   key part* | value* | restart 8 * count | count 4
//!   key part: varint shared | varint rest | varint value length | varint mark | key rest
//!     shared: how many bytes of the entry before's user key this one starts with
//!     mark:   sequence number * 8 + kind
//!   values: in the order of their keys, back to back
//!   restart: offset 4 of a key part with shared = 0, offset 4 of its value; both ascend, the
//!     first is that of the first entry
//!
//! an index entry stands for a data block, in file order:
//!   key:   a separator: last entry of the block <= separator < first entry of the next block
//!   value: varint payload length. Blocks lie back to back from 0, so offsets are sums.
//!   Each is a restart point: readers search the bytes as they are, nothing expands in memory.
//!
//! content of the filter block: nori-bloom's bytes
//! content of the properties block: (varint length, name, varint length, value)*, names ascend
//!
//! footer, 128 bytes, the last of the file:
//!      0   4  format version, 1
//!      4   4  incompatible features: a reader that does not know one must refuse
//!      8   4  read-compatible features: may be read, must not be written by who does not know
//!     12   4  ignorable features
//!     16   8  table id, random
//!     24   8  bytes of the whole file
//!     32  16  index block: offset, payload length
//!     48  16  filter block: the same; zeros if there is none
//!     64  16  range tombstones: zeros; reserved with an incompatible feature bit
//!     80  16  properties block
//!     96  20  zeros
//!    116   4  checksum of bytes 0..116 and of the magic
//!    120   8  magic "nori-sst"
//! ```
//!
//! 1. A block's checksum covers payload and tag, under a salt made of the table's id and the
//!    block's offset: a block of another table, or of another place, does not check.
//! 2. Blocks lie back to back from offset 0 to the footer, so each byte of the file is covered by
//!    a checksum, or is one.
//! 3. Place and meaning of magic, checksum, version and features stay the same in each version.
//! 4. Lengths are checked against the file's length, then the checksum, then the content length
//!    against what LZ4 could have made of so few bytes; only then is memory taken.
//! 5. Entries ascend: user key, then sequence number descending. Versions of one user key may
//!    span blocks; the separator between them is then the last entry's key itself.

use crate::error::Bad;
use nori_types::{InternalKey, SeqNo, ValueKind, checksum};
use std::cmp::Ordering;

pub(crate) const VERSION: u32 = 1;
/// The incompatible features this build knows: none yet.
pub(crate) const KNOWN_INCOMPATIBLE: u32 = 0;
pub(crate) const MAGIC: [u8; 8] = *b"nori-sst";
pub(crate) const FOOTER_BYTES: usize = 128;
/// Tag and checksum behind a payload.
pub(crate) const TRAILER_BYTES: usize = 5;
/// The longest content of a block: offsets in it are 32-bit numbers.
pub(crate) const CONTENT_BYTES_MAX: u64 = u32::MAX as u64;
/// The longest value.
pub(crate) const VALUE_BYTES_MAX: u64 = 1 << 30;
/// The longest user key: the engine's limit and room for a keyspace id.
pub(crate) const STORED_KEY_BYTES_MAX: u64 = nori_types::KEY_BYTES_MAX as u64 + 16;

pub(crate) const TAG_PLAIN: u8 = 0;
pub(crate) const TAG_LZ4: u8 = 1;

const KIND_BITS: u32 = 3;
const COVERED: usize = 116;

/// Sequence number and kind in one number. Descending marks are the order of versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark(pub(crate) u64);

impl Mark {
    /// Behind every version of a user key.
    pub(crate) const BEHIND: Mark = Mark(0);

    pub(crate) fn of(key: &InternalKey<'_>) -> Mark {
        Mark(key.seq.get() << KIND_BITS | key.kind as u64)
    }

    /// At or before every version that a reader at `at` sees, of known kinds and of others.
    pub(crate) fn seek(at: SeqNo) -> Mark {
        Mark(at.get() << KIND_BITS | ((1 << KIND_BITS) - 1))
    }

    pub(crate) fn seq(self) -> SeqNo {
        SeqNo::new(self.0 >> KIND_BITS)
    }

    pub(crate) fn kind(self) -> Result<ValueKind, Bad> {
        let number = (self.0 & ((1 << KIND_BITS) - 1)) as u8;
        let supported = ValueKind::MAX as u64;
        ValueKind::from_u8(number).ok_or(Bad::Unknown {
            what: "value kind",
            found: number.into(),
            supported,
        })
    }
}

/// The order of entries: user keys ascend, marks descend.
#[inline]
pub(crate) fn order(a: (&[u8], Mark), b: (&[u8], Mark)) -> Ordering {
    a.0.cmp(b.0).then_with(|| b.1.cmp(&a.1))
}

/// Where a block's payload lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Handle {
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
}

impl Handle {
    /// The offset behind payload and trailer; `None` beyond any file.
    pub(crate) fn end(&self) -> Option<u64> {
        self.offset.checked_add(self.bytes)?.checked_add(TRAILER_BYTES as u64)
    }
}

/// What a block's checksum is bound to.
pub(crate) fn salt(id: u64, offset: u64) -> u64 {
    // Finaliser of splitmix64: each bit of id and offset changes half of the salt's.
    let z = id.wrapping_add(offset.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The last 128 bytes of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Footer {
    pub(crate) incompatible: u32,
    pub(crate) read_compatible: u32,
    pub(crate) ignorable: u32,
    pub(crate) id: u64,
    pub(crate) file_bytes: u64,
    pub(crate) index: Handle,
    pub(crate) filter: Option<Handle>,
    pub(crate) properties: Handle,
}

impl Footer {
    pub(crate) fn encode(&self) -> [u8; FOOTER_BYTES] {
        let mut out = Vec::with_capacity(FOOTER_BYTES);
        for number in [VERSION, self.incompatible, self.read_compatible, self.ignorable] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        let filter = self.filter.unwrap_or_default();
        let range_tombstones = Handle::default();
        out.extend_from_slice(&self.id.to_le_bytes());
        out.extend_from_slice(&self.file_bytes.to_le_bytes());
        for handle in [self.index, filter, range_tombstones, self.properties] {
            out.extend_from_slice(&handle.offset.to_le_bytes());
            out.extend_from_slice(&handle.bytes.to_le_bytes());
        }
        let mut footer = [0; FOOTER_BYTES];
        footer[..out.len()].copy_from_slice(&out);
        let sum = footer_checksum(&footer);
        footer[COVERED..120].copy_from_slice(&sum.to_le_bytes());
        footer[120..].copy_from_slice(&MAGIC);
        footer
    }

    /// Reads the footer of a file of `file_bytes` and checks that its blocks lie back to back.
    pub(crate) fn decode(bytes: &[u8; FOOTER_BYTES], file_bytes: u64) -> Result<Footer, Bad> {
        let u32_at = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
        let handle_at = |at: usize| Handle { offset: u64_at(at), bytes: u64_at(at + 8) };
        if bytes[120..] != MAGIC {
            return Err(Bad::Damaged("table magic"));
        }
        if u32_at(COVERED) != footer_checksum(bytes) {
            return Err(Bad::Damaged("footer checksum"));
        }
        let (version, incompatible) = (u32_at(0), u32_at(4));
        if version > VERSION {
            let (found, supported) = (version.into(), VERSION.into());
            return Err(Bad::Unknown { what: "table format version", found, supported });
        }
        if incompatible & !KNOWN_INCOMPATIBLE != 0 {
            let (found, supported) = (incompatible.into(), KNOWN_INCOMPATIBLE.into());
            return Err(Bad::Unknown { what: "table feature bits", found, supported });
        }
        let filter = Some(handle_at(48)).filter(|h| *h != Handle::default());
        let footer = Footer {
            incompatible,
            read_compatible: u32_at(8),
            ignorable: u32_at(12),
            id: u64_at(16),
            file_bytes: u64_at(24),
            index: handle_at(32),
            filter,
            properties: handle_at(80),
        };
        if version == 0 || handle_at(64) != Handle::default() || bytes[96..COVERED] != [0; 20] {
            return Err(Bad::Damaged("footer reserved bytes"));
        }
        footer.check_places(file_bytes)?;
        Ok(footer)
    }

    fn check_places(&self, file_bytes: u64) -> Result<(), Bad> {
        let damaged = |what| Err(Bad::Damaged(what));
        if self.file_bytes != file_bytes {
            return damaged("file length in the footer");
        }
        let body = file_bytes.checked_sub(FOOTER_BYTES as u64);
        if body.is_none() || self.properties.end() != body {
            return damaged("place of the properties block");
        }
        if self.index.end() != Some(self.properties.offset) {
            return damaged("place of the index block");
        }
        if self.filter.is_some_and(|f| f.end() != Some(self.index.offset)) {
            return damaged("place of the filter block");
        }
        Ok(())
    }

    /// Where the data blocks end.
    pub(crate) fn data_end(&self) -> u64 {
        self.filter.map_or(self.index.offset, |f| f.offset)
    }
}

fn footer_checksum(footer: &[u8; FOOTER_BYTES]) -> u32 {
    checksum(u64::from_le_bytes(MAGIC), &footer[..COVERED])
}

#[cfg(test)]
mod tests;
