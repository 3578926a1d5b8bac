//! One entry as the ordered map holds it, and the order of entries.
//!
//! ```text
//! bytes     32   a slice of the batch's buffer: key ++ value
//! key_len    4   where the value begins
//! head      68   the key's first 68 bytes, big-endian, filled up with zeros (4 + 8 * 8)
//! trailer    8   sequence number << 8 | kind
//! ```
//!
//! A search reads a node per step, and each node costs a cache miss. The head sits in the node,
//! so steps end without a second miss in the batch's buffer. It is long because the first bytes
//! tell little: a keyspace id (one byte for the first 128 keyspaces), a table's name, the upper
//! half of a counter; and for the sake of the day when the memtable is freed. glibc's allocator
//! puts pieces of up to 128 bytes on lists, unmerged, and merges them all at once when it likes
//! to, while it holds the lock that writers need: a quarter of a second for half a million nodes.
//! Larger pieces it merges one by one.
//!
//! 1. Entries are ordered as [`InternalKey`]: keys bytewise, then sequence numbers from high to
//!    low, then kinds from high to low.
//! 2. Zeros behind a short key keep that order: where two filled heads differ, the keys differ in
//!    the same direction, or the shorter one ended and is smaller. Equal heads decide nothing.

#![allow(unsafe_code)] // `with_probe` lends a key to the map for the time of one call.

use bytes::Bytes;
use nori_types::{InternalKey, SeqNo, ValueKind};
use std::cmp::Ordering;

/// How much of a key lies in its entry.
const HEAD_BYTES: usize = 68;

/// A version of a key, with its value.
///
/// The order of the fields puts what a search reads next to the tower of pointers that the map
/// keeps behind it.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Entry {
    bytes: Bytes,
    key_len: u32,
    head_first: u32,
    head_rest: [u64; 8],
    trailer: u64,
}

impl Entry {
    /// An entry whose first `key_len` bytes are the key.
    pub(crate) fn new(bytes: Bytes, key_len: usize, seq: SeqNo, kind: ValueKind) -> Entry {
        assert!(
            key_len <= bytes.len() && key_len < u32::MAX as usize,
            "an entry of {} bytes cannot have a key of {key_len}",
            bytes.len()
        );
        let (head_first, head_rest) = head(&bytes[..key_len]);
        let trailer = trailer(seq, kind);
        Entry { bytes, key_len: key_len as u32, head_first, head_rest, trailer }
    }

    pub(crate) fn user_key(&self) -> &[u8] {
        &self.bytes[..self.key_len as usize]
    }

    pub(crate) fn seq(&self) -> SeqNo {
        SeqNo::new(self.trailer >> 8)
    }

    pub(crate) fn kind(&self) -> ValueKind {
        match self.trailer & 0xff {
            0 => ValueKind::Tombstone,
            _ => ValueKind::Value,
        }
    }

    pub(crate) fn key(&self) -> InternalKey<'_> {
        InternalKey::new(self.user_key(), self.seq(), self.kind())
    }

    pub(crate) fn value(&self) -> &[u8] {
        &self.bytes[self.key_len as usize..]
    }

    /// The value, sharing the batch's buffer.
    pub(crate) fn value_bytes(&self) -> Bytes {
        self.bytes.slice(self.key_len as usize..)
    }

    /// Where key and value lie.
    #[cfg(not(nori_loom))]
    pub(crate) fn as_ptr(&self) -> *const u8 {
        self.bytes.as_ptr()
    }

    /// Key and value, in bytes.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }
}

/// Calls `search` with an entry that compares as `target` does. Copies nothing.
pub(crate) fn with_probe<R>(target: InternalKey<'_>, search: impl FnOnce(&Entry) -> R) -> R {
    let key = target.user_key;
    // A key of 4 GiB and more is longer than every entry's; its first 4 GiB sort as it does.
    let key = &key[..key.len().min(u32::MAX as usize)];
    // SAFETY: the probe dies at the end of this function, before `target`. `search` gets a
    // borrow of no particular lifetime, so it can keep neither the probe nor a slice of it, and
    // no map clones the bytes of an entry it only compares with.
    let key: &'static [u8] = unsafe { std::mem::transmute::<&[u8], &'static [u8]>(key) };
    let (head_first, head_rest) = head(key);
    let probe = Entry {
        bytes: Bytes::from_static(key),
        key_len: key.len() as u32,
        head_first,
        head_rest,
        trailer: trailer(target.seq, target.kind),
    };
    search(&probe)
}

fn head(key: &[u8]) -> (u32, [u64; 8]) {
    let mut padded = [0; HEAD_BYTES];
    let len = key.len().min(HEAD_BYTES);
    padded[..len].copy_from_slice(&key[..len]);
    let [a, b, c, d, rest @ ..] = padded;
    let mut words = [0; 8];
    for (word, bytes) in words.iter_mut().zip(rest.as_chunks().0) {
        *word = u64::from_be_bytes(*bytes);
    }
    (u32::from_be_bytes([a, b, c, d]), words)
}

fn trailer(seq: SeqNo, kind: ValueKind) -> u64 {
    seq.get() << 8 | kind as u64
}

impl Ord for Entry {
    #[inline]
    fn cmp(&self, other: &Entry) -> Ordering {
        let heads = self.head_first.cmp(&other.head_first);
        heads
            .then_with(|| self.head_rest.cmp(&other.head_rest))
            .then_with(|| self.user_key().cmp(other.user_key()))
            .then_with(|| other.trailer.cmp(&self.trailer))
    }
}

impl PartialOrd for Entry {
    #[inline]
    fn partial_cmp(&self, other: &Entry) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    #[inline]
    fn eq(&self, other: &Entry) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Entry {}

#[cfg(test)]
mod tests;
