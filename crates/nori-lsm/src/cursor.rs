//! A cursor: moves freely, lends what it stands on.

use crate::error::{Error, Result};
use crate::store::Handle;
use crate::walk::Walk;
use bytes::Bytes;
use nori_env::sync::Arc;
use std::fmt;

/// A position among the keys of a keyspace at one point in time.
///
/// A new cursor stands nowhere. Each move returns whether it stands on a key afterwards. Keys and
/// values are lent, so nothing is copied. The cursor keeps its store open.
///
/// ```
/// # fn main() -> nori_lsm::Result<()> {
/// # let dir = nori_lsm::example_dir("cursor");
/// let store = nori_lsm::Lsm::open(&dir)?;
/// store.put("fig", "1")?;
/// store.put("plum", "2")?;
/// let mut cursor = store.cursor();
/// assert!(cursor.seek("g")?);
/// assert_eq!(cursor.key(), Some(&b"plum"[..]));
/// assert!(cursor.prev()?);
/// assert_eq!(cursor.value(), Some(&b"1"[..]));
/// # store.close()?;
/// # nori_lsm::Lsm::destroy(&dir)
/// # }
/// ```
pub struct Cursor {
    walk: Option<Walk>,
    failed: Option<Error>,
    prefix: Vec<u8>,
    /// Last, so that the store outlives the walk.
    handle: Arc<Handle>,
}

impl Cursor {
    pub(crate) fn new(handle: Arc<Handle>, walk: Result<Walk>, prefix: &[u8]) -> Cursor {
        let (walk, failed) = match walk {
            Ok(walk) => (Some(walk), None),
            Err(e) => (None, Some(e)),
        };
        Cursor { walk, failed, prefix: prefix.to_vec(), handle }
    }

    fn step(&mut self, work: impl FnOnce(&mut Walk, &[u8]) -> Result<()>) -> Result<bool> {
        self.handle.check_open()?;
        match (&mut self.walk, &self.failed) {
            (Some(walk), _) => {
                work(walk, &self.prefix).map_err(|error| self.handle.why(error))?;
                Ok(walk.is_valid())
            }
            (None, Some(e)) => Err(e.clone()),
            (None, None) => Ok(false),
        }
    }

    /// To the first key.
    ///
    /// # Errors
    /// As reading; the cursor then stands nowhere. The same holds for each move.
    pub fn first(&mut self) -> Result<bool> {
        self.step(|walk, _| walk.first())
    }

    /// To the last key.
    ///
    /// # Errors
    /// As [`Cursor::first`].
    pub fn last(&mut self) -> Result<bool> {
        self.step(|walk, _| walk.last())
    }

    /// To the first key at or behind `key`.
    ///
    /// # Errors
    /// As [`Cursor::first`].
    pub fn seek(&mut self, key: impl AsRef<[u8]>) -> Result<bool> {
        self.step(|walk, prefix| walk.seek(&[prefix, key.as_ref()].concat()))
    }

    /// To the last key at or before `key`.
    ///
    /// # Errors
    /// As [`Cursor::first`].
    pub fn seek_for_prev(&mut self, key: impl AsRef<[u8]>) -> Result<bool> {
        self.step(|walk, prefix| walk.seek_for_prev(&[prefix, key.as_ref()].concat()))
    }

    /// One key forward; a cursor that stands nowhere stays there.
    ///
    /// # Errors
    /// As [`Cursor::first`].
    #[allow(clippy::should_implement_trait)] // A lending cursor cannot be an `Iterator`.
    pub fn next(&mut self) -> Result<bool> {
        self.step(|walk, _| walk.next())
    }

    /// One key back; a cursor that stands nowhere stays there.
    ///
    /// # Errors
    /// As [`Cursor::first`].
    pub fn prev(&mut self) -> Result<bool> {
        self.step(|walk, _| walk.prev())
    }

    fn shown(&self) -> Option<&Walk> {
        self.walk.as_ref().filter(|walk| walk.is_valid())
    }

    /// Whether the cursor stands on a key.
    pub fn is_valid(&self) -> bool {
        self.shown().is_some()
    }

    /// The key it stands on.
    pub fn key(&self) -> Option<&[u8]> {
        self.shown()?.key().get(self.prefix.len()..)
    }

    /// The value of the key it stands on.
    pub fn value(&self) -> Option<&[u8]> {
        Some(self.shown()?.value())
    }

    /// The value as shared bytes, which may outlive the cursor.
    pub fn value_bytes(&self) -> Option<Bytes> {
        Some(self.shown()?.value_bytes())
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cursor").field("valid", &self.is_valid()).finish_non_exhaustive()
    }
}
