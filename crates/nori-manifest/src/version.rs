//! Versions: immutable states of the store's tables, shared by whoever reads one.
//!
//! Slots live in shared chunks of 64. An install that changes some slots copies their chunks and
//! the list of chunks; one that moves guards also copies what lies behind the first one moved.
//!
//! A version is only ever derived from another by [`Version::apply`].
//!
//! Invariants (all of them are code in `check.rs`):
//! 1. Slots are sorted and gapless from the empty key on; a guard stands at each keyspace's ends.
//! 2. Above the highest keyspace lies one slot, and it is empty.
//! 3. Every slot and run keeps its own invariants.
//! 4. `flushed`, `last_seq`, `wal_floor`, `durable`, `next_file` and slot names never go back.

use crate::catalog::{Catalog, key_prefix};
use crate::guards::Guards;
use crate::run::table_range;
use crate::{Obsolete, Result, Slot, SlotId, TableFile, VersionEdit};
use bytes::Bytes;
use nori_env::sync::Arc;
use nori_types::{FileNumber, KeyRange, SeqNo};
use nori_wal::Position;
use std::collections::BTreeMap;

/// How many slots share a chunk.
pub(crate) const CHUNK_SLOTS: usize = 64;

/// All tables at one moment, and which keys of them count.
#[derive(Clone, Debug)]
pub struct Version {
    /// All full but the last.
    pub(crate) chunks: Vec<Arc<Vec<Arc<Slot>>>>,
    pub(crate) guards: Arc<Guards>,
    /// All keyspaces there ever were.
    pub catalog: Arc<Catalog>,
    /// The newest flush installed; the next one's sequence is one more. Never derived from tables.
    pub flushed: u64,
    /// Every write up to here is in tables, or was dropped by a flush.
    pub last_seq: SeqNo,
    /// Replay starts at this WAL segment.
    pub wal_floor: u64,
    /// WAL bytes before this position were synced when the last edit was logged.
    pub durable: Position,
    /// Above the number of every file that this version or its manifest knows of.
    pub next_file: u64,
    pub(crate) next_slot: u64,
    pub(crate) obsolete: Obsolete,
}

impl Version {
    /// An empty store: "default" with one slot, and the empty slot above it.
    pub fn new() -> Version {
        let boundary = key_prefix(1);
        let default = KeyRange { lo: Bytes::new(), hi: Some(boundary.clone()) };
        let tail = KeyRange { lo: boundary, hi: None };
        let slots = [Slot::empty(SlotId(1), default), Slot::empty(SlotId(2), tail)];
        let mut version = Version {
            chunks: Vec::new(),
            guards: Arc::new(Guards::new(Vec::new())),
            catalog: Arc::new(Catalog::new()),
            flushed: 0,
            last_seq: SeqNo::ZERO,
            wal_floor: 0,
            durable: Position::default(),
            next_file: 1,
            next_slot: 3,
            obsolete: Obsolete::new(),
        };
        version.set_slots_from(0, slots.into_iter().map(Arc::new).collect());
        version
    }

    /// All slots, by key.
    pub fn slots(&self) -> impl DoubleEndedIterator<Item = &Arc<Slot>> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }

    /// How many slots there are.
    pub fn slot_count(&self) -> usize {
        let full = self.chunks.len().saturating_sub(1) * CHUNK_SLOTS;
        full + self.chunks.last().map_or(0, |chunk| chunk.len())
    }

    /// The slot with this index.
    pub fn slot(&self, index: usize) -> Option<&Arc<Slot>> {
        self.chunks.get(index / CHUNK_SLOTS)?.get(index % CHUNK_SLOTS)
    }

    /// The index of the slot that a stored key lies in, and the slot.
    pub fn route(&self, stored_key: &[u8]) -> (usize, &Arc<Slot>) {
        let index = self.guards.route(stored_key);
        (index, self.slot(index).expect("guards cover all keys (invariant 1)"))
    }

    /// The index and the slot with this name. Walks the slots.
    pub fn slot_by_id(&self, id: SlotId) -> Option<(usize, &Arc<Slot>)> {
        self.slots().enumerate().find(|(_, slot)| slot.id == id)
    }

    /// The slots that reach into `range`, by key, with their indexes.
    pub fn slots_in(&self, range: &KeyRange) -> impl Iterator<Item = (usize, &Arc<Slot>)> {
        let first = self.guards.route(&range.lo);
        let behind = match &range.hi {
            _ if range.is_empty() => first,
            None => self.slot_count(),
            Some(hi) => self.guards.keys().partition_point(|guard| guard < hi),
        };
        (first..behind).filter_map(|index| Some((index, self.slot(index)?)))
    }

    /// The slots' first keys.
    pub fn guards(&self) -> &Guards {
        &self.guards
    }

    /// Every table file that some slot references, once, by number.
    pub fn tables(&self) -> impl Iterator<Item = &Arc<TableFile>> {
        let refs = self.slots().flat_map(|slot| slot.tables());
        let files: BTreeMap<FileNumber, _> = refs.map(|t| (t.file.number(), &t.file)).collect();
        files.into_values()
    }

    /// The highest sequence number that the manifest knows of, keyspaces included. The first
    /// sequence number after a restart must be above it.
    pub fn last_known(&self) -> SeqNo {
        self.last_seq.max(self.catalog.last_seq())
    }

    /// Where the numbers of files go that the newest version has left and nobody holds.
    pub fn obsolete(&self) -> &Obsolete {
        &self.obsolete
    }

    /// Whether some slot references the file. `range` is where its keys lie.
    pub(crate) fn references(&self, number: FileNumber, range: &KeyRange) -> bool {
        let names = |slot: &Arc<Slot>| {
            let mut runs = slot.runs.iter().rev();
            runs.any(|run| run.tables_in(range).iter().any(|t| t.file.number() == number))
        };
        self.slots_in(range).any(|(_, slot)| names(slot))
    }

    /// To be called once this version, derived from `old` by `edit`, has taken its place for
    /// good: marks the files that no slot references any more. [`crate::Manifest::log`] does it.
    pub fn retire(&self, old: &Version, edit: &VersionEdit) {
        let mut seen = BTreeMap::new();
        for (slot, first, removed) in edit.removed() {
            let Some((_, slot)) = old.slot_by_id(slot) else { continue };
            let runs = slot.runs.iter().skip(first).take(removed);
            let refs = runs.flat_map(|run| run.tables.iter());
            seen.extend(refs.map(|t| (t.file.number(), &t.file)));
        }
        for (number, file) in seen {
            if !self.references(number, &table_range(&file.meta)) {
                file.leave();
            }
        }
        for meta in edit.new_tables() {
            if !self.references(meta.number, &table_range(meta)) {
                self.obsolete.add(meta.number);
            }
        }
    }

    /// Replaces all slots from `index` on. `index` is at most the number of slots.
    pub(crate) fn set_slots_from(&mut self, index: usize, slots: Vec<Arc<Slot>>) {
        let whole = index / CHUNK_SLOTS;
        let kept = self
            .chunks
            .get(whole)
            .map_or(&[][..], |chunk| chunk.get(..index % CHUNK_SLOTS).unwrap_or_default());
        let rest: Vec<Arc<Slot>> = kept.iter().cloned().chain(slots).collect();
        self.chunks.truncate(whole);
        self.chunks.extend(rest.chunks(CHUNK_SLOTS).map(|chunk| Arc::new(chunk.to_vec())));
        let keys = self.slots().map(|slot| slot.range.lo.clone()).collect();
        self.guards = Arc::new(Guards::new(keys));
    }

    /// Replaces one slot by one of the same range.
    pub(crate) fn set_slot(&mut self, index: usize, slot: Slot) {
        let chunk = self.chunks.get_mut(index / CHUNK_SLOTS).map(Arc::make_mut);
        if let Some(place) = chunk.and_then(|chunk| chunk.get_mut(index % CHUNK_SLOTS)) {
            *place = Arc::new(slot);
        }
    }

    /// With another slot in the place of one, unchecked: how tests plant what must be caught.
    #[doc(hidden)]
    #[must_use]
    pub fn plant_slot(&self, index: usize, slot: Slot) -> Version {
        let mut version = self.clone();
        version.set_slot(index, slot);
        version
    }

    /// The version that an edit, computed against this one, makes of it.
    ///
    /// # Errors
    /// [`crate::Error::Misfit`] if the edit does not fit: a run it pinned is gone, a slot does
    /// not exist, a number was used. This version stays as it is in any case.
    pub fn apply(&self, edit: &VersionEdit) -> Result<Version> {
        crate::apply::apply(self, edit)
    }
}

impl Default for Version {
    fn default() -> Version {
        Version::new()
    }
}

#[cfg(all(test, not(nori_loom)))]
mod tests;
