//! The order of keys, the keyspace prefix, varints and file names.

use std::cmp::Ordering;

use nori_types::{
    FileName, InternalKey, KeyRange, Reader, SeqNo, ValueKind, put_varint, successor, varint_len,
};

use crate::input::Input;

pub(crate) fn run(data: &[u8]) {
    varints(data);
    names(data);
    let mut input = Input::new(data);
    let mut keys = Vec::new();
    while !input.is_empty() && keys.len() < 12 {
        let kind = ValueKind::from_u8(input.u8() % 2).expect("0 and 1 are kinds");
        let seq = SeqNo::new(input.u64());
        keys.push(InternalKey::new(input.piece(), seq, kind));
    }
    order(&keys);
    ranges(&keys);
}

/// Any bytes as varints: what is read is written back in no more bytes.
fn varints(data: &[u8]) {
    let mut reader = Reader::new(data);
    loop {
        let before = reader.rest().len();
        let Ok(value) = reader.varint() else { break };
        let used = before - reader.rest().len();
        let mut written = Vec::new();
        put_varint(&mut written, value);
        assert!(written.len() == varint_len(value) && written.len() <= used);
        assert_eq!(Reader::new(&written).varint(), Ok(value));
    }
    let mut reader = Reader::new(data);
    while let Ok(piece) = reader.length_prefixed() {
        assert!(piece.len() < data.len(), "no more bytes come out than went in");
    }
}

/// One file, one name.
fn names(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Some(name) = FileName::parse(text) {
        assert_eq!(name.to_string(), text, "a name that parses is written the same");
    }
}

/// The order is total, and as it is told: keys ascend, sequence numbers descend.
fn order(keys: &[InternalKey<'_>]) {
    for a in keys {
        for b in keys {
            let told = (a.user_key, u64::MAX - a.seq.get(), 1 - a.kind as u8).cmp(&(
                b.user_key,
                u64::MAX - b.seq.get(),
                1 - b.kind as u8,
            ));
            assert_eq!(a.cmp(b), told);
            assert_eq!(a.cmp(b), b.cmp(a).reverse());
            assert_eq!(a == b, a.cmp(b) == Ordering::Equal);
        }
        assert!(InternalKey::seek(a.user_key, a.seq) <= *a, "a reader at its number finds it");
        assert!(InternalKey::behind(a.user_key) >= *a, "nothing of a key lies behind its end");
    }
}

/// Ranges between two keys hold exactly what lies between them.
fn ranges(keys: &[InternalKey<'_>]) {
    for pair in keys.windows(2) {
        let [low, high] = pair else { continue };
        let next = successor(low.user_key);
        assert!(&next[..] > low.user_key, "the successor is larger");
        let range = KeyRange::new(low.user_key.to_vec(), Some(high.user_key.to_vec().into()));
        for key in keys {
            let inside = key.user_key >= low.user_key && key.user_key < high.user_key;
            assert_eq!(range.contains(key.user_key), inside);
        }
    }
}

pub(crate) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let key = |kind: u8, seq: u64, user_key: &[u8]| {
        let mut bytes = vec![kind];
        bytes.extend_from_slice(&seq.to_le_bytes());
        bytes.push(user_key.len() as u8);
        bytes.extend_from_slice(user_key);
        bytes
    };
    let versions = [key(1, 9, b"plum"), key(0, 4, b"plum"), key(1, u64::MAX, b"plum\0")];
    vec![
        ("versions", versions.concat()),
        ("prefixes", [key(1, 1, b""), key(1, 2, b"\0"), key(1, 3, &[0xff; 3])].concat()),
        ("table_name", b"000015.sst".to_vec()),
        ("manifest_name", b"MANIFEST-000007".to_vec()),
        ("varints", vec![0x00, 0x7f, 0x80, 0x01, 0xff, 0xff, 0x03]),
    ]
}
