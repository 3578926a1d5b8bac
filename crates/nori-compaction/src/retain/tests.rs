//! Every reader before and after, and rules broken on purpose.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::MergeIter;
use nori_env::Rng;
use nori_testkit::{
    Entry, KeyGen, VecIter, VersionedMap, collect, entries, plant_caught, run_seeds,
};
use std::collections::BTreeMap;
use std::panic::catch_unwind;

/// Keys that start with this byte are of a dropped keyspace.
const DROPPED: u8 = b'k';

/// A random job and the world around it.
#[derive(Debug)]
struct Case {
    /// What lies below; empty in a bottom merge.
    below: Vec<Entry>,
    input: Vec<Entry>,
    stripes: Vec<SeqNo>,
    bottom: bool,
    dropped: Option<SeqNo>,
    /// Where readers may stand: each stripe, and everywhere from V on.
    readers: Vec<SeqNo>,
}

impl Case {
    fn random(rng: &mut Rng) -> Case {
        let mut keys = KeyGen::new(rng, 8);
        let bottom = rng.chance(50);
        let count_below = if bottom { 0 } else { rng.below(20) };
        let mut below = entries(rng, &mut keys, 1, count_below as usize);
        if rng.chance(50) {
            zero_some(&mut below, rng.below(20));
        }
        let count = rng.below(60);
        let mut input = entries(rng, &mut keys, 1 + count_below, count as usize);
        let last = count_below + count;
        let v = if rng.chance(70) { last } else { last.saturating_sub(rng.below(10)) };
        if bottom {
            // A bottom run from an earlier job: its oldest versions are zeroed.
            zero_some(&mut input, rng.below(v.max(1)));
        }
        let mut stripes: Vec<SeqNo> =
            (0..rng.below(4)).map(|_| SeqNo::new(rng.below(v + 1))).collect();
        stripes.push(SeqNo::new(v));
        stripes.sort();
        let dropped = rng.chance(40).then(|| SeqNo::new(rng.below(v + 1)));
        let newer = (v..=last + 2).map(SeqNo::new);
        let readers = stripes.iter().copied().chain(newer).collect();
        Case { below, input, stripes, bottom, dropped, readers }
    }

    fn dropped_at(&self, key: &[u8]) -> Option<SeqNo> {
        self.dropped.filter(|_| key.first() == Some(&DROPPED))
    }

    fn run(&self, plant: Option<Plant>) -> Vec<Entry> {
        let mut retain = Retain::new(self.stripes.clone(), self.bottom, |k| self.dropped_at(k));
        retain.planted = Planted::one(plant);
        let fate = |entry: &Entry| match retain.verdict(entry.internal_key()) {
            Verdict::Keep(seq) => Some(Entry { seq, ..entry.clone() }),
            Verdict::Shadowed | Verdict::Spent | Verdict::Purged => None,
        };
        self.input.iter().filter_map(fate).collect()
    }
}

/// What an earlier bottom merge at `oldest` would have left.
fn zero_some(list: &mut Vec<Entry>, oldest: u64) {
    let oldest = SeqNo::new(oldest);
    let mut seen = None;
    list.retain_mut(|e| {
        if e.seq > oldest {
            return true;
        }
        let is_newest = seen.as_ref() != Some(&e.key);
        seen = Some(e.key.clone());
        e.seq = SeqNo::ZERO;
        is_newest && e.kind == ValueKind::Value
    });
}

/// A read that asks the newer run first and stops at the first visible version.
fn get(runs: [&[Entry]; 2], key: &[u8], at: SeqNo) -> Option<Entry> {
    let newest = |run: &[Entry]| run.iter().find(|e| e.key == key && e.seq <= at).cloned();
    runs.into_iter().find_map(newest).filter(|e| e.kind == ValueKind::Value)
}

/// A scan over both, merged by sequence number.
fn scan(runs: [&[Entry]; 2], at: SeqNo) -> Vec<(Vec<u8>, Vec<u8>)> {
    let sources = runs.map(|run| VecIter::new(run.to_vec()));
    let merged = collect(&mut MergeIter::new(sources.to_vec())).unwrap();
    let mut last = None;
    let visible = merged.into_iter().filter(|e| e.seq <= at);
    let newest = visible.filter(|e| last.replace(e.key.clone()).as_ref() != Some(&e.key));
    let values = newest.filter(|e| e.kind == ValueKind::Value);
    values.map(|e| (e.key.to_vec(), e.value.to_vec())).collect()
}

/// Every reader sees before and after the same; output order is as readers need it.
fn check_readers(case: &Case, output: &[Entry]) {
    assert!(output.is_sorted_by(|a, b| a.internal_key() < b.internal_key()), "order");
    let (before, after) = ([&case.input[..], &case.below], [output, &case.below]);
    for at in &case.readers {
        // A reader sees a keyspace below its drop only.
        let sees = |key: &[u8]| case.dropped_at(key).is_none_or(|dropped| *at < dropped);
        for key in case.input.iter().chain(&case.below).map(|e| &e.key).filter(|k| sees(k)) {
            let values = [before, after].map(|runs| get(runs, key, *at).map(|e| e.value));
            assert_eq!(values[0], values[1], "get of {} at {at}", key.escape_ascii());
        }
        let lists = [before, after].map(|runs| {
            let mut list = scan(runs, *at);
            list.retain(|(key, _)| sees(key));
            list
        });
        assert_eq!(lists[0], lists[1], "scan at {at}");
    }
}

/// Nothing is kept that the rules let go.
fn check_exact(case: &Case, output: &[Entry]) {
    let oldest = case.stripes[0];
    let v = case.stripes[case.stripes.len() - 1];
    let mut newest: BTreeMap<_, &Entry> = BTreeMap::new();
    for entry in &case.input {
        let stripe = case.stripes.iter().find(|s| **s >= entry.seq).copied();
        // Above V each version is a stripe of its own.
        let place = (entry.key.clone(), std::cmp::Reverse(stripe.unwrap_or(entry.seq)));
        assert!(stripe.is_some() || entry.seq > v);
        newest.entry(place).or_insert(entry);
    }
    let mut expected: Vec<Entry> = newest.into_values().cloned().collect();
    expected.retain(|e| case.dropped_at(&e.key).is_none_or(|dropped| dropped > oldest));
    if case.bottom {
        expected.retain(|e| e.kind == ValueKind::Value || e.seq > oldest);
        for e in expected.iter_mut().filter(|e| e.seq <= oldest && e.kind == ValueKind::Value) {
            e.seq = SeqNo::ZERO;
        }
    }
    assert_eq!(output, expected);
}

#[test]
fn every_reader_sees_what_it_saw_and_nothing_more_is_kept() {
    let (mut entries_in, mut entries_out) = (0, 0);
    run_seeds("-p nori-compaction every_reader_sees", 2000, |seed| {
        let case = Case::random(&mut Rng::new(seed));
        let output = case.run(None);
        check_readers(&case, &output);
        check_exact(&case, &output);
        entries_in += case.input.len();
        entries_out += output.len();
    });
    println!("{entries_in} entries in, {entries_out} out");
}

#[test]
fn each_planted_violation_is_seen_by_readers() {
    let plants = [
        Plant::TombstoneDroppedHigh,
        Plant::TombstoneDroppedYoung,
        Plant::ZeroHigh,
        Plant::ZeroYoung,
        Plant::StripeOffByOne,
        Plant::IgnoreV,
        Plant::PurgeUnderSnapshot,
    ];
    for plant in plants {
        let caught = (1..2000).find(|seed| {
            let case = Case::random(&mut Rng::new(*seed));
            let output = case.run(Some(plant));
            catch_unwind(|| check_readers(&case, &output)).is_err()
        });
        let after = caught.unwrap_or_else(|| panic!("{plant:?} was never noticed"));
        plant_caught(plant, "merge-readers", after, "cases");
    }
}

#[test]
fn without_stripes_every_version_is_kept() {
    let mut retain = Retain::new(vec![], true, |_| Some(SeqNo::ZERO));
    for entry in [Entry::put("a", 3, "x"), Entry::delete("a", 2), Entry::put("a", 0, "y")] {
        assert_eq!(retain.verdict(entry.internal_key()), Verdict::Keep(entry.seq));
    }
}

#[test]
fn a_whole_history_comes_through_one_stripe_as_its_last_state() {
    let rng = &mut Rng::new(3);
    let mut keys = KeyGen::new(rng, 40);
    let input = entries(rng, &mut keys, 1, 400);
    let v = SeqNo::new(400);
    let mut oracle = VersionedMap::new();
    input.iter().for_each(|e| oracle.apply(e));
    let case = Case {
        below: vec![],
        input,
        stripes: vec![v],
        bottom: true,
        dropped: None,
        readers: vec![v],
    };
    let output = case.run(None);
    let left: Vec<_> = output.iter().map(|e| (&e.key[..], &e.value[..])).collect();
    assert!(oracle.scan(&nori_types::KeyRange::all(), v).eq(left));
    assert!(output.iter().all(|e| e.seq == SeqNo::ZERO));
}
