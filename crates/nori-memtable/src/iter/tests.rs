//! The memtable under random programs, against a map of versions.
//!
//! What was there when a walk began is met, in order; of what came later, anything may be.

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

/// The naive twin of a memtable.
#[derive(Default)]
struct Twin {
    versions: BTreeMap<Place, Option<Vec<u8>>>,
}

/// An iterator, where it stands, and the newest number when its walk began.
struct Walker {
    iter: MemtableIter,
    at: Option<Place>,
    began: u64,
}

impl Twin {
    fn behind(&self, from: std::ops::Bound<Place>) -> Option<Place> {
        self.versions.range((from, Unbounded)).next().map(|(place, _)| place.clone())
    }

    fn before(&self, to: std::ops::Bound<Place>) -> Option<Place> {
        self.versions.range((Unbounded, to)).next_back().map(|(place, _)| place.clone())
    }
}

impl Walker {
    /// Where a step leads if it meets only what was there when the walk began.
    fn step(&self, twin: &Twin, mut here: Place, forward: bool) -> Option<Place> {
        loop {
            here = if forward { twin.behind(Excluded(here)) } else { twin.before(Excluded(here)) }?;
            if here.1.0 <= self.began {
                return Some(here);
            }
        }
    }

    /// The iterator stands at `expected`, or at what came later and lies before it on the way.
    fn check_place(&mut self, twin: &Twin, expected: Option<Place>, forward: bool) {
        let old = self.at.take();
        if !self.iter.is_valid() {
            assert_eq!(expected, None);
            return;
        }
        let key = self.iter.key();
        let place = (key.user_key.to_vec(), Reverse(key.seq.get()));
        if expected.as_ref() != Some(&place) {
            let on_the_way = |a: &Place, b: &Place| if forward { a < b } else { a > b };
            assert!(place.1.0 > self.began, "{place:?} for {expected:?}");
            assert!(expected.is_none_or(|expected| on_the_way(&place, &expected)));
            assert!(old.is_some_and(|old| on_the_way(&old, &place)));
        }
        let value = &twin.versions[&place];
        let kind = if value.is_some() { ValueKind::Value } else { ValueKind::Tombstone };
        assert_eq!(key, InternalKey::new(&place.0, SeqNo::new(place.1.0), kind));
        assert_eq!(self.iter.value(), value.as_deref().unwrap_or_default());
        assert_eq!(self.iter.value_bytes(), self.iter.value());
        self.at = Some(place);
    }
}

struct Program {
    rng: Rng,
    keys: Vec<Vec<u8>>,
    table: Arc<Memtable>,
    walkers: Vec<Walker>,
    twin: Twin,
    oracle: VersionedMap,
    last_seq: u64,
    /// Keys come in ascending, descending or no order.
    order: u64,
    tombstones: usize,
}

impl Program {
    fn new(seed: u64) -> Program {
        let mut rng = Rng::new(seed);
        let pool = key_pool();
        // Few keys: many versions of each, and steps that cross from key to key. Or many: leaves
        // that split, with keys that share much or little.
        let most = *rng.pick(&[10, 30, 300]);
        let mut keys: Vec<_> = (0..rng.below(most) + 1).map(|_| rng.pick(&pool).clone()).collect();
        if most == 300 {
            let front = rng.pick(&pool).clone();
            keys.extend((0..most * 4).map(|n| [&front[..], &(n * 7).to_be_bytes()[6..]].concat()));
        }
        keys.sort();
        let table = Arc::new(Memtable::with_capacity(*rng.pick(&[0, 4_096, 1 << 20])));
        let walkers = (0..3).map(|_| Walker { iter: table.iter(), at: None, began: 0 }).collect();
        let (twin, oracle) = (Twin::default(), VersionedMap::new());
        let order = rng.below(3);
        Program { rng, keys, table, walkers, twin, oracle, last_seq: 0, order, tombstones: 0 }
    }

    fn insert(&mut self) {
        self.last_seq += 1 + self.rng.below(3);
        let seq = self.last_seq;
        let in_order = seq as usize % self.keys.len();
        let key = match self.order {
            0 => self.keys[in_order].clone(),
            1 => self.keys[self.keys.len() - 1 - in_order].clone(),
            _ => self.rng.pick(&self.keys).clone(),
        };
        let value = self.rng.chance(70).then(|| seq.to_string().repeat(seq as usize % 5));
        let value = value.map(String::into_bytes);
        let kind = if value.is_some() { ValueKind::Value } else { ValueKind::Tombstone };
        self.tombstones += usize::from(value.is_none());
        let guard = self.table.enter().unwrap();
        let written = value.as_deref().unwrap_or_default();
        assert!(guard.insert(&key, written, SeqNo::new(seq), kind));
        assert!(!guard.insert(&key, b"other", SeqNo::new(seq), kind));
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

    /// One move of an iterator.
    fn walk(&mut self) {
        let target = (self.rng.pick(&self.keys).clone(), self.rng.below(self.last_seq + 2));
        let place = (target.0.clone(), Reverse(target.1));
        let target = InternalKey::new(&target.0, SeqNo::new(target.1), ValueKind::Value);
        let (twin, walker) = (&self.twin, self.rng.below(3) as usize);
        let walker = &mut self.walkers[walker];
        let turn = self.rng.below(12);
        if turn < 4 || walker.at.is_none() {
            walker.began = self.last_seq;
        }
        // Between these two lies what was there when the walk began.
        let (expected, forward) = match (turn, walker.at.clone()) {
            (0, _) => {
                walker.iter.seek_first().unwrap();
                (twin.behind(Unbounded), true)
            }
            (1, _) => {
                walker.iter.seek_last().unwrap();
                (twin.before(Unbounded), false)
            }
            (2, _) | (_, None) => {
                walker.iter.seek(target).unwrap();
                (twin.behind(Included(place)), true)
            }
            (3, _) => {
                // Behind every version of the same number, whatever its kind.
                let target = InternalKey { kind: ValueKind::Tombstone, ..target };
                walker.iter.seek_for_prev(target).unwrap();
                (twin.before(Included(place)), false)
            }
            (4..8, Some(here)) => {
                walker.iter.next().unwrap();
                (walker.step(twin, here, true), true)
            }
            (_, Some(here)) => {
                walker.iter.prev().unwrap();
                (walker.step(twin, here, false), false)
            }
        };
        walker.check_place(twin, expected, forward);
    }

    fn check_all(&mut self) {
        let entries: Vec<Plain> = collect(&mut self.table.iter()).unwrap();
        assert_eq!(entries, self.oracle.entries());
        assert_eq!(self.table.len(), entries.len());
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
                0..4 => program.insert(),
                4..6 => program.get(),
                _ => program.walk(),
            }
        }
        program.check_all();
    });
}
