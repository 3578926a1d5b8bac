//! The oracle: every version of every key, in the simplest form that can be right.

use crate::Entry;
use nori_types::{KeyRange, SeqNo, ValueKind};
use std::collections::BTreeMap;
use std::ops::Bound;

/// A map that remembers everything ever written to it and answers as of any sequence number.
/// Holds one keyspace; a test with several holds several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionedMap {
    keys: BTreeMap<Vec<u8>, BTreeMap<SeqNo, Option<Vec<u8>>>>,
}

impl VersionedMap {
    /// Nothing was written yet.
    pub fn new() -> VersionedMap {
        VersionedMap::default()
    }

    /// Writes a value, or with `None` deletes. Of two writes to one key under one number the
    /// later stands.
    pub fn write(&mut self, key: &[u8], seq: SeqNo, value: Option<&[u8]>) {
        self.keys.entry(key.to_vec()).or_default().insert(seq, value.map(<[u8]>::to_vec));
    }

    /// Writes an entry.
    pub fn apply(&mut self, entry: &Entry) {
        let value = (entry.kind == ValueKind::Value).then_some(&entry.value[..]);
        self.write(&entry.key, entry.seq, value);
    }

    /// The value that a reader at `at` sees.
    pub fn get(&self, key: &[u8], at: SeqNo) -> Option<&[u8]> {
        visible(self.keys.get(key)?, at)
    }

    /// The keys and values that a reader at `at` sees in `range`, from either end. An inverted
    /// range is empty.
    pub fn scan<'a>(
        &'a self,
        range: &KeyRange,
        at: SeqNo,
    ) -> impl DoubleEndedIterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        // BTreeMap panics on an inverted range.
        let lo = Bound::Included(range.lo.to_vec());
        let hi = match &range.hi {
            _ if range.is_empty() => Bound::Excluded(range.lo.to_vec()),
            Some(hi) => Bound::Excluded(hi.to_vec()),
            None => Bound::Unbounded,
        };
        let keys = self.keys.range((lo, hi));
        keys.filter_map(move |(key, versions)| Some((&key[..], visible(versions, at)?)))
    }

    /// All versions as sorted entries.
    pub fn entries(&self) -> Vec<Entry> {
        let of = |key: &[u8], seq: SeqNo, value: &Option<Vec<u8>>| match value {
            Some(value) => Entry::put(key, seq.get(), value),
            None => Entry::delete(key, seq.get()),
        };
        let all = self.keys.iter().map(|(key, versions)| {
            versions.iter().rev().map(move |(seq, value)| of(key, *seq, value))
        });
        all.flatten().collect()
    }

    /// The highest sequence number written; zero when nothing was.
    pub fn last_seq(&self) -> SeqNo {
        let last = self.keys.values().filter_map(|v| v.keys().next_back());
        last.copied().max().unwrap_or_default()
    }

    /// Forgets everything above `at`: what a crash that kept the writes up to `at` leaves.
    pub fn truncate(&mut self, at: SeqNo) {
        self.keys.retain(|_, versions| {
            versions.retain(|seq, _| *seq <= at);
            !versions.is_empty()
        });
    }
}

fn visible(versions: &BTreeMap<SeqNo, Option<Vec<u8>>>, at: SeqNo) -> Option<&[u8]> {
    versions.range(..=at).next_back()?.1.as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> VersionedMap {
        let mut map = VersionedMap::new();
        map.write(b"a", SeqNo::new(1), Some(b"1"));
        map.write(b"b", SeqNo::new(2), Some(b"2"));
        map.write(b"a", SeqNo::new(3), None);
        map.write(b"c", SeqNo::new(4), Some(b"4"));
        map
    }

    fn keys(map: &VersionedMap, range: &KeyRange, at: u64) -> Vec<u8> {
        map.scan(range, SeqNo::new(at)).map(|(k, _)| k[0]).collect()
    }

    #[test]
    fn readers_see_the_past() {
        let map = sample();
        assert_eq!(map.get(b"a", SeqNo::new(2)), Some(&b"1"[..]));
        assert_eq!(map.get(b"a", SeqNo::MAX), None);
        assert_eq!(map.get(b"a", SeqNo::ZERO), None);
        assert_eq!(keys(&map, &KeyRange::all(), 2), b"ab");
        assert_eq!(keys(&map, &KeyRange::all(), 9), b"bc");
        let back = map.scan(&KeyRange::all(), SeqNo::MAX).rev();
        assert_eq!(back.map(|(k, _)| k[0]).collect::<Vec<_>>(), b"cb");
    }

    #[test]
    fn ranges_end_before_their_end_and_inverted_ones_are_empty() {
        let map = sample();
        let range = |lo: &'static str, hi: &'static str| KeyRange::new(lo, Some(hi.into()));
        assert_eq!(keys(&map, &range("a", "c"), 9), b"b");
        assert_eq!(keys(&map, &range("c", "a"), 9), b"");
        assert_eq!(keys(&map, &range("b", "b"), 9), b"");
    }

    #[test]
    fn entries_come_newest_first_and_a_crash_forgets_the_end() {
        let mut map = sample();
        let entries = map.entries();
        assert!(entries.is_sorted_by(|a, b| a.internal_key() < b.internal_key()));
        assert_eq!((entries.len(), map.last_seq()), (4, SeqNo::new(4)));
        map.truncate(SeqNo::new(2));
        assert_eq!((map.entries().len(), map.last_seq()), (2, SeqNo::new(2)));
        assert_eq!(map.get(b"a", SeqNo::MAX), Some(&b"1"[..]));
        let mut again = VersionedMap::new();
        map.entries().iter().for_each(|e| again.apply(e));
        assert_eq!(again, map);
    }
}
