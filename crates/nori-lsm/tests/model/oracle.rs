//! What the store must hold: maps, and a copy of them for each moment that somebody holds.

use crate::op::{Ends, Key, Write};
use bytes::Bytes;
use nori_env::sync::Arc;
use nori_lsm::ErrorKind;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

/// The keys of a keyspace.
pub(crate) type Map = BTreeMap<Bytes, Bytes>;
/// What a reader must see: a map, or an error of this kind from every verb.
pub(crate) type Sight = Result<Arc<Map>, ErrorKind>;

/// A keyspace. One that is made anew under an old name is another one.
#[derive(Clone, Debug)]
pub(crate) struct Space {
    pub(crate) id: u64,
    pub(crate) map: Arc<Map>,
    /// The guards that the store keeps.
    pub(crate) guards: Arc<BTreeSet<Vec<u8>>>,
}

/// Everything at one moment. A copy is cheap.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) spaces: BTreeMap<String, Space>,
    /// The last sequence number given.
    pub(crate) sequence: u64,
    next_id: u64,
}

impl State {
    /// A new store whose "default" has these guards.
    pub(crate) fn new(guards: Vec<Vec<u8>>) -> State {
        let mut state = State { spaces: BTreeMap::new(), sequence: 0, next_id: 0 };
        state.create("default");
        state.sequence = 0;
        state.keep_guards("default", guards.into_iter());
        state
    }

    /// A new keyspace.
    pub(crate) fn create(&mut self, name: &str) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.sequence += 1;
        self.spaces
            .insert(name.to_string(), Space { id, map: Arc::default(), guards: Arc::default() });
        id
    }

    pub(crate) fn drop_space(&mut self, name: &str) {
        self.spaces.remove(name);
        self.sequence += 1;
    }

    pub(crate) fn keep_guards(&mut self, name: &str, guards: impl Iterator<Item = Vec<u8>>) {
        if let Some(space) = self.spaces.get_mut(name) {
            Arc::make_mut(&mut space.guards).extend(guards);
        }
    }

    /// The keyspace of this name, if it is still the one with this id.
    pub(crate) fn space(&self, name: &str, id: u64) -> Result<&Space, ErrorKind> {
        let found = self.spaces.get(name).filter(|space| space.id == id);
        found.ok_or(ErrorKind::KeyspaceDropped)
    }

    /// The map of a keyspace by name.
    pub(crate) fn map(&self, name: &str) -> Option<Arc<Map>> {
        self.spaces.get(name).map(|space| Arc::clone(&space.map))
    }

    /// Writes, in order; `names` tells the keyspace of each.
    pub(crate) fn write<'a>(&mut self, writes: impl Iterator<Item = (&'a str, &'a Write)>) {
        for (name, (_, key, value)) in writes {
            self.sequence += 1;
            let Some(space) = self.spaces.get_mut(name) else { continue };
            let (map, key) = (Arc::make_mut(&mut space.map), Bytes::copy_from_slice(&key.0));
            match value {
                Some(value) => map.insert(key, Bytes::from(value.bytes())),
                None => map.remove(&key),
            };
        }
    }
}

/// Whether a key lies between two ends.
pub(crate) fn is_inside(key: &[u8], ends: &Ends) -> bool {
    let above = match &ends.0 {
        Bound::Included(lo) => key >= &lo.0[..],
        Bound::Excluded(lo) => key > &lo.0[..],
        Bound::Unbounded => true,
    };
    let below = match &ends.1 {
        Bound::Included(hi) => key <= &hi.0[..],
        Bound::Excluded(hi) => key < &hi.0[..],
        Bound::Unbounded => true,
    };
    above && below
}

/// The ends as the store takes them.
pub(crate) fn borrowed(ends: &Ends) -> (Bound<&[u8]>, Bound<&[u8]>) {
    fn end(bound: &Bound<Key>) -> Bound<&[u8]> {
        match bound {
            Bound::Included(key) => Bound::Included(&key.0[..]),
            Bound::Excluded(key) => Bound::Excluded(&key.0[..]),
            Bound::Unbounded => Bound::Unbounded,
        }
    }
    (end(&ends.0), end(&ends.1))
}
