//! Deriving a version from another.
//!
//! Everything an edit claims is tested against the version again: the edit may come from a disk.

use crate::catalog::{ID_MAX, key_prefix};
use crate::edit::{NewRun, SlotChange, check_move, numbers};
use crate::run::{Run, TableRef, table_range};
use crate::slot::NewGuard;
use crate::{Error, Result, Slot, SlotId, TableFile, Version, VersionEdit};
use nori_env::sync::Arc;
use nori_types::{FileNumber, TableMeta};
use std::collections::HashMap;

pub(crate) fn apply(old: &Version, edit: &VersionEdit) -> Result<Version> {
    let version = old.clone();
    let mut draft = Draft { version, edit, files: new_files(old, edit)?, found: 0 };
    for keyspace in &edit.keyspaces {
        draft.version.catalog = Arc::new(draft.version.catalog.with(keyspace)?);
    }
    for change in &edit.changes {
        draft.change(change)?;
    }
    if let Some(flush) = edit.flush {
        if flush != old.flushed.saturating_add(1) {
            return Error::misfit(format!("flush {flush} after flush {}", old.flushed));
        }
        draft.version.flushed = flush;
    }
    let mut version = draft.version;
    version.last_seq = old.last_seq.max(edit.last_seq);
    version.wal_floor = old.wal_floor.max(edit.wal_floor);
    version.durable = old.durable.max(edit.durable);
    let above = edit.tables.iter().map(|meta| meta.number.0.saturating_add(1)).max().unwrap_or(0);
    version.next_file = old.next_file.max(edit.next_file).max(above);
    Ok(version)
}

fn new_files(old: &Version, edit: &VersionEdit) -> Result<HashMap<FileNumber, Arc<TableFile>>> {
    let mut files = HashMap::new();
    for meta in &edit.tables {
        check_meta(meta)?;
        let file = TableFile::new(meta.clone(), &old.obsolete);
        if files.insert(meta.number, file).is_some() {
            return Error::misfit(format!("table {} is named twice", meta.number));
        }
    }
    Ok(files)
}

fn check_meta(meta: &TableMeta) -> Result<()> {
    let number = meta.number;
    if meta.smallest > meta.largest || meta.seq_min > meta.seq_max {
        return Error::misfit(format!("table {number}: its first key or number is above its last"));
    }
    if meta.number.0 == u64::MAX || meta.tombstones > meta.entries {
        return Error::misfit(format!("table {number}: impossible counts"));
    }
    Ok(())
}

struct Draft<'a> {
    version: Version,
    edit: &'a VersionEdit,
    files: HashMap<FileNumber, Arc<TableFile>>,
    /// The index of the last slot that was looked for: changes mostly come in slot order.
    found: usize,
}

impl Draft<'_> {
    fn change(&mut self, change: &SlotChange) -> Result<()> {
        match change {
            SlotChange::Add { slot, run } => self.add(*slot, run),
            SlotChange::Replace { slot, first, removed, run } => {
                self.replace(*slot, *first, removed, run.as_ref())
            }
            SlotChange::Split { slot, guards } => self.split(*slot, guards),
            SlotChange::Keep { slot } => {
                let (index, old) = self.slot(*slot)?;
                self.version.set_slot(index, Slot { kept: true, ..(*old).clone() });
                Ok(())
            }
            SlotChange::Merge { left, right } => self.merge(*left, *right),
            SlotChange::Move { slot, from, to, level } => self.move_run(*slot, *from, *to, *level),
        }
    }

    /// The index of a slot and the slot, found from where the last one was.
    fn slot(&mut self, id: SlotId) -> Result<(usize, Arc<Slot>)> {
        let count = self.version.slot_count();
        for step in 0..count {
            let index = (self.found + step) % count;
            if let Some(slot) = self.version.slot(index).filter(|slot| slot.id == id) {
                self.found = index;
                return Ok((index, Arc::clone(slot)));
            }
        }
        Error::misfit(format!("slot {id} does not exist"))
    }

    fn add(&mut self, id: SlotId, run: &NewRun) -> Result<()> {
        if self.edit.flush != Some(run.flush_seq) || run.level != 0 {
            return Error::misfit(format!("slot {id}: a run of another flush, or of a merge"));
        }
        let (index, slot) = self.slot(id)?;
        if slot.range.hi.is_none() {
            return Error::misfit("data above the highest keyspace");
        }
        let run = self.new_run(&slot, run)?;
        let runs = slot.runs.iter().cloned().chain([run]).collect();
        self.version.set_slot(index, Slot { runs, ..(*slot).clone() });
        Ok(())
    }

    fn replace(
        &mut self,
        id: SlotId,
        first: usize,
        removed: &[Vec<FileNumber>],
        run: Option<&NewRun>,
    ) -> Result<()> {
        let (index, slot) = self.slot(id)?;
        let pinned = first.checked_add(removed.len()).and_then(|end| slot.runs.get(first..end));
        let matches = |pinned: &[Arc<Run>]| {
            pinned.iter().zip(removed).all(|(run, removed)| numbers(run) == *removed)
        };
        if !pinned.is_some_and(matches) {
            return Error::misfit(format!("slot {id}: a pinned run is not there any more"));
        }
        let new = run.map(|run| self.new_run(&slot, run)).transpose()?;
        let older = slot.runs.iter().take(first).cloned();
        let newer = slot.runs.iter().skip(first + removed.len()).cloned();
        let runs = older.chain(new).chain(newer).collect();
        self.version.set_slot(index, Slot { runs, ..(*slot).clone() });
        Ok(())
    }

    /// A run of this edit's tables. Each clip lies in the slot and in its table.
    fn new_run(&self, slot: &Slot, run: &NewRun) -> Result<Arc<Run>> {
        let refs = run.refs.iter().map(|r| {
            let Some(file) = self.files.get(&r.number) else {
                return Error::misfit(format!("table {} is not described", r.number));
            };
            let allowed = slot.range.intersection(&table_range(&file.meta));
            if r.range.is_empty() || r.range.intersection(&allowed) != r.range {
                return Error::misfit(format!("table {}: its clip is too wide", r.number));
            }
            Ok(TableRef { file: Arc::clone(file), range: r.range.clone(), bytes: r.bytes })
        });
        let refs: Vec<TableRef> = refs.collect::<Result<_>>()?;
        let apart = |w: &[TableRef]| !w[0].range.is_below_end(&w[1].range.lo);
        if refs.is_empty() || !refs.windows(2).all(apart) {
            return Error::misfit(format!("slot {}: a run that is empty or not sorted", slot.id));
        }
        Ok(Arc::new(Run::new(refs, run.flush_seq, run.level)))
    }

    fn split(&mut self, id: SlotId, guards: &[NewGuard]) -> Result<()> {
        let (index, slot) = self.slot(id)?;
        let inside = |g: &NewGuard| slot.range.lo < g.key && slot.range.is_below_end(&g.key);
        let sorted = guards.is_sorted_by(|a, b| a.key < b.key);
        if guards.is_empty() || !sorted || !guards.iter().all(inside) {
            return Error::misfit(format!("guards of slot {id} lie outside or twice"));
        }
        // The slot above all keyspaces is cut where a keyspace is made, and only there.
        let boundary = key_prefix(self.version.catalog.next_id().min(ID_MAX));
        let at_boundary = matches!(guards, [only] if only.key == boundary);
        if slot.range.hi.is_none() && (self.edit.keyspaces.is_empty() || !at_boundary) {
            return Error::misfit("a guard above the highest keyspace");
        }
        for guard in guards {
            if guard.slot.0 < self.version.next_slot || guard.slot.0 == u64::MAX {
                return Error::misfit(format!("slot name {} was used before", guard.slot));
            }
            self.version.next_slot = guard.slot.0 + 1;
        }
        let parts = slot.split(guards, &self.edit.sizes).into_iter().map(Arc::new);
        let behind = self.version.slots().skip(index + 1).cloned();
        let slots = parts.chain(behind).collect();
        self.version.set_slots_from(index, slots);
        Ok(())
    }

    fn merge(&mut self, left: SlotId, right: SlotId) -> Result<()> {
        // The same rules as when the edit was made.
        self.version.edit_merge_slots(left, right)?;
        let (index, a) = self.slot(left)?;
        let (_, b) = self.slot(right)?;
        let behind = self.version.slots().skip(index + 2).cloned();
        let slots = [Arc::new(a.merge(&b))].into_iter().chain(behind).collect();
        self.version.set_slots_from(index, slots);
        Ok(())
    }

    fn move_run(&mut self, id: SlotId, from: usize, to: usize, level: u8) -> Result<()> {
        let (index, slot) = self.slot(id)?;
        check_move(&slot, from, to, level)?;
        self.version.set_slot(index, slot.with_move(from, to, level));
        Ok(())
    }
}
