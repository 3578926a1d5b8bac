//! Where slots begin and end: cutting those that have grown, joining those that have shrunk.
//!
//! 1. Guards move only while the slots are held, and in one edit with what moves them.
//! 2. A cut moves no data: both sides refer to the same tables, each to its own keys.
//! 3. A join changes no clip: what was dropped on one side does not come back.

use crate::error::Result;
use crate::events::VizEvent;
use crate::health::Work;
use crate::metrics::Counters;
use crate::plant::{Plant, Point, meanwhile, planted};
use crate::store::state::{Store, Writer};
use bytes::Bytes;
use nori_env::sync::Arc;
use nori_manifest::{Slot, SlotId, Version, VersionEdit, split_prefix};
use nori_types::{FileNumber, KeyRange, TableMeta, separator};
use std::collections::HashMap;

impl Store {
    /// The size at which a merge starts its next table; `bottom` is what a merge reads that takes
    /// a slot's oldest run. Such a merge may cut the slot, and does so between tables.
    pub(crate) fn cut_bytes(&self, bottom: Option<u64>) -> u64 {
        let table_bytes = self.config.table_bytes;
        let Some(bytes) = bottom else { return table_bytes };
        let (target, parts) = self.brain.with(|s| (s.slot_target(), s.splits_at_merge(bytes)));
        if parts > 1 { table_bytes.min(target) } else { table_bytes }
    }

    /// Where a slot is cut whose only run will be `tables`.
    pub(crate) fn guards_for(&self, slot: SlotId, tables: &[TableMeta]) -> Vec<Bytes> {
        let total: u64 = tables.iter().map(|t| t.bytes).sum();
        let parts = self.brain.with(|s| s.splits_at_merge(total));
        let guards = even_guards(tables, parts);
        if parts > 1 {
            let stuck = guards.is_empty();
            self.brain.with(|s| s.mark_unsplittable(slot.0, stuck));
        }
        guards
    }

    /// An edit with the bytes of the references it makes looked up in the tables.
    pub(crate) fn measured(&self, version: &Version, edit: VersionEdit) -> Result<VersionEdit> {
        let files = version.tables().map(|file| (file.number(), file.meta.clone()));
        let mut metas: HashMap<FileNumber, TableMeta> = files.collect();
        metas.extend(edit.new_tables().iter().map(|meta| (meta.number, meta.clone())));
        let measure = |number: FileNumber, range: &KeyRange| {
            // A table that cannot be read counts evenly: this only guides, and errors have their
            // place where data is read.
            let meta = metas.get(&number)?;
            let table = self.tables.open(meta).ok()?;
            // The file's index, filter and so on belong to its parts in proportion.
            let all = table.approximate_bytes(&KeyRange::all()).max(1);
            let part = u128::from(table.approximate_bytes(range)) * u128::from(meta.bytes);
            u64::try_from(part / u128::from(all)).ok()
        };
        Ok(version.measured(edit, &measure)?)
    }

    /// Cuts or joins slots where that is due, without touching data; false if nothing was.
    pub(crate) fn shape_one(&self) -> Result<bool> {
        let writer = self.writer()?;
        if !self.brain.take_shape_due() {
            return Ok(false);
        }
        let done = match self.cut_one(writer) {
            Ok(true) => Ok(true),
            Ok(false) => self.join_one(writer),
            Err(e) => {
                self.join_one(writer).and_then(|joined| if joined { Ok(true) } else { Err(e) })
            }
        };
        if !matches!(done, Ok(false)) {
            self.brain.shape_is_due();
        }
        done
    }

    /// Cuts a slot that is far too large and that no merge has cut.
    fn cut_one(&self, writer: &Writer) -> Result<bool> {
        let version = &self.pin().version;
        let grown: Vec<u64> = self.brain.with(|scheduler| {
            let slots = version.slots().map(|slot| slot.id.0);
            slots.filter(|slot| scheduler.needs_split(*slot)).collect()
        });
        // A slot that cannot be cut must not keep the others waiting.
        let mut failed = None;
        for id in grown.into_iter().filter(|id| !self.waits(Work::Slot(*id))) {
            let held = self.jobs.try_hold(&[id]);
            if held.is_none() && !planted(Plant::BusySlotCut) {
                continue;
            }
            let version = Arc::clone(&self.pin().version);
            let Some((_, slot)) = version.slot_by_id(SlotId(id)) else { continue };
            let guard = match self.middle(&version, slot) {
                Ok(Some(guard)) => guard,
                Ok(None) => {
                    self.brain.with(|scheduler| scheduler.mark_unsplittable(id, true));
                    continue;
                }
                Err(e) => {
                    self.note::<()>(Work::Slot(id), &Err(e.clone()));
                    failed = failed.or(Some(e));
                    continue;
                }
            };
            let cut = self.log_edit(writer, move |store, version| {
                store.measured(version, version.edit_split(&[guard], false)?)
            });
            self.note(Work::Slot(id), &cut);
            cut?;
            Counters::add(&self.counters.slot_splits, 1);
            self.events.emit(|| VizEvent::SlotSplit { slot: id, guards: 1 });
            return Ok(true);
        }
        failed.map_or(Ok(false), Err)
    }

    /// A guard that halves a slot: between two tables of its largest run, else inside one.
    fn middle(&self, version: &Version, slot: &Slot) -> Result<Option<Bytes>> {
        if let Some(border) = version.median_border(slot.id) {
            return Ok(Some(border));
        }
        let Some(largest) = slot.runs.iter().max_by_key(|run| run.bytes) else { return Ok(None) };
        let Some(widest) = largest.tables.iter().max_by_key(|t| t.bytes) else { return Ok(None) };
        let table = self.tables.open(&widest.file.meta)?;
        let median = table.approximate_median(&widest.range);
        Ok(median.filter(|key| slot.range.lo < *key && slot.range.is_below_end(key)))
    }

    /// Joins two neighbours that are small together.
    fn join_one(&self, writer: &Writer) -> Result<bool> {
        let version = &self.pin().version;
        let slots: Vec<&Arc<Slot>> = version.slots().collect();
        let small = self.brain.with(|scheduler| {
            // Asked first: where all guards are a user's this is all that is done.
            let may_join = |w: &&[&Arc<Slot>]| {
                let given = w[1].kept && version.slot_dropped(w[1]).is_none();
                !given && keyspace_of(w[0]) == keyspace_of(w[1])
            };
            let pairs = slots.windows(2).filter(may_join);
            let pairs = pairs.filter(|w| scheduler.mergeable(w[0].id.0, w[1].id.0));
            let pairs = pairs.map(|w| (w[0].id, w[1].id));
            pairs.collect::<Vec<_>>()
        });
        for (left, right) in small {
            if self.waits(Work::Slot(left.0)) {
                continue;
            }
            meanwhile(Point::JoinStarts);
            let Some(_held) = self.jobs.try_hold(&[left.0, right.0]) else { continue };
            // Where a keyspace ends or a user's guard stands there is no such edit, nor where
            // somebody joined one of the two to another before they were held.
            let may_join = self.pin().version.edit_merge_slots(left, right).is_ok()
                && self.brain.with(|scheduler| scheduler.mergeable(left.0, right.0));
            if !may_join && !planted(Plant::JoinFoundBefore) {
                continue;
            }
            let joined =
                self.log_edit(writer, move |_, version| Ok(version.edit_merge_slots(left, right)?));
            self.note(Work::Slot(left.0), &joined);
            joined?;
            // The slot is gone, and whatever failed there with it.
            self.health.succeeded(Work::Slot(right.0));
            Counters::add(&self.counters.slot_joins, 1);
            self.events.emit(|| VizEvent::SlotsMerged { left: left.0, right: right.0 });
            return Ok(true);
        }
        Ok(false)
    }

    /// Empties one slot of a dropped keyspace that no reader can see; false if there is none.
    pub(crate) fn purge_one(&self) -> Result<bool> {
        let writer = self.writer()?;
        let view = self.pin();
        if view.version.catalog.iter().all(|k| k.dropped.is_none()) {
            return Ok(false);
        }
        let stripes = self.stripes();
        let oldest =
            if planted(Plant::PurgeUnderSnapshot) { stripes.last() } else { stripes.first() };
        let oldest = oldest.copied().unwrap_or_default();
        for slot in view.version.slots().filter(|slot| !slot.runs.is_empty()) {
            let unseen = view.version.catalog.dropped(&slot.range.lo).is_some_and(|d| d <= oldest);
            let id = slot.id;
            let due = unseen && !self.waits(Work::Slot(id.0));
            let Some(_held) = due.then(|| self.jobs.try_hold(&[id.0])).flatten() else {
                continue;
            };
            // Somebody may have emptied it or joined it to another before it was held.
            let now = Arc::clone(&self.pin().version);
            let is_empty = now.slot_by_id(id).is_none_or(|(_, slot)| slot.runs.is_empty());
            if is_empty {
                continue;
            }
            let done =
                self.log_edit(writer, move |_, version| Ok(version.edit_purge_slot(id, oldest)?));
            self.note(Work::Slot(id.0), &done);
            return done.map(|()| true);
        }
        Ok(false)
    }
}

/// The id of the keyspace that a slot's keys are in.
fn keyspace_of(slot: &Slot) -> u32 {
    split_prefix(&slot.range.lo).map_or(0, |(id, _)| id)
}

/// Guards between tables that cut them into `parts` of about equal bytes, as far as the borders
/// allow it.
fn even_guards(tables: &[TableMeta], parts: usize) -> Vec<Bytes> {
    let total: u64 = tables.iter().map(|t| t.bytes).sum();
    let mut guards: Vec<Bytes> = Vec::new();
    let (mut before, mut at) = (0u64, 1u64);
    for pair in tables.windows(2) {
        let half = pair[1].bytes / 2;
        before += pair[0].bytes;
        // The border nearest to the next even cut: the next one would be farther away.
        let ideal = u128::from(total) * u128::from(at) / parts.max(1) as u128;
        if (at as usize) < parts && u128::from(before + half) >= ideal {
            guards.push(separator(&pair[0].largest, &pair[1].smallest));
            while (at as usize) < parts
                && u128::from(before + half) >= u128::from(total) * u128::from(at) / parts as u128
            {
                at += 1;
            }
        }
    }
    guards
}

#[cfg(test)]
mod tests {
    use super::*;
    use nori_types::SeqNo;

    fn tables(bytes: &[u64]) -> Vec<TableMeta> {
        let table = |(i, bytes): (usize, &u64)| TableMeta {
            number: FileNumber(i as u64 + 1),
            id: 0,
            raw_bytes: *bytes,
            bytes: *bytes,
            entries: 1,
            tombstones: 0,
            smallest: Bytes::from(format!("{i:02}a")),
            largest: Bytes::from(format!("{i:02}z")),
            seq_min: SeqNo::new(1),
            seq_max: SeqNo::new(1),
        };
        bytes.iter().enumerate().map(table).collect()
    }

    #[test]
    fn guards_cut_evenly_where_borders_allow_it() {
        let cut = |bytes: &[u64], parts| even_guards(&tables(bytes), parts);
        assert_eq!(cut(&[10, 10, 10, 10], 2), ["02"]);
        assert_eq!(cut(&[10, 10, 10, 10], 4), ["01", "02", "03"]);
        assert_eq!(cut(&[10, 10, 10, 3], 3), ["01", "02"]);
        assert_eq!(cut(&[100, 1, 1], 3), ["01"]);
        assert!(cut(&[100], 3).is_empty() && cut(&[], 3).is_empty());
        assert!(cut(&[10, 10], 1).is_empty());
    }
}
