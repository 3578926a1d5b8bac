//! A writer's stay inside a memtable's gate.

use crate::Memtable;
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

    /// Adds a version of a key; key and value are copied.
    ///
    /// Each (user key, sequence number) is inserted once; where one is there already nothing
    /// changes and the answer is false.
    ///
    /// Panics if the key or the value has 4 GiB or more.
    pub fn insert(&self, key: &[u8], value: &[u8], seq: SeqNo, kind: ValueKind) -> bool {
        self.table.insert(key, value, seq, kind)
    }
}

impl OwnedWriteGuard {
    /// The caller has entered the gate.
    pub(crate) fn new(table: Arc<Memtable>) -> OwnedWriteGuard {
        OwnedWriteGuard { table }
    }

    /// As [`WriteGuard::insert`].
    pub fn insert(&self, key: &[u8], value: &[u8], seq: SeqNo, kind: ValueKind) -> bool {
        self.table.insert(key, value, seq, kind)
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
