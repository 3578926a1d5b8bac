//! Facts about a store, for people and programs to look at.

mod counters;
mod families;
mod latency;
mod places;
mod timers;

pub(crate) use counters::Counters;
pub use counters::Metrics;
pub use latency::{Latency, LatencyBucket};
pub use places::{DiskInfo, KeyspaceInfo, MemoryInfo, PinInfo, PinKind};
pub use timers::Latencies;
pub(crate) use timers::Timers;

use crate::ledger::SlotLedger;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;

/// What opening a store found, cut and did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RecoveryReport {
    /// Whether the store was made by this open.
    pub created: bool,
    /// Segments of the log that it was read from.
    pub segments: u64,
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
#[derive(Clone, Debug, PartialEq, Serialize)]
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
    /// Runs that it may keep.
    pub k: usize,
    /// Its demand for few runs, 0 (cold) to 1 (hot).
    pub heat: f64,
    /// Reads per second, weighted and averaged over the half-life.
    pub reads_per_s: f64,
    /// Bytes per second that flushes bring, averaged likewise.
    pub writes_per_s: f64,
    /// Bytes against those of its oldest run: about the space amplification. 0 without data.
    pub space_amplification: f64,
    /// A merge, cut or join is under way.
    pub busy: bool,
    /// What happened in it since the store was opened.
    pub ledger: SlotLedger,
    /// The same since the store was made, as far as that was written down: every few minutes and
    /// when the store is closed.
    pub lifetime: SlotLedger,
}

/// How hard writers press on background work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PressureInfo {
    /// The largest of the parts below. Writers are slowed down from 0.5 on, and wait at 1.0.
    pub pressure: f64,
    /// Its zone.
    pub zone: PressureZone,
    /// Sealed memtables, and the fill of the active one, against their limit.
    pub memtables: f64,
    /// Flushes that still serve slots as they are: 0.5 at `l0_soft`, 1.0 at `l0_hard`.
    pub l0: f64,
    /// Bytes that merges have to read before no slot has too many runs, against four times
    /// `k_global` memtables.
    pub debt: f64,
    /// The reserve of free disk space against what is free. Below 0.9 at all times: a full disk is
    /// an error of its own.
    pub disk: f64,
    /// Memory that cannot be evicted: 0.5 at seven eighths of what a budget leaves beside its
    /// shares, 1.0 at all of it. Below 0.75 unless iterators hold flushed memtables. 0 without a
    /// `memory_budget`.
    pub memory: f64,
    /// Bytes per second that writers are held to; `None` while they are not.
    pub pace_bytes_per_s: Option<f64>,
}

/// How a store meets its writers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PressureZone {
    /// Below 0.5: no delay.
    #[default]
    Green,
    /// Below 0.75: writers are paced; slots may keep more runs for now.
    Yellow,
    /// Below 0.9: writers are paced down to what is drained; slots keep as many runs as allowed.
    Orange,
    /// Above: nearly or entirely at a halt.
    Red,
}

/// Why a merge was done, what was expected of it, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Decision {
    /// The slot.
    pub slot: u64,
    /// The reason, in words.
    pub reason: String,
    /// It had to be done; no choice was made.
    pub forced: bool,
    /// It was drawn, to learn.
    pub explored: bool,
    /// Runs that were merged.
    pub runs: usize,
    /// Runs that the slot had.
    pub runs_before: usize,
    /// Runs that the slot may keep.
    pub k: usize,
    /// Its demand for few runs, 0 to 1.
    pub heat: f64,
    /// What the merge was expected to save for each byte it writes.
    pub prior: f64,
    /// How merges of this slot turned out against expectation so far.
    pub mean: f64,
    /// What was added because little is known of the slot.
    pub bonus: f64,
    /// By what the slot was compared with others.
    pub score: f64,
    /// Bytes that the merge was expected to read.
    pub predicted_bytes: u64,
    /// Bytes of tables read.
    pub bytes_read: u64,
    /// Bytes written.
    pub bytes_written: u64,
    /// What the merge saved for each byte it wrote; `None` where nothing was to be learned.
    pub reward: Option<f64>,
    /// That against what was expected.
    pub ratio: Option<f64>,
    /// How long it took.
    pub elapsed: Duration,
}

/// A merge that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MergeInfo {
    /// The slot whose runs are merged.
    pub slot: u64,
    /// How many runs.
    pub runs: usize,
    /// Bytes of their tables; estimated where a table serves several slots.
    pub table_bytes: u64,
    /// Bytes of entries read so far, not compressed as tables may be; told every 256 KiB.
    pub entry_bytes_read: u64,
    /// How long it has run.
    pub elapsed: Duration,
}
