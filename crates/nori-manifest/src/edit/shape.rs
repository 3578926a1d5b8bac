//! Changes of shape that move no data: splits and merges of neighbours.
//!
//! The caller sees to it that no merge works on the slots named here; a merge whose runs were
//! changed under it fails at its install.

use super::{SlotChange, VersionEdit};
use crate::catalog::{keyspace_range, split_prefix};
use crate::slot::NewGuard;
use crate::{Error, Result, Slot, SlotId, Version};
use bytes::Bytes;
use nori_types::{SeqNo, separator};

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

    /// Where to cut a slot without looking into a table: the border between two tables of its
    /// largest run that is nearest to half of that run's bytes, as a short key. `None` if that
    /// leaves less than a quarter of them on one side; then a key from inside a table is needed.
    pub fn median_border(&self, slot: SlotId) -> Option<Bytes> {
        let (_, slot) = self.slot_by_id(slot)?;
        let largest = slot.runs.iter().max_by_key(|run| run.bytes)?;
        let mut before = 0u64;
        let borders = largest.tables.iter().zip(largest.tables.iter().skip(1)).map(|(a, b)| {
            before = before.saturating_add(a.bytes);
            (before, &a.range, &b.range.lo)
        });
        let half = largest.bytes / 2;
        let (before, left, right) = borders.min_by_key(|border| border.0.abs_diff(half))?;
        let fair = before.min(largest.bytes.saturating_sub(before)) >= largest.bytes / 4;
        // Between the clips; where they touch, it is the right one's start.
        let end = left.hi.as_ref().filter(|end| *end < right);
        let guard = end.map_or_else(|| right.clone(), |end| separator(end, right));
        fair.then_some(guard)
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
