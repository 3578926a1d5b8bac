//! Faults planted by this crate's own tests, to see that the tests can see them.
//!
//! Outside those tests [`planted`] is the constant `false` and leaves no code behind.

/// Each breaks one rule of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plant {
    /// Record checksums are not verified.
    ChecksumNotVerified,
    /// All files have one salt.
    ChecksumNotSalted,
    /// A record promises the unsynced records before it in its group.
    PromisesOwnGroup,
    /// Replay goes on behind a bad record.
    ReplayPastBadRecord,
    /// Promises behind a bad record are looked for at the starts of blocks only.
    ResyncAtBlocksOnly,
    /// Replay goes on in the segment behind a torn one.
    LaterSegmentsReplayed,
    /// The offset where the predecessor ended is compared only if the predecessor ended badly.
    SegmentEndUnchecked,
    /// A missing segment is passed over.
    MissingSegmentUnnoticed,
    /// Promises are not compared with what was read.
    PromiseIgnored,
    /// A segment's header is not synced before its name.
    HeaderNotSynced,
    /// A segment's header is written after its name is durable.
    HeaderAfterRename,
    /// The directory is not synced after a segment is renamed.
    DirectoryNotSynced,
    /// Only the newest segment is synced.
    NewestSegmentOnlySynced,
    /// The durable position is read after the sync.
    DurableReadAfterSync,
    /// A failed sync is taken for a good one.
    SyncErrorIgnored,
    /// A failed sync is reported, but may be tried again.
    SyncRetriedAfterFailure,
    /// A failed write is reported, but the next one goes behind it.
    WriteErrorContinues,
    /// The first segment of a process promises itself.
    FreshSegmentPromises,
}

#[cfg(not(test))]
#[inline(always)]
pub(crate) const fn planted(_: Plant) -> bool {
    false
}

#[cfg(test)]
pub(crate) use armed::{planted, with_plant};

#[cfg(test)]
mod armed {
    use super::Plant;
    use std::cell::Cell;

    thread_local! {
        static PLANT: Cell<Option<Plant>> = const { Cell::new(None) };
    }

    pub(crate) fn planted(plant: Plant) -> bool {
        PLANT.with(|p| p.get() == Some(plant))
    }

    /// Runs `f` on this thread with a fault planted.
    pub(crate) fn with_plant<T>(plant: Option<Plant>, f: impl FnOnce() -> T) -> T {
        let before = PLANT.with(|p| p.replace(plant));
        let result = f();
        PLANT.with(|p| p.set(before));
        result
    }
}
