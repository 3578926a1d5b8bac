//! The map against a sorted vector, and with several threads.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::test_util::{key_pool, versions};
use nori_env::Rng;
use nori_env::sync::{Arc, thread};
use nori_types::{InternalKey, SeqNo, ValueKind};

type Version = (Vec<u8>, SeqNo, ValueKind);

fn key(version: &Version) -> InternalKey<'_> {
    InternalKey::new(&version.0, version.1, version.2)
}

fn insert(map: &Map, version: &Version) -> bool {
    map.insert(&Target::new(key(version)), b"value", || {})
}

fn walk(map: &Map) -> Vec<InternalKey<'_>> {
    let (mut run, mut walked) = (Run::new(), Vec::new());
    let mut place = Some(map.read_first(&mut run));
    while let Some(Place { next, .. }) = place {
        walked.extend(run.iter().map(|(_, entry)| entry.key()));
        place = next.map(|next| Place::read(next, &mut run));
    }
    walked
}

fn walk_back(map: &Map) -> Vec<InternalKey<'_>> {
    let (mut run, mut walked) = (Run::new(), Vec::new());
    let mut place = Some(map.read_last(&mut run));
    while let Some(Place { node, .. }) = place {
        walked.extend(run.iter().rev().map(|(_, entry)| entry.key()));
        place = map.read_before(node, &mut run);
    }
    walked.reverse();
    walked
}

fn check_searches(map: &Map, sorted: &[Version], targets: &[Version]) {
    for version in targets {
        let target = Target::new(key(version));
        let at = sorted.partition_point(|other| key(other) < key(version));
        let expected = sorted.get(at).map(key);
        assert_eq!(map.at_or_after(&target).map(Entry::key), expected);
        let newest = expected.filter(|found| found.user_key == version.0);
        assert_eq!(map.newest(&target).map(Entry::key), newest);
    }
}

/// Many versions of few keys, so that versions of one key fill leaves and reach over their ends.
#[test]
fn a_map_finds_what_was_inserted_in_any_order() {
    let pool = key_pool();
    let mut rng = Rng::new(3);
    for round in 0..12 {
        let few: Vec<Vec<u8>> = (0..rng.below(200) + 1).map(|_| rng.pick(&pool).clone()).collect();
        let mut all = versions(&few, round, 1_500);
        let seqs = |all: &mut Vec<Version>, rng: &mut Rng| {
            all.iter_mut().for_each(|version| version.1 = SeqNo::new(rng.below(400)));
        };
        seqs(&mut all, &mut rng);
        let outside = all.split_off(1_000);
        match round % 4 {
            0 => all.sort_by(|a, b| key(a).cmp(&key(b))),
            1 => all.sort_by(|a, b| key(b).cmp(&key(a))),
            _ => {}
        }
        let map = Map::new();
        let mut sorted: Vec<Version> = Vec::new();
        for version in &all {
            let at = sorted.binary_search_by(|other| key(other).cmp(&key(version)));
            assert_eq!(insert(&map, version), at.is_err(), "an equal entry is refused");
            if let Err(at) = at {
                sorted.insert(at, version.clone());
            }
        }
        assert!(walk(&map).into_iter().eq(sorted.iter().map(key)));
        assert_eq!(walk_back(&map), walk(&map));
        check_searches(&map, &sorted, &all);
        check_searches(&map, &sorted, &outside);
    }
}

fn numbers(map: &Map, numbers: impl Iterator<Item = u64>) {
    let version = |n: u64| (n.to_be_bytes().to_vec(), SeqNo::new(n), ValueKind::Value);
    numbers.for_each(|n| assert!(insert(map, &version(n))));
}

/// What a map of many entries takes is what they, their leaves, and the fences take.
#[test]
fn memory_is_counted_and_bounded() {
    let count = 50_000_u64;
    let random =
        |map: &Map| numbers(map, (0..count).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    let map = Map::new();
    let empty = map.bytes();
    assert!(empty < 2_048, "an empty map takes {empty} bytes");
    random(&map);
    let each = |map: &Map| map.bytes() / count as usize;
    // 32 for the entry, half full leaves twice, fences.
    assert!((64..100).contains(&each(&map)), "random: {}", each(&map));
    for in_order in [true, false] {
        let map = Map::new();
        if in_order {
            numbers(&map, 0..count)
        } else {
            numbers(&map, (0..count).rev())
        }
        assert!((60..75).contains(&each(&map)), "in order: {}", each(&map));
    }
}

#[test]
fn large_values_lie_apart_and_outlive_the_map() {
    let map = Map::new();
    let mut kept = Vec::new();
    for (n, len) in [LARGE_BYTES - 1, LARGE_BYTES, 300_000].into_iter().enumerate() {
        let (name, value) = ([n as u8], vec![n as u8; len]);
        let before = map.bytes();
        let target = Target::new(InternalKey::new(&name, SeqNo::ZERO, ValueKind::Value));
        assert!(map.insert(&target, &value, || {}));
        assert!((len..len + 70_000).contains(&(map.bytes() - before)), "{len}");
        let entry = map.newest(&target).unwrap();
        assert_eq!(entry.value(), value);
        let shared = entry.value_bytes().as_ptr() == entry.value().as_ptr();
        assert_eq!(shared, len >= LARGE_BYTES);
        kept.push((entry.value_bytes(), value));
    }
    drop(map);
    kept.iter().for_each(|(shared, value)| assert_eq!(shared, value));
}

/// Four threads insert the same entries: each entry is taken from exactly one of them.
#[test]
fn equal_entries_at_once_are_taken_once() {
    let count = 3_000;
    let map = Arc::new(Map::new());
    let threads = (0..4_u64).map(|t| {
        let map = Arc::clone(&map);
        thread::spawn(move || {
            let order = |n: u64| if t < 2 { n } else { n * 7 % count };
            let version = |n: u64| (n.to_be_bytes().to_vec(), SeqNo::ZERO, ValueKind::Value);
            (0..count).filter(|n| insert(&map, &version(order(*n)))).count()
        })
    });
    let threads: Vec<_> = threads.collect();
    let inserted: usize = threads.into_iter().map(|t| t.join().unwrap()).sum();
    let walked = walk(&map);
    assert!(walked.is_sorted_by(|a, b| a < b));
    assert_eq!((inserted, walked.len()), (count as usize, count as usize));
    assert_eq!(walk_back(&map), walked);
}
