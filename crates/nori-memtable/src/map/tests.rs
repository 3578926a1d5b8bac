//! One contract for both maps, so that the models speak for the production one.

#![allow(clippy::unwrap_used)]

use super::list::List;
use super::*;
use crate::test_util::{key_pool, versions};
use bytes::Bytes;
use nori_env::sync::{Arc, thread};
use nori_types::{SeqNo, ValueKind};

fn entry((key, seq, kind): &(Vec<u8>, SeqNo, ValueKind)) -> Entry {
    Entry::new(Bytes::from(key.clone()), key.len(), *seq, *kind)
}

fn walk<M: Map>(map: &M) -> Vec<&Entry> {
    let mut walked = Vec::new();
    let mut at = map.first();
    while let Some(place) = at {
        walked.push(place.entry());
        at = place.next();
    }
    walked
}

/// Against a sorted vector: each way to come to a place, each way on.
fn seeks_and_steps<M: Map>() {
    let all = versions(&key_pool(), 5, 250);
    let (inside, outside) = all.split_at(150);
    let map = M::new();
    assert!(map.first().is_none() && map.last().is_none());
    let mut sorted: Vec<Entry> = Vec::new();
    for version in inside {
        let at = sorted.binary_search(&entry(version));
        assert_eq!(map.insert(entry(version)), at.is_err(), "an equal entry is refused");
        if let Err(at) = at {
            sorted.insert(at, entry(version));
        }
    }
    assert!(walk(&map).into_iter().eq(&sorted));
    assert_eq!(map.last().unwrap().entry(), sorted.last().unwrap());
    for version in inside.iter().chain(outside) {
        let probe = entry(version);
        let after = sorted.partition_point(|other| *other < probe);
        let before = sorted.partition_point(|other| *other <= probe);
        let found = map.at_or_after(&probe);
        assert_eq!(found.as_ref().map(|c| c.entry()), sorted.get(after));
        if let Some(place) = found {
            let (previous, next) = (place.prev(), place.next());
            assert_eq!(previous.map(|c| c.entry()), after.checked_sub(1).map(|i| &sorted[i]));
            assert_eq!(next.map(|c| c.entry()), sorted.get(after + 1));
        }
        let found = map.at_or_before(&probe).map(|c| c.entry());
        assert_eq!(found, before.checked_sub(1).map(|i| &sorted[i]));
    }
}

/// Four threads insert the same entries: each entry is taken from exactly one of them.
fn equal_entries_at_once<M: Map + Send + Sync + 'static>() {
    let map = Arc::new(M::new());
    let number = |n: u64| Entry::new(n.to_be_bytes().to_vec().into(), 8, SeqNo::ZERO, KIND);
    let insert = |_| {
        let map = Arc::clone(&map);
        thread::spawn(move || (0..500).filter(|n| map.insert(number(*n))).count())
    };
    let threads: Vec<_> = (0..4).map(insert).collect();
    let inserted: usize = threads.into_iter().map(|t| t.join().unwrap()).sum();
    let walked = walk(&*map);
    assert!(walked.is_sorted_by(|a, b| a < b));
    assert_eq!((inserted, walked.len()), (500, 500));
}

const KIND: ValueKind = ValueKind::Value;

#[test]
fn the_skip_list_keeps_the_contract() {
    seeks_and_steps::<skip::Skip>();
    equal_entries_at_once::<skip::Skip>();
}

#[test]
fn the_models_list_keeps_the_contract() {
    seeks_and_steps::<List>();
    equal_entries_at_once::<List>();
}
