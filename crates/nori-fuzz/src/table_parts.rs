//! The parts of a table, each with right checksums and any contents: the decoders' own work,
//! which bytes that a checksum refuses never reach.
//!
//! A good table is taken apart and put together again with one part exchanged. Such a table is
//! refused or read; it may tell nonsense, but no walk over it is longer than its bytes.

use nori_bloom::hash;
use nori_env::MemFs;
use nori_sstable::Table;
use nori_types::{InternalIterator, InternalKey, SeqNo, ValueKind, checksum, put_varint};

use crate::table::{PATH, build, open, verify_file};

/// The footer, up to its checksum.
const COVERED: usize = 116;
const FOOTER_BYTES: usize = 128;
/// Tag and checksum behind a payload.
const TRAILER_BYTES: usize = 5;

/// A table's payloads, all without compression.
struct Parts {
    data: Vec<Vec<u8>>,
    index: Vec<u8>,
    properties: Vec<u8>,
    footer: [u8; COVERED],
}

/// A footer whose bytes differ from a good one's by the input's.
pub(crate) fn run_footer(data: &[u8]) {
    let mut parts = good(SMALL_BLOCKS);
    let bytes = parts.join();
    for (byte, change) in parts.footer.iter_mut().zip(data) {
        *byte ^= change;
    }
    let mut bytes = bytes[..bytes.len() - FOOTER_BYTES].to_vec();
    parts.append_footer(&mut bytes);
    walks(&bytes);
}

/// An index block of any contents over good data blocks.
pub(crate) fn run_index(data: &[u8]) {
    let mut parts = good(SMALL_BLOCKS);
    parts.index = data.to_vec();
    walks(&parts.join());
}

/// One data block of any contents, with an index that leads to it for every key.
pub(crate) fn run_block(data: &[u8]) {
    let mut parts = good(ONE_BLOCK);
    let mut bytes = Vec::new();
    put_varint(&mut bytes, data.len() as u64);
    parts.index = block(b"\xff\xff\xff", BEHIND, &bytes);
    parts.data = vec![data.to_vec()];
    walks(&parts.join());
}

/// Reads a file as a table in every way; no way may take more steps than there are bytes.
fn walks(bytes: &[u8]) {
    let fs = MemFs::new(1);
    assert!(fs.write_file(PATH, bytes));
    let wrong = verify_file(&fs, None);
    let Some(table) = open(&fs) else {
        assert!(wrong > 0, "a table that does not open has problems");
        return;
    };
    let mut iter = table.scan();
    for forward in [true, false] {
        let mut steps = 0;
        let mut state = if forward { iter.seek_first() } else { iter.seek_last() };
        while state.is_ok() && iter.is_valid() {
            steps += 1;
            assert!(steps <= bytes.len(), "a walk that does not end");
            assert!(iter.value().len() <= bytes.len(), "a value larger than its file");
            state = if forward { iter.next() } else { iter.prev() };
        }
    }
    let keys = [&b""[..], b"key-0000", b"key-0003", b"key-0003x", &[0xff; 9]];
    for key in keys {
        let _ = table.get(key, hash(key), SeqNo::MAX);
        let _ = table.get(key, hash(key), SeqNo::new(3));
        let _ = table.approximate_offset(key);
        let _ = iter.seek(InternalKey::seek(key, SeqNo::MAX));
    }
    let _ = Table::layout(&table);
    assert_eq!(table.verify(&mut |_| {}).is_ok(), wrong == 0, "both verifications agree");
}

/// Blocks of 64 bytes, no compression, no filter.
const SMALL_BLOCKS: u8 = 0x28;
/// The same with blocks of 512 bytes: one holds all keys.
const ONE_BLOCK: u8 = 0x2b;

/// A table of twenty keys, taken apart.
fn good(shape: u8) -> Parts {
    let keys: Vec<String> = (0..20).map(|i| format!("key-{i:04}")).collect();
    let pairs = keys.iter().map(|key| (key.as_bytes(), &b"a value"[..])).collect();
    let fs = MemFs::new(1);
    build(&fs, &pairs, shape);
    let bytes = fs.read_file(PATH).unwrap_or_default();
    let (body, tail) = bytes.split_at(bytes.len() - FOOTER_BYTES);
    let mut footer = [0; COVERED];
    footer.copy_from_slice(&tail[..COVERED]);
    let part = |at: usize| {
        let offset = number(&footer, at);
        body[offset..offset + number(&footer, at + 8)].to_vec()
    };
    let (index, properties) = (part(32), part(80));
    let table = open(&fs).expect("a good table opens");
    let sections = table.layout().blocks.into_iter().map(|block| block.section);
    let data = sections.map(|section| {
        let (at, bytes) = (section.offset as usize, section.bytes as usize);
        body[at..at + bytes - TRAILER_BYTES].to_vec()
    });
    let data = data.collect();
    Parts { data, index, properties, footer }
}

impl Parts {
    /// The file; the footer says where its blocks are.
    fn join(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for payload in &self.data {
            self.append(&mut bytes, payload);
        }
        for (at, payload) in [(32, self.index.clone()), (80, self.properties.clone())] {
            self.place(at, bytes.len(), payload.len());
            self.append(&mut bytes, &payload);
        }
        let whole = (bytes.len() + FOOTER_BYTES) as u64;
        self.footer[24..32].copy_from_slice(&whole.to_le_bytes());
        self.append_footer(&mut bytes);
        bytes
    }

    fn place(&mut self, at: usize, offset: usize, len: usize) {
        self.footer[at..at + 8].copy_from_slice(&(offset as u64).to_le_bytes());
        self.footer[at + 8..at + 16].copy_from_slice(&(len as u64).to_le_bytes());
    }

    /// A payload, the tag of one that is not compressed, and their checksum.
    fn append(&self, bytes: &mut Vec<u8>, payload: &[u8]) {
        let (id, offset) = (number(&self.footer, 16) as u64, bytes.len() as u64);
        bytes.extend_from_slice(payload);
        bytes.push(0);
        let sum = checksum(salt(id, offset), &bytes[offset as usize..]);
        bytes.extend_from_slice(&sum.to_le_bytes());
    }

    fn append_footer(&self, bytes: &mut Vec<u8>) {
        let magic = *b"nori-sst";
        bytes.extend_from_slice(&self.footer);
        let sum = checksum(u64::from_le_bytes(magic), &self.footer);
        bytes.extend_from_slice(&sum.to_le_bytes());
        bytes.extend_from_slice(&magic);
    }
}

fn number(footer: &[u8; COVERED], at: usize) -> usize {
    u64::from_le_bytes(std::array::from_fn(|i| footer[at + i])) as usize
}

/// What the format binds a block's checksum to: its table and its place.
fn salt(id: u64, offset: u64) -> u64 {
    let z = id.wrapping_add(offset.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The mark of a separator behind all versions of its key.
const BEHIND: u64 = 0;
/// The mark of a value with sequence number 9.
const WRITTEN: u64 = 9 << 3 | ValueKind::Value as u64;

/// The content of a block with one entry.
fn block(key: &[u8], mark: u64, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0];
    for varint in [key.len() as u64, value.len() as u64, mark] {
        put_varint(&mut bytes, varint);
    }
    bytes.extend_from_slice(key);
    let values = bytes.len() as u32;
    bytes.extend_from_slice(value);
    for number in [0, values, 1] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes
}

pub(crate) fn footer_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let changed = |at: usize, change: u8| {
        let mut bytes = vec![0; COVERED];
        bytes[at] = change;
        bytes
    };
    vec![
        ("unchanged", changed(0, 0)),
        ("other_version", changed(0, 2)),
        ("feature_bit", changed(4, 1)),
        ("file_length", changed(24, 1)),
        ("index_offset", changed(39, 0x80)),
        ("index_length", changed(40, 8)),
        ("a_filter", changed(56, 7)),
        ("range_tombstones", changed(64, 1)),
        ("properties_length", changed(94, 0xff)),
    ]
}

pub(crate) fn index_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let good = good(SMALL_BLOCKS).index;
    vec![
        ("good", good.clone()),
        ("one_entry", block(b"key-9", BEHIND, &[9])),
        ("length_beyond_the_file", block(b"key-9", BEHIND, &[0xff, 0xff, 0x7f])),
        ("length_without_end", block(b"key-9", BEHIND, &[0xff; 10])),
        ("half", good[..good.len() / 2].to_vec()),
    ]
}

pub(crate) fn block_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let good = good(ONE_BLOCK).data.swap_remove(0);
    let mut two = block(b"key-0000", WRITTEN, b"first");
    // The count of restarts, without the restarts.
    let end = two.len() - 4;
    two[end] = 9;
    vec![
        ("good", good.clone()),
        ("one_entry", block(b"key-0000", WRITTEN, b"value")),
        ("too_many_restarts", two),
        ("no_restart", vec![0; 4]),
        ("half", good[good.len() / 2..].to_vec()),
    ]
}

/// What is put together again is what was taken apart.
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joining_the_parts_gives_the_good_table() {
        let fs = MemFs::new(1);
        let bytes = good(SMALL_BLOCKS).join();
        assert!(bytes.len() > FOOTER_BYTES + 3 * TRAILER_BYTES);
        assert!(fs.write_file(PATH, &bytes));
        let table = open(&fs).expect("a good table opens");
        assert!(table.verify(&mut |_| {}).is_ok());
        assert!(good(SMALL_BLOCKS).data.len() > 1 && good(ONE_BLOCK).data.len() == 1);
    }

    #[test]
    fn a_block_of_one_entry_is_read() {
        let mut parts = good(ONE_BLOCK);
        let content = block(b"key-0000", WRITTEN, b"value");
        let mut length = Vec::new();
        put_varint(&mut length, content.len() as u64);
        parts.index = block(b"\xff\xff\xff", BEHIND, &length);
        parts.data = vec![content];
        let fs = MemFs::new(1);
        assert!(fs.write_file(PATH, &parts.join()));
        let table = open(&fs).expect("a table with these parts opens");
        let mut iter = table.scan();
        iter.seek_first().expect("its block is read");
        assert!(iter.is_valid() && iter.value() == b"value");
    }
}
