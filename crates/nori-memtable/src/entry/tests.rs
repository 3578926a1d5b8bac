//! Entries: their order, whatever the bytes, and what they give back.

use super::*;
use crate::test_util::{key_pool, versions};

#[test]
fn entries_sort_as_internal_keys_whatever_the_bytes() {
    let pool = key_pool();
    let mut entries = Vec::new();
    for (user_key, seq, kind) in versions(&pool, 11, 600) {
        entries.push(Entry::new(Bytes::from(user_key.clone()), user_key.len(), seq, kind));
    }
    for a in &entries {
        for b in &entries {
            assert_eq!(a.cmp(b), a.key().cmp(&b.key()), "{:?} and {:?}", a.key(), b.key());
            assert_eq!(a == b, a.key() == b.key());
        }
    }
}

#[test]
fn a_probe_compares_as_the_entry_it_stands_for() {
    let pool = key_pool();
    for (user_key, seq, kind) in versions(&pool, 12, 300) {
        let entry = Entry::new(Bytes::from(user_key.clone()), user_key.len(), seq, kind);
        let target = InternalKey::new(&user_key, seq, kind);
        assert!(with_probe(target, |probe| *probe == entry));
    }
}

#[test]
fn an_entry_gives_back_what_went_in() {
    let entry = Entry::new("keyvalue".into(), 3, SeqNo::MAX, ValueKind::Value);
    assert_eq!(entry.key(), InternalKey::new(b"key", SeqNo::MAX, ValueKind::Value));
    assert_eq!((entry.value(), &entry.value_bytes()[..]), (&b"value"[..], &b"value"[..]));
    let entry = Entry::new(Bytes::new(), 0, SeqNo::ZERO, ValueKind::Tombstone);
    assert_eq!(entry.key(), InternalKey::new(b"", SeqNo::ZERO, ValueKind::Tombstone));
    assert!(entry.value().is_empty());
}

#[test]
#[should_panic(expected = "cannot have a key of 4")]
fn a_key_does_not_reach_beyond_its_entry() {
    Entry::new("key".into(), 4, SeqNo::ZERO, ValueKind::Value);
}

#[test]
#[cfg(target_pointer_width = "64")]
fn an_entry_is_as_large_as_it_is_charged() {
    assert_eq!(size_of::<Entry>(), 112);
    // The smallest node has a count and one pointer more. It must not fit into the pieces of up
    // to 120 bytes that glibc's allocator merges all at once, with writers waiting for it.
    assert!(8 + size_of::<Entry>() + 8 > 120);
}
