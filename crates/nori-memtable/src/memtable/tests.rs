//! The memtable told as stories: versions, the seal, the counts, ranges.

#![allow(clippy::unwrap_used)]

use super::*;
use bytes::Bytes;
use nori_types::InternalIterator;

fn at(seq: u64) -> SeqNo {
    SeqNo::new(seq)
}

#[test]
fn readers_see_the_newest_version_at_their_number() {
    let table = Memtable::with_capacity(4_096);
    let group = table.enter().unwrap();
    group.insert(b"fig", b"green", at(3), ValueKind::Value);
    group.insert(b"fig", b"ripe", at(5), ValueKind::Value);
    group.insert(b"fig", b"", at(7), ValueKind::Tombstone);
    let cases = [
        (2, Lookup::Absent),
        (3, Lookup::Found("green".into(), at(3))),
        (4, Lookup::Found("green".into(), at(3))),
        (6, Lookup::Found("ripe".into(), at(5))),
        (7, Lookup::Deleted(at(7))),
        (SeqNo::MAX.get(), Lookup::Deleted(at(7))),
    ];
    for (seq, expected) in cases {
        assert_eq!(table.get(b"fig", at(seq)), expected, "at {seq}");
    }
    for stranger in [&b""[..], b"fi", b"fig\0", b"figs"] {
        assert_eq!(table.get(stranger, SeqNo::MAX), Lookup::Absent);
    }
}

#[test]
fn a_sealed_memtable_lets_nobody_in_and_is_done_when_the_last_is_out() {
    let table = Arc::new(Memtable::new());
    let (first, second) = (table.enter().unwrap(), table.enter_owned().unwrap());
    assert!(!table.is_quiescent() && !table.is_sealed());
    table.seal();
    table.seal();
    assert!(table.is_sealed() && table.enter().is_none() && table.enter_owned().is_none());
    first.insert(b"a", b"", at(1), ValueKind::Value);
    drop(first);
    assert!(!table.is_quiescent());
    second.insert(b"b", b"", at(2), ValueKind::Value);
    drop(second);
    assert!(table.is_quiescent());
    table.wait_quiescent();
    assert_eq!(table.len(), 2);
}

#[test]
fn a_version_is_charged_once() {
    let table = Memtable::new();
    assert!(table.is_empty() && table.bytes() == 0 && table.last_seq() == SeqNo::ZERO);
    let group = table.enter().unwrap();
    assert!(group.insert(b"key", b"value", at(9), ValueKind::Value));
    assert!(group.insert(b"key", b"", at(8), ValueKind::Tombstone));
    let charged = table.bytes();
    // The same version again: nothing changes, not even the value.
    assert!(!group.insert(b"key", b"other", at(9), ValueKind::Value));
    assert_eq!(table.get(b"key", at(9)), Lookup::Found("value".into(), at(9)));
    assert_eq!(table.bytes(), charged);
    assert!((1_000..3_000).contains(&charged), "an entry, a leaf and a fence: {charged}");
    assert_eq!((table.len(), table.tombstones(), table.last_seq()), (2, 1, at(9)));
}

#[test]
fn ranges_with_and_without_keys_are_told_apart() {
    let table = Memtable::new();
    let group = table.enter().unwrap();
    group.insert(b"bee", b"", at(1), ValueKind::Tombstone);
    let range = |lo: &'static str, hi: &'static str| KeyRange::new(lo, Some(hi.into()));
    let cases = [
        (KeyRange::all(), true),
        (range("bee", "bee\0"), true),
        (range("", "bee"), false),
        (range("bee\0", "c"), false),
        (range("c", "a"), false),
        (KeyRange::new("bee", None), true),
        (KeyRange::new("bees", None), false),
    ];
    for (range, expected) in cases {
        assert_eq!(table.has_key_in(&range), expected, "{range:?}");
    }
}

#[test]
fn an_iterator_keeps_what_it_walks_and_may_change_threads() {
    let table = Arc::new(Memtable::new());
    let group = table.enter_owned().unwrap();
    group.insert(b"key", b"value", at(1), ValueKind::Value);
    let mut iter = table.iter();
    iter.seek_first().unwrap();
    drop((group, table));
    let walker = nori_env::sync::thread::spawn(move || {
        assert_eq!(iter.key(), InternalKey::new(b"key", at(1), ValueKind::Value));
        assert_eq!((iter.value(), iter.value_bytes()), (&b"value"[..], Bytes::from("value")));
        iter.next().unwrap();
        iter.is_valid()
    });
    assert!(!walker.join().unwrap());
}
