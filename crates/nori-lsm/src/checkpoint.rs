//! What a checkpoint tells of itself.

use serde::Serialize;

/// What a checkpoint holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CheckpointInfo {
    /// The last sequence number in it.
    pub sequence: u64,
    /// Tables in it; those of a reader's memtables not counted.
    pub tables: u64,
    /// Bytes of these tables.
    pub bytes: u64,
    /// Bytes of the log in it, which opening it replays.
    pub log_bytes: u64,
}

/// How far a checkpoint is. Linking a table takes no time, so its bytes come all at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CheckpointProgress {
    /// Files that are linked or copied.
    pub files_done: u64,
    /// Files in all; more once the tables are done and the log's turn comes.
    pub files: u64,
    /// Bytes that are linked or copied.
    pub bytes_done: u64,
    /// Bytes in all.
    pub bytes: u64,
}
