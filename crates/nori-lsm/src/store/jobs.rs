//! Which slots somebody works on.
//!
//! A slot is held by one at a time: a merge, a cut, a join, a purge. Its guards and the runs it had
//! do not change under the holder; a flush may add newer runs to it.

use crate::error::Result;
use crate::store::state::Store;
use nori_env::sync::{Condvar, Mutex, MutexGuard};
use nori_types::KeyRange;
use std::collections::BTreeSet;

/// The slots that are held.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    busy: Mutex<BTreeSet<u64>>,
    freed: Condvar,
}

/// Slots held against others until this is dropped.
#[derive(Debug)]
pub(crate) struct Held<'a> {
    jobs: &'a Jobs,
    slots: Vec<u64>,
}

impl Held<'_> {
    /// The slots held.
    pub(crate) fn slots(&self) -> impl Iterator<Item = u64> {
        self.slots.iter().copied()
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if self.slots.is_empty() {
            return;
        }
        let mut busy = self.jobs.busy.lock();
        self.slots.iter().for_each(|slot| {
            busy.remove(slot);
        });
        drop(busy);
        self.jobs.freed.notify_all();
    }
}

impl Jobs {
    /// The slots held now, locked.
    pub(crate) fn busy(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.busy.lock()
    }

    /// Holds what `choose` finds among the slots, told which are held already.
    pub(crate) fn try_hold_one<T>(
        &self,
        choose: impl FnOnce(&BTreeSet<u64>) -> Option<(u64, T)>,
    ) -> Option<(T, Held<'_>)> {
        let mut busy = self.busy.lock();
        let (slot, chosen) = choose(&busy)?;
        busy.insert(slot).then(|| (chosen, Held { jobs: self, slots: vec![slot] }))
    }

    /// Holds all of these slots, or none.
    pub(crate) fn try_hold(&self, slots: &[u64]) -> Option<Held<'_>> {
        let mut busy = self.busy.lock();
        if slots.iter().any(|slot| busy.contains(slot)) {
            return None;
        }
        busy.extend(slots);
        Some(Held { jobs: self, slots: slots.to_vec() })
    }

    /// Holds those of these slots that nobody holds.
    pub(crate) fn hold_free(&self, slots: impl Iterator<Item = u64>) -> Held<'_> {
        let mut busy = self.busy.lock();
        let slots: Vec<u64> = slots.filter(|slot| busy.insert(*slot)).collect();
        Held { jobs: self, slots }
    }

    /// Waits for all slots that reach into a range, and holds them.
    pub(crate) fn hold(&self, store: &Store, range: &KeyRange) -> Result<Held<'_>> {
        let mut busy = self.busy.lock();
        loop {
            store.check_open()?;
            let view = store.pin();
            let slots: Vec<u64> = view.version.slots_in(range).map(|(_, s)| s.id.0).collect();
            if slots.iter().all(|slot| !busy.contains(slot)) {
                busy.extend(&slots);
                return Ok(Held { jobs: self, slots });
            }
            busy = self.freed.wait(busy);
        }
    }

    /// Wakes those who wait for a slot, to see that the store is closed.
    pub(crate) fn wake(&self) {
        let _busy = self.busy.lock();
        self.freed.notify_all();
    }
}
