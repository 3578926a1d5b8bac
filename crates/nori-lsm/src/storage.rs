//! A store behind a trait object, and one in memory for users' own tests.

use crate::batch::{Operations, WriteBatch};
use crate::error::{Error, Result};
use crate::keyspace::Keyspace;
use crate::lsm::Lsm;
use crate::snapshot::{KeyspaceView, Snapshot};
use bytes::Bytes;
use nori_env::sync::{Arc, Mutex};
use nori_types::{KEY_BYTES_MAX, SeqNo, ValueKind};
use std::collections::BTreeMap;
use std::ops::Bound;

/// The items of a scan.
type Items<'a> = Box<dyn DoubleEndedIterator<Item = Result<(Bytes, Bytes)>> + Send + 'a>;

/// What a reader needs of a moment.
pub trait StorageSnapshot: Send + Sync {
    /// The value of a key.
    ///
    /// # Errors
    /// Those of the store behind it.
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>>;
    /// The keys between two bounds, in order, from both ends.
    fn range(&self, lo: Bound<&[u8]>, hi: Bound<&[u8]>) -> Items<'static>;
}

/// The verbs that code needs of an ordered store, object-safe: `&dyn Storage`.
///
/// ```
/// use nori_lsm::{MemStorage, Storage};
///
/// fn count(storage: &dyn Storage) -> usize {
///     storage.range(std::ops::Bound::Unbounded, std::ops::Bound::Unbounded).count()
/// }
/// let storage = MemStorage::new();
/// storage.put(b"k", b"v").unwrap();
/// assert_eq!(count(&storage), 1);
/// ```
pub trait Storage: Send + Sync {
    /// The value of a key.
    ///
    /// # Errors
    /// Those of the store behind it; the same holds for the other verbs.
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>>;
    /// Sets a key.
    ///
    /// # Errors
    /// As the store's `put`.
    fn put(&self, key: &[u8], value: &[u8]) -> Result<()>;
    /// Deletes a key.
    ///
    /// # Errors
    /// As the store's `delete`.
    fn delete(&self, key: &[u8]) -> Result<()>;
    /// Commits a batch.
    ///
    /// # Errors
    /// As the store's `write`.
    fn write(&self, batch: WriteBatch) -> Result<()>;
    /// The keys between two bounds, in order, from both ends.
    fn range(&self, lo: Bound<&[u8]>, hi: Bound<&[u8]>) -> Items<'static>;
    /// The present moment.
    fn snapshot(&self) -> Box<dyn StorageSnapshot>;
}

macro_rules! impl_storage {
    ($type:ty, $snapshot:expr) => {
        impl Storage for $type {
            fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
                <$type>::get(self, key)
            }

            fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
                <$type>::put(self, key, value)
            }

            fn delete(&self, key: &[u8]) -> Result<()> {
                <$type>::delete(self, key)
            }

            fn write(&self, batch: WriteBatch) -> Result<()> {
                self.write_batch(batch)
            }

            fn range(&self, lo: Bound<&[u8]>, hi: Bound<&[u8]>) -> Items<'static> {
                Box::new(<$type>::range::<&[u8], _>(self, (lo, hi)))
            }

            fn snapshot(&self) -> Box<dyn StorageSnapshot> {
                $snapshot(self)
            }
        }
    };
}

impl_storage!(Lsm, |store: &Lsm| Box::new(Lsm::snapshot(store)));
impl_storage!(Keyspace, |keyspace: &Keyspace| Box::new(KeyspaceView::of(keyspace)));

impl StorageSnapshot for Snapshot {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        Snapshot::get(self, key)
    }

    fn range(&self, lo: Bound<&[u8]>, hi: Bound<&[u8]>) -> Items<'static> {
        Box::new(Snapshot::range::<&[u8], _>(self, (lo, hi)))
    }
}

impl StorageSnapshot for KeyspaceView {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        KeyspaceView::get(self, key)
    }

    fn range(&self, lo: Bound<&[u8]>, hi: Bound<&[u8]>) -> Items<'static> {
        Box::new(KeyspaceView::range::<&[u8], _>(self, (lo, hi)))
    }
}

type Map = BTreeMap<Vec<u8>, Bytes>;

/// A [`Storage`] in memory, a `BTreeMap`: for users' own tests. Scans and snapshots copy it.
#[derive(Clone, Debug, Default)]
pub struct MemStorage {
    map: Arc<Mutex<Map>>,
}

impl MemStorage {
    /// Without keys.
    pub fn new() -> MemStorage {
        MemStorage::default()
    }
}

fn range_of(map: &Map, lo: Bound<&[u8]>, hi: Bound<&[u8]>) -> Items<'static> {
    let above = |key: &[u8]| match lo {
        Bound::Included(lo) => key >= lo,
        Bound::Excluded(lo) => key > lo,
        Bound::Unbounded => true,
    };
    let below = |key: &[u8]| match hi {
        Bound::Included(hi) => key <= hi,
        Bound::Excluded(hi) => key < hi,
        Bound::Unbounded => true,
    };
    let inside = map.iter().filter(|(key, _)| above(key) && below(key));
    let items: Vec<_> =
        inside.map(|(key, value)| Ok((Bytes::copy_from_slice(key), value.clone()))).collect();
    Box::new(items.into_iter())
}

impl Storage for MemStorage {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        Ok(self.map.lock().get(key).cloned())
    }

    fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        let mut batch = WriteBatch::new();
        batch.put(key, value);
        self.write(batch)
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        let mut batch = WriteBatch::new();
        batch.delete(key);
        self.write(batch)
    }

    fn write(&self, mut batch: WriteBatch) -> Result<()> {
        batch.validate()?;
        if !batch.keyspaces().is_empty() {
            return Err(Error::invalid("storage in memory has no keyspaces"));
        }
        if batch.is_empty() {
            return Ok(());
        }
        let payload = batch.payload_at(SeqNo::ZERO);
        let operations = Operations::new(payload).map_err(|e| Error::invalid(format!("{e:?}")))?;
        let mut map = self.map.lock();
        for operation in operations.flatten() {
            let (from, to) = (operation.at, operation.at + operation.key_len);
            // Behind the prefix of "default", one byte.
            let key = payload[from + 1..to].to_vec();
            debug_assert!(key.len() <= KEY_BYTES_MAX, "the batch refused longer keys");
            match operation.kind {
                ValueKind::Value => {
                    let value = &payload[to..to + operation.value_len];
                    map.insert(key, Bytes::copy_from_slice(value))
                }
                ValueKind::Tombstone => map.remove(&key),
            };
        }
        Ok(())
    }

    fn range(&self, lo: Bound<&[u8]>, hi: Bound<&[u8]>) -> Items<'static> {
        range_of(&self.map.lock(), lo, hi)
    }

    fn snapshot(&self) -> Box<dyn StorageSnapshot> {
        Box::new(MemSnapshot(self.map.lock().clone()))
    }
}

struct MemSnapshot(Map);

impl StorageSnapshot for MemSnapshot {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>> {
        Ok(self.0.get(key).cloned())
    }

    fn range(&self, lo: Bound<&[u8]>, hi: Bound<&[u8]>) -> Items<'static> {
        range_of(&self.0, lo, hi)
    }
}
