//! Rules that this crate's own tests break on purpose, to see that they would notice.
//! In a normal build [`Planted::has`] is always false and costs nothing.

/// A rule broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plant {
    /// Tombstones go although an older run lies below.
    TombstoneDroppedHigh,
    /// Tombstones go although a reader is older.
    TombstoneDroppedYoung,
    /// Sequence numbers become zero although an older run lies below.
    ZeroHigh,
    /// Sequence numbers become zero although a reader is older.
    ZeroYoung,
    /// A version at a snapshot counts to the stripe above it.
    StripeOffByOne,
    /// Versions above V count to V's stripe.
    IgnoreV,
    /// A dropped keyspace's entries go although a reader is older.
    PurgeUnderSnapshot,
    /// Tables are cut between versions of one key.
    KeySplitByCut,
}

/// The rule broken in one object, if any.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Planted {
    #[cfg(test)]
    plant: Option<Plant>,
}

impl Planted {
    #[cfg(test)]
    pub(crate) fn one(plant: Option<Plant>) -> Planted {
        Planted { plant }
    }

    #[cfg(test)]
    pub(crate) fn has(self, plant: Plant) -> bool {
        self.plant == Some(plant)
    }

    #[cfg(not(test))]
    #[inline(always)]
    pub(crate) fn has(self, _: Plant) -> bool {
        false
    }
}
