//! Faults planted by the tests, to see that the tests can see them, and points between two steps
//! where a test lets something else happen.
//!
//! Only a build with `--cfg nori_plant` can plant anything. In every other one [`planted`] is the
//! constant `false` and [`meanwhile`] does nothing, so no code is left behind.
//!
//! What is planted counts for the thread that planted it: tests of plants run stores without
//! background threads.

#![cfg_attr(not(nori_plant), expect(unreachable_pub, reason = "public for the tests only"))]

#[cfg(not(nori_plant))]
use nori_env::sync::Arc;
#[cfg(not(nori_plant))]
use nori_manifest::Version;

macro_rules! plants {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// A rule of the protocol, broken.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Plant { $($(#[$doc])* $name,)* }

        #[cfg(nori_plant)]
        impl Plant {
            /// All of them.
            pub const ALL: &[Plant] = &[$(Plant::$name,)*];
        }
    };
}

plants! {
    /// A write is acknowledged before its sync.
    AckBeforeSync,
    /// A failed sync is taken for a good one.
    SyncErrorIgnored,
    /// Sequence numbers are given before room is reserved.
    RoomNotReserved,
    /// V moves before the group's inserts.
    VisibleBeforeInsert,
    /// Each operation of a batch is a record of its own.
    BatchFramedPerKey,
    /// A record's entries go into the memtable behind the one that owns its segment.
    RecordInOtherMemtable,
    /// A poisoned store's next memtable claims a segment that is not there.
    PoisonedFloorRaised,
    /// The leader does not test for dropped keyspaces.
    WriteIntoDropped,
    /// A read loads V first and the super-version second.
    SeqBeforeSuperVersion,
    /// A read tests for a dropped keyspace before it loads super-version and V.
    DropCheckedFirst,
    /// A snapshot loads V in one step and is registered in another.
    SnapshotInTwoSteps,
    /// A flush looks at the snapshots before it pins its memtable.
    FlushLooksFirst,
    /// A merge looks at the snapshots before it pins its runs.
    MergeLooksFirst,
    /// V does not count as a snapshot.
    VNotASnapshot,
    /// A sealed memtable leaves the super-version when its flush begins.
    SealedGoneAtFlush,
    /// The newest sealed memtable is flushed first.
    FlushOutOfOrder,
    /// Segments are retired before the edit that raises the floor.
    SegmentsRetiredBeforeEdit,
    /// Tables of an edit whose append failed are deleted at once.
    FailedEditOutputsDeleted,
    /// Files are deleted while the manifest is not settled.
    DeletedUnsettled,
    /// A new super-version is derived from the one that the edit was made of.
    StaleInstall,
    /// A merge replaces all runs that its slot has, not those it pinned.
    MergeReplacesUnpinned,
    /// The inputs of a merge are deleted although a reader may hold them.
    InputsDeletedPinned,
    /// A dropped keyspace is purged while an older snapshot lives.
    PurgeUnderSnapshot,
    /// A keyspace is created without syncing the log.
    CreateWithoutSync,
    /// A keyspace is dropped without syncing the log.
    DropWithoutSync,
    /// A drop is logged before its number is visible, and V does not count as a snapshot.
    DropLoggedFirst,
    /// A failed edit of the catalog is left unknown.
    CatalogErrorContinues,
    /// A periodic sync syncs nothing.
    PeriodicSyncSkipped,
    /// Opening does not sync the directories it reads.
    OpenTrustsEntries,
    /// The next sequence number ignores the manifest.
    SeqIgnoresManifest,
    /// The next sequence number ignores the replay.
    SeqIgnoresReplay,
    /// Records that tables hold are replayed again.
    FlushedRecordsReplayed,
    /// File numbers start again from the manifest alone.
    FileNumbersReused,
    /// Old segments are removed before CURRENT is durable.
    SweptBeforeCurrent,
    /// Unknown tables of a cut manifest are deleted.
    UnknownTablesSwept,
    /// A checkpoint leaves out the log.
    CheckpointWithoutLog,
    /// A checkpoint does not sync its directory of tables.
    CheckpointNotSynced,
    /// A checkpoint's manifest is of a later version than its tables.
    CheckpointNotPinned,
    /// A fragment goes below runs that it overlaps.
    OverlappingMoved,
    /// A flush moves runs in a slot that somebody merges.
    BusySlotMoved,
    /// A slot is cut while somebody merges it.
    BusySlotCut,
    /// Every merge drops tombstones, also one that leaves out the oldest run.
    EveryMergeIsBottom,
    /// All edits of a group are made for the version that the group began with.
    GroupOfOneVersion,
    /// What a flush brings is booked for its first slot only.
    FlushShareNotBooked,
    /// The readers of a slot that joined another are forgotten.
    JoinedReadersForgotten,
    /// Slots join that were found before they were held.
    JoinFoundBefore,
}

/// Where a test can let something else happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// A read has made the first of its two loads.
    Reading,
    /// A snapshot is about to be registered.
    Registering,
    /// A group is in the log and not in the memtable.
    Inserting,
    /// A flush is about to choose its memtable.
    FlushStarts,
    /// A flush has written its tables.
    FlushWritten,
    /// A merge is about to pin its runs.
    MergeStarts,
    /// A merge has written its tables.
    MergeWritten,
    /// Two slots are found that could join, and are not held yet.
    JoinStarts,
    /// An edit is durable and not installed.
    Logged,
    /// A drop is visible or logged, and not both.
    Dropping,
    /// A checkpoint has linked its tables.
    Checkpointing,
}

#[cfg(not(nori_plant))]
#[inline(always)]
pub(crate) const fn planted(_: Plant) -> bool {
    false
}

#[cfg(not(nori_plant))]
#[inline(always)]
pub(crate) const fn meanwhile(_: Point) {}

#[cfg(not(nori_plant))]
#[inline(always)]
pub(crate) const fn misplaced(version: Arc<Version>) -> Arc<Version> {
    version
}

#[cfg(nori_plant)]
pub use armed::{at, current, plant};
#[cfg(nori_plant)]
pub(crate) use armed::{meanwhile, misplaced, planted};

#[cfg(nori_plant)]
mod armed {
    use super::{Plant, Point};
    use nori_env::sync::Arc;
    use nori_manifest::{Run, Slot, Version};
    use std::cell::{Cell, RefCell};

    type Visit = Box<dyn FnOnce()>;

    thread_local! {
        static PLANT: Cell<Option<Plant>> = const { Cell::new(None) };
        static VISIT: RefCell<Option<(Point, Visit)>> = const { RefCell::new(None) };
    }

    /// Plants a fault, or none, for what this thread does from now on.
    pub fn plant(fault: Option<Plant>) {
        PLANT.set(fault);
    }

    /// What this thread has planted.
    pub fn current() -> Option<Plant> {
        PLANT.get()
    }

    /// The version as [`Plant::OverlappingMoved`] would leave it.
    pub(crate) fn misplaced(version: Arc<Version>) -> Arc<Version> {
        let fragment = |slot: &Arc<Slot>| slot.runs.last().is_some_and(|run| run.is_fragment());
        let found = version.slots().position(|slot| slot.runs.len() > 1 && fragment(slot));
        match found.and_then(|index| Some((index, version.slot(index)?))) {
            Some((index, slot)) => {
                let mut slot = Slot::clone(slot);
                slot.runs.rotate_right(1);
                slot.runs[0] = Arc::new(Run { level: 1, ..Run::clone(&slot.runs[0]) });
                Arc::new(version.plant_slot(index, slot))
            }
            None => version,
        }
    }

    /// Runs `visit` when this thread comes to the point the next time.
    pub fn at(point: Point, visit: impl FnOnce() + 'static) {
        VISIT.set(Some((point, Box::new(visit))));
    }

    pub(crate) fn planted(fault: Plant) -> bool {
        PLANT.get() == Some(fault)
    }

    pub(crate) fn meanwhile(point: Point) {
        let due = VISIT.with_borrow_mut(|visit| visit.take_if(|(at, _)| *at == point));
        if let Some((_, visit)) = due {
            visit();
        }
    }
}
