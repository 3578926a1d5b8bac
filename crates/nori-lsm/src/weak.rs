//! Looking at a store without keeping it open.
//!
//! 1. A [`WeakLsm`] neither keeps the store open nor makes whoever closes it wait.
//! 2. What it gives is read the way [`Lsm`]'s own methods read it, and no write waits for that.

use crate::health::Health;
use crate::lsm::Lsm;
use crate::metrics::{Decision, MergeInfo, Metrics, PressureInfo, SlotInfo};
use crate::store::Store;
use nori_env::sync::Arc;
use nori_env::sync::atomic::Ordering;
use std::path::{Path, PathBuf};
use std::sync::Weak;

/// A store as it is seen by who does not keep it open: something that watches it.
///
/// ```
/// # fn main() -> nori_lsm::Result<()> {
/// # let dir = nori_lsm::example_dir("weak");
/// let store = nori_lsm::Lsm::open(&dir)?;
/// let seen = store.downgrade();
/// store.put("plum", "purple")?;
/// assert_eq!(seen.facts(10).map(|facts| facts.metrics.operations), Some(1));
/// drop(store); // The last handle: this closes the store.
/// assert!(seen.facts(10).is_none());
/// # nori_lsm::Lsm::destroy(&dir)
/// # }
/// ```
#[derive(Clone)]
pub struct WeakLsm {
    store: Weak<Store>,
    path: PathBuf,
}

/// All that a store tells of itself, read at about one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Facts {
    /// As [`Lsm::metrics`].
    pub metrics: Metrics,
    /// As [`Lsm::slots`].
    pub slots: Vec<SlotInfo>,
    /// As [`Lsm::pressure`].
    pub pressure: PressureInfo,
    /// As [`Lsm::merges`].
    pub merges: Vec<MergeInfo>,
    /// As [`Lsm::decisions`].
    pub decisions: Vec<Decision>,
    /// As [`Lsm::health`].
    pub health: Health,
}

impl Lsm {
    /// The merges that run now, by slot.
    pub fn merges(&self) -> Vec<MergeInfo> {
        self.handle().running_merges()
    }

    /// The store for something that watches it and must not keep it open.
    pub fn downgrade(&self) -> WeakLsm {
        let store = &self.handle().store;
        WeakLsm { store: Arc::downgrade(store), path: store.paths.root.clone() }
    }
}

impl WeakLsm {
    /// The store's directory, as it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the store tells of itself, with at most so many of its last decisions; `None` once it
    /// is closed.
    pub fn facts(&self, decisions: usize) -> Option<Facts> {
        let store = self.store.upgrade()?;
        let open = !store.closed.load(Ordering::Acquire);
        open.then(|| Facts {
            metrics: store.metrics(),
            slots: store.slots(None),
            pressure: store.pressure(),
            merges: store.running_merges(),
            decisions: store.brain.decisions(decisions),
            health: store.health_report(),
        })
    }
}

impl std::fmt::Debug for WeakLsm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WeakLsm").field("path", &self.path).finish_non_exhaustive()
    }
}
