//! What a flush and a merge install.

use super::{NewRef, NewRun, SlotChange, VersionEdit};
use crate::run::{Run, table_range};
use crate::{Error, Result, Slot, SlotId, Version};
use bytes::Bytes;
use nori_env::sync::Arc;
use nori_types::{FileNumber, KeyRange, SeqNo, TableMeta};
use nori_wal::Position;

impl Version {
    /// A flushed memtable: its tables, sorted and disjoint, become the newest run of each slot
    /// that they have entries in, busy or not. `has_entries` tells that of a range (exactly, or
    /// erring to yes); it is asked now, of the guards as they are now. Without tables the flush
    /// still counts. `last_seq` is the memtable's, not the tables'.
    pub fn edit_flush(
        &self,
        tables: &[TableMeta],
        has_entries: &dyn Fn(&KeyRange) -> bool,
        wal_floor: u64,
        last_seq: SeqNo,
        durable: Position,
    ) -> VersionEdit {
        let flush_seq = self.flushed.saturating_add(1);
        let mut added: Vec<(SlotId, Vec<NewRef>)> = Vec::new();
        for meta in tables {
            let whole = table_range(meta);
            let clips = self.slots_in(&whole).filter_map(|(_, slot)| {
                let range = slot.range.intersection(&whole);
                (!range.is_empty() && has_entries(&range)).then_some((slot.id, range))
            });
            let clips: Vec<(SlotId, KeyRange)> = clips.collect();
            let bytes = even_share(meta.bytes, clips.len());
            for (slot, range) in clips {
                let new = NewRef { number: meta.number, range, bytes };
                match added.last_mut().filter(|(id, _)| *id == slot) {
                    Some((_, refs)) => refs.push(new),
                    None => added.push((slot, vec![new])),
                }
            }
        }
        let changes = added.into_iter().map(|(slot, refs)| SlotChange::Add {
            slot,
            run: NewRun { refs, flush_seq, level: 0 },
        });
        VersionEdit {
            tables: tables.to_vec(),
            changes: changes.collect(),
            flush: Some(flush_seq),
            last_seq,
            wal_floor,
            durable,
            ..VersionEdit::default()
        }
    }

    /// A finished merge: the outputs, sorted and disjoint, become one run in the place of exactly
    /// the runs that were pinned; without outputs there is none. `guards` inside the slot cut it
    /// in the same step; its first part keeps the slot's name. The new run is of `level`, which
    /// is 1 where levels mean nothing.
    ///
    /// # Errors
    /// [`Error::Misfit`] if the level is 0, which is a fragment's, if the slot or a pinned run is
    /// gone, if the pinned runs are not neighbours, or if an output or a guard lies outside the
    /// slot.
    pub fn edit_replace(
        &self,
        slot: SlotId,
        pinned: &[Arc<Run>],
        outputs: &[TableMeta],
        guards: &[Bytes],
        level: u8,
    ) -> Result<VersionEdit> {
        let slot = self.named(slot)?;
        if level == 0 {
            return Error::misfit(format!("slot {}: a merge does not make a fragment", slot.id));
        }
        let first = find_pinned(slot, pinned)?;
        let refs = output_refs(slot, outputs)?;
        let flush_seq = pinned.iter().map(|run| run.flush_seq).max().unwrap_or(0);
        let run = (!refs.is_empty()).then_some(NewRun { refs, flush_seq, level });
        let removed = pinned.iter().map(|run| numbers(run)).collect();
        let mut changes = vec![SlotChange::Replace { slot: slot.id, first, removed, run }];
        changes.extend(self.split_change(slot, guards, false)?);
        Ok(VersionEdit { tables: outputs.to_vec(), changes, ..VersionEdit::default() })
    }

    /// A slot of a dropped keyspace, emptied. `oldest` is the oldest live snapshot, or the
    /// visible sequence number if that is lower or there is none.
    ///
    /// # Errors
    /// [`Error::Misfit`] if the slot is gone or somebody may still read it.
    pub fn edit_purge_slot(&self, slot: SlotId, oldest: SeqNo) -> Result<VersionEdit> {
        let slot = self.named(slot)?;
        let dropped = self.slot_dropped(slot);
        if dropped.is_none_or(|dropped| dropped > oldest) {
            return Error::misfit(format!("slot {} may still be read at {oldest}", slot.id));
        }
        let removed = slot.runs.iter().map(|run| numbers(run)).collect();
        let purge = SlotChange::Replace { slot: slot.id, first: 0, removed, run: None };
        Ok(VersionEdit { changes: vec![purge], ..VersionEdit::default() })
    }

    pub(super) fn named(&self, id: SlotId) -> Result<&Arc<Slot>> {
        match self.slot_by_id(id) {
            Some((_, slot)) => Ok(slot),
            None => Error::misfit(format!("slot {id} does not exist")),
        }
    }
}

pub(crate) fn numbers(run: &Run) -> Vec<FileNumber> {
    run.tables.iter().map(|t| t.file.number()).collect()
}

fn even_share(bytes: u64, parts: usize) -> u64 {
    bytes / u64::try_from(parts).unwrap_or(1).max(1)
}

/// The index of the first pinned run; the others must be the ones behind it.
fn find_pinned(slot: &Slot, pinned: &[Arc<Run>]) -> Result<usize> {
    let same = |a: &Arc<Run>, b: &Arc<Run>| Arc::ptr_eq(a, b) || a == b;
    let Some(oldest) = pinned.first() else {
        return Error::misfit("a merge that pinned no run");
    };
    let first = slot.runs.iter().position(|run| same(run, oldest));
    let found = first.filter(|first| {
        let runs = slot.runs.iter().skip(*first);
        runs.clone().count() >= pinned.len() && runs.zip(pinned).all(|(a, b)| same(a, b))
    });
    match found {
        Some(first) => Ok(first),
        None => Error::misfit(format!("slot {}: a pinned run is not there any more", slot.id)),
    }
}

fn output_refs(slot: &Slot, outputs: &[TableMeta]) -> Result<Vec<NewRef>> {
    let refs = outputs.iter().map(|meta| {
        let range = table_range(meta);
        if slot.range.intersection(&range) != range {
            return Error::misfit(format!(
                "table {} reaches outside slot {}",
                meta.number, slot.id
            ));
        }
        Ok(NewRef { number: meta.number, range, bytes: meta.bytes })
    });
    refs.collect()
}
