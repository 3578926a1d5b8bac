//! Planted violations: each breaks one rule.

macro_rules! plants {
    ($($name:ident $text:literal,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Plant {
            None,
            $(#[doc = $text] $name,)*
        }

        impl Plant {
            pub const ALL: &'static [Plant] = &[$(Plant::$name,)*];
        }
    };
}

plants! {
    ClipFollowsSlot "a clip at the slot's edge widens to the merged slot's range",
    SplitForgetsStraddler "a split gives a straddling table to one side only",
    NewRunBelowOlder "a merge puts its run below an older run",
    MovePastOverlap "a trivial move passes a run that it overlaps",
    MoveJoinsOverlap "a fragment joins a run that it overlaps",
    MovePastFragment "a fragment joins a run, past an older fragment that it overlaps",
    MoveWidensClip "a moved fragment shows all of its table",
    MoveBusy "fragments move in a slot under its merge",
    TwoJobsOneSlot "two merges work on one slot",
    SplitBusy "a slot is split under its merge",
    MergeSlotsBusy "a busy slot merges with its neighbour",
    FlushOutOfOrder "a younger memtable's table is installed first",
    FlushRefsAtBegin "references are made under the guards of the flush's begin",
    FlushNumberFromTables "after a restart the flush sequence is that of the youngest run",
    TombstoneDroppedHigh "a tombstone is dropped though older runs remain",
    TombstoneDroppedByFlush "a flush drops tombstones",
    TombstoneDroppedYoung "a tombstone above the oldest snapshot is dropped",
    VNotASnapshot "the visible number does not count as a snapshot",
    SnapshotsBeforePin "a merge reads snapshots first and pins second",
    SnapshotNotAtomic "a snapshot loads its number in one step and registers in another",
    StripeOffByOne "a snapshot is taken to see what is below it only",
    ZeroHigh "sequence numbers are zeroed though older runs remain",
    ZeroYoung "sequence numbers above the oldest snapshot are zeroed",
    SeqBeforeSuperVersion "a read loads the sequence number first",
    FlushBeforeGateEmpty "a sealed memtable is flushed with a writer inside",
    SealedGoneEarly "a sealed memtable leaves when its flush begins",
    VisibleBeforeInsert "the visible number advances before the inserts",
    KeySplitByCut "an output is cut between versions of one key",
    PurgeUnderSnapshot "a merge purges a dropped keyspace that a snapshot sees",
    PurgeSlotUnderSnapshot "a slot is emptied while an older snapshot lives",
    DropCheckedFirst "a read asks whether a keyspace is dropped before it loads",
    RestartForgetsCatalog "after a restart the next sequence number ignores the catalog",
    ReapPinned "files that only an older, pinned version names are deleted",
    ReapOutputs "outputs of a running merge are deleted as unknown",
}

impl Plant {
    /// The manifest does not know of what this one did.
    pub fn is_in_memory(self) -> bool {
        matches!(
            self,
            Plant::ClipFollowsSlot
                | Plant::SplitForgetsStraddler
                | Plant::NewRunBelowOlder
                | Plant::MovePastOverlap
                | Plant::MoveJoinsOverlap
                | Plant::MovePastFragment
                | Plant::MoveWidensClip
        )
    }
}
