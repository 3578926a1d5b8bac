//! The memtable: the newest writes, sorted, in memory.
//!
//! Any number of threads insert, look up and walk at once, without locks. The commit leader
//! enters the gate once per group; inserts happen under that entry, from one thread or from the
//! group's members.
//!
//! 1. Every entry was inserted inside the gate. After `seal` and once `is_quiescent`, the memtable
//!    never changes again: what a flush reads then is all that was acknowledged.
//! 2. The counts (`bytes`, `len`, `tombstones`, `last_seq`) are exact then; before, each is some
//!    moment's.
//! 3. A pair of user key and sequence number is inserted once. A second one changes nothing.
//! 4. Readers choose what they see by sequence number; the memtable holds versions above it too.

use crate::entry::Target;
use crate::filter::Filter;
use crate::gate::Gate;
use crate::guard::{OwnedWriteGuard, WriteGuard};
use crate::iter::MemtableIter;
use crate::map::Map;
use crate::plant::{Plant, planted};
use nori_env::sync::Arc;
use nori_env::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use nori_types::{InternalKey, KeyRange, Lookup, SeqNo, ValueKind};
use std::fmt;

/// A concurrent, sorted, insert-only buffer of versions.
pub struct Memtable {
    map: Map,
    filter: Filter,
    gate: Gate,
    len: AtomicUsize,
    tombstones: AtomicUsize,
    last_seq: AtomicU64,
}

impl Memtable {
    /// An empty memtable, open for writers.
    pub fn new() -> Memtable {
        Memtable::with_capacity(0)
    }

    /// An empty memtable that will hold about so many bytes: keys that it does not have are then
    /// told from others without a search. The filter for it takes an 128th of them.
    pub fn with_capacity(bytes: usize) -> Memtable {
        Memtable {
            map: Map::new(),
            filter: Filter::new(bytes),
            gate: Gate::new(),
            len: AtomicUsize::new(0),
            tombstones: AtomicUsize::new(0),
            last_seq: AtomicU64::new(0),
        }
    }

    /// Enters the gate; `None` once sealed. One entry per commit group: its members insert
    /// through the leader's guard and never ask the seal themselves.
    pub fn enter(&self) -> Option<WriteGuard<'_>> {
        // Not `then_some`: a guard that is made and thrown away would leave the gate.
        self.gate.enter().then(|| WriteGuard::new(self))
    }

    /// As [`Memtable::enter`], with a guard that keeps the memtable alive by itself.
    pub fn enter_owned(self: &Arc<Memtable>) -> Option<OwnedWriteGuard> {
        self.gate.enter().then(|| OwnedWriteGuard::new(Arc::clone(self)))
    }

    /// Lets no writer in from now on. Who is inside stays until its guard is dropped.
    pub fn seal(&self) {
        self.gate.seal();
    }

    /// Whether the memtable is sealed.
    pub fn is_sealed(&self) -> bool {
        self.gate.is_sealed()
    }

    /// Whether the memtable is sealed and the last writer has left. Nothing changes from then on,
    /// and the caller sees everything.
    pub fn is_quiescent(&self) -> bool {
        self.gate.is_quiescent()
    }

    /// Waits until [`Memtable::is_quiescent`]. A thread that holds a guard, or that alone would
    /// seal, waits for ever.
    pub fn wait_quiescent(&self) {
        self.gate.wait_quiescent();
    }

    /// The newest version of a key at or below `at`. Values of 32 KiB and more are shared with
    /// the memtable, others copied.
    pub fn get(&self, user_key: &[u8], at: SeqNo) -> Lookup {
        self.get_hashed(user_key, nori_bloom::hash(user_key), at)
    }

    /// As [`Memtable::get`]; `hash` is [`nori_bloom::hash`] of the key.
    pub fn get_hashed(&self, user_key: &[u8], hash: u64, at: SeqNo) -> Lookup {
        if !self.filter.may_hold(hash) {
            return Lookup::Absent;
        }
        let target = Target::new(InternalKey::seek(user_key, at));
        let Some(entry) = self.map.newest(&target) else { return Lookup::Absent };
        match entry.kind() {
            ValueKind::Value => Lookup::Found(entry.value_bytes(), entry.seq()),
            ValueKind::Tombstone => Lookup::Deleted(entry.seq()),
        }
    }

    /// An iterator over all versions, which keeps the memtable alive. Entries that writers insert
    /// while it walks may or may not be seen.
    pub fn iter(self: &Arc<Memtable>) -> MemtableIter {
        MemtableIter::new(Arc::clone(self))
    }

    /// Whether any version of a key in `range` is here.
    pub fn has_key_in(&self, range: &KeyRange) -> bool {
        let lowest = Target::new(InternalKey::seek(&range.lo, SeqNo::MAX));
        let found = self.map.at_or_after(&lowest);
        found.is_some_and(|entry| range.is_below_end(entry.user_key()))
    }

    /// The memory that the entries take, in bytes: keys, values, and what it takes to find them.
    /// 0 when empty.
    pub fn bytes(&self) -> usize {
        if self.is_empty() { 0 } else { self.map.bytes() + self.filter.bytes() }
    }

    /// How many versions are here.
    pub fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Whether no version is here.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many of the versions are tombstones.
    pub fn tombstones(&self) -> usize {
        self.tombstones.load(Ordering::Relaxed)
    }

    /// The highest sequence number here; [`SeqNo::ZERO`] when empty.
    pub fn last_seq(&self) -> SeqNo {
        SeqNo::new(self.last_seq.load(Ordering::Relaxed))
    }

    pub(crate) fn map(&self) -> &Map {
        &self.map
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// The caller is inside the gate (invariant 1). The counts need no ordering: leaving the gate
    /// releases them, seeing it quiescent acquires them.
    pub(crate) fn insert(&self, key: &[u8], value: &[u8], seq: SeqNo, kind: ValueKind) -> bool {
        let hash = nori_bloom::hash(key);
        self.filter.prefetch(hash);
        let late = planted(Plant::FilteredLate);
        let target = Target::new(InternalKey::new(key, seq, kind));
        let inserted = self.map.insert(&target, value, || {
            if !late {
                self.filter.add(hash);
            }
        });
        if late {
            self.filter.add(hash);
        }
        if inserted {
            self.len.fetch_add(1, Ordering::Relaxed);
            self.last_seq.fetch_max(seq.get(), Ordering::Relaxed);
            if kind == ValueKind::Tombstone {
                self.tombstones.fetch_add(1, Ordering::Relaxed);
            }
        }
        inserted
    }
}

impl Default for Memtable {
    fn default() -> Memtable {
        Memtable::new()
    }
}

impl fmt::Debug for Memtable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memtable")
            .field("len", &self.len())
            .field("bytes", &self.bytes())
            .field("last_seq", &self.last_seq())
            .field("is_sealed", &self.is_sealed())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
