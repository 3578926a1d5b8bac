//! Keyspaces: named key ranges of one store that share its log, memtables and sequence.
//!
//! Every stored key starts with the keyspace's prefix. A write is tested against a drop by the
//! commit leader, in the order of the queue; a read against the visible number it has loaded.

use crate::cursor::Cursor;
use crate::error::{Error, Result};
use crate::iter::Iter;
use crate::metrics::SlotInfo;
use crate::store::Handle;
use crate::view::View;
use bytes::Bytes;
use nori_env::sync::Arc;
use nori_env::sync::atomic::{AtomicU64, Ordering};
use nori_manifest::key_prefix;
use nori_types::{KeyRange, SeqNo};
use std::fmt;
use std::ops::RangeBounds;

/// What all handles of one keyspace share.
#[derive(Debug)]
pub(crate) struct KeyspaceState {
    id: u32,
    name: String,
    prefix: Vec<u8>,
    /// Tells stores apart; 0 for "default", which every store has.
    store: u64,
    /// The sequence number at which it was dropped; 0 while it lives.
    dropped: AtomicU64,
}

impl KeyspaceState {
    pub(crate) fn new(id: u32, name: &str, store: u64) -> KeyspaceState {
        let (name, prefix) = (name.to_string(), key_prefix(id).to_vec());
        KeyspaceState { id, name, prefix, store, dropped: AtomicU64::new(0) }
    }

    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    pub(crate) fn store(&self) -> u64 {
        self.store
    }

    pub(crate) fn is_default_of_any_store(&self) -> bool {
        self.id == 0
    }

    /// All stored keys of the keyspace.
    pub(crate) fn range(&self) -> KeyRange {
        nori_manifest::keyspace_range(self.id)
    }

    pub(crate) fn set_dropped(&self, at: SeqNo) {
        self.dropped.store(at.get(), Ordering::Release);
    }

    pub(crate) fn is_dropped(&self) -> bool {
        self.dropped.load(Ordering::Acquire) != 0
    }

    /// Fails if a reader at `at` comes after the drop.
    pub(crate) fn check_alive(&self, at: SeqNo) -> Result<()> {
        let dropped = self.dropped.load(Ordering::Acquire);
        if dropped == 0 || at.get() < dropped { Ok(()) } else { Err(self.dropped_error()) }
    }

    pub(crate) fn dropped_error(&self) -> Error {
        Error::KeyspaceDropped { name: self.name.clone() }
    }

    /// The stored form of a user key.
    pub(crate) fn stored(&self, key: &[u8]) -> Bytes {
        Bytes::from([&self.prefix[..], key].concat())
    }
}

/// A named key range of a store, with the same verbs as the store has for "default".
///
/// Cloning is cheap; a handle keeps its store open.
#[derive(Clone)]
pub struct Keyspace {
    handle: Arc<Handle>,
    state: Arc<KeyspaceState>,
}

impl Keyspace {
    pub(crate) fn new(handle: Arc<Handle>, state: Arc<KeyspaceState>) -> Keyspace {
        Keyspace { handle, state }
    }

    pub(crate) fn state(&self) -> &Arc<KeyspaceState> {
        &self.state
    }

    pub(crate) fn handle(&self) -> &Arc<Handle> {
        &self.handle
    }

    fn view(&self) -> View<'_> {
        View::latest(&self.handle, &self.state)
    }

    /// The keyspace's name.
    pub fn name(&self) -> &str {
        self.state.name()
    }

    /// Sets a key, with the store's durability.
    ///
    /// # Errors
    /// Nothing was written after `InvalidArgument`, `DiskFull`, `Stalled`, `KeyspaceDropped`,
    /// `Closed` and `ReadOnly`. After `Io` and `Poisoned` the write may or may not be there when
    /// the store is opened again, but never in part.
    pub fn put(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<()> {
        self.handle.put(&self.state, key.as_ref(), value.as_ref())
    }

    /// The value of a key. A key longer than keys may be has none.
    ///
    /// # Errors
    /// `Io` and `Corruption` if a table that may hold the key cannot be read: older versions
    /// behind it are not taken for the answer.
    pub fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Bytes>> {
        self.view().get(key.as_ref())
    }

    /// Whether a key has a value.
    ///
    /// # Errors
    /// As [`Keyspace::get`].
    pub fn contains_key(&self, key: impl AsRef<[u8]>) -> Result<bool> {
        Ok(self.get(key)?.is_some())
    }

    /// The values of several keys at one point in time.
    ///
    /// # Errors
    /// As [`Keyspace::get`].
    pub fn multi_get<K: AsRef<[u8]>>(&self, keys: &[K]) -> Result<Vec<Option<Bytes>>> {
        self.view().multi_get(keys)
    }

    /// Deletes a key.
    ///
    /// # Errors
    /// As [`Keyspace::put`].
    pub fn delete(&self, key: impl AsRef<[u8]>) -> Result<()> {
        self.handle.delete(&self.state, key.as_ref())
    }

    /// All keys and values in order, from both ends.
    pub fn iter(&self) -> Iter {
        self.view().range::<&[u8], _>(..)
    }

    /// The keys of a range. An inverted or empty range has none.
    pub fn range<K: AsRef<[u8]>, R: RangeBounds<K>>(&self, range: R) -> Iter {
        self.view().range(range)
    }

    /// The keys that start with `prefix`.
    pub fn prefix(&self, prefix: impl AsRef<[u8]>) -> Iter {
        self.view().prefix(prefix.as_ref())
    }

    /// A cursor that moves freely and lends keys and values.
    pub fn cursor(&self) -> Cursor {
        self.view().cursor()
    }

    /// The first key and its value.
    ///
    /// # Errors
    /// As [`Keyspace::get`].
    pub fn first_key_value(&self) -> Result<Option<(Bytes, Bytes)>> {
        self.iter().next().transpose()
    }

    /// The last key and its value.
    ///
    /// # Errors
    /// As [`Keyspace::get`].
    pub fn last_key_value(&self) -> Result<Option<(Bytes, Bytes)>> {
        self.iter().next_back().transpose()
    }

    /// Merges what the store holds of a range into one sorted run per slot, and waits for it.
    ///
    /// # Errors
    /// Those of reading and writing tables; what was merged before stays merged.
    /// `KeyspaceDropped`.
    pub fn compact_range<K: AsRef<[u8]>, R: RangeBounds<K>>(&self, range: R) -> Result<()> {
        self.handle.check_open()?;
        self.state.check_alive(self.handle.visible.load())?;
        let range = self.view().stored_range(range);
        self.handle.compact_range(&range)
    }

    /// Cuts slots at the given keys and keeps the cuts. Any order; duplicates are fine.
    ///
    /// # Errors
    /// `InvalidArgument` for a key that is too long; those of logging the change.
    pub fn split_at<K: AsRef<[u8]>>(&self, guards: &[K]) -> Result<()> {
        self.handle.split_at(&self.state, guards.iter().map(AsRef::as_ref))
    }

    /// About how many bytes of tables hold a range.
    ///
    /// # Errors
    /// As [`Keyspace::get`].
    pub fn approximate_bytes<K: AsRef<[u8]>, R: RangeBounds<K>>(&self, range: R) -> Result<u64> {
        self.view().approximate_bytes(range)
    }

    /// [`crate::Lsm::write`], for code that knows only the storage's verbs.
    pub(crate) fn write_batch(&self, batch: crate::WriteBatch) -> Result<()> {
        self.handle.write(batch, self.handle.config.durability)
    }

    /// The slots that hold the keyspace.
    pub fn slots(&self) -> Vec<SlotInfo> {
        self.handle.slots(Some(&self.state))
    }
}

impl fmt::Debug for Keyspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyspace").field("name", &self.state.name()).finish()
    }
}
