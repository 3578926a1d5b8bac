//! Faults that the loom models plant, to see that they would be found.
//!
//! A model that passes proves little until the same model fails with one ordering weakened or one
//! step split in two. Outside `cfg(nori_loom)` nothing can be planted and the checks are constant.

/// A fault in a protocol of this crate.
#[cfg_attr(not(nori_loom), expect(unreachable_pub, reason = "public for the models only"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// A writer looks whether the gate is sealed first and counts itself in second.
    EnterInTwoSteps,
    /// A writer leaves the gate without releasing what it did inside.
    LeaveRelaxed,
    /// Who wakes the waiters does not take their lock.
    WakeUnlocked,
    /// A leaf's slot is filled without releasing the entry.
    SlotRelaxed,
    /// A slot is found empty first and filled second.
    SlotInTwoSteps,
    /// A node is linked without releasing it.
    NodeRelaxed,
    /// A split leaf is replaced without releasing the new one.
    LeafRelaxed,
    /// A split leaf is replaced also where somebody else has replaced it.
    LeafInTwoSteps,
    /// A split leaf is replaced by its lower part before the upper part is linked.
    SwapBeforeLink,
    /// A writer that has loaded a leaf does not look whether it still answers for the key.
    WriterUnchecked,
    /// A reader does not.
    ReaderUnchecked,
    /// A walk shows a full leaf to its end, though its upper part has a node of its own.
    UpperPartShown,
    /// A key is added to the filter after its entry.
    FilteredLate,
    /// The visible number moves on without releasing the entries below it.
    PublishRelaxed,
}

#[cfg(nori_loom)]
mod model {
    use super::Plant;
    use std::cell::Cell;

    // loom runs a whole model on the thread of its test, so tests do not disturb each other.
    std::thread_local!(static PLANTED: Cell<Option<Plant>> = const { Cell::new(None) });

    /// Plants a fault, or none, for the models that this thread runs from now on.
    pub fn plant(fault: Option<Plant>) {
        PLANTED.set(fault);
    }

    pub(crate) fn planted(fault: Plant) -> bool {
        PLANTED.get() == Some(fault)
    }
}

#[cfg(nori_loom)]
pub use model::plant;
#[cfg(nori_loom)]
pub(crate) use model::planted;

#[cfg(not(nori_loom))]
pub(crate) const fn planted(_: Plant) -> bool {
    false
}
