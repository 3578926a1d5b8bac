//! What every read must return: all versions of every key.

use crate::world::{KEYS, Key, Seq};
use std::collections::BTreeMap;

#[derive(Default)]
pub struct Oracle {
    /// Ascending by sequence number; a write's value is its number, `None` a deletion.
    history: BTreeMap<Key, Vec<(Seq, Option<Seq>)>>,
    /// Created and dropped, by id.
    keyspaces: BTreeMap<Key, (Seq, Option<Seq>)>,
}

impl Oracle {
    pub fn write(&mut self, key: Key, seq: Seq, value: Option<Seq>) {
        self.history.entry(key).or_default().push((seq, value));
    }

    pub fn create(&mut self, keyspace: Key, at: Seq) {
        self.keyspaces.insert(keyspace, (at, None));
    }

    pub fn drop_keyspace(&mut self, keyspace: Key, at: Option<Seq>) {
        self.keyspaces.get_mut(&keyspace).unwrap().1 = at;
    }

    /// A crash: what was not acknowledged is gone.
    pub fn forget_after(&mut self, seq: Seq) {
        self.history.values_mut().for_each(|versions| versions.retain(|(s, _)| *s <= seq));
    }

    pub fn get(&self, key: Key, at: Seq) -> Option<Seq> {
        let versions = self.history.get(&key)?;
        versions.iter().rev().find(|(seq, _)| *seq <= at).and_then(|(_, value)| *value)
    }

    pub fn alive(&self, keyspace: Key, at: Seq) -> bool {
        let known = self.keyspaces.get(&keyspace);
        known.is_some_and(|(created, dropped)| *created <= at && dropped.is_none_or(|d| at < d))
    }

    /// The keys of the keyspaces that exist at `at`.
    pub fn keys(&self, at: Seq) -> impl Iterator<Item = Key> + '_ {
        let ids = self.keyspaces.keys().copied().filter(move |id| self.alive(*id, at));
        ids.flat_map(|id| id * KEYS..(id + 1) * KEYS)
    }

    pub fn scan(&self, at: Seq) -> Vec<(Key, Seq)> {
        self.keys(at).filter_map(|key| Some((key, self.get(key, at)?))).collect()
    }
}
