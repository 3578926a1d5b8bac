//! Changes by metadata alone.

use crate::plant::Plant;
use crate::world::{Acted, KEYS, Key, World};
use nori_env::Rng;
use nori_env::sync::Arc;
use nori_manifest::{Run, Slot, SlotId, TableRef};
use nori_types::{KeyRange, SeqNo};

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
        let edit = version.edit_move_run(slot.id, from, to, 1 + r.below(3) as u8);
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

    /// Whatever fragments of a slot can move.
    pub fn move_fragments(&mut self, r: &mut Rng) -> Acted {
        let version = Arc::clone(&self.current.version);
        let at = r.index(version.slot_count());
        let slot = version.slot(at).unwrap();
        if !self.may_move(slot.id) {
            return Ok(false);
        }
        if let Some((from, to)) = self.wrong_move(slot) {
            self.plant_runs(at, |runs| join(runs, from, to));
            self.changed = true;
            return Ok(true);
        }
        let Some(edit) = version.trivial_moves(slot.id, 1 + r.below(3) as u8) else {
            return Ok(false);
        };
        self.install(edit)?;
        if self.broken(Plant::MoveWidensClip) {
            let whole = |t: &TableRef| {
                let all = KeyRange::new(t.file.meta.smallest.clone(), Some(t.file.meta.end()));
                all.intersection(&slot.range)
            };
            self.plant_runs(at, |runs| {
                change(&mut runs[..1], |tables| {
                    tables.iter_mut().for_each(|t| t.range = whole(t));
                });
            });
        }
        Ok(true)
    }

    /// Fragments move in slots that no merge works on.
    pub fn may_move(&self, slot: SlotId) -> bool {
        !self.busy(slot) || self.broken(Plant::MoveBusy)
    }

    /// Only with a plant: a move that breaks its rule here.
    fn wrong_move(&self, slot: &Slot) -> Option<(usize, usize)> {
        let runs = &slot.runs;
        let overlap = |a: usize, b: usize| {
            runs[a].tables.iter().any(|t| !runs[b].tables_in(&t.range).is_empty())
        };
        let fragments = || (1..runs.len()).filter(|i| runs[*i].is_fragment());
        match self.plant {
            Plant::MoveJoinsOverlap => {
                fragments().find(|i| overlap(*i, i - 1)).map(|from| (from, from - 1))
            }
            Plant::MovePastFragment => {
                let passes = |from: &usize| *from > 1 && runs[from - 1].is_fragment();
                let from = fragments().filter(passes).find(|from| overlap(*from, from - 1))?;
                (0..from - 1).find(|to| !overlap(from, *to)).map(|to| (from, to))
            }
            _ => None,
        }
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
            self.plant_runs(index + 1, |runs| {
                change(runs, |tables| tables.retain(whole));
                runs.retain(|run| !run.tables.is_empty());
            });
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

/// Changes the references of each run.
fn change(runs: &mut [Arc<Run>], change: impl Fn(&mut Vec<TableRef>)) {
    for run in runs {
        change(&mut Arc::make_mut(run).tables);
    }
}

/// A run joins another, as the manifest would never let it.
fn join(runs: &mut Vec<Arc<Run>>, from: usize, to: usize) {
    let moved = runs.remove(from);
    let target = Arc::make_mut(&mut runs[to]);
    target.tables.extend(moved.tables.iter().cloned());
    target.tables.sort_by(|a, b| a.range.lo.cmp(&b.range.lo));
    target.flush_seq = target.flush_seq.max(moved.flush_seq);
    target.seq_max = target.seq_max.max(moved.seq_max);
    target.bytes += moved.bytes;
    target.entries += moved.entries;
    target.tombstones += moved.tombstones;
}
