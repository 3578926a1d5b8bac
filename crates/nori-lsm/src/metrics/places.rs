//! Where a store's bytes are: in keyspaces, on the disk, in memory, and held for somebody.

use crate::ledger::SlotLedger;
use serde::Serialize;

/// One keyspace: the sums over its slots.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct KeyspaceInfo {
    /// Its name.
    pub name: String,
    /// Slots that its keys are cut into.
    pub slots: u64,
    /// Runs in the slot that has most.
    pub runs_max: u64,
    /// References of slots to tables; a table that serves several slots counts for each.
    pub tables: u64,
    /// Bytes of tables, estimated where a table serves several slots. What is in memtables belongs
    /// to the store as a whole.
    pub bytes: u64,
    /// Entries in tables, tombstones and old versions included; estimated likewise.
    pub entries: u64,
    /// Tombstones; estimated likewise.
    pub tombstones: u64,
    /// Reads per second that came to tables, weighted and averaged over the half-life.
    pub reads_per_s: f64,
    /// Bytes per second that flushes bring, averaged likewise.
    pub writes_per_s: f64,
    /// What happened in its slots since the store was opened.
    pub ledger: SlotLedger,
    /// The same since the store was made, as far as that was written down.
    pub lifetime: SlotLedger,
}

/// The files of a store by use: how many, and the sum of their lengths in bytes.
///
/// Read from the directory, file by file, while the store goes on: files that come and go meanwhile
/// may be counted or not. A file that a checkpoint links to counts here too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DiskInfo {
    /// Tables of the newest version.
    pub tables: u64,
    /// Their bytes.
    pub tables_bytes: u64,
    /// Tables that the newest version does not name: old readers hold them ([`crate::Lsm::pins`]
    /// tells how much), or they wait to be deleted, or they are being written.
    pub tables_other: u64,
    /// Their bytes.
    pub tables_other_bytes: u64,
    /// Segments of the log that recovery would need.
    pub wal_live: u64,
    /// Their bytes.
    pub wal_live_bytes: u64,
    /// Segments of the log that recovery would not need: `wal_retention_bytes` keeps them,
    /// somebody holds them, or they wait to be removed.
    pub wal_retained: u64,
    /// Their bytes.
    pub wal_retained_bytes: u64,
    /// Segments made ahead or kept to be used again.
    pub wal_spare: u64,
    /// Their bytes.
    pub wal_spare_bytes: u64,
    /// CURRENT and the manifest.
    pub manifest_bytes: u64,
    /// HEAT, which holds what compaction has learned.
    pub heat_bytes: u64,
    /// Files in `lost/`, which recovery set aside.
    pub lost: u64,
    /// Their bytes.
    pub lost_bytes: u64,
    /// All other files of the store: the lock, what a killed process left.
    pub other_bytes: u64,
    /// All of the above.
    pub total_bytes: u64,
    /// Bytes that are free on the file system.
    pub free_bytes: u64,
}

/// What kind of holder a [`PinInfo`] tells of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[non_exhaustive]
pub enum PinKind {
    /// Snapshots: merges keep the versions that these can see. How many bytes that is shows only
    /// when a merge meets them, so the bytes of such a pin are 0.
    #[default]
    Snapshot,
    /// Iterators, cursors and reads under way that began before a flush or a merge: they keep
    /// the files and memtables that these replaced.
    Readers,
}

/// Somebody who keeps what the store would let go of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PinInfo {
    /// What kind of holder this is.
    pub kind: PinKind,
    /// Of snapshots: the sequence number at which they read; versions that they can see are kept.
    /// Of readers: the last one in the tables that they hold.
    pub sequence: u64,
    /// How many snapshots read there; how many ends of iterators (an iterator has two), cursors
    /// and reads hold it.
    pub holders: usize,
    /// Tables that nobody newer reads.
    pub tables: u64,
    /// Their bytes. Two pins may hold the same table: each counts it.
    pub table_bytes: u64,
    /// Bytes of memtables that are flushed and cannot be freed yet.
    pub memtable_bytes: u64,
}

/// The memory of a store by use, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MemoryInfo {
    /// `memory_budget`; 0: none.
    pub budget_bytes: u64,
    /// All of the below.
    pub total_bytes: u64,
    /// Cached blocks.
    pub blocks_bytes: u64,
    /// Indexes and filters of open tables.
    pub tables_bytes: u64,
    /// The active memtable.
    pub active_bytes: u64,
    /// Memtables that are sealed, and those that are flushed but not freed, since somebody reads
    /// them.
    pub sealed_bytes: u64,
    /// Buffers of flushes and merges that run.
    pub jobs_bytes: u64,
    /// Blocks that iterators and cursors stand in; may be cached ones. Counted only with a budget.
    pub iterators_bytes: u64,
}
