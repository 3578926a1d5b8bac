//! What is remembered of a table file.

use crate::{FileNumber, SeqNo, successor};
use bytes::Bytes;

/// Facts about one table: its builder reports them, the manifest remembers them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableMeta {
    /// The file's number.
    pub number: FileNumber,
    /// The random id that each block's checksum is bound to.
    pub id: u64,
    /// The file's length in bytes.
    pub bytes: u64,
    /// Entries, tombstones included.
    pub entries: u64,
    /// Tombstones.
    pub tombstones: u64,
    /// The first user key.
    pub smallest: Bytes,
    /// The last user key.
    pub largest: Bytes,
    /// The lowest sequence number.
    pub seq_min: SeqNo,
    /// The highest sequence number.
    pub seq_max: SeqNo,
    /// Key and value bytes before compression.
    pub raw_bytes: u64,
}

impl TableMeta {
    /// The smallest key above all keys of the table.
    pub fn end(&self) -> Bytes {
        successor(&self.largest)
    }
}
