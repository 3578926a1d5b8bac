//! How every sorted source of entries is walked: memtables, tables, runs, merges.

use crate::{InternalKey, SeqNo};
use bytes::Bytes;

/// What a point lookup in one source says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The newest visible version is a value.
    Found(Bytes, SeqNo),
    /// The newest visible version is a tombstone: older sources must not be asked.
    Deleted(SeqNo),
    /// The source holds no visible version.
    Absent,
}

/// A cursor over entries in the order of [`InternalKey`].
///
/// 1. A new iterator is not positioned; neither is one that moved past either end.
/// 2. `key` and `value` may be called only when [`is_valid`](InternalIterator::is_valid).
/// 3. After an error the iterator is not positioned; a seek may be tried again. An error is
///    never the end of the data.
/// 4. `next` after `prev`, and the reverse, move by exactly one entry.
pub trait InternalIterator {
    /// Why a move can fail.
    type Error;

    /// Whether the iterator stands on an entry.
    fn is_valid(&self) -> bool;

    /// The entry's key. Panics when not positioned.
    fn key(&self) -> InternalKey<'_>;

    /// The entry's value; empty for a tombstone. Panics when not positioned.
    fn value(&self) -> &[u8];

    /// The entry's value, shared with its source where that is cheap.
    fn value_bytes(&self) -> Bytes {
        Bytes::copy_from_slice(self.value())
    }

    /// To the first entry.
    fn seek_first(&mut self) -> Result<(), Self::Error>;

    /// To the last entry.
    fn seek_last(&mut self) -> Result<(), Self::Error>;

    /// To the first entry at or behind `target`.
    fn seek(&mut self, target: InternalKey<'_>) -> Result<(), Self::Error>;

    /// To the last entry at or before `target`.
    fn seek_for_prev(&mut self, target: InternalKey<'_>) -> Result<(), Self::Error>;

    /// One entry forward. Panics when not positioned.
    fn next(&mut self) -> Result<(), Self::Error>;

    /// One entry back. Panics when not positioned.
    fn prev(&mut self) -> Result<(), Self::Error>;
}
