//! The memtable under random programs, against a map of versions that searches for each step.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::test_util::key_pool;
use nori_env::Rng;
use nori_testkit::{Entry as Plain, VersionedMap, collect, env_usize, run_seeds};
use nori_types::{Lookup, SeqNo, ValueKind};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Included, Unbounded};

type Place = (Vec<u8>, Reverse<u64>);

/// The naive twin: a memtable and an iterator over it that searches anew for each step.
#[derive(Default)]
struct Twin {
    versions: BTreeMap<Place, Option<Vec<u8>>>,
    at: Option<Place>,
}

impl Twin {
    fn behind(&self, from: std::ops::Bound<Place>) -> Option<Place> {
        self.versions.range((from, Unbounded)).next().map(|(place, _)| place.clone())
    }

    fn before(&self, to: std::ops::Bound<Place>) -> Option<Place> {
        self.versions.range((Unbounded, to)).next_back().map(|(place, _)| place.clone())
    }
}

struct Program {
    rng: Rng,
    keys: Vec<Vec<u8>>,
    table: Arc<Memtable>,
    iter: MemtableIter,
    twin: Twin,
    oracle: VersionedMap,
    last_seq: u64,
    bytes: usize,
    tombstones: usize,
}

impl Program {
    fn new(seed: u64) -> Program {
        let mut rng = Rng::new(seed);
        let pool = key_pool();
        // Few keys: many versions of each, and steps that cross from key to key.
        let keys = (0..rng.below(30) + 1).map(|_| rng.pick(&pool).clone()).collect();
        let table = Arc::new(Memtable::new());
        let iter = table.iter();
        let (twin, oracle) = (Twin::default(), VersionedMap::new());
        Program { rng, keys, table, iter, twin, oracle, last_seq: 0, bytes: 0, tombstones: 0 }
    }

    fn insert(&mut self) {
        let key = self.rng.pick(&self.keys).clone();
        self.last_seq += 1 + self.rng.below(3);
        let seq = self.last_seq;
        let value = self.rng.chance(70).then(|| seq.to_string().repeat(seq as usize % 5));
        let value = value.map(String::into_bytes);
        let kind = if value.is_some() { ValueKind::Value } else { ValueKind::Tombstone };
        let entry = [&key[..], value.as_deref().unwrap_or_default()].concat();
        self.bytes += entry.len() + crate::ENTRY_OVERHEAD;
        self.tombstones += usize::from(value.is_none());
        let guard = self.table.enter().unwrap();
        assert!(guard.insert(entry.into(), key.len(), SeqNo::new(seq), kind));
        self.oracle.write(&key, SeqNo::new(seq), value.as_deref());
        self.twin.versions.insert((key, Reverse(seq)), value);
    }

    fn get(&mut self) {
        let key = self.rng.pick(&self.keys).clone();
        let at = SeqNo::new(self.rng.below(self.last_seq + 2));
        let expected = self.oracle.get(&key, at);
        match self.table.get(&key, at) {
            Lookup::Found(value, seq) => {
                assert_eq!(Some(&value[..]), expected, "at {at}");
                let written = &self.twin.versions[&(key, Reverse(seq.get()))];
                assert_eq!(Some(&value[..]), written.as_deref());
            }
            Lookup::Deleted(seq) => {
                assert_eq!(expected, None, "at {at}");
                assert_eq!(self.twin.versions[&(key, Reverse(seq.get()))], None);
            }
            Lookup::Absent => {
                let newest = self.twin.behind(Included((key.clone(), Reverse(at.get()))));
                assert_ne!(newest.map(|(key, _)| key), Some(key), "at {at}");
            }
        }
    }

    /// One move of both iterators.
    fn walk(&mut self) {
        let target = (self.rng.pick(&self.keys).clone(), self.rng.below(self.last_seq + 2));
        let place = (target.0.clone(), Reverse(target.1));
        let target = InternalKey::new(&target.0, SeqNo::new(target.1), ValueKind::Value);
        let here = self.twin.at.clone();
        match (self.rng.below(12), here) {
            (0, _) => {
                self.iter.seek_first().unwrap();
                self.twin.at = self.twin.behind(Unbounded);
            }
            (1, _) => {
                self.iter.seek_last().unwrap();
                self.twin.at = self.twin.before(Unbounded);
            }
            (2, _) | (_, None) => {
                self.iter.seek(target).unwrap();
                self.twin.at = self.twin.behind(Included(place));
            }
            (3, _) => {
                // Behind every version of the same number, whatever its kind.
                let target = InternalKey { kind: ValueKind::Tombstone, ..target };
                self.iter.seek_for_prev(target).unwrap();
                self.twin.at = self.twin.before(Included(place));
            }
            (4..8, Some(here)) => {
                self.iter.next().unwrap();
                self.twin.at = self.twin.behind(Excluded(here));
            }
            (_, Some(here)) => {
                self.iter.prev().unwrap();
                self.twin.at = self.twin.before(Excluded(here));
            }
        }
        self.check_place();
    }

    fn check_place(&self) {
        assert_eq!(self.iter.is_valid(), self.twin.at.is_some());
        let Some(place) = &self.twin.at else { return };
        let value = &self.twin.versions[place];
        let kind = if value.is_some() { ValueKind::Value } else { ValueKind::Tombstone };
        assert_eq!(self.iter.key(), InternalKey::new(&place.0, SeqNo::new(place.1.0), kind));
        assert_eq!(self.iter.value(), value.as_deref().unwrap_or_default());
        assert_eq!(self.iter.value_bytes(), self.iter.value());
    }

    fn check_all(&mut self) {
        let entries: Vec<Plain> = collect(&mut self.table.iter()).unwrap();
        assert_eq!(entries, self.oracle.entries());
        assert_eq!(self.table.len(), entries.len());
        assert_eq!(self.table.bytes(), self.bytes);
        assert_eq!(self.table.tombstones(), self.tombstones);
        assert_eq!(self.table.last_seq().get(), self.last_seq);
    }
}

#[test]
fn a_memtable_behaves_as_a_map_of_versions() {
    let steps = env_usize("NORI_STEPS", 1_500);
    run_seeds("-p nori-memtable a_memtable_behaves", 60, |seed| {
        let mut program = Program::new(seed);
        for _ in 0..steps {
            match program.rng.below(10) {
                0..2 => program.insert(),
                2..4 => program.get(),
                _ => program.walk(),
            }
        }
        program.check_all();
    });
}
