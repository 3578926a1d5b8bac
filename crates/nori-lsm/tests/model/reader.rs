//! The four things that can be read, as one.

use crate::op::{Ends, Key};
use crate::oracle::borrowed;
use bytes::Bytes;
use nori_lsm::{Cursor, Iter, Keyspace, KeyspaceView, Lsm, Result, Snapshot};

/// A store, a keyspace, a snapshot or a keyspace of a snapshot.
#[derive(Clone, Debug)]
pub(crate) enum Reader {
    Store(Lsm),
    Space(Keyspace),
    Moment(Snapshot),
    View(KeyspaceView),
}

macro_rules! each {
    ($self:ident, $reader:ident => $read:expr) => {
        match $self {
            Reader::Store($reader) => $read,
            Reader::Space($reader) => $read,
            Reader::Moment($reader) => $read,
            Reader::View($reader) => $read,
        }
    };
}

impl Reader {
    pub(crate) fn get(&self, key: &Key) -> Result<Option<Bytes>> {
        each!(self, reader => reader.get(&key.0))
    }

    pub(crate) fn contains_key(&self, key: &Key) -> Result<bool> {
        each!(self, reader => reader.contains_key(&key.0))
    }

    pub(crate) fn multi_get(&self, keys: &[&[u8]]) -> Result<Vec<Option<Bytes>>> {
        each!(self, reader => reader.multi_get(keys))
    }

    pub(crate) fn range(&self, ends: &Ends) -> Iter {
        each!(self, reader => reader.range::<&[u8], _>(borrowed(ends)))
    }

    pub(crate) fn prefix(&self, prefix: &Key) -> Iter {
        each!(self, reader => reader.prefix(&prefix.0))
    }

    pub(crate) fn iter(&self) -> Iter {
        each!(self, reader => reader.iter())
    }

    pub(crate) fn cursor(&self) -> Cursor {
        each!(self, reader => reader.cursor())
    }

    pub(crate) fn first_key_value(&self) -> Result<Option<(Bytes, Bytes)>> {
        each!(self, reader => reader.first_key_value())
    }

    pub(crate) fn last_key_value(&self) -> Result<Option<(Bytes, Bytes)>> {
        each!(self, reader => reader.last_key_value())
    }
}
