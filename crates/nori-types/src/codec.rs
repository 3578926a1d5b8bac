//! Varints (LEB128) and a reader that never goes past the bytes it was given.

use thiserror::Error;

/// The bytes ended before the value did, or a varint was too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the bytes end inside a value")]
pub struct Truncated;

/// Appends a varint: seven bits a byte, least significant first, 1 to 10 bytes.
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// How many bytes [`put_varint`] appends.
pub const fn varint_len(value: u64) -> usize {
    let bits = 64 - value.leading_zeros() as usize;
    if bits == 0 { 1 } else { bits.div_ceil(7) }
}

/// Reads values from the front of a slice. Lengths are checked against the bytes present, so
/// nothing is ever allocated on a length's word.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes }
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    /// Whether everything has been read.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The next `len` bytes.
    pub fn bytes(&mut self, len: usize) -> Result<&'a [u8], Truncated> {
        let (head, rest) = self.bytes.split_at_checked(len).ok_or(Truncated)?;
        self.bytes = rest;
        Ok(head)
    }

    /// A varint length followed by that many bytes.
    pub fn length_prefixed(&mut self) -> Result<&'a [u8], Truncated> {
        let len = self.varint()?;
        self.bytes(usize::try_from(len).map_err(|_| Truncated)?)
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, Truncated> {
        Ok(self.array::<1>()?[0])
    }

    /// Two bytes, little-endian.
    pub fn u16(&mut self) -> Result<u16, Truncated> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    /// Four bytes, little-endian.
    pub fn u32(&mut self) -> Result<u32, Truncated> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// Eight bytes, little-endian.
    pub fn u64(&mut self) -> Result<u64, Truncated> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A varint of at most 64 bits, in its shortest form or a padded one.
    pub fn varint(&mut self) -> Result<u64, Truncated> {
        let mut value = 0u64;
        for (i, byte) in self.bytes.iter().take(10).enumerate() {
            let bits = u64::from(byte & 0x7f);
            if i == 9 && bits > 1 {
                return Err(Truncated);
            }
            value |= bits << (7 * i);
            if byte & 0x80 == 0 {
                self.bytes = &self.bytes[i + 1..];
                return Ok(value);
            }
        }
        Err(Truncated)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Truncated> {
        let (head, rest) = self.bytes.split_first_chunk::<N>().ok_or(Truncated)?;
        self.bytes = rest;
        Ok(*head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_come_back_and_have_the_promised_length() {
        let edges = (0..64).flat_map(|b| [(1u64 << b) - 1, 1 << b, (1 << b) + 1]);
        for value in edges.chain([u64::MAX]) {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            assert_eq!(out.len(), varint_len(value), "{value}");
            let mut reader = Reader::new(&out);
            assert_eq!(reader.varint(), Ok(value));
            assert!(reader.is_empty());
            for cut in 0..out.len() {
                assert_eq!(Reader::new(&out[..cut]).varint(), Err(Truncated));
            }
        }
    }

    #[test]
    fn overlong_varints_and_lengths_beyond_the_bytes_are_errors() {
        assert_eq!(Reader::new(&[0xff; 11]).varint(), Err(Truncated));
        assert_eq!(
            Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x0f, 1]).length_prefixed(),
            Err(Truncated)
        );
        assert_eq!(Reader::new(&[1, 2, 3]).u32(), Err(Truncated));
    }
}
