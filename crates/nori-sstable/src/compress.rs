//! Block compression: LZ4 behind a length that is inside the checksummed bytes.
//!
//! The content length is believed only within what LZ4 can make of the bytes present (at most
//! 255 for one), so no small file can ask for much memory.

use crate::error::Bad;
use crate::format::{CONTENT_BYTES_MAX, TAG_LZ4, TAG_PLAIN};
use crate::options::Compression;
use bytes::Bytes;
use lz4_flex::block::{CompressTable, compress_into_with_table, get_maximum_output_size};
use nori_types::{Reader, put_varint};

/// LZ4 makes at most so many bytes of one.
const EXPANSION_MAX: usize = 255;

/// Compresses blocks, with its memory kept between them.
pub(crate) struct Compressor {
    compression: Compression,
    table: CompressTable,
    out: Vec<u8>,
}

impl Compressor {
    pub(crate) fn new(compression: Compression) -> Compressor {
        Compressor { compression, table: CompressTable::small(), out: Vec::new() }
    }

    /// A payload and its tag for some content: the smaller one, if it is worth it.
    pub(crate) fn payload<'a>(&'a mut self, content: &'a [u8]) -> (&'a [u8], u8) {
        match self.compression {
            Compression::None => (content, TAG_PLAIN),
            Compression::Lz4 => self.lz4(content).unwrap_or((content, TAG_PLAIN)),
        }
    }

    fn lz4(&mut self, content: &[u8]) -> Option<(&[u8], u8)> {
        self.out.clear();
        put_varint(&mut self.out, content.len() as u64);
        let start = self.out.len();
        self.out.resize(start + get_maximum_output_size(content.len()), 0);
        let out = self.out.get_mut(start..)?;
        let bytes = compress_into_with_table(content, out, &mut self.table).ok()?;
        let total = start + bytes;
        // An eighth saved, or reading it back costs more than the space is worth.
        let is_worth_it = total < content.len() - content.len() / 8;
        is_worth_it.then_some((self.out.get(..total)?, TAG_LZ4))
    }
}

/// A payload as it was read.
pub(crate) enum Stored<'a> {
    /// In memory that may stay the content's.
    Owned(Bytes),
    /// In memory that is used again.
    Lent(&'a [u8]),
}

/// The content of a payload whose checksum was found right.
pub(crate) fn content(payload: Stored<'_>, tag: u8) -> Result<Bytes, Bad> {
    match (tag, payload) {
        (TAG_PLAIN, Stored::Owned(payload)) => Ok(payload),
        (TAG_PLAIN, Stored::Lent(payload)) => Ok(Bytes::copy_from_slice(payload)),
        (TAG_LZ4, Stored::Owned(payload)) => decompress(&payload).map(Bytes::from),
        (TAG_LZ4, Stored::Lent(payload)) => decompress(payload).map(Bytes::from),
        _ => Err(Bad::Unknown {
            what: "compression tag",
            found: tag.into(),
            supported: TAG_LZ4.into(),
        }),
    }
}

fn decompress(payload: &[u8]) -> Result<Vec<u8>, Bad> {
    const DAMAGED: Bad = Bad::Damaged("compressed block");
    let mut reader = Reader::new(payload);
    let len = usize::try_from(reader.varint()?).map_err(|_| DAMAGED)?;
    let packed = reader.rest();
    if !is_possible(len, packed.len()) {
        return Err(Bad::Damaged("content length of a compressed block"));
    }
    let mut content = vec![0; len];
    let made = lz4_flex::block::decompress_into(packed, &mut content).map_err(|_| DAMAGED)?;
    if made == len { Ok(content) } else { Err(DAMAGED) }
}

/// Whether LZ4 can have made `packed` bytes of `len`, and a block of that size may be.
fn is_possible(len: usize, packed: usize) -> bool {
    len <= packed.saturating_mul(EXPANSION_MAX) && len as u64 <= CONTENT_BYTES_MAX
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn contents_come_back() {
        let mut compressor = Compressor::new(Compression::Lz4);
        for len in [0, 1, 63, 64, 1000, 70_000, 3_000_000] {
            for data in [vec![7; len], (0..len).map(|i| ((i * i) >> 3) as u8).collect()] {
                let (payload, tag) = compressor.payload(&data);
                let back = content(Stored::Lent(payload), tag).unwrap();
                assert_eq!(back, data);
                assert!(payload.len() <= data.len());
            }
        }
    }

    #[test]
    fn lengths_are_possible_up_to_both_limits() {
        let most = usize::try_from(CONTENT_BYTES_MAX).unwrap();
        assert!(is_possible(0, 0) && is_possible(EXPANSION_MAX, 1) && is_possible(most, most));
        assert!(!is_possible(1, 0) && !is_possible(EXPANSION_MAX + 1, 1));
        assert!(!is_possible(most + 1, most) && is_possible(1, most));
    }

    #[test]
    fn a_length_that_lz4_cannot_have_made_takes_no_memory() {
        for len in [1 << 20, 1 << 40, u64::MAX] {
            let mut payload = Vec::new();
            put_varint(&mut payload, len);
            payload.extend_from_slice(&[0; 100]);
            assert!(matches!(
                content(Stored::Owned(payload.into()), TAG_LZ4),
                Err(Bad::Damaged(_))
            ));
        }
        assert!(matches!(
            content(Stored::Owned(Bytes::new()), 2),
            Err(Bad::Unknown { found: 2, .. })
        ));
    }
}
