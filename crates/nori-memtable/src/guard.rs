//! A writer's stay inside a memtable's gate.

use crate::Memtable;
use bytes::Bytes;
use nori_env::sync::Arc;
use nori_types::{SeqNo, ValueKind};

/// A commit group's entry into a memtable; dropping it leaves the gate.
///
/// The group's members may insert through one shared guard. The guard must outlive their inserts
/// and the move of the visible sequence number past them.
#[must_use = "dropping the guard leaves the gate"]
#[derive(Debug)]
pub struct WriteGuard<'a> {
    table: &'a Memtable,
}

/// A [`WriteGuard`] that keeps its memtable alive.
#[must_use = "dropping the guard leaves the gate"]
#[derive(Debug)]
pub struct OwnedWriteGuard {
    table: Arc<Memtable>,
}

impl<'a> WriteGuard<'a> {
    /// The caller has entered the gate.
    pub(crate) fn new(table: &'a Memtable) -> WriteGuard<'a> {
        WriteGuard { table }
    }

    /// Adds a version: `entry` is key ++ value, a slice of the batch's buffer, and its first
    /// `key_len` bytes are the key. Nothing is copied; the buffer lives as long as the memtable.
    ///
    /// Each (user key, sequence number) is inserted once; where one is there already nothing
    /// changes, nothing is charged, and the answer is false.
    ///
    /// Panics if the key is longer than the entry.
    pub fn insert(&self, entry: Bytes, key_len: usize, seq: SeqNo, kind: ValueKind) -> bool {
        self.table.insert(entry, key_len, seq, kind)
    }

    /// Charges memory that the entries keep alive besides their keys and values: the headers in
    /// a batch's buffer, its spare room, its allocation.
    pub fn charge(&self, bytes: usize) {
        self.table.charge(bytes);
    }
}

impl OwnedWriteGuard {
    /// The caller has entered the gate.
    pub(crate) fn new(table: Arc<Memtable>) -> OwnedWriteGuard {
        OwnedWriteGuard { table }
    }

    /// As [`WriteGuard::insert`].
    pub fn insert(&self, entry: Bytes, key_len: usize, seq: SeqNo, kind: ValueKind) -> bool {
        self.table.insert(entry, key_len, seq, kind)
    }

    /// As [`WriteGuard::charge`].
    pub fn charge(&self, bytes: usize) {
        self.table.charge(bytes);
    }

    /// The memtable that was entered.
    pub fn memtable(&self) -> &Arc<Memtable> {
        &self.table
    }
}

impl Drop for WriteGuard<'_> {
    fn drop(&mut self) {
        self.table.gate().leave();
    }
}

impl Drop for OwnedWriteGuard {
    fn drop(&mut self) {
        self.table.gate().leave();
    }
}
