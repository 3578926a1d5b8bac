//! Prefixes sort as ids do, ids never come back, and what cannot be is refused.

#![allow(clippy::unwrap_used)]

use super::*;

const EDGES: [u32; 14] = [
    0,
    1,
    0x7f,
    0x80,
    0x81,
    0x3fff,
    0x4000,
    0x1f_ffff,
    0x20_0000,
    0xfff_ffff,
    0x1000_0000,
    0x7fff_ffff,
    u32::MAX - 1,
    u32::MAX,
];

#[test]
fn prefixes_sort_as_ids_do_and_come_back() {
    for id in EDGES {
        let key = [&key_prefix(id)[..], b"user"].concat();
        assert_eq!(split_prefix(&key), Some((id, &b"user"[..])), "{id:#x}");
        if let Some(next) = id.checked_add(1) {
            // Whatever follows the prefix, the key stays below the next id's.
            assert!([&key_prefix(id)[..], &[0xff; 40]].concat() < key_prefix(next), "{id:#x}");
        }
        let range = keyspace_range(id);
        assert!(range.contains(&key) && range.contains(&key_prefix(id)), "{id:#x}");
        assert!(!keyspace_range(id.wrapping_sub(1)).contains(&key_prefix(id)), "{id:#x}");
    }
    assert!(keyspace_range(u32::MAX).hi.is_none());
    assert_eq!([0x7f, 0x80, 0x4000].map(|id| key_prefix(id).len()), [1, 2, 3]);
}

#[test]
fn padded_or_cut_ids_are_not_prefixes() {
    let bad: [&[u8]; 9] = [
        b"",
        b"\x80",
        b"\x80\x7f",
        b"\xc0\x3f\xff",
        b"\xe0\x1f\xff\xff",
        b"\xf0\x0f\xff\xff\xff",
        b"\xf0\x10\x00\x00",
        b"\xf1\x10\x00\x00\x00",
        b"\xff",
    ];
    for key in bad {
        assert_eq!(split_prefix(key), None, "{key:x?}");
    }
}

fn keyspace(id: u32, name: &str, created: u64, dropped: Option<u64>) -> Keyspace {
    let (created, dropped) = (SeqNo::new(created), dropped.map(SeqNo::new));
    Keyspace { id, name: name.into(), created, dropped }
}

#[test]
fn ids_are_dense_and_never_come_back() {
    let one = Catalog::new().with(&keyspace(1, "a", 5, None)).unwrap();
    assert!(one.with(&keyspace(3, "b", 6, None)).is_err(), "an id is skipped");
    assert!(one.with(&keyspace(2, "a", 6, None)).is_err(), "the name is taken");
    let gone = one.with(&keyspace(1, "a", 5, Some(9))).unwrap();
    assert!(gone.with(&keyspace(1, "a", 5, Some(10))).is_err(), "dropped twice");
    assert!(gone.by_name("a").is_none());
    let again = gone.with(&keyspace(2, "a", 12, None)).unwrap();
    assert_eq!(again.by_name("a").map(|k| k.id), Some(2));
    assert_eq!(again.last_seq(), SeqNo::new(12));
    assert_eq!(gone.last_seq(), SeqNo::new(9));
    assert_eq!(again.dropped(b"\x01x"), Some(SeqNo::new(9)));
    assert_eq!(again.dropped(b"\x02x"), None);
    assert_eq!(again.next_id(), 3);
}

#[test]
fn what_cannot_be_is_refused() {
    let catalog = Catalog::new();
    for bad in [
        keyspace(1, "", 1, None),
        keyspace(1, &"n".repeat(256), 1, None),
        keyspace(1, DEFAULT_KEYSPACE, 1, None),
        keyspace(0, DEFAULT_KEYSPACE, 0, Some(4)),
        keyspace(0, DEFAULT_KEYSPACE, 0, None),
    ] {
        assert!(catalog.with(&bad).is_err(), "{bad:?}");
    }
    let one = catalog.with(&keyspace(1, "a", 5, None)).unwrap();
    assert!(one.with(&keyspace(1, "a", 5, Some(5))).is_err());
    assert!(one.with(&keyspace(1, "b", 5, Some(6))).is_err());
    assert!(Catalog::from_stored(vec![keyspace(1, "a", 5, None)]).is_none());
    assert!(Catalog::from_stored(vec![]).is_none());
}

#[test]
fn a_keyspace_exists_from_its_creation_to_its_drop() {
    let k = keyspace(1, "a", 5, Some(9));
    let seen = (0..12).filter(|s| k.exists_at(SeqNo::new(*s))).collect::<Vec<_>>();
    assert_eq!(seen, [5, 6, 7, 8]);
}
