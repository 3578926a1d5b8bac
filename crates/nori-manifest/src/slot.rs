//! Slots: the ranges that the key space is cut into, each with its own runs.
//!
//! Invariants:
//! 1. For any user key, every version in a run is older than every version in the runs behind it.
//! 2. No clip reaches outside the slot's range.
//! 3. No run is empty.

use crate::run::{Run, TableRef};
use bytes::Bytes;
use nori_env::sync::Arc;
use nori_types::KeyRange;
use std::collections::BTreeMap;
use std::fmt;

/// A slot's name for its whole life. Never given twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId(pub u64);

impl fmt::Display for SlotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A range of keys and what is stored of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its name.
    pub id: SlotId,
    /// From its guard to the next slot's.
    pub range: KeyRange,
    /// Oldest first.
    pub runs: Vec<Arc<Run>>,
    /// Its guard was given by the user: the slot does not merge with the one before it.
    pub kept: bool,
}

/// The first key of a part that a slot is cut into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewGuard {
    pub(crate) key: Bytes,
    pub(crate) slot: SlotId,
    pub(crate) kept: bool,
}

/// Measured bytes of references, by file and start of the clip.
pub(crate) type Sizes = BTreeMap<(u64, Bytes), u64>;

impl Slot {
    /// A slot without data.
    pub(crate) fn empty(id: SlotId, range: KeyRange) -> Slot {
        Slot { id, range, runs: Vec::new(), kept: false }
    }

    /// About how many bytes it holds.
    pub fn bytes(&self) -> u64 {
        self.runs.iter().map(|run| run.bytes).fold(0, u64::saturating_add)
    }

    /// All references, oldest run first.
    pub fn tables(&self) -> impl Iterator<Item = &TableRef> {
        self.runs.iter().flat_map(|run| run.tables.iter())
    }

    /// The slot cut at ascending guards inside it. The first part keeps the name.
    pub(crate) fn split(&self, guards: &[NewGuard], sizes: &Sizes) -> Vec<Slot> {
        let starts = std::iter::once((self.id, &self.range.lo, self.kept))
            .chain(guards.iter().map(|g| (g.slot, &g.key, g.kept)));
        let ends = guards.iter().map(|g| Some(&g.key)).chain([self.range.hi.as_ref()]);
        let parts = starts.zip(ends).map(|((id, lo, kept), hi)| {
            let range = KeyRange { lo: lo.clone(), hi: hi.cloned() };
            let runs = self.runs.iter().filter_map(|run| narrow(run, &range, guards, sizes));
            Slot { id, runs: runs.collect(), range, kept }
        });
        parts.collect()
    }

    /// The slot and its right neighbour as one. Runs are paired from the newest on, clips stay.
    pub(crate) fn merge(&self, right: &Slot) -> Slot {
        let depth = self.runs.len().max(right.runs.len());
        let runs = (0..depth).rev().filter_map(|from_newest| {
            let nth = |slot: &Slot| {
                let index = slot.runs.len().checked_sub(from_newest + 1)?;
                slot.runs.get(index).cloned()
            };
            match (nth(self), nth(right)) {
                (Some(a), Some(b)) => Some(Arc::new(concat(&a, &b))),
                (a, b) => a.or(b),
            }
        });
        // Where fragments of the one side came to stand behind younger ones of the other, they
        // count as younger: their order in the slot is what reads go by.
        let mut newest = 0;
        let in_order = runs.map(|run| {
            if !run.is_fragment() || run.flush_seq >= newest {
                newest = if run.is_fragment() { run.flush_seq } else { newest };
                return run;
            }
            Arc::new(Run { flush_seq: newest, ..(*run).clone() })
        });
        let range = KeyRange { lo: self.range.lo.clone(), hi: right.range.hi.clone() };
        Slot { id: self.id, range, runs: in_order.collect(), kept: self.kept }
    }

    /// The slot with run `from` joined to the older run `to`, or only of another level where it
    /// is. Both exist, and the move was checked.
    pub(crate) fn with_move(&self, from: usize, to: usize, level: u8) -> Slot {
        let mut runs = self.runs.clone();
        let moved = runs.remove(from);
        let target = (to < from).then(|| runs.remove(to));
        let joined = target.as_deref().into_iter().chain([&*moved]);
        let mut tables: Vec<TableRef> = joined.flat_map(|run| run.tables.iter().cloned()).collect();
        tables.sort_by(|a, b| a.range.lo.cmp(&b.range.lo));
        let flush_seq = target.map_or(0, |run| run.flush_seq).max(moved.flush_seq);
        runs.insert(to, Arc::new(Run::new(tables, flush_seq, level)));
        Slot { runs, ..self.clone() }
    }
}

/// The part of a run inside `range`; shared where that is all of it.
fn narrow(
    run: &Arc<Run>,
    range: &KeyRange,
    guards: &[NewGuard],
    sizes: &Sizes,
) -> Option<Arc<Run>> {
    let tables = run.tables_in(range);
    let inside = |t: &TableRef| t.range.intersection(range) == t.range;
    if tables.len() == run.tables.len() && tables.iter().all(inside) {
        return (!tables.is_empty()).then(|| Arc::clone(run));
    }
    let narrowed = tables.iter().filter_map(|table| {
        let mut part = table.narrowed(range)?;
        if part.range != table.range {
            let cuts = guards.iter().filter(|g| g.key > table.range.lo);
            let parts = 1 + cuts.filter(|g| table.range.is_below_end(&g.key)).count();
            let even = table.bytes / u64::try_from(parts).unwrap_or(1);
            let key = (part.file.meta.number.0, part.range.lo.clone());
            part.bytes = sizes.get(&key).copied().unwrap_or(even);
        }
        Some(part)
    });
    let tables: Vec<TableRef> = narrowed.collect();
    (!tables.is_empty()).then(|| Arc::new(Run::new(tables, run.flush_seq, run.level)))
}

/// Two runs side by side as one: a fragment if one of them is, else of the deeper level. Where
/// levels deepen with age on both sides, they do so in the merged slot. A fragment keeps the flush
/// that it came with: a run beside it may hold a younger one that has joined it by a move, and
/// fragments stand in the order of their flushes.
fn concat(left: &Run, right: &Run) -> Run {
    let tables = left.tables.iter().chain(&right.tables).cloned().collect();
    let any_fragment = left.is_fragment() || right.is_fragment();
    let level = if any_fragment { 0 } else { left.level.max(right.level) };
    let flush_seq = match (left.is_fragment(), right.is_fragment()) {
        (true, false) => left.flush_seq,
        (false, true) => right.flush_seq,
        _ => left.flush_seq.max(right.flush_seq),
    };
    Run::new(tables, flush_seq, level)
}
