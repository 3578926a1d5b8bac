//! Footers: damage, versions of the future, handles that lie.

#![allow(clippy::unwrap_used)]
use super::*;
use nori_env::Rng;

fn footer() -> Footer {
    Footer {
        incompatible: 0,
        read_compatible: 0,
        ignorable: 0,
        id: 42,
        file_bytes: 1000,
        filter: Some(Handle { offset: 500, bytes: 95 }),
        index: Handle { offset: 600, bytes: 95 },
        properties: Handle { offset: 700, bytes: 1000 - 128 - 700 - 5 },
    }
}

/// The footer's bytes, changed, under a checksum that fits again.
fn resigned(change: impl FnOnce(&mut [u8; FOOTER_BYTES])) -> [u8; FOOTER_BYTES] {
    let mut bytes = footer().encode();
    change(&mut bytes);
    let sum = footer_checksum(&bytes);
    bytes[COVERED..120].copy_from_slice(&sum.to_le_bytes());
    bytes
}

#[test]
fn footers_come_back() {
    assert_eq!(Footer::decode(&footer().encode(), 1000), Ok(footer()));
    let none = Footer { filter: None, ..footer() };
    assert_eq!(Footer::decode(&none.encode(), 1000).unwrap().data_end(), 600);
}

#[test]
fn every_flipped_bit_of_a_footer_is_found() {
    for bit in 0..FOOTER_BYTES * 8 {
        let mut bad = footer().encode();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(matches!(Footer::decode(&bad, 1000), Err(Bad::Damaged(_))), "bit {bit}");
    }
    assert!(Footer::decode(&footer().encode(), 1001).is_err());
}

#[test]
fn versions_and_features_of_the_future_are_refused_and_ignorable_ones_are_not() {
    let unknown = |bytes| matches!(Footer::decode(&bytes, 1000), Err(Bad::Unknown { .. }));
    assert!(unknown(resigned(|f| f[0] = 2)));
    assert!(unknown(resigned(|f| f[4] = 1)));
    assert!(unknown(resigned(|f| f[7] = 0x80)));
    let later = Footer { read_compatible: 7, ignorable: 9, ..footer() };
    assert_eq!(Footer::decode(&later.encode(), 1000), Ok(later));
    // Reserved places hold zeros, or a feature bit would say so.
    assert!(Footer::decode(&resigned(|f| f[64] = 1), 1000).is_err());
    assert!(Footer::decode(&resigned(|f| f[100] = 1), 1000).is_err());
}

#[test]
fn no_handle_leads_outside_the_file_or_leaves_a_gap() {
    let mut rng = Rng::new(1);
    for _ in 0..20_000 {
        let at = *rng.pick(&[32, 40, 48, 56, 80, 88]);
        let value = match rng.index(3) {
            0 => rng.below(1100),
            1 => u64::MAX - rng.below(1100),
            _ => rng.next_u64(),
        };
        let bytes = resigned(|f| f[at..at + 8].copy_from_slice(&value.to_le_bytes()));
        if let Ok(decoded) = Footer::decode(&bytes, 1000) {
            assert_eq!(decoded, footer(), "offset {at}, value {value}");
        }
    }
}

#[test]
fn marks_order_versions_and_refuse_unknown_kinds() {
    let mark = |seq, kind| Mark::of(&InternalKey::new(b"k", SeqNo::new(seq), kind));
    let newer = mark(9, ValueKind::Tombstone);
    let older = mark(8, ValueKind::Value);
    assert_eq!(order((b"k", newer), (b"k", older)), Ordering::Less);
    assert_eq!(order((b"j", older), (b"k", newer)), Ordering::Less);
    assert!(Mark::seek(SeqNo::new(9)) > newer && Mark::seek(SeqNo::new(8)) < newer);
    assert_eq!(mark(1 << 55, ValueKind::Value).seq(), SeqNo::new(1 << 55));
    assert_eq!((newer.kind(), older.kind()), (Ok(ValueKind::Tombstone), Ok(ValueKind::Value)));
    for kind in 2..8 {
        let unknown = Mark(5 << 3 | kind).kind();
        assert_eq!(unknown, Err(Bad::Unknown { what: "value kind", found: kind, supported: 1 }));
    }
}

#[test]
fn salts_of_places_and_tables_differ() {
    let mut salts: Vec<u64> =
        (0..100).flat_map(|id| (0..100).map(move |offset| salt(id, offset * 16))).collect();
    salts.sort_unstable();
    salts.dedup();
    assert_eq!(salts.len(), 10_000);
}
