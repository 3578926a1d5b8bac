//! Trivial moves: runs that change their place or their level without a byte being rewritten.
//!
//! 1. A run passes, and joins, only runs whose clips have no key in common with its own.
//! 2. Fragments stay in the order of their flushes: one never passes an older one, nor becomes an
//!    ordinary run before it.
//! 3. Clips stay as they are.
//!
//! So writes in key order cost one copy: each flush's fragment joins the run that holds the keys
//! before it. RocksDB and LevelDB move files down their levels in the same way.

use super::{SlotChange, VersionEdit};
use crate::{Error, Result, Slot, SlotId, Version};
use std::collections::BTreeSet;

impl Version {
    /// A trivial move: run `from` (0 is the oldest) joins the older run `to`, which it does not
    /// overlap, nor any run between; the level stays that of run `to`. With `to == from` the run
    /// stays where it is and gets `level`: a fragment becomes an ordinary run.
    ///
    /// # Errors
    /// [`Error::Misfit`] if there are no such runs, keys overlap, a fragment would pass an older
    /// one, or `level` is 0 or the run's own.
    pub fn edit_move_run(
        &self,
        slot: SlotId,
        from: usize,
        to: usize,
        level: u8,
    ) -> Result<VersionEdit> {
        let slot = self.named(slot)?;
        let target = slot.runs.get(to).filter(|_| to < from);
        let level = target.map_or(level, |run| run.level);
        check_move(slot, from, to, level)?;
        let changes = vec![SlotChange::Move { slot: slot.id, from, to, level }];
        Ok(VersionEdit { changes, ..VersionEdit::default() })
    }

    /// A flush's edit with the trivial moves that it makes possible, in the slots that it adds a
    /// fragment to and that `may_move`: those that nobody is merging. See
    /// [`Version::trivial_moves`].
    ///
    /// # Errors
    /// As [`Version::apply`].
    pub fn with_moves(
        &self,
        mut edit: VersionEdit,
        level: u8,
        may_move: &dyn Fn(SlotId) -> bool,
    ) -> Result<VersionEdit> {
        let added = edit.changes.iter().filter_map(|change| match change {
            SlotChange::Add { slot, .. } => Some(*slot).filter(|slot| may_move(*slot)),
            _ => None,
        });
        let added: BTreeSet<SlotId> = added.collect();
        if !added.is_empty() {
            let after = self.apply(&edit)?;
            let slots = after.slots().filter(|slot| added.contains(&slot.id));
            edit.changes.extend(slots.flat_map(|slot| moves(slot, level)));
        }
        Ok(edit)
    }

    /// All trivial moves that fragments of a slot can make now, as one edit: the oldest first, up
    /// to the first that has to stay. A fragment joins the oldest run that it can, and keeps that
    /// run's level; with no older run beside it, it becomes a run of `level` (at least 1).
    ///
    /// `None` if no fragment can move. Nobody may be merging the slot.
    pub fn trivial_moves(&self, slot: SlotId, level: u8) -> Option<VersionEdit> {
        let (_, slot) = self.slot_by_id(slot)?;
        let changes = moves(slot, level);
        (!changes.is_empty()).then(|| VersionEdit { changes, ..VersionEdit::default() })
    }
}

fn moves(slot: &Slot, level: u8) -> Vec<SlotChange> {
    let mut slot = slot.clone();
    let mut moves = Vec::new();
    // Each move leaves one fragment less.
    while let Some(from) = slot.runs.iter().position(|run| run.is_fragment()) {
        let (older, newer) = slot.runs.split_at(from);
        let free = newer.first().map_or(0, |fragment| {
            older.iter().rev().take_while(|run| !run.overlaps(fragment)).count()
        });
        let to = from.saturating_sub(free);
        if to == from && from > 0 {
            break;
        }
        let level = older.get(to).map_or(level.max(1), |run| run.level);
        moves.push(SlotChange::Move { slot: slot.id, from, to, level });
        slot = slot.with_move(from, to, level);
    }
    moves
}

/// Whether run `from` may join run `to`, or get another level where it is.
pub(crate) fn check_move(slot: &Slot, from: usize, to: usize, level: u8) -> Result<()> {
    let (Some(run), Some(target)) = (slot.runs.get(from), slot.runs.get(to)) else {
        return Error::misfit(format!("slot {} has no runs {from} and {to}", slot.id));
    };
    if to > from {
        return Error::misfit("a run moves to older ones only");
    }
    let crossed = slot.runs.get(to..from).unwrap_or_default();
    if crossed.iter().any(|other| other.overlaps(run)) {
        return Error::misfit(format!("slot {}: run {from} overlaps an older one", slot.id));
    }
    let passed = match to == from {
        true => slot.runs.get(..from).filter(|_| run.is_fragment()),
        false => crossed.get(1..),
    };
    if passed.unwrap_or_default().iter().any(|older| older.is_fragment()) {
        return Error::misfit(format!("slot {}: an older fragment must move first", slot.id));
    }
    if to == from && (level == 0 || level == run.level) {
        return Error::misfit(format!("slot {}: run {from} does not get level {level}", slot.id));
    }
    if to < from && level != target.level {
        return Error::misfit(format!("slot {}: run {to} is not of level {level}", slot.id));
    }
    Ok(())
}
