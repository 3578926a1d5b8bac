//! Leaves: the order of heads, where they are cut, and what a search finds in them.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::test_util::{key_pool, versions};
use nori_env::Rng;
use nori_types::{InternalKey, SeqNo, ValueKind};

type Version = (Vec<u8>, SeqNo, ValueKind);

fn target(version: &Version) -> Target<'_> {
    Target::new(InternalKey::new(&version.0, version.1, version.2))
}

fn insert<'a>(arena: &'a Arena, leaf: &'a Leaf, version: &Version) -> Placed {
    let target = target(version);
    leaf.insert(&target, &mut None, || Entry::new(arena, &target, b"", None))
}

fn number(n: u64) -> Version {
    (n.to_be_bytes().to_vec(), SeqNo::ZERO, ValueKind::Value)
}

#[test]
fn heads_keep_the_order_of_keys_whatever_the_prefix() {
    let pool = key_pool();
    let mut rng = Rng::new(4);
    for _ in 0..40 {
        let whole = rng.pick(&pool);
        let prefix_len = rng.below(whole.len().min(PREFIX_MAX) as u64 + 1) as usize;
        let mut prefix = [0; PREFIX_MAX];
        prefix[..prefix_len].copy_from_slice(&whole[..prefix_len]);
        let plan = Plan { prefix, prefix_len: prefix_len as u32, sorted: 0 };
        let mut last = LOWEST;
        let mut sorted = pool.clone();
        sorted.sort();
        for key in sorted {
            let head = plan.head(&key);
            assert!(head >= last, "{} after a lower key", key.escape_ascii());
            last = head;
        }
    }
}

/// Against a sorted vector: leaves that begin with some sorted entries and get others.
#[test]
fn a_leaf_finds_what_is_in_it() {
    let mut rng = Rng::new(7);
    let pool = key_pool();
    for round in 0..60 {
        let few: Vec<Vec<u8>> = (0..rng.below(40) + 1).map(|_| rng.pick(&pool).clone()).collect();
        let mut versions = versions(&few, round, 90);
        let arena = Arena::new();
        let mut first = versions.split_off(90 - rng.below(33) as usize);
        let ordered = |a: &Version, b: &Version| {
            target(a).key.cmp(target(b).key).then_with(|| target(b).trailer.cmp(&target(a).trailer))
        };
        first.sort_by(ordered);
        first.dedup();
        let entry = |v: &Version| (0, Entry::new(&arena, &target(v), b"", None));
        let entries: Vec<_> = first.iter().map(entry).collect();
        let (lo, hi) = (rng.pick(&few), rng.pick(&few));
        let leaf = Leaf::place(&arena, &entries, lo, hi);
        let mut inside = first;
        for version in &versions {
            let expected = match inside.binary_search_by(|other| ordered(other, version)) {
                Ok(_) => Placed::There,
                Err(_) if inside.len() == SLOTS => Placed::Full,
                Err(at) => {
                    inside.insert(at, version.clone());
                    Placed::New
                }
            };
            assert_eq!(insert(&arena, leaf, version), expected);
        }
        let mut run = Vec::new();
        leaf.read(&mut run);
        assert!(
            run.iter()
                .map(|(_, e)| e.key())
                .eq(inside.iter().map(|v| { InternalKey::new(&v.0, v.1, v.2) }))
        );
        for version in &versions {
            let at = inside.partition_point(|other| ordered(other, version).is_lt());
            let expected = inside.get(at).filter(|found| found.0 == version.0);
            let found = leaf.newest(&target(version)).map(|entry| entry.key());
            assert_eq!(found, expected.map(|v| InternalKey::new(&v.0, v.1, v.2)));
        }
    }
}

#[test]
fn keys_in_order_leave_full_leaves_behind() {
    let full = |numbers: &mut dyn Iterator<Item = u64>| {
        let arena = Arena::new();
        let leaf = Leaf::place(&arena, &[], &[], &[]);
        numbers.for_each(|n| assert_eq!(insert(&arena, leaf, &number(n)), Placed::New));
        let mut run = Vec::new();
        leaf.read(&mut run);
        assert_eq!(run.len(), SLOTS);
        leaf.cut(&run)
    };
    let slots = SLOTS as u64;
    assert_eq!(full(&mut (0..slots)), SLOTS - 1);
    assert_eq!(full(&mut (0..slots).rev()), 1);
    assert_eq!(full(&mut (0..slots).map(|n| n * 37 % slots)), SLOTS / 2);
}
