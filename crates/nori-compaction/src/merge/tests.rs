//! The merge beside one sorted list, with good and failing sources.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::testing::Walk;
use nori_env::Rng;
use nori_testkit::{Entry, Injected, KeyGen, VecIter, collect, entries, run_seeds};

fn merge(sources: &[Vec<Entry>]) -> MergeIter<VecIter> {
    MergeIter::new(sources.iter().cloned().map(VecIter::new).collect())
}

/// The naive twin: everything in one sorted list, of twins the newest source's.
fn merged(sources: &[Vec<Entry>]) -> Vec<Entry> {
    let mut all: Vec<Entry> = Vec::new();
    for entry in sources.iter().flatten() {
        if !all.iter().any(|e| (&e.key, e.seq) == (&entry.key, entry.seq)) {
            all.push(entry.clone());
        }
    }
    all.sort_by(|a, b| a.internal_key().cmp(&b.internal_key()));
    all
}

#[test]
fn no_sources_and_empty_sources_hold_nothing() {
    for sources in [&[][..], &[vec![]], &[vec![], vec![], vec![]]] {
        let mut iter = merge(sources);
        assert!(!iter.is_valid());
        assert_eq!(collect(&mut iter), Ok(vec![]));
        iter.seek_last().unwrap();
        assert!(!iter.is_valid());
    }
}

#[test]
fn of_twins_the_newest_source_wins_both_ways() {
    let newer = vec![Entry::put("b", 0, "new"), Entry::put("c", 4, "same")];
    let older =
        vec![Entry::put("a", 3, "x"), Entry::put("b", 0, "old"), Entry::put("c", 4, "same")];
    let oldest = vec![Entry::put("b", 0, "older still")];
    let mut iter = merge(&[newer, older, oldest]);
    let forward = collect(&mut iter).unwrap();
    assert_eq!(
        forward.iter().map(|e| &e.value[..]).collect::<Vec<_>>(),
        [&b"x"[..], b"new", b"same"]
    );
    let mut backward = Vec::new();
    iter.seek_last().unwrap();
    while iter.is_valid() {
        backward.push(Entry::at(&iter));
        iter.prev().unwrap();
    }
    backward.reverse();
    assert_eq!(backward, forward);
}

#[test]
fn an_error_in_any_source_is_no_end_and_a_seek_may_follow() {
    let (a, b) = (vec![Entry::put("a", 1, "")], vec![Entry::put("b", 2, "")]);
    for broken in 0..2 {
        let mut sources = [VecIter::new(a.clone()), VecIter::new(b.clone())];
        sources[broken] = sources[broken].clone().fail_move(1).fail_move(3);
        let mut iter = MergeIter::new(sources.to_vec());
        assert_eq!(iter.seek_first(), Err(Injected));
        assert!(!iter.is_valid());
        iter.seek_first().unwrap();
        let walk = iter.next().and_then(|()| iter.next());
        assert_eq!((walk, iter.is_valid()), (Err(Injected), false), "source {broken}");
    }
}

fn random_sources(rng: &mut Rng, keys: &mut KeyGen) -> Vec<Vec<Entry>> {
    let mut sources: Vec<Vec<Entry>> = Vec::new();
    for i in 0..rng.below(7) {
        let count = if rng.chance(15) { 0 } else { rng.below(25) as usize };
        let mut list = entries(rng, keys, 1 + i * 25, count);
        if rng.chance(40) {
            // Twins: versions that another source holds, and zeroed ones with other values.
            let others: Vec<Entry> = sources.iter().flatten().cloned().collect();
            list.extend(others.into_iter().filter(|_| rng.chance(30)));
            list.extend((0..3).map(|n| Entry::put(keys.next(rng), 0, format!("zeroed {i} {n}"))));
            list.sort_by(|a, b| a.internal_key().cmp(&b.internal_key()));
            list.dedup_by(|a, b| a.internal_key() == b.internal_key());
        }
        sources.push(list);
    }
    sources
}

#[test]
fn random_programs_move_as_in_one_sorted_list() {
    run_seeds("-p nori-compaction random_programs_move", 600, |seed| {
        let rng = &mut Rng::new(seed);
        let mut keys = KeyGen::new(rng, 24);
        let sources = random_sources(rng, &mut keys);
        let all = merged(&sources);
        assert_eq!(collect(&mut merge(&sources)).unwrap(), all);
        let mut walk = Walk::new(merge(&sources), &all);
        for _ in 0..300 {
            walk.random_move(rng, &mut keys).unwrap();
        }
    });
}

#[test]
fn random_programs_with_failing_moves_fail_or_are_right() {
    let (mut failed, mut passed) = (0, 0);
    run_seeds("-p nori-compaction random_programs_with_failing", 300, |seed| {
        let rng = &mut Rng::new(seed);
        let mut keys = KeyGen::new(rng, 24);
        let sources = random_sources(rng, &mut keys);
        let all = merged(&sources);
        let mut failing = |list: &Vec<Entry>| {
            let numbers: Vec<u64> = (0..5).map(|_| 1 + rng.below(150)).collect();
            numbers.into_iter().fold(VecIter::new(list.clone()), VecIter::fail_move)
        };
        let iter = MergeIter::new(sources.iter().map(&mut failing).collect());
        let mut walk = Walk::new(iter, &all);
        for _ in 0..200 {
            let outcome = walk.random_move(rng, &mut keys);
            *(if outcome.is_ok() { &mut passed } else { &mut failed }) += 1;
        }
    });
    println!("{failed} moves failed, {passed} passed");
    assert!(failed > 0 && passed > failed);
}
