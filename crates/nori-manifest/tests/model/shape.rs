//! Changes by metadata alone.

use crate::plant::Plant;
use crate::world::{Acted, KEYS, Key, World};
use nori_env::Rng;
use nori_env::sync::Arc;
use nori_manifest::{Run, TableRef};
use nori_types::SeqNo;

impl World {
    pub fn trivial_move(&mut self, r: &mut Rng) -> Acted {
        let version = Arc::clone(&self.current.version);
        let at = r.index(version.slot_count());
        let slot = version.slot(at).unwrap();
        if self.busy(slot.id) || slot.runs.is_empty() {
            return Ok(false);
        }
        let from = r.index(slot.runs.len());
        let to = r.index(from + 1);
        let edit = version.edit_move_run(slot.id, from, to, 1);
        match edit {
            Ok(edit) => self.install(edit)?,
            Err(_) if self.broken(Plant::MovePastOverlap) && to < from => {
                self.plant_runs(at, |runs| {
                    let run = runs.remove(from);
                    runs.insert(to, run);
                });
                self.changed = true;
            }
            Err(_) => return Ok(false),
        }
        Ok(true)
    }

    pub fn split(&mut self, r: &mut Rng) -> Acted {
        let version = Arc::clone(&self.current.version);
        let keys = version.catalog.next_id() as Key * KEYS;
        let guard = self.stored(r.below(keys.into()) as Key);
        let (index, slot) = version.route(&guard);
        if (self.busy(slot.id) && !self.broken(Plant::SplitBusy)) || slot.range.lo == guard {
            return Ok(false);
        }
        let edit = version.edit_split(std::slice::from_ref(&guard), r.chance(10));
        self.install(edit.map_err(|e| e.to_string())?)?;
        if self.broken(Plant::SplitForgetsStraddler) {
            let before = Arc::clone(slot);
            let whole = |t: &TableRef| before.tables().any(|o| o.range == t.range);
            self.plant_runs(index + 1, |runs| change(runs, |tables| tables.retain(whole)));
        }
        Ok(true)
    }

    pub fn merge_slots(&mut self, r: &mut Rng) -> Acted {
        let version = Arc::clone(&self.current.version);
        let at = r.index(version.slot_count() - 1);
        let (a, b) = (version.slot(at).unwrap(), version.slot(at + 1).unwrap());
        let busy = self.busy(a.id) || self.busy(b.id);
        let Ok(edit) = version.edit_merge_slots(a.id, b.id) else {
            return Ok(false);
        };
        if busy && !self.broken(Plant::MergeSlotsBusy) {
            return Ok(false);
        }
        self.install(edit)?;
        if self.broken(Plant::ClipFollowsSlot) {
            let border = &b.range.lo;
            self.plant_runs(at, |runs| {
                change(runs, |tables| {
                    for t in tables.iter_mut().filter(|t| t.range.hi.as_ref() == Some(border)) {
                        t.range.hi = b.range.hi.clone().min(Some(t.file.meta.end()));
                    }
                });
            });
        }
        Ok(true)
    }

    /// A slot of a dropped keyspace that nobody can read is emptied.
    pub fn purge_slot(&mut self, r: &mut Rng) -> Acted {
        let version = Arc::clone(&self.current.version);
        let slot = version.slot(r.index(version.slot_count())).unwrap();
        if self.busy(slot.id) || slot.runs.is_empty() {
            return Ok(false);
        }
        let oldest = self.stripes().first().copied().unwrap_or(self.visible);
        let planted = self.broken(Plant::PurgeSlotUnderSnapshot);
        let oldest = if planted { SeqNo::MAX } else { SeqNo::new(oldest) };
        let Ok(edit) = version.edit_purge_slot(slot.id, oldest) else {
            return Ok(false);
        };
        self.install(edit)?;
        Ok(true)
    }
}

/// Changes the references of each run; runs that end up empty go.
fn change(runs: &mut Vec<Arc<Run>>, change: impl Fn(&mut Vec<TableRef>)) {
    for run in runs.iter_mut() {
        change(&mut Arc::make_mut(run).tables);
    }
    runs.retain(|run| !run.tables.is_empty());
}
