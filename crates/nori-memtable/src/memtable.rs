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

use crate::entry::{Entry, with_probe};
use crate::gate::Gate;
use crate::guard::{OwnedWriteGuard, WriteGuard};
use crate::iter::MemtableIter;
use crate::map::{Cursor, Map, Ordered};
use bytes::Bytes;
use nori_env::sync::Arc;
use nori_env::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use nori_types::{InternalKey, KeyRange, Lookup, SeqNo, ValueKind};
use std::fmt;

/// What an entry is charged besides its key and value, in bytes.
///
/// On 64-bit machines: 112 for the entry itself, 8 for the node's count, 16 for its tower (two
/// pointers on average), and 16 for the allocator. The buffers that entries are slices of are
/// charged by [`WriteGuard::charge`].
pub const ENTRY_OVERHEAD: usize = 152;

/// A concurrent, sorted, insert-only buffer of versions.
pub struct Memtable {
    map: Ordered,
    gate: Gate,
    bytes: AtomicUsize,
    len: AtomicUsize,
    tombstones: AtomicUsize,
    last_seq: AtomicU64,
}

impl Memtable {
    /// An empty memtable, open for writers.
    pub fn new() -> Memtable {
        Memtable {
            map: Ordered::new(),
            gate: Gate::new(),
            bytes: AtomicUsize::new(0),
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

    /// The newest version of a key at or below `at`.
    pub fn get(&self, user_key: &[u8], at: SeqNo) -> Lookup {
        let found = with_probe(InternalKey::seek(user_key, at), |p| self.map.at_or_after(p));
        let Some(entry) = found.map(|c| c.entry()).filter(|e| e.user_key() == user_key) else {
            return Lookup::Absent;
        };
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
        let lowest = InternalKey::seek(&range.lo, SeqNo::MAX);
        let found = with_probe(lowest, |p| self.map.at_or_after(p));
        found.is_some_and(|c| range.is_below_end(c.entry().user_key()))
    }

    /// The memory charged so far: keys, values, [`ENTRY_OVERHEAD`] for each entry, and what
    /// [`WriteGuard::charge`] added.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
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

    pub(crate) fn map(&self) -> &Ordered {
        &self.map
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// The caller is inside the gate (invariant 1). The counts need no ordering: leaving the gate
    /// releases them, seeing it quiescent acquires them.
    pub(crate) fn insert(&self, bytes: Bytes, key_len: usize, seq: SeqNo, kind: ValueKind) -> bool {
        let entry = Entry::new(bytes, key_len, seq, kind);
        let charge = entry.len() + ENTRY_OVERHEAD;
        let inserted = self.map.insert(entry);
        if inserted {
            self.bytes.fetch_add(charge, Ordering::Relaxed);
            self.len.fetch_add(1, Ordering::Relaxed);
            self.last_seq.fetch_max(seq.get(), Ordering::Relaxed);
            if kind == ValueKind::Tombstone {
                self.tombstones.fetch_add(1, Ordering::Relaxed);
            }
        }
        inserted
    }

    pub(crate) fn charge(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
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
