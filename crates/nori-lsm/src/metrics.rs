//! Facts about a store, for people and programs to look at.

use nori_env::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;

/// What opening a store found, cut and did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RecoveryReport {
    /// Whether the store was made by this open.
    pub created: bool,
    /// Log records replayed.
    pub records: u64,
    /// Writes replayed from them.
    pub operations: u64,
    /// Payload bytes replayed.
    pub bytes: u64,
    /// Tables written from what was replayed.
    pub tables_written: u64,
    /// Where the log's readable part ended before its end: file, offset, bytes cut. An ordinary
    /// power cut leaves such a tail; nothing in it was promised to be durable.
    pub torn_tail: Option<(PathBuf, u64, u64)>,
    /// Segments behind the torn tail that were discarded.
    pub segments_discarded: Vec<u64>,
    /// What salvage skipped, in words. Empty in the other recovery modes.
    pub salvage_lost: Vec<String>,
    /// Whether the end of the manifest could not be read.
    pub manifest_cut: bool,
    /// Tables that the cut manifest does not name, moved to `lost/`.
    pub tables_lost: Vec<PathBuf>,
    /// The last sequence number that the store shows.
    pub last_sequence: u64,
    /// How long opening took.
    pub elapsed: Duration,
}

/// One slot: a range of keys with its own sorted runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SlotInfo {
    /// Its name, unique in the store's life.
    pub id: u64,
    /// The keyspace it belongs to; empty for the slot above the last keyspace.
    pub keyspace: String,
    /// Its first key.
    pub lo: Vec<u8>,
    /// Its end, exclusive; `None`: the end of the keyspace.
    pub hi: Option<Vec<u8>>,
    /// Sorted runs, which a read may have to look into one after the other.
    pub runs: usize,
    /// Those of them that are parts of flushed tables.
    pub fragments: usize,
    /// References to tables.
    pub tables: usize,
    /// Bytes of tables, estimated where a table serves several slots.
    pub bytes: u64,
    /// Entries, tombstones and old versions included; estimated likewise.
    pub entries: u64,
    /// Tombstones; estimated likewise.
    pub tombstones: u64,
}

/// One holder of old versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PinInfo {
    /// The sequence number at which it reads: versions it can see are kept.
    pub sequence: u64,
    /// How many snapshots read there.
    pub holders: usize,
}

/// How far background work is behind.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PressureInfo {
    /// The larger of the parts below; writers wait at 1.0.
    pub pressure: f64,
    /// Sealed memtables, and the fill of the active one, against their limit.
    pub memtables: f64,
    /// Runs in the fullest slot against the limit at which writers wait.
    pub runs: f64,
}

/// Why a merge was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Decision {
    /// The slot.
    pub slot: u64,
    /// The reason, in words.
    pub reason: String,
    /// Runs that were merged.
    pub runs: usize,
    /// Bytes of tables read.
    pub bytes_read: u64,
    /// Bytes written.
    pub bytes_written: u64,
}

/// What a full read of a store found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Tables read.
    pub tables: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Entries read.
    pub entries: u64,
    /// What is wrong, one sentence each.
    pub problems: Vec<String>,
}

impl VerifyReport {
    /// Whether nothing is wrong.
    pub fn is_ok(&self) -> bool {
        self.problems.is_empty()
    }
}

/// What a checkpoint holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CheckpointInfo {
    /// The last sequence number in it.
    pub sequence: u64,
    /// Tables in it.
    pub tables: u64,
    /// Bytes of its tables.
    pub bytes: u64,
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Numbers about a store since it was opened, and about what it holds now.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
        #[non_exhaustive]
        pub struct Metrics {
            $($(#[$doc])* pub $name: u64,)*
            /// Bytes in the active and the sealed memtables.
            pub memtable_bytes: u64,
            /// Sealed memtables that wait for their flush.
            pub memtables_sealed: u64,
            /// Table files.
            pub tables: u64,
            /// Their bytes.
            pub table_bytes: u64,
            /// Flushed tables that still serve slots as they are.
            pub l0_tables: u64,
            /// Slots.
            pub slots: u64,
            /// Runs in the slot that has most.
            pub runs_max: u64,
            /// Bytes of blocks, indexes and filters in memory.
            pub cache_bytes: u64,
            /// Block lookups that found their block in memory.
            pub cache_hits: u64,
            /// Block lookups that read the disk.
            pub cache_misses: u64,
            /// The last visible sequence number.
            pub last_sequence: u64,
            /// Live segments of the log.
            pub wal_segments: u64,
        }

        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: AtomicU64,)*
            disk_bytes_until_check: AtomicU64,
            disk_is_low: AtomicBool,
        }

        impl Counters {
            pub(crate) fn fill(&self, metrics: &mut Metrics) {
                $(metrics.$name = self.$name.load(Ordering::Relaxed);)*
            }
        }
    };
}

counters! {
    /// Batches committed.
    batches,
    /// Writes in them.
    operations,
    /// Their encoded bytes.
    user_bytes,
    /// Groups that were committed with one log write each.
    groups,
    /// Groups that synced the log.
    groups_synced,
    /// Writers that had to wait for background work.
    stalls,
    /// Memtables flushed.
    flushes,
    /// Bytes of tables that flushes wrote.
    flush_bytes,
    /// Merges done.
    compactions,
    /// Bytes of tables that merges read; estimated where a table serves several slots.
    compaction_bytes_read,
    /// Bytes of tables that merges wrote.
    compaction_bytes_written,
    /// Entries that merges dropped because no reader could see them.
    entries_dropped,
    /// Tombstones among them.
    tombstones_dropped,
    /// Table files removed.
    tables_deleted,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, n: u64) {
        counter.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn committed(&self, batches: u64, operations: u64, bytes: u64, synced: bool) {
        Counters::add(&self.batches, batches);
        Counters::add(&self.operations, operations);
        Counters::add(&self.user_bytes, bytes);
        Counters::add(&self.groups, 1);
        Counters::add(&self.groups_synced, u64::from(synced));
    }

    /// Whether free space should be asked for again: while it is low always, else each time a
    /// sixteenth of the reserve was written.
    pub(crate) fn disk_check_due(&self, bytes: u64, reserve: u64) -> bool {
        if reserve == 0 {
            return false;
        }
        let left = self.disk_bytes_until_check.load(Ordering::Relaxed);
        if self.disk_is_low.load(Ordering::Relaxed) || left <= bytes {
            self.disk_bytes_until_check.store(reserve / 16, Ordering::Relaxed);
            return true;
        }
        self.disk_bytes_until_check.store(left - bytes, Ordering::Relaxed);
        false
    }

    pub(crate) fn disk_checked(&self, low: bool) {
        self.disk_is_low.store(low, Ordering::Relaxed);
    }
}
