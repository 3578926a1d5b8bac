//! Keys as the engine orders them: user key ascending, sequence number descending, then kind.

use std::cmp::Ordering;
use std::fmt;

/// The longest user key, in bytes, the keyspace id not counted.
pub const KEY_BYTES_MAX: usize = 65_535;

/// A sequence number: the place of a write in the store's one order. 56 bits.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeqNo(u64);

impl SeqNo {
    /// Before every write; also given to entries that every reader sees.
    pub const ZERO: SeqNo = SeqNo(0);
    /// Above every write.
    pub const MAX: SeqNo = SeqNo((1 << 56) - 1);

    /// Makes a sequence number; one above [`SeqNo::MAX`] becomes `MAX`.
    pub const fn new(value: u64) -> SeqNo {
        if value > SeqNo::MAX.0 { SeqNo::MAX } else { SeqNo(value) }
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number `count` later.
    pub const fn plus(self, count: u64) -> SeqNo {
        SeqNo::new(self.0.saturating_add(count))
    }
}

impl fmt::Debug for SeqNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}", self.0)
    }
}

impl fmt::Display for SeqNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What an entry is. The numbers are part of every format; 2 to 5 are reserved for range
/// tombstones, merges, values with an expiry, and pointers to separated values. A number this
/// build does not know is an error ([`crate::FormatTooNew`]), never skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ValueKind {
    /// The key was deleted.
    Tombstone = 0,
    /// The key has a value.
    Value = 1,
}

impl ValueKind {
    /// The highest kind this build knows.
    pub const MAX: ValueKind = ValueKind::Value;

    /// The kind with this number; `None` for one that this build does not know.
    pub const fn from_u8(number: u8) -> Option<ValueKind> {
        match number {
            0 => Some(ValueKind::Tombstone),
            1 => Some(ValueKind::Value),
            _ => None,
        }
    }
}

/// One version of one user key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct InternalKey<'a> {
    /// The user key, keyspace id included.
    pub user_key: &'a [u8],
    /// When it was written.
    pub seq: SeqNo,
    /// What was written.
    pub kind: ValueKind,
}

impl<'a> InternalKey<'a> {
    /// A version of `user_key`.
    pub fn new(user_key: &'a [u8], seq: SeqNo, kind: ValueKind) -> InternalKey<'a> {
        InternalKey { user_key, seq, kind }
    }

    /// Sorts before every version of `user_key` that a reader at `seq` sees, and behind every
    /// newer one. With [`SeqNo::MAX`]: before all versions.
    pub fn seek(user_key: &'a [u8], seq: SeqNo) -> InternalKey<'a> {
        InternalKey { user_key, seq, kind: ValueKind::MAX }
    }

    /// Sorts behind every version of `user_key`.
    pub fn behind(user_key: &'a [u8]) -> InternalKey<'a> {
        InternalKey { user_key, seq: SeqNo::ZERO, kind: ValueKind::Tombstone }
    }
}

impl Ord for InternalKey<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.user_key
            .cmp(other.user_key)
            .then_with(|| other.seq.cmp(&self.seq))
            .then_with(|| other.kind.cmp(&self.kind))
    }
}

impl PartialOrd for InternalKey<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for InternalKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:?}", self.user_key.escape_ascii(), self.seq)?;
        if self.kind == ValueKind::Tombstone { f.write_str(" deleted") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_ascend_and_versions_descend() {
        let key = |k: &'static [u8], s| InternalKey::new(k, SeqNo::new(s), ValueKind::Value);
        let sorted = [key(b"", 1), key(b"a", 9), key(b"a", 2), key(b"a\0", 5), key(b"b", 7)];
        assert!(sorted.is_sorted());
        assert!(InternalKey::seek(b"a", SeqNo::MAX) <= key(b"a", 9));
        assert!(InternalKey::seek(b"a", SeqNo::new(4)) > key(b"a", 9));
        assert!(InternalKey::seek(b"a", SeqNo::new(4)) < key(b"a", 2));
        assert!(InternalKey::behind(b"a") > key(b"a", 0));
        assert!(InternalKey::behind(b"a") < key(b"a\0", 5));
    }

    #[test]
    fn sequence_numbers_stop_at_56_bits() {
        assert_eq!(SeqNo::new(u64::MAX), SeqNo::MAX);
        assert_eq!(SeqNo::MAX.plus(1), SeqNo::MAX);
        assert_eq!(SeqNo::new(3).plus(2).get(), 5);
    }

    #[test]
    fn unknown_kinds_are_not_guessed_at() {
        for number in 0..=255 {
            assert_eq!(ValueKind::from_u8(number).map(|k| k as u8), (number < 2).then_some(number));
        }
    }
}
