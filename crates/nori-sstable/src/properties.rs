//! What a table says of itself: names and values, sorted by name. Readers pass over names they
//! do not know; a name they must know comes with an incompatible feature bit.

use crate::error::Bad;
use bytes::Bytes;
use nori_types::{FileNumber, Reader, SeqNo, put_varint};
use std::collections::BTreeMap;

/// The only order of user keys there is.
const BYTEWISE: &[u8] = b"bytewise";

/// Facts about a table, from its properties block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Properties {
    /// Entries, tombstones included.
    pub entries: u64,
    /// Tombstones.
    pub tombstones: u64,
    /// Distinct user keys.
    pub keys: u64,
    /// Data blocks.
    pub data_blocks: u64,
    /// Key bytes before compression.
    pub raw_key_bytes: u64,
    /// Value bytes before compression.
    pub raw_value_bytes: u64,
    /// The lowest sequence number.
    pub seq_min: SeqNo,
    /// The highest sequence number.
    pub seq_max: SeqNo,
    /// The first user key.
    pub smallest: Bytes,
    /// The last user key.
    pub largest: Bytes,
    /// When the table was written, in milliseconds since 1970; 0 if the writer did not say.
    pub created_unix_ms: u64,
    /// The tables that were merged into it with all keys they have between its first and its last,
    /// ascending, if the merge made sequence numbers zero: a key that is here is not newer there.
    /// Empty for other tables, and where they are more than 256.
    pub merged_from: Vec<FileNumber>,
}

/// So many tables are named.
pub(crate) const MERGED_FROM_MAX: usize = 256;

impl Properties {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let number = |value: u64| {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            out
        };
        let mut fields = BTreeMap::from([
            ("comparator", BYTEWISE.to_vec()),
            ("created_unix_ms", number(self.created_unix_ms)),
            ("data_blocks", number(self.data_blocks)),
            ("entries", number(self.entries)),
            ("keys", number(self.keys)),
            ("largest", self.largest.to_vec()),
            ("raw_key_bytes", number(self.raw_key_bytes)),
            ("raw_value_bytes", number(self.raw_value_bytes)),
            ("seq_max", number(self.seq_max.get())),
            ("seq_min", number(self.seq_min.get())),
            ("smallest", self.smallest.to_vec()),
            ("tombstones", number(self.tombstones)),
        ]);
        if !self.merged_from.is_empty() {
            let mut numbers = Vec::new();
            self.merged_from.iter().for_each(|file| put_varint(&mut numbers, file.0));
            fields.insert("merged_from", numbers);
        }
        let mut out = Vec::new();
        for (name, value) in &fields {
            put_varint(&mut out, name.len() as u64);
            out.extend_from_slice(name.as_bytes());
            put_varint(&mut out, value.len() as u64);
            out.extend_from_slice(value);
        }
        out
    }

    pub(crate) fn decode(content: &[u8]) -> Result<Properties, Bad> {
        let mut properties = Properties::default();
        let mut reader = Reader::new(content);
        let mut last: &[u8] = b"";
        let mut has_comparator = false;
        while !reader.is_empty() {
            let name = reader.length_prefixed()?;
            let value = reader.length_prefixed()?;
            if name <= last {
                return Err(Bad::Damaged("order of the properties"));
            }
            last = name;
            if name == b"comparator" {
                has_comparator = value == BYTEWISE;
                continue;
            }
            properties.set(name, value)?;
        }
        if !has_comparator {
            return Err(Bad::Damaged("comparator of the table"));
        }
        Ok(properties)
    }

    fn set(&mut self, name: &[u8], value: &[u8]) -> Result<(), Bad> {
        let field = match name {
            b"smallest" => {
                self.smallest = Bytes::copy_from_slice(value);
                return Ok(());
            }
            b"largest" => {
                self.largest = Bytes::copy_from_slice(value);
                return Ok(());
            }
            b"merged_from" => {
                self.merged_from = numbers(value)?;
                return Ok(());
            }
            b"seq_min" => {
                self.seq_min = SeqNo::new(number(value)?);
                return Ok(());
            }
            b"seq_max" => {
                self.seq_max = SeqNo::new(number(value)?);
                return Ok(());
            }
            b"entries" => &mut self.entries,
            b"tombstones" => &mut self.tombstones,
            b"keys" => &mut self.keys,
            b"data_blocks" => &mut self.data_blocks,
            b"raw_key_bytes" => &mut self.raw_key_bytes,
            b"raw_value_bytes" => &mut self.raw_value_bytes,
            b"created_unix_ms" => &mut self.created_unix_ms,
            _ => return Ok(()),
        };
        *field = number(value)?;
        Ok(())
    }
}

fn numbers(value: &[u8]) -> Result<Vec<FileNumber>, Bad> {
    let (mut reader, mut numbers) = (Reader::new(value), Vec::new());
    while !reader.is_empty() {
        numbers.push(FileNumber(reader.varint()?));
    }
    Ok(numbers)
}

fn number(value: &[u8]) -> Result<u64, Bad> {
    let mut reader = Reader::new(value);
    let number = reader.varint()?;
    if reader.is_empty() { Ok(number) } else { Err(Bad::Damaged("number in the properties")) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use nori_env::Rng;

    fn sample() -> Properties {
        Properties {
            entries: 300,
            tombstones: 2,
            keys: 17,
            data_blocks: 9,
            raw_key_bytes: 1 << 40,
            raw_value_bytes: 5,
            seq_min: SeqNo::new(3),
            seq_max: SeqNo::MAX,
            smallest: Bytes::new(),
            largest: Bytes::from_static(b"\xff"),
            created_unix_ms: 1_700_000_000_000,
            merged_from: vec![FileNumber(7), FileNumber(u64::MAX)],
        }
    }

    #[test]
    fn properties_come_back_and_unknown_names_are_passed_over() {
        let bytes = sample().encode();
        assert_eq!(Properties::decode(&bytes), Ok(sample()));
        let mut later = bytes.clone();
        later.extend_from_slice(b"\x03zzz\x02??");
        assert_eq!(Properties::decode(&later), Ok(sample()));
        let mut unordered = bytes;
        unordered.extend_from_slice(b"\x01a\x00");
        assert!(Properties::decode(&unordered).is_err());
    }

    #[test]
    fn a_table_that_was_not_merged_names_no_tables() {
        let plain = Properties { merged_from: Vec::new(), ..sample() };
        let bytes = plain.encode();
        assert!(!bytes.windows(11).any(|name| name == b"merged_from"));
        assert_eq!(Properties::decode(&bytes), Ok(plain));
    }

    #[test]
    fn another_comparator_is_refused() {
        let mut bytes = sample().encode();
        let at = bytes.windows(8).position(|w| w == BYTEWISE).unwrap();
        bytes[at] = b'B';
        assert!(Properties::decode(&bytes).is_err());
        assert!(Properties::decode(b"").is_err());
    }

    #[test]
    fn damaged_properties_are_errors_or_other_numbers() {
        let good = sample().encode();
        let mut rng = Rng::new(5);
        for _ in 0..20_000 {
            let mut bad = good.clone();
            let at = rng.index(bad.len());
            bad[at] = rng.below(256) as u8;
            bad.truncate(1 + rng.index(bad.len() * 2));
            let _ = Properties::decode(&bad);
        }
    }
}
