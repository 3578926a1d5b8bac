//! What a store tells of itself while it works.
//!
//! Events are made only while somebody listens, or traces. A listener that falls behind loses
//! events and is told how many; it never slows the store down.

mod names;
#[cfg(feature = "tracing")]
pub(crate) mod trace;

use crate::metrics::PressureZone;
use nori_env::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use nori_env::sync::channel::{Receiver, Sender, TrySendError, bounded};
use nori_env::sync::{Arc, Mutex};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Duration;

/// Events that may wait for one listener.
const WAITING_MAX: usize = 4096;

/// Something that happened in a store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum VizEvent {
    /// The log was synced by `Lsm::sync` or by the background. The syncs of groups of writers are
    /// not told one by one; [`crate::Latencies`] counts them.
    WalSynced {
        /// The segment in which the durable part of the log ends now.
        segment: u64,
        /// The bytes of the segment that are durable.
        offset: u64,
    },
    /// A memtable was sealed and another took its place.
    MemtableRotated {
        /// Bytes it holds.
        bytes: u64,
        /// Entries it holds.
        entries: u64,
    },
    /// The oldest sealed memtable is being written to tables. A `Flush` or a `BackgroundError`
    /// follows.
    FlushStarted {
        /// Bytes it holds.
        bytes: u64,
        /// Entries it holds.
        entries: u64,
    },
    /// A memtable became tables.
    Flush {
        /// Its tables' numbers.
        tables: Vec<u64>,
        /// Entries of the memtable.
        entries: u64,
        /// Bytes of the tables.
        bytes_written: u64,
        /// Microseconds it took.
        elapsed_us: u64,
    },
    /// Runs of a slot are being merged into one. A `Compaction`, a `BackgroundError` or the error
    /// of a caller who asked for it follows.
    CompactionStarted {
        /// The slot.
        slot: u64,
        /// Tables that are read.
        inputs: Vec<u64>,
        /// Bytes that are read; estimated where a table serves several slots.
        bytes_expected: u64,
        /// Runs that are merged.
        runs: u64,
        /// Runs that the slot has.
        runs_before: u64,
    },
    /// Runs of a slot became one.
    Compaction {
        /// The slot.
        slot: u64,
        /// Tables read.
        inputs: Vec<u64>,
        /// Tables written.
        outputs: Vec<u64>,
        /// Bytes read.
        bytes_read: u64,
        /// Bytes written.
        bytes_written: u64,
        /// Entries that no reader could see any more.
        entries_dropped: u64,
        /// Tombstones among them.
        tombstones_dropped: u64,
        /// Runs before.
        runs_before: u64,
        /// Runs after.
        runs_after: u64,
        /// Runs that the slot could keep when the merge was chosen.
        k_before: u64,
        /// Runs that it may keep now.
        k_after: u64,
        /// Its demand for few runs, 0 to 1.
        heat: f64,
        /// Microseconds it took.
        elapsed_us: u64,
        /// Whether it had to be done, or was asked for.
        forced: bool,
        /// Whether it was drawn, to learn.
        explored: bool,
    },
    /// A slot was cut in two or more.
    SlotSplit {
        /// The slot, which keeps its name and its first keys.
        slot: u64,
        /// How many guards were added.
        guards: u64,
    },
    /// A slot joined the one before it.
    SlotsMerged {
        /// The slot that has the keys of both now.
        left: u64,
        /// The slot that is gone.
        right: u64,
    },
    /// A slot may keep more or fewer runs from now on.
    HeatChanged {
        /// The slot.
        slot: u64,
        /// Its demand for few runs, 0 to 1.
        heat: f64,
        /// Runs before.
        k_before: u64,
        /// Runs now.
        k_after: u64,
        /// Weighted reads per second.
        reads_per_s: f64,
        /// Bytes per second that flushes bring.
        writes_per_s: f64,
    },
    /// The next merge was chosen.
    BanditSelection {
        /// The slot.
        slot: u64,
        /// Whether it was drawn, to learn.
        explored: bool,
        /// Why the slot was eligible.
        reason: String,
        /// What the merge is expected to save for each byte it writes.
        prior: f64,
        /// How merges of this slot turned out against expectation so far.
        mean: f64,
        /// What was added because little is known of the slot.
        bonus: f64,
        /// By what the slot was compared with others.
        score: f64,
    },
    /// What came of a merge that was chosen.
    BanditReward {
        /// The slot.
        slot: u64,
        /// What it saved for each byte written.
        reward: f64,
        /// That against what was expected.
        ratio: f64,
        /// The slot's average of that from now on.
        mean: f64,
    },
    /// The store meets its writers differently.
    PressureZone {
        /// The zone left.
        before: PressureZone,
        /// The zone entered.
        after: PressureZone,
        /// The pressure, 1.0 where writers wait.
        pressure: f64,
    },
    /// A writer has to wait for background work.
    StallBegan {
        /// The pressure, at least 1.0.
        pressure: f64,
    },
    /// The wait of a writer is over.
    StallEnded {
        /// Microseconds it took.
        waited_us: u64,
        /// Whether there is room now; if not, the write failed.
        admitted: bool,
    },
    /// A keyspace was made.
    KeyspaceCreated {
        /// Its name.
        name: String,
    },
    /// A keyspace was dropped.
    KeyspaceDropped {
        /// Its name.
        name: String,
    },
    /// The store is being copied. A `CheckpointEnded` follows.
    CheckpointStarted {
        /// The directory of the copy.
        dir: String,
    },
    /// A copy of the store is done, or failed.
    CheckpointEnded {
        /// The directory of the copy.
        dir: String,
        /// The last sequence number in it; 0 where it failed.
        sequence: u64,
        /// Bytes of its tables; 0 where it failed.
        bytes: u64,
        /// Microseconds it took.
        elapsed_us: u64,
        /// Why it failed.
        error: Option<String>,
    },
    /// A snapshot was taken.
    SnapshotCreated {
        /// Its sequence number.
        sequence: u64,
    },
    /// A snapshot's last handle was dropped.
    SnapshotReleased {
        /// Its sequence number.
        sequence: u64,
    },
    /// A table became part of the store.
    TableCreated {
        /// Its number.
        table: u64,
        /// Its bytes.
        bytes: u64,
    },
    /// A table's file was removed.
    TableDeleted {
        /// Its number.
        table: u64,
    },
    /// A segment of the log was removed, or kept to be used again.
    WalSegmentDeleted {
        /// Its number.
        segment: u64,
    },
    /// Damaged bytes were met.
    Corruption {
        /// What was said of them.
        error: String,
    },
    /// Background work failed; it is tried again where that can help.
    BackgroundError {
        /// What failed, and why.
        error: String,
    },
}

/// A duration as events tell it.
pub(crate) fn micros(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX)
}

#[derive(Debug)]
struct Listener {
    sender: Sender<VizEvent>,
    dropped: Arc<AtomicU64>,
}

/// The listeners of a store.
#[derive(Debug)]
pub(crate) struct Events {
    /// For those who trace: which store.
    #[cfg(feature = "tracing")]
    store: String,
    heard: AtomicBool,
    /// `None` once the store is closed.
    listeners: Mutex<Option<Vec<Listener>>>,
}

impl Events {
    /// Of the store at a path, with no listener yet.
    #[cfg_attr(not(feature = "tracing"), allow(unused_variables))]
    pub(crate) fn of(root: &Path) -> Events {
        Events {
            #[cfg(feature = "tracing")]
            store: root.display().to_string(),
            heard: AtomicBool::new(false),
            listeners: Mutex::new(Some(Vec::new())),
        }
    }

    /// Tells the listeners, if there are any.
    pub(crate) fn emit(&self, event: impl FnOnce() -> VizEvent) {
        let is_heard = self.heard.load(Ordering::Relaxed);
        #[cfg(feature = "tracing")]
        if trace::is_on() {
            let event = event();
            trace::tell(&self.store, &event);
            return if is_heard {
                self.send(event)
            };
        }
        if is_heard {
            self.send(event());
        }
    }

    fn send(&self, event: VizEvent) {
        let mut listeners = self.listeners.lock();
        let Some(listeners) = &mut *listeners else { return };
        listeners.retain(|listener| match listener.sender.try_send(event.clone()) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                listener.dropped.fetch_add(1, Ordering::Relaxed);
                true
            }
            Err(TrySendError::Disconnected(_)) => false,
        });
        self.heard.store(!listeners.is_empty(), Ordering::Relaxed);
    }

    pub(crate) fn listen(&self) -> EventStream {
        let (sender, receiver) = bounded(WAITING_MAX);
        let dropped = Arc::new(AtomicU64::new(0));
        // A stream of a closed store has no sender, and ends.
        if let Some(listeners) = &mut *self.listeners.lock() {
            listeners.push(Listener { sender, dropped: Arc::clone(&dropped) });
            self.heard.store(true, Ordering::Relaxed);
        }
        EventStream { receiver, dropped }
    }

    /// Ends all streams once they have been read.
    pub(crate) fn end(&self) {
        *self.listeners.lock() = None;
        self.heard.store(false, Ordering::Relaxed);
    }
}

/// The events of a store from the moment the stream was made. As an iterator it waits for the
/// next event and ends when the store is closed. It does not keep the store open.
#[derive(Debug)]
pub struct EventStream {
    receiver: Receiver<VizEvent>,
    dropped: Arc<AtomicU64>,
}

impl EventStream {
    /// The next event, if one waits.
    pub fn try_next(&mut self) -> Option<VizEvent> {
        self.receiver.try_recv().ok()
    }

    /// How many events were lost because this stream was not read in time.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl Iterator for EventStream {
    type Item = VizEvent;

    fn next(&mut self) -> Option<VizEvent> {
        self.receiver.recv().ok()
    }
}

#[cfg(test)]
mod tests;
