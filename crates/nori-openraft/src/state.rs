//! The state: what a state machine reads and writes, and how entries become a part of it.
//!
//! 1. The changes of applied entries, the last applied log id and the last membership are one
//!    batch, so a state is always that of exactly one log id. A long apply is several batches, each
//!    ending at an entry.
//! 2. These batches are not synced: they stand in the same write-ahead log behind the entries that
//!    they come from, so a crash leaves a prefix of them, and openraft applies the rest again from
//!    the log. Whatever is synced later, the next append at the latest, makes them durable.
//! 3. A request sees all that the requests before it wrote, those of its own batch too.

use crate::error::{Error, Result};
use crate::records::{LogIdOf, META, MembershipOf, decode, key, put, read, state_name};
use bytes::Bytes;
use nori_env::sync::Mutex;
use nori_lsm::{Durability, Iter, Keyspace, KeyspaceView, Lsm, Snapshot, WriteBatch};
use openraft::{Entry, EntryPayload, LogId, RaftTypeConfig, StoredMembership};
use std::collections::{BTreeMap, btree_map};
use std::iter::Peekable;
use std::ops::{Bound, RangeBounds};

/// What a node does with the requests in its log. Each node applies the same ones in the same
/// order and must come to the same state: nothing but the request and the state may decide.
pub trait StateMachine<C: RaftTypeConfig>: Send + Sync + 'static {
    /// Applies a request: reads and writes the state, and says what the client is told.
    ///
    /// # Errors
    /// An error ends the node, and nothing of the request is applied. What a client may not do is
    /// no error but a response.
    fn apply(&self, state: &mut StateBatch<'_>, request: C::D) -> Result<C::R>;

    /// The response to entries that hold no request, which openraft wants too.
    fn blank(&self) -> C::R;
}

/// The state while requests are applied: reads see all writes before.
pub struct StateBatch<'a> {
    base: &'a Keyspace,
    writes: BTreeMap<Vec<u8>, Option<Bytes>>,
    bytes: usize,
}

impl<'a> StateBatch<'a> {
    fn new(base: &'a Keyspace) -> StateBatch<'a> {
        StateBatch { base, writes: BTreeMap::new(), bytes: 0 }
    }

    /// Sets a key.
    pub fn put(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.write(key.as_ref(), Some(Bytes::copy_from_slice(value.as_ref())));
    }

    /// Deletes a key.
    pub fn delete(&mut self, key: impl AsRef<[u8]>) {
        self.write(key.as_ref(), None);
    }

    fn write(&mut self, key: &[u8], value: Option<Bytes>) {
        self.bytes += key.len() + value.as_ref().map_or(0, Bytes::len);
        self.writes.insert(key.to_vec(), value);
    }

    /// The value of a key.
    ///
    /// # Errors
    /// [`Error::Store`] if the store cannot be read.
    pub fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Bytes>> {
        match self.writes.get(key.as_ref()) {
            Some(value) => Ok(value.clone()),
            None => Ok(self.base.get(key)?),
        }
    }

    /// The keys of a range, in order. An inverted or empty range has none.
    pub fn range<K: AsRef<[u8]>, R: RangeBounds<K>>(
        &self,
        range: R,
    ) -> impl Iterator<Item = Result<(Bytes, Bytes)>> + '_ {
        let bound = |bound: Bound<&K>| bound.map(|key| key.as_ref().to_vec());
        let (lo, hi) = (bound(range.start_bound()), bound(range.end_bound()));
        let is_empty = match (&lo, &hi) {
            (Bound::Included(lo), Bound::Included(hi)) => lo > hi,
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
            (
                Bound::Included(lo) | Bound::Excluded(lo),
                Bound::Included(hi) | Bound::Excluded(hi),
            ) => lo >= hi,
        };
        let writes = if is_empty {
            btree_map::Range::default()
        } else {
            self.writes.range::<Vec<u8>, _>((lo.as_ref(), hi.as_ref()))
        };
        Merged {
            base: self.base.range((lo.clone(), hi.clone())).peekable(),
            writes: writes.peekable(),
        }
    }

    /// The keys that start with `prefix`, in order.
    pub fn prefix<'b>(
        &'b self,
        prefix: &'b [u8],
    ) -> impl Iterator<Item = Result<(Bytes, Bytes)>> + 'b {
        let from = (Bound::Included(prefix), Bound::<&[u8]>::Unbounded);
        let until_other = move |item: &Result<(Bytes, Bytes)>| {
            item.as_ref().map_or(true, |(key, _)| key.starts_with(prefix))
        };
        self.range::<&[u8], _>(from).take_while(until_other)
    }
}

impl std::fmt::Debug for StateBatch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (writes, bytes) = (self.writes.len(), self.bytes);
        f.debug_struct("StateBatch").field("writes", &writes).field("bytes", &bytes).finish()
    }
}

/// What is stored with what is to be written before it.
struct Merged<'a> {
    base: Peekable<Iter>,
    writes: Peekable<btree_map::Range<'a, Vec<u8>, Option<Bytes>>>,
}

impl Iterator for Merged<'_> {
    type Item = Result<(Bytes, Bytes)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let stored = match self.base.peek() {
                Some(Ok((key, _))) => Some(key),
                Some(Err(_)) => None,
                None => {
                    let (key, value) = self.writes.next()?;
                    match value {
                        Some(value) => {
                            return Some(Ok((Bytes::copy_from_slice(key), value.clone())));
                        }
                        None => continue,
                    }
                }
            };
            let Some(stored) = stored else {
                return self.base.next().map(|item| item.map_err(Error::from));
            };
            let Some((key, value)) = self.writes.next_if(|(key, _)| key[..] <= stored[..]) else {
                return self.base.next().map(|item| item.map_err(Error::from));
            };
            if key[..] == stored[..] {
                self.base.next();
            }
            if let Some(value) = value {
                return Some(Ok((Bytes::copy_from_slice(key), value.clone())));
            }
        }
    }
}

/// The state at one moment, to read from any thread. It stays the same while requests are applied
/// and snapshots are installed; holding one keeps what is overwritten meanwhile.
#[derive(Clone, Debug)]
pub struct StateView {
    view: KeyspaceView,
    meta: KeyspaceView,
}

impl StateView {
    /// The state as a snapshot of the whole store has it.
    pub(crate) fn of(snapshot: &Snapshot) -> Result<StateView> {
        let meta = snapshot.keyspace(META)?;
        let number = meta.get(key::STATE)?;
        let number: u64 = decode(key::STATE, number.as_deref().unwrap_or_default())?;
        Ok(StateView { view: snapshot.keyspace(&state_name(number))?, meta })
    }

    /// The value of a key.
    ///
    /// # Errors
    /// [`Error::Store`] if the store cannot be read.
    pub fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Bytes>> {
        Ok(self.view.get(key)?)
    }

    /// All keys and values in order, from both ends.
    pub fn iter(&self) -> Iter {
        self.view.iter()
    }

    /// The keys of a range, from both ends. An inverted or empty range has none.
    pub fn range<K: AsRef<[u8]>, R: RangeBounds<K>>(&self, range: R) -> Iter {
        self.view.range(range)
    }

    /// The keys that start with `prefix`, from both ends.
    pub fn prefix(&self, prefix: impl AsRef<[u8]>) -> Iter {
        self.view.prefix(prefix)
    }

    /// The last log id whose effect is in this state, of the node ids of `C`.
    ///
    /// # Errors
    /// [`Error::Record`] if these are not the node ids of the store.
    pub fn applied<C: RaftTypeConfig>(&self) -> Result<Option<LogId<C::NodeId>>> {
        self.meta.get(key::APPLIED)?.map(|bytes| decode(key::APPLIED, &bytes)).transpose()
    }

    pub(crate) fn membership<C: RaftTypeConfig>(&self) -> Result<MembershipOf<C>> {
        let found = self.meta.get(key::MEMBERSHIP)?;
        let membership = found.map(|bytes| decode(key::MEMBERSHIP, &bytes)).transpose()?;
        Ok(membership.unwrap_or_default())
    }
}

/// The current state of a store. One thread changes it.
pub(crate) struct State<C: RaftTypeConfig> {
    pub(crate) store: Lsm,
    pub(crate) meta: Keyspace,
    current: Mutex<Current<C>>,
}

#[derive(Clone)]
pub(crate) struct Current<C: RaftTypeConfig> {
    pub(crate) number: u64,
    pub(crate) keyspace: Keyspace,
    pub(crate) applied: Option<LogIdOf<C>>,
    pub(crate) membership: MembershipOf<C>,
}

impl<C: RaftTypeConfig> State<C> {
    pub(crate) fn open(store: &Lsm, number: u64) -> Result<State<C>> {
        let (meta, keyspace) = (store.keyspace(META)?, store.keyspace(&state_name(number))?);
        let applied = read(&meta, key::APPLIED)?;
        let membership = read(&meta, key::MEMBERSHIP)?.unwrap_or_default();
        let current = Mutex::new(Current { number, keyspace, applied, membership });
        Ok(State { store: store.clone(), meta, current })
    }

    pub(crate) fn current(&self) -> Current<C> {
        self.current.lock().clone()
    }

    pub(crate) fn applied(&self) -> Option<LogIdOf<C>> {
        self.current.lock().applied.clone()
    }

    pub(crate) fn replace(&self, current: Current<C>) {
        *self.current.lock() = current;
    }
}

impl<C: RaftTypeConfig<Entry = Entry<C>>> State<C> {
    /// Applies entries in order; the responses are theirs.
    pub(crate) fn apply<M: StateMachine<C>>(
        &self,
        machine: &M,
        entries: Vec<Entry<C>>,
        batch_bytes: usize,
    ) -> Result<Vec<C::R>> {
        let mut responses = Vec::with_capacity(entries.len());
        let mut current = self.current();
        let keyspace = current.keyspace.clone();
        let mut batch = StateBatch::new(&keyspace);
        let last = entries.len();
        for (number, entry) in entries.into_iter().enumerate() {
            let index = entry.log_id.index;
            if let Some(applied) = current.applied.as_ref().filter(|id| id.index >= index) {
                let what = format!("entry {index} cannot be applied behind entry {applied}");
                return Err(Error::out_of_order(what));
            }
            current.applied = Some(entry.log_id.clone());
            responses.push(match entry.payload {
                EntryPayload::Blank => machine.blank(),
                EntryPayload::Normal(request) => machine.apply(&mut batch, request)?,
                EntryPayload::Membership(membership) => {
                    current.membership = StoredMembership::new(Some(entry.log_id), membership);
                    machine.blank()
                }
            });
            if number + 1 == last || batch.bytes >= batch_bytes {
                let full = std::mem::replace(&mut batch, StateBatch::new(&keyspace));
                self.write(full, &current)?;
            }
        }
        Ok(responses)
    }

    /// Writes what was applied, and up to where.
    fn write(&self, changes: StateBatch<'_>, current: &Current<C>) -> Result<()> {
        let mut batch = WriteBatch::new();
        for (key, value) in &changes.writes {
            match value {
                Some(value) => batch.put_in(changes.base, key, value),
                None => batch.delete_in(changes.base, key),
            };
        }
        put(&mut batch, &self.meta, key::APPLIED, &current.applied)?;
        if current.membership.log_id() != self.current().membership.log_id() {
            put(&mut batch, &self.meta, key::MEMBERSHIP, &current.membership)?;
        }
        self.store.write_with(batch, Durability::Buffered)?;
        self.replace(current.clone());
        Ok(())
    }
}
