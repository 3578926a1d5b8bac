//! The numbers of a store: what it counts, and what is read off it when somebody asks.
//!
//! 1. A counter only grows, from 0 when the store is opened.
//! 2. Nothing is decided by a counter but when free disk space is asked for again.

use super::{KeyspaceInfo, Latencies, MemoryInfo};
use nori_env::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use serde::Serialize;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Numbers about a store since it was opened, and about what it holds now.
        #[derive(Clone, Debug, Default, PartialEq, Serialize)]
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
            /// All memory, by use.
            pub memory: MemoryInfo,
            /// Block lookups that found their block in memory.
            pub cache_hits: u64,
            /// Block lookups that read the disk.
            pub cache_misses: u64,
            /// Point reads that had to look into runs.
            pub point_reads: u64,
            /// Runs they looked into.
            pub runs_probed: u64,
            /// Runs that their slots had, summed up.
            pub runs_visible: u64,
            /// Slots that scans came through.
            pub scans: u64,
            /// The last visible sequence number.
            pub last_sequence: u64,
            /// Live segments of the log. Of a store open to read: those it was read from.
            pub wal_segments: u64,
            /// How hard writers press, 1.0 where they wait; see [`crate::Lsm::pressure`].
            pub pressure: f64,
            /// 1 if writes ended by a failure, else 0; see [`crate::Lsm::health`].
            pub poisoned: u64,
            /// Kinds of background work that failed when they were last tried.
            pub failing: u64,
            /// Damaged places met since the store was opened, in files that are still there.
            pub corruptions: u64,
            /// How long things took, in nanoseconds.
            pub latencies: Latencies,
            /// The keyspaces one by one, by name.
            pub keyspaces: Vec<KeyspaceInfo>,
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
    /// Key and value bytes of the writes that were flushed, old versions included.
    flushed_user_bytes,
    /// Merges done.
    compactions,
    /// Bytes of tables that merges read; estimated where a table serves several slots.
    compaction_bytes_read,
    /// Bytes of tables that merges wrote.
    compaction_bytes_written,
    /// The most bytes that one merge wrote.
    compaction_bytes_max,
    /// Slots cut in two or more, by merges and else.
    slot_splits,
    /// Slots that joined a neighbour.
    slot_joins,
    /// Runs that changed place without being rewritten.
    trivial_moves,
    /// Microseconds for which writers were held back to the pace, all together.
    paced_us,
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
