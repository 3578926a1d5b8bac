//! Entries as values, for building sources by hand and comparing what came out.

use crate::KeyGen;
use bytes::Bytes;
use nori_env::Rng;
use nori_types::{InternalIterator, InternalKey, SeqNo, ValueKind};
use std::fmt;

/// One version of one key with its value.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// The user key.
    pub key: Bytes,
    /// When it was written.
    pub seq: SeqNo,
    /// A value or a tombstone.
    pub kind: ValueKind,
    /// The value; empty for a tombstone.
    pub value: Bytes,
}

impl Entry {
    /// A value written at `seq`.
    pub fn put(key: impl AsRef<[u8]>, seq: u64, value: impl AsRef<[u8]>) -> Entry {
        Entry {
            key: Bytes::copy_from_slice(key.as_ref()),
            seq: SeqNo::new(seq),
            kind: ValueKind::Value,
            value: Bytes::copy_from_slice(value.as_ref()),
        }
    }

    /// A deletion at `seq`.
    pub fn delete(key: impl AsRef<[u8]>, seq: u64) -> Entry {
        Entry { kind: ValueKind::Tombstone, ..Entry::put(key, seq, b"") }
    }

    /// What it is sorted by.
    pub fn internal_key(&self) -> InternalKey<'_> {
        InternalKey::new(&self.key, self.seq, self.kind)
    }

    /// The entry a positioned iterator stands on.
    pub fn at(iter: &impl InternalIterator) -> Entry {
        let InternalKey { user_key, seq, kind } = iter.key();
        Entry {
            key: Bytes::copy_from_slice(user_key),
            seq,
            kind,
            value: Bytes::copy_from_slice(iter.value()),
        }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.internal_key())?;
        if self.kind == ValueKind::Value {
            write!(f, "={}", self.value.escape_ascii())?;
        }
        Ok(())
    }
}

/// Everything an iterator holds, from the first entry to the end, or its first error.
pub fn collect<I: InternalIterator>(iter: &mut I) -> Result<Vec<Entry>, I::Error> {
    let mut all = Vec::new();
    iter.seek_first()?;
    while iter.is_valid() {
        all.push(Entry::at(iter));
        iter.next()?;
    }
    Ok(all)
}

/// A sorted list of random entries: about one in four a tombstone, several versions of some
/// keys, each (key, sequence number) once. The numbers are `first..first + count`.
pub fn entries(rng: &mut Rng, keys: &mut KeyGen, first: u64, count: usize) -> Vec<Entry> {
    let mut all: Vec<Entry> = (first..)
        .take(count)
        .map(|seq| {
            let key = keys.next(rng);
            if rng.chance(25) {
                return Entry::delete(key, seq);
            }
            let mut value = format!("{seq}:").into_bytes();
            value.resize(value.len() + rng.below(30) as usize, b'v');
            Entry::put(key, seq, value)
        })
        .collect();
    all.sort_by(|a, b| a.internal_key().cmp(&b.internal_key()));
    all
}
