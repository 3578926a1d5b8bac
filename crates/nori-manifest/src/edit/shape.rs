//! Changes of shape that move no data: splits, merges of neighbours, trivial moves.
//!
//! The caller sees to it that no merge works on the slots named here; a merge whose runs were
//! changed under it fails at its install.

use super::{SlotChange, VersionEdit};
use crate::catalog::{keyspace_range, split_prefix};
use crate::run::{Run, TableRef};
use crate::slot::NewGuard;
use crate::{Error, Result, Slot, SlotId, Version};
use bytes::Bytes;
use nori_env::sync::Arc;
use nori_types::SeqNo;

impl Version {
    /// Slots cut at stored keys, in any order; those that are guards already are only marked as
    /// `kept`. Both sides of a cut hold every run that reaches into them, clips narrowed.
    ///
    /// # Errors
    /// [`Error::Misfit`] if a guard lies above the highest keyspace.
    pub fn edit_split(&self, guards: &[Bytes], kept: bool) -> Result<VersionEdit> {
        let mut sorted = guards.to_vec();
        sorted.sort();
        sorted.dedup();
        let mut changes = Vec::new();
        let mut next_slot = self.next_slot;
        let mut rest = &sorted[..];
        while let Some(first) = rest.first() {
            let (_, slot) = self.route(first);
            let inside = rest.partition_point(|guard| slot.range.is_below_end(guard));
            let (mine, behind) = rest.split_at(inside.max(1));
            rest = behind;
            if kept && *first == slot.range.lo && !slot.kept {
                changes.push(SlotChange::Keep { slot: slot.id });
            }
            let new: Vec<Bytes> = mine.iter().filter(|g| **g != slot.range.lo).cloned().collect();
            changes.extend(self.split_from(slot, &new, kept, &mut next_slot)?);
        }
        Ok(VersionEdit { changes, ..VersionEdit::default() })
    }

    /// Two neighbours made one: runs are paired from the newest on, clips stay as they are.
    ///
    /// # Errors
    /// [`Error::Misfit`] if they are no neighbours, lie in two keyspaces, or a user's guard
    /// stands between them (unless their keyspace was dropped).
    pub fn edit_merge_slots(&self, left: SlotId, right: SlotId) -> Result<VersionEdit> {
        let (a, b) = (self.named(left)?, self.named(right)?);
        if a.range.hi.as_ref() != Some(&b.range.lo) {
            return Error::misfit(format!("slots {left} and {right} are no neighbours"));
        }
        if self.is_boundary(&b.range.lo) {
            return Error::misfit(format!("a keyspace ends between slots {left} and {right}"));
        }
        if b.kept && self.slot_dropped(b).is_none() {
            return Error::misfit(format!(
                "a user's guard stands between slots {left} and {right}"
            ));
        }
        let changes = vec![SlotChange::Merge { left, right }];
        Ok(VersionEdit { changes, ..VersionEdit::default() })
    }

    /// A trivial move: run `from` (0 is the oldest) joins the older run `to`, which it does not
    /// overlap, nor any run between, and takes its level. With `to == from` the run stays where it
    /// is and gets this level.
    ///
    /// # Errors
    /// [`Error::Misfit`] if there are no such runs or keys overlap.
    pub fn edit_move_run(
        &self,
        slot: SlotId,
        from: usize,
        to: usize,
        level: u8,
    ) -> Result<VersionEdit> {
        let slot = self.named(slot)?;
        check_move(slot, from, to, level)?;
        let changes = vec![SlotChange::Move { slot: slot.id, from, to, level }];
        Ok(VersionEdit { changes, ..VersionEdit::default() })
    }

    /// A flush's edit with its fragments put where they belong without being rewritten, in the
    /// slots where that may be done: a fragment that overlaps neither run i nor any newer one joins
    /// run i, the oldest such; in an empty slot it becomes a run of this level.
    ///
    /// # Errors
    /// As [`Version::apply`].
    pub fn with_moves(
        &self,
        mut edit: VersionEdit,
        level: u8,
        may_move: &dyn Fn(SlotId) -> bool,
    ) -> Result<VersionEdit> {
        let after = self.apply(&edit)?;
        let added = edit.changes.iter().filter_map(|change| match change {
            SlotChange::Add { slot, .. } => Some(*slot).filter(|slot| may_move(*slot)),
            _ => None,
        });
        let added: Vec<SlotId> = added.collect();
        for id in added {
            // Slots come in order, but a flush touches few of many.
            let Some((_, slot)) = after.slot_by_id(id) else { continue };
            edit.changes.extend(moves(slot, level));
        }
        Ok(edit)
    }

    /// The trivial moves that a slot allows now, oldest fragment first up to the first that
    /// overlaps, as one edit; none if there is none. Nobody may be merging the slot.
    pub fn trivial_moves(&self, slot: SlotId, level: u8) -> Option<VersionEdit> {
        let (_, slot) = self.slot_by_id(slot)?;
        let changes = moves(slot, level);
        (!changes.is_empty()).then(|| VersionEdit { changes, ..VersionEdit::default() })
    }

    /// A guard that halves a slot without cutting a table of its largest run; none if no border
    /// leaves at least a quarter of that run on either side.
    pub fn median_border(&self, slot: SlotId) -> Option<Bytes> {
        let (_, slot) = self.slot_by_id(slot)?;
        let largest = slot.runs.iter().max_by_key(|run| run.bytes)?;
        let mut before = 0u64;
        let borders = largest.tables.windows(2).map(|pair| {
            before = before.saturating_add(pair[0].bytes);
            (before.abs_diff(largest.bytes / 2), before, &pair[1].range.lo)
        });
        let (_, before, guard) = borders.min_by_key(|border| border.0)?;
        let quarter = largest.bytes / 4;
        let fair = before >= quarter && largest.bytes.saturating_sub(before) >= quarter;
        let inside = slot.range.lo < *guard && slot.range.is_below_end(guard);
        (fair && inside).then(|| guard.clone())
    }

    /// When the keyspace of a slot was dropped.
    pub fn slot_dropped(&self, slot: &Slot) -> Option<SeqNo> {
        // The first slot starts at the empty key and belongs to "default".
        let id = split_prefix(&slot.range.lo).map_or(0, |(id, _)| id);
        self.catalog.get(id)?.dropped
    }

    /// Whether a keyspace starts at this guard.
    fn is_boundary(&self, guard: &Bytes) -> bool {
        split_prefix(guard).is_none_or(|(id, _)| keyspace_range(id).lo == *guard)
    }

    pub(super) fn split_change(
        &self,
        slot: &Slot,
        guards: &[Bytes],
        kept: bool,
    ) -> Result<Option<SlotChange>> {
        self.split_from(slot, guards, kept, &mut self.next_slot.clone())
    }

    fn split_from(
        &self,
        slot: &Slot,
        guards: &[Bytes],
        kept: bool,
        next_slot: &mut u64,
    ) -> Result<Option<SlotChange>> {
        if guards.is_empty() {
            return Ok(None);
        }
        if slot.range.hi.is_none() {
            return Error::misfit("a guard above the highest keyspace");
        }
        let inside = |guard: &Bytes| slot.range.lo < *guard && slot.range.is_below_end(guard);
        if !guards.iter().all(inside) || !guards.is_sorted_by(|a, b| a < b) {
            return Error::misfit(format!("guards of slot {} lie outside or twice", slot.id));
        }
        let guards = guards.iter().map(|key| {
            let slot = SlotId(*next_slot);
            *next_slot = next_slot.saturating_add(1);
            NewGuard { key: key.clone(), slot, kept }
        });
        Ok(Some(SlotChange::Split { slot: slot.id, guards: guards.collect() }))
    }
}

/// Where a slot's fragments go without being rewritten, oldest first, up to the first that has to
/// stay.
fn moves(slot: &Slot, level: u8) -> Vec<SlotChange> {
    let mut moves = Vec::new();
    let mut runs = slot.runs.clone();
    while let Some(from) = runs.iter().position(|run| run.is_fragment()) {
        let fragment = Arc::clone(&runs[from]);
        // Older runs that it reaches across, from the newest on.
        let free = runs[..from].iter().rev().take_while(|run| !run.overlaps(&fragment)).count();
        let to = from - free;
        if to == from && from > 0 {
            break;
        }
        moves.push(SlotChange::Move { slot: slot.id, from, to, level });
        let moved = runs.remove(from);
        if to == from {
            runs.insert(to, Arc::new(Run { level, ..(*moved).clone() }));
        } else {
            let tables = runs[to].tables.iter().chain(&moved.tables).cloned();
            let mut tables: Vec<TableRef> = tables.collect();
            tables.sort_by(|a, b| a.range.lo.cmp(&b.range.lo));
            let flush_seq = runs[to].flush_seq.max(moved.flush_seq);
            runs[to] = Arc::new(Run::new(tables, flush_seq, runs[to].level));
        }
    }
    moves
}

/// Whether run `from` may join run `to`.
pub(crate) fn check_move(slot: &Slot, from: usize, to: usize, level: u8) -> Result<()> {
    let (Some(run), Some(_)) = (slot.runs.get(from), slot.runs.get(to)) else {
        return Error::misfit(format!("slot {} has no runs {from} and {to}", slot.id));
    };
    if to > from {
        return Error::misfit("a run moves to older ones only");
    }
    let crossed = slot.runs.get(to..from).unwrap_or_default();
    if crossed.iter().any(|other| other.overlaps(run)) {
        return Error::misfit(format!("slot {}: run {from} overlaps an older one", slot.id));
    }
    // Fragments stay in the order of their flushes.
    let passed = if to == from { slot.runs.get(..from) } else { crossed.get(1..) };
    if passed.unwrap_or_default().iter().any(|older| older.is_fragment()) {
        return Error::misfit(format!("slot {}: an older fragment must move first", slot.id));
    }
    if to == from && (level == 0 || level == run.level) {
        return Error::misfit(format!("slot {}: run {from} is at its level already", slot.id));
    }
    Ok(())
}
