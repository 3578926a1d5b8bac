//! Entries: their order, whatever the bytes, and what they give back.

use super::*;
use crate::test_util::{key_pool, versions};

fn entry<'a>(arena: &'a Arena, key: InternalKey<'_>, value: &[u8]) -> Entry<'a> {
    Entry::new(arena, &Target::new(key), value, None)
}

#[test]
fn entries_and_targets_sort_as_internal_keys_whatever_the_bytes() {
    let (arena, pool) = (Arena::new(), key_pool());
    let all = versions(&pool, 11, 600);
    let keys = || all.iter().map(|(key, seq, kind)| InternalKey::new(key, *seq, *kind));
    let entries: Vec<Entry<'_>> = keys().map(|key| entry(&arena, key, b"")).collect();
    for (a, key) in entries.iter().zip(keys()) {
        let target = Target::new(key);
        assert_eq!(a.key(), key);
        for b in &entries {
            let order = a.key().cmp(&b.key());
            assert_eq!(a.cmp(*b), order, "{a:?} and {b:?}");
            assert_eq!(target.order_of(*b), order.reverse());
            let fronts = front(a.user_key()).cmp(&front(b.user_key()));
            assert!(fronts.is_eq() || fronts == a.user_key().cmp(b.user_key()));
        }
    }
}

#[test]
fn words_are_those_of_the_padded_key() {
    for key in key_pool() {
        for at in [0, 1, 3, 8, 12, 20, 70] {
            let mut padded = [0; 8];
            for (byte, from) in padded.iter_mut().zip(key.iter().skip(at)) {
                *byte = *from;
            }
            assert_eq!(word(&key, at), u64::from_be_bytes(padded));
        }
        let words: [u64; FRONT_WORDS] = std::array::from_fn(|i| word(&key, i * 8));
        assert_eq!(front(&key), words);
    }
}

#[test]
fn an_entry_gives_back_what_went_in() {
    let arena = Arena::new();
    let key = InternalKey::new(b"key", SeqNo::MAX, ValueKind::Value);
    let one = entry(&arena, key, b"value");
    assert_eq!((one.key(), one.value()), (key, &b"value"[..]));
    assert_eq!(one.value_bytes(), &b"value"[..]);
    let key = InternalKey::new(b"", SeqNo::ZERO, ValueKind::Tombstone);
    let none = entry(&arena, key, b"");
    assert_eq!((none.key(), none.value()), (key, &b""[..]));
    assert_eq!((one.user_key(), one.value()), (&b"key"[..], &b"value"[..]));
}
