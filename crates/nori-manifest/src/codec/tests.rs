//! Bytes that nobody wrote: the decoder neither panics nor allocates on a length's word.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::edit::{NewRef, SlotChange};
use crate::slot::NewGuard;
use nori_env::Rng;
use nori_testkit::{env_usize, flips, truncations};
use nori_types::{FileNumber, KeyRange};

fn read(payload: &[u8]) -> Result<Record> {
    decode(payload, Place { path: Path::new("MANIFEST"), offset: 64 })
}

fn meta(number: u64) -> TableMeta {
    TableMeta {
        number: FileNumber(number),
        id: u64::MAX,
        bytes: 1 << 40,
        entries: 7,
        tombstones: 0,
        smallest: Bytes::from_static(b""),
        largest: Bytes::from_static(b"\xff\0"),
        seq_min: SeqNo::ZERO,
        seq_max: SeqNo::MAX,
        raw_bytes: 300,
    }
}

fn run() -> NewRun {
    let range = KeyRange::new(&b"a"[..], Some(Bytes::from_static(b"b")));
    let refs = vec![NewRef { number: FileNumber(250), range, bytes: 251 }];
    NewRun { refs, flush_seq: 3, level: 200 }
}

fn samples() -> Vec<Record> {
    let (slot, key) = (SlotId(70_000), Bytes::from_static(b"m"));
    let keyspace = Keyspace {
        id: 130,
        name: "events".into(),
        created: SeqNo::new(4),
        dropped: Some(SeqNo::new(9)),
    };
    let removed = vec![vec![FileNumber(1), FileNumber(2)], vec![]];
    let edit = VersionEdit {
        tables: vec![meta(1), meta(u64::MAX - 1)],
        changes: vec![
            SlotChange::Add { slot, run: run() },
            SlotChange::Replace { slot, first: 4, removed: removed.clone(), run: Some(run()) },
            SlotChange::Replace { slot, first: 0, removed, run: None },
            SlotChange::Split {
                slot,
                guards: vec![NewGuard { key: key.clone(), slot, kept: true }],
            },
            SlotChange::Keep { slot },
            SlotChange::Merge { left: slot, right: SlotId(1) },
            SlotChange::Move { slot, from: 300, to: 2, level: 7 },
        ],
        keyspaces: vec![keyspace.clone()],
        sizes: [((5, key.clone()), 6)].into(),
        flush: Some(8),
        last_seq: SeqNo::new(1 << 50),
        wal_floor: 12,
        durable: Position::new(12, 1 << 33),
        next_file: 99,
    };
    let slot = SlotRecord { id: slot, lo: key, kept: true, runs: vec![run(), run()] };
    let end = EndRecord { records: 5, last_seq: SeqNo::MAX, slots: 3, ..EndRecord::default() };
    vec![
        Record::Edit(edit),
        Record::Edit(VersionEdit::default()),
        Record::Keyspaces(vec![keyspace]),
        Record::Tables(vec![meta(3)]),
        Record::Slots(vec![slot]),
        Record::End(end),
    ]
}

#[test]
fn records_come_back() {
    for record in samples() {
        assert_eq!(read(&encode(&record).unwrap()).unwrap(), record);
    }
}

#[test]
fn cut_or_extended_records_are_damaged() {
    for record in samples() {
        let good = encode(&record).unwrap();
        for part in truncations(&good) {
            assert!(matches!(read(part), Err(Error::Corruption(_))), "{} bytes", part.len());
        }
        let long = [&good[..], &[0]].concat();
        assert!(matches!(read(&long), Err(Error::Corruption(_))));
    }
}

#[test]
fn the_future_is_not_guessed_at() {
    let good = encode(&Record::End(EndRecord::default())).unwrap();
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        read(&bytes)
    };
    assert!(matches!(with(0, KIND_END + 1), Err(Error::FormatTooNew(_))));
    assert!(matches!(with(1, RECORD_LEVEL + 1), Err(Error::FormatTooNew(_))));
    assert!(matches!(with(0, 0), Err(Error::Corruption(_))));
    // A level that nobody reads any more is refused as well.
    let Err(Error::Corruption(old)) = with(1, RECORD_LEVEL - 1) else { panic!("it was read") };
    assert!(old.to_string().contains("before 0.1.0"), "{old}");
}

#[test]
fn lengths_beyond_the_bytes_are_damage() {
    // Lists and keys of 2^63, 2^32 and 2^16 elements in a few bytes.
    for kind in KIND_EDIT..=KIND_END {
        for length in
            [&[0xfd, 0, 0, 0, 0, 0, 0, 0, 0x80][..], &[0xfc, 0, 0, 0, 0xff], &[0xfb, 0, 0xff]]
        {
            for lead in 0..6 {
                let bytes = [&[kind, RECORD_LEVEL][..], &[1; 8][..lead], length, &[1; 40]].concat();
                assert!(read(&bytes).is_err());
            }
        }
    }
}

#[test]
fn damaged_and_random_bytes_never_panic() {
    let mut tried = 0;
    for record in samples() {
        for (_, bad) in flips(&encode(&record).unwrap()) {
            let _ = read(&bad);
            tried += 1;
        }
    }
    let mut rng = Rng::new(5);
    for _ in 0..env_usize("NORI_STEPS", 20_000) {
        let mut bytes = vec![0; rng.index(80)];
        rng.fill(&mut bytes);
        if rng.chance(80) && bytes.len() > 2 {
            bytes[0] = 1 + bytes[0] % 5;
            bytes[1] = RECORD_LEVEL;
            // Small numbers let the decoder go deep.
            bytes.iter_mut().skip(2).filter(|b| **b % 4 > 0).for_each(|b| *b %= 4);
        }
        let _ = read(&bytes);
        tried += 1;
    }
    println!("seed 5: {tried} payloads");
}
