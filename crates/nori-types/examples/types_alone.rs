//! nori-types by itself: internal keys in order, and a salted checksum.

use nori_types::{InternalKey, SeqNo, ValueKind, checksum};

fn main() {
    let mut keys = [
        InternalKey::new(b"plum", SeqNo::new(1), ValueKind::Value),
        InternalKey::new(b"fig", SeqNo::new(2), ValueKind::Value),
        InternalKey::new(b"fig", SeqNo::new(3), ValueKind::Tombstone),
    ];
    keys.sort();
    println!("{keys:?}");
    // By key, and of one key the newest first.
    assert_eq!(keys[0].seq, SeqNo::new(3));
    println!("checksum under salt 7: {:08x}", checksum(7, b"fig"));
}
