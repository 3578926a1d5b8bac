//! The handle of a store.

mod copies;
mod observe;
mod place;

use crate::config::{Config, Durability};
use crate::cursor::Cursor;
use crate::error::Result;
use crate::iter::Iter;
use crate::keyspace::Keyspace;
use crate::metrics::RecoveryReport;
use crate::snapshot::Snapshot;
use crate::store::Handle;
use crate::verify::VerifyReport;
use crate::{WriteBatch, store};
use bytes::Bytes;
use nori_env::sync::Arc;
use nori_types::KeyRange;
use std::fmt;
use std::ops::RangeBounds;
use std::path::Path;

/// An open store. Cloning is cheap; clones are the same store, and the last of them, or of the
/// iterators, cursors, snapshots and keyspaces made from them, closes it when it is dropped.
///
/// The key verbs act on the keyspace "default".
///
/// ```
/// # fn main() -> nori_lsm::Result<()> {
/// # let dir = nori_lsm::example_dir("lsm");
/// use nori_lsm::Lsm;
///
/// let store = Lsm::open(&dir)?;
/// store.put("plum", "purple")?;
/// assert_eq!(store.get("plum")?.as_deref(), Some(&b"purple"[..]));
/// for item in store.prefix("pl") {
///     let (key, value) = item?;
///     println!("{} is {}", key.escape_ascii(), value.escape_ascii());
/// }
/// store.close()?;
/// # Lsm::destroy(&dir)
/// # }
/// ```
#[derive(Clone)]
pub struct Lsm {
    default: Keyspace,
}

impl Lsm {
    pub(crate) fn handle(&self) -> &Arc<Handle> {
        self.default.handle()
    }

    fn from_handle(handle: Arc<Handle>) -> Lsm {
        let state = Arc::clone(&handle.default);
        Lsm { default: Keyspace::new(handle, state) }
    }

    /// Opens a store with default options; makes it, its directory and parents where missing.
    ///
    /// # Errors
    /// `Locked` if it is open elsewhere, `Corruption` if bytes that were durable are damaged,
    /// `FormatTooNew`, `DiskFull`, `Io`.
    pub fn open(path: impl AsRef<Path>) -> Result<Lsm> {
        Lsm::open_with(path, Config::default())
    }

    /// Opens a store. All that it shows when this returns is durable.
    ///
    /// # Errors
    /// As [`Lsm::open`]; `InvalidArgument` for options that break a rule, before the disk is
    /// touched, or where `create_if_missing` and `error_if_exists` say so.
    pub fn open_with(path: impl AsRef<Path>, config: Config) -> Result<Lsm> {
        Ok(Lsm::from_handle(store::open_store(path.as_ref(), config)?))
    }

    /// Opens a store to read, without locking it and without writing anything. It shows what was
    /// there when it was opened. A process that has the store open for writing may delete files
    /// that this one still needs; reads of those then fail.
    ///
    /// # Errors
    /// As [`Lsm::open`]; `InvalidArgument` if there is no store.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Lsm> {
        Lsm::open_read_only_with(path, Config::default())
    }

    /// As [`Lsm::open_read_only`], with options.
    ///
    /// # Errors
    /// As [`Lsm::open_read_only`].
    pub fn open_read_only_with(path: impl AsRef<Path>, config: Config) -> Result<Lsm> {
        Ok(Lsm::from_handle(store::open_read_only(path.as_ref(), config)?))
    }

    /// What opening found, cut and did.
    pub fn recovery(&self) -> &RecoveryReport {
        &self.handle().recovery
    }

    /// Sets a key, with the store's durability.
    ///
    /// # Errors
    /// Nothing was written after `InvalidArgument`, `DiskFull`, `Stalled`, `Closed` and `ReadOnly`.
    /// After `Io` and `Poisoned` the write may or may not be there when the store is opened again,
    /// but never in part.
    pub fn put(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<()> {
        self.default.put(key, value)
    }

    /// The value of a key. A key longer than keys may be has none.
    ///
    /// # Errors
    /// `Io` and `Corruption` if a table that may hold the key cannot be read.
    pub fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Bytes>> {
        self.default.get(key)
    }

    /// Whether a key has a value.
    ///
    /// # Errors
    /// As [`Lsm::get`].
    pub fn contains_key(&self, key: impl AsRef<[u8]>) -> Result<bool> {
        self.default.contains_key(key)
    }

    /// The values of several keys at one point in time.
    ///
    /// # Errors
    /// As [`Lsm::get`].
    pub fn multi_get<K: AsRef<[u8]>>(&self, keys: &[K]) -> Result<Vec<Option<Bytes>>> {
        self.default.multi_get(keys)
    }

    /// Deletes a key.
    ///
    /// # Errors
    /// As [`Lsm::put`].
    pub fn delete(&self, key: impl AsRef<[u8]>) -> Result<()> {
        self.default.delete(key)
    }

    /// Commits a batch: all of it or nothing, over all keyspaces it names.
    ///
    /// # Errors
    /// As [`Lsm::put`]; `InvalidArgument` and `KeyspaceDropped` for what the batch could not
    /// report while it was built.
    pub fn write(&self, batch: WriteBatch) -> Result<()> {
        let durability = self.handle().config.durability;
        self.handle().write(batch, durability)
    }

    /// As [`Lsm::write`], durable on return (`Synced`) or not (`Buffered`), whatever the store's
    /// own durability.
    ///
    /// # Errors
    /// As [`Lsm::write`]; `InvalidArgument` for `Interval`, which is a store's matter.
    pub fn write_with(&self, batch: WriteBatch, durability: Durability) -> Result<()> {
        if matches!(durability, Durability::Interval(_)) {
            return Err(crate::Error::invalid("a single write is either Synced or Buffered"));
        }
        self.handle().write(batch, durability)
    }

    /// As [`Lsm::write`], but never waits for background work.
    ///
    /// # Errors
    /// `Stalled` where [`Lsm::write`] would have waited; nothing was written then.
    pub fn try_write(&self, batch: &WriteBatch) -> Result<()> {
        self.handle().try_write(batch)
    }

    /// All keys and values in order, from both ends.
    pub fn iter(&self) -> Iter {
        self.default.iter()
    }

    /// The keys of a range. An inverted or empty range has none.
    pub fn range<K: AsRef<[u8]>, R: RangeBounds<K>>(&self, range: R) -> Iter {
        self.default.range(range)
    }

    /// The keys that start with `prefix`.
    pub fn prefix(&self, prefix: impl AsRef<[u8]>) -> Iter {
        self.default.prefix(prefix)
    }

    /// A cursor that moves freely and lends keys and values.
    pub fn cursor(&self) -> Cursor {
        self.default.cursor()
    }

    /// The first key and its value.
    ///
    /// # Errors
    /// As [`Lsm::get`].
    pub fn first_key_value(&self) -> Result<Option<(Bytes, Bytes)>> {
        self.default.first_key_value()
    }

    /// The last key and its value.
    ///
    /// # Errors
    /// As [`Lsm::get`].
    pub fn last_key_value(&self) -> Result<Option<(Bytes, Bytes)>> {
        self.default.last_key_value()
    }

    /// A keyspace by name, 1 to 255 bytes; made where missing, durably.
    ///
    /// # Errors
    /// `InvalidArgument` for such a name; those of writing.
    pub fn keyspace(&self, name: &str) -> Result<Keyspace> {
        let state = self.handle().keyspace_state(name)?;
        Ok(Keyspace::new(Arc::clone(self.handle()), state))
    }

    /// The names of all keyspaces, sorted.
    pub fn keyspaces(&self) -> Vec<String> {
        self.handle().keyspace_names()
    }

    /// Drops a keyspace with all its keys, durably. Its handles fail from now on; snapshots and
    /// iterators taken before still read it.
    ///
    /// # Errors
    /// `InvalidArgument` for "default" and for a name that no keyspace has; those of writing.
    pub fn drop_keyspace(&self, name: &str) -> Result<()> {
        self.handle().drop_keyspace(name)
    }

    /// The whole store as it is now. Cheap.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::new(self.handle())
    }

    /// Makes everything acknowledged so far durable.
    ///
    /// # Errors
    /// `Io` and `Poisoned`; writes have then ended until the store is opened again.
    pub fn sync(&self) -> Result<()> {
        self.handle().sync()
    }

    /// Writes what is in memory to tables, and waits for it.
    ///
    /// # Errors
    /// Those of writing tables. Nothing is lost: the memtables stay.
    pub fn flush(&self) -> Result<()> {
        self.handle().flush_all()
    }

    /// Merges each slot into one sorted run, everything written before the call included, over
    /// all keyspaces, and waits for it.
    ///
    /// # Errors
    /// Those of reading and writing tables; what was merged before stays merged.
    pub fn compact(&self) -> Result<()> {
        self.handle().compact_range(&KeyRange::all())
    }

    /// As [`Lsm::compact`], for the slots that hold a range of "default".
    ///
    /// # Errors
    /// As [`Lsm::compact`].
    pub fn compact_range<K: AsRef<[u8]>, R: RangeBounds<K>>(&self, range: R) -> Result<()> {
        self.default.compact_range(range)
    }

    /// Waits until no flush and no merge is due or running.
    ///
    /// # Errors
    /// What keeps failing in the background.
    pub fn wait_idle(&self) -> Result<()> {
        self.handle().wait_idle()
    }

    /// With `Background::Manual`: runs one step of background work that is due. False if none was.
    ///
    /// # Errors
    /// Those of the step; it stays due.
    pub fn step(&self) -> Result<bool> {
        self.handle().step()
    }

    /// Cuts slots of "default" at the given keys and keeps the cuts. Any order; duplicates are
    /// fine.
    ///
    /// # Errors
    /// `InvalidArgument` for a key that is too long; those of logging the change.
    pub fn split_at<K: AsRef<[u8]>>(&self, guards: &[K]) -> Result<()> {
        self.default.split_at(guards)
    }

    /// About how many bytes of tables hold a range of "default".
    ///
    /// # Errors
    /// As [`Lsm::get`].
    pub fn approximate_bytes<K: AsRef<[u8]>, R: RangeBounds<K>>(&self, range: R) -> Result<u64> {
        self.default.approximate_bytes(range)
    }

    /// Reads every byte of every table and checks it, and if the store is open for writing CURRENT
    /// and the manifest. [`Lsm::verify_at`] reads all of a closed store, the log too.
    ///
    /// # Errors
    /// `Closed`.
    pub fn verify(&self) -> Result<VerifyReport> {
        self.handle().verify(&mut |_| ())
    }

    /// As [`Lsm::verify`]; `progress` is told how many bytes were read since it was last told.
    ///
    /// # Errors
    /// `Closed`.
    pub fn verify_with(&self, progress: &mut dyn FnMut(u64)) -> Result<VerifyReport> {
        self.handle().verify(progress)
    }

    /// Closes the store for all its handles: ends background work, writes what is in memory to
    /// tables, and releases the lock. Closing again is Ok.
    ///
    /// # Errors
    /// Those of the last writes; the store is closed all the same, and what was durable stays so.
    pub fn close(self) -> Result<()> {
        self.handle().close()
    }

    /// Removes a store's files, and its directory if nothing else is in it.
    ///
    /// # Errors
    /// `Locked` if it is open, `InvalidArgument` if there is no store.
    pub fn destroy(path: impl AsRef<Path>) -> Result<()> {
        store::destroy(path.as_ref(), &Config::default())
    }

    /// As [`Lsm::destroy`], on the file system of `config`.
    ///
    /// # Errors
    /// As [`Lsm::destroy`].
    pub fn destroy_with(path: impl AsRef<Path>, config: &Config) -> Result<()> {
        store::destroy(path.as_ref(), config)
    }

    /// [`Lsm::write`] under a name that a trait's `write` does not hide.
    pub(crate) fn write_batch(&self, batch: WriteBatch) -> Result<()> {
        self.write(batch)
    }
}

impl fmt::Debug for Lsm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lsm").field("path", &self.handle().paths.root).finish()
    }
}
