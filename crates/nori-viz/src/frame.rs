//! One look at a store: what stands in a frame.
//!
//! 1. Each type is at once what is kept in memory, what a line of a recording holds, and what the
//!    page and `nori top` draw. There is no second model.
//! 2. Every number is finite: what is not, or is not known, is 0 or absent.
//! 3. A field that is missing in a line has its default; a field that is not known is passed over.
//!    So a reader of this version reads what later ones add.

use nori_lsm::VizEvent;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A store at one moment, and what happened since the frame before.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Frame {
    /// Counts the frames of one watch, from 0.
    pub n: u64,
    /// Milliseconds since the watch began.
    pub t: u64,
    /// Counters and sizes.
    pub totals: Totals,
    /// Work per second; `None` where only the directory is seen, not the process.
    pub rates: Option<Rates>,
    /// Amplifications.
    pub amplification: Amplification,
    /// How hard writers press.
    pub pressure: Pressure,
    /// All slots, by key. Slots that did not change are shared with the frame before.
    pub slots: Vec<Arc<Slot>>,
    /// Merges that run.
    pub merges: Vec<Merge>,
    /// What happened.
    pub events: Vec<Event>,
    /// Merges that ended, and why they were done. In the first frame also those before it.
    pub choices: Vec<Choice>,
    /// Events since the watch began that were lost, because there were too many.
    pub dropped: u64,
    /// Events since the watch began of kinds that are counted and not kept: syncs, snapshots,
    /// single files.
    pub counted: u64,
    /// What is wrong with the store, a sentence each.
    pub unwell: Vec<String>,
}

impl Frame {
    /// A slot by its name.
    pub fn slot(&self, id: u64) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.id == id).map(|slot| &**slot)
    }
}

/// A range of keys with its own sorted runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Slot {
    /// Its name, unique in the store's life.
    pub id: u64,
    /// Its keyspace.
    pub keyspace: String,
    /// Its first key as text: `\xNN` for what is no text, cut behind 48 bytes.
    pub lo: String,
    /// Its end, exclusive; `None`: the end of the keyspace.
    pub hi: Option<String>,
    /// Sorted runs.
    pub runs: u64,
    /// Those of them that are parts of flushed tables.
    pub fragments: u64,
    /// Runs that it may keep.
    pub k: u64,
    /// Tables.
    pub tables: u64,
    /// Bytes of tables.
    pub bytes: u64,
    /// Entries, tombstones and old versions included.
    pub entries: u64,
    /// Tombstones.
    pub tombstones: u64,
    /// Its demand for few runs, 0 to 1.
    pub heat: f64,
    /// Weighted reads per second, averaged over the half-life.
    pub reads_per_s: f64,
    /// Bytes per second that flushes bring, averaged likewise.
    pub writes_per_s: f64,
    /// Bytes written by flushes and merges per byte of user data, of the slot's whole life.
    pub wa: f64,
    /// Runs that point reads found, likewise.
    pub ra: f64,
    /// Bytes against those of the oldest run.
    pub sa: f64,
    /// Merges since the store was opened.
    pub compactions: u64,
    /// A merge, cut or join is under way.
    pub busy: bool,
}

macro_rules! totals {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counters since the store was opened, and sizes now.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        #[non_exhaustive]
        pub struct Totals {
            $($(#[$doc])* pub $name: u64,)*
            /// All memory of the store, in bytes.
            pub memory_bytes: u64,
        }

        impl Totals {
            /// What the store's metrics say.
            pub(crate) fn of(metrics: &nori_lsm::Metrics) -> Totals {
                Totals { $($name: metrics.$name,)* memory_bytes: metrics.memory.total_bytes }
            }
        }
    };
}

totals! {
    /// Writes.
    operations,
    /// Their encoded bytes.
    user_bytes,
    /// Writers that had to wait for background work.
    stalls,
    /// Microseconds for which writers were held back, all together.
    paced_us,
    /// Memtables flushed.
    flushes,
    /// Bytes of tables that flushes wrote.
    flush_bytes,
    /// Bytes of keys and values that were flushed.
    flushed_user_bytes,
    /// Merges done.
    compactions,
    /// Bytes of tables that merges read.
    compaction_bytes_read,
    /// Bytes of tables that merges wrote.
    compaction_bytes_written,
    /// Slots cut.
    slot_splits,
    /// Slots that joined a neighbour.
    slot_joins,
    /// Runs that changed place without being rewritten.
    trivial_moves,
    /// Point reads that had to look into runs.
    point_reads,
    /// Runs they looked into.
    runs_probed,
    /// Runs that their slots had.
    runs_visible,
    /// Slots that scans came through.
    scans,
    /// Block lookups that found their block in memory.
    cache_hits,
    /// Block lookups that read the disk.
    cache_misses,
    /// Slots.
    slots,
    /// Table files.
    tables,
    /// Their bytes.
    table_bytes,
    /// Flushed tables that still serve slots as they are.
    l0_tables,
    /// Runs in the slot that has most.
    runs_max,
    /// Bytes in memtables.
    memtable_bytes,
    /// Memtables that wait for their flush.
    memtables_sealed,
    /// Segments of the log.
    wal_segments,
    /// The last visible sequence number.
    last_sequence,
}

/// Work per second, over the last two seconds or so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Rates {
    /// Writes.
    pub writes: f64,
    /// Bytes that users wrote.
    pub user_bytes: f64,
    /// Point reads that had to look into runs; those that memtables answer are not counted.
    pub reads: f64,
    /// Slots that scans came through.
    pub scans: f64,
    /// Bytes that flushes wrote.
    pub flushed: f64,
    /// Bytes that merges read.
    pub merge_read: f64,
    /// Bytes that merges wrote.
    pub merge_written: f64,
    /// Seconds per second for which writers were held back, all writers together.
    pub paced: f64,
    /// Block lookups that found their block in memory, 0 to 1.
    pub cache_hits: f64,
}

/// What writing, reading and keeping cost, as factors. 0: nothing to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Amplification {
    /// Bytes written by flushes and merges per byte of user data flushed: since the store was
    /// opened, or where only the directory is seen, since it was made.
    pub wa: f64,
    /// The same of the last 30 seconds.
    pub wa_now: f64,
    /// Runs that a point read found in its slot, of the last 30 seconds; of a directory, ever.
    pub ra: f64,
    /// Runs that a point read looked into: filters spare it the others. Of the last 30 seconds.
    pub probed: f64,
    /// Bytes of all slots against those of their oldest runs.
    pub sa: f64,
}

/// How hard writers press on background work: [`nori_lsm::PressureInfo`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Pressure {
    /// The largest part. Writers are slowed down from 0.5 on, and wait at 1.0.
    pub pressure: f64,
    /// `green`, `yellow`, `orange` or `red`.
    pub zone: String,
    /// The part of memtables that wait.
    pub memtables: f64,
    /// The part of flushes that still serve slots as they are.
    pub l0: f64,
    /// The part of merges owed.
    pub debt: f64,
    /// The part of the disk.
    pub disk: f64,
    /// The part of memory.
    pub memory: f64,
    /// Bytes per second that writers are held to; `None` while they are not.
    pub pace: Option<f64>,
}

/// A merge that runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Merge {
    /// The slot.
    pub slot: u64,
    /// Runs that are merged.
    pub runs: u64,
    /// Bytes of their tables.
    pub bytes: u64,
    /// About how much of it is done, 0 to 1. An estimate: what is read is counted in bytes of
    /// entries, what is to be read in bytes of compressed tables.
    pub done: f64,
    /// Milliseconds it has run.
    pub ms: u64,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Event {
    /// Milliseconds since the watch began.
    pub t: u64,
    #[serde(rename = "e")]
    pub(crate) what: What,
}

/// An event that this version knows, or one that a later one wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum What {
    Known(VizEvent),
    Other(serde_json::Value),
}

impl Event {
    /// What happened; `None` for a kind that this version does not know.
    pub fn known(&self) -> Option<&VizEvent> {
        match &self.what {
            What::Known(event) => Some(event),
            What::Other(_) => None,
        }
    }
}

/// A merge that was done: why, what was expected, what came of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Choice {
    /// Counts the choices of one watch, from 0.
    pub n: u64,
    /// The slot.
    pub slot: u64,
    /// `chosen` by its score, `drawn` to learn, or `forced`.
    pub how: String,
    /// The reason in a few words.
    pub reason: String,
    /// All of it in words.
    pub why: String,
    /// Runs that were merged.
    pub runs: u64,
    /// Runs that the slot had.
    pub runs_before: u64,
    /// Runs that it could keep.
    pub k: u64,
    /// Its demand for few runs.
    pub heat: f64,
    /// By what it was compared with others.
    pub score: f64,
    /// Bytes that the merge was expected to read.
    pub predicted_bytes: u64,
    /// Bytes read.
    pub bytes_read: u64,
    /// Bytes written.
    pub bytes_written: u64,
    /// What it saved against what was expected.
    pub ratio: Option<f64>,
    /// Microseconds it took.
    pub elapsed_us: u64,
}
