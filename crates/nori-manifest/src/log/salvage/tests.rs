//! Edits that are whole and make no sense. Damage is the matter of `tests/salvage.rs`.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::VersionEdit;
use crate::log::snapshot;
use bytes::Bytes;
use nori_env::MemFs;
use nori_wal::{LogHeader, frame};

const NUMBER: u64 = 1;

/// A manifest of a first version and edits, as bytes; also where each edit starts.
fn manifest(edits: &[VersionEdit]) -> (Vec<u8>, Vec<u64>) {
    let header = LogHeader { number: NUMBER, salt: 77, ..LogHeader::default() };
    let mut bytes = header.encode(&FORMAT).to_vec();
    let mut starts = Vec::new();
    let first = snapshot::records(&Version::new(), NUMBER + 1);
    let records = first.into_iter().chain(edits.iter().cloned().map(Record::Edit));
    for record in records {
        let at = bytes.len() as u64;
        if matches!(record, Record::Edit(_)) {
            starts.push(at);
        }
        let payload = codec::encode(&record).unwrap();
        frame(&mut bytes, &header, at, &payload, Position::new(NUMBER, at));
    }
    (bytes, starts)
}

fn salvage(bytes: &[u8]) -> Salvaged {
    let fs = MemFs::new(1);
    fs.write_file(manifest_path("/m".as_ref(), NUMBER), bytes);
    Manifest::salvage(&fs, "/m".as_ref(), NUMBER).unwrap()
}

/// A flush of one table whose newest entry has the number `seq`, while the edit says `last`.
fn flush(version: &Version, number: u64, seq: u64, last: u64) -> VersionEdit {
    let key = Bytes::from_static(b"\0key");
    let meta = TableMeta {
        number: FileNumber(number),
        id: number,
        bytes: 100,
        entries: 1,
        tombstones: 0,
        smallest: key.clone(),
        largest: key,
        seq_min: SeqNo::new(seq),
        seq_max: SeqNo::new(seq),
        raw_bytes: 4,
    };
    version.edit_flush(&[meta], &|_| true, 1, SeqNo::new(last), Position::default())
}

#[test]
fn the_state_ends_before_an_edit_that_breaks_a_rule() {
    let start = Version::new();
    let good = flush(&start, 10, 5, 5);
    let second = start.apply(&good).unwrap();
    let bad = flush(&second, 11, 50, 6);
    let third = second.apply(&bad).unwrap();
    assert!(third.check().is_err(), "only a check finds it");
    let behind = flush(&third, 12, 7, 7);
    let (bytes, starts) = manifest(&[good, bad, behind]);
    let found = salvage(&bytes);
    let version = found.version.as_ref().unwrap();
    assert_eq!((version.flushed, version.last_seq), (1, SeqNo::new(5)));
    assert!(!found.is_whole && found.is_cut);
    assert_eq!(found.problems.len(), 1, "{:?}", found.problems);
    assert_eq!(found.problems[0].offset, starts[1]);
    assert!(found.tables.contains_key(&FileNumber(12)), "it holds what later records say");
}

#[test]
fn the_state_ends_before_an_edit_that_does_not_fit() {
    let start = Version::new();
    let good = flush(&start, 10, 5, 5);
    let (bytes, starts) = manifest(&[good.clone(), good]);
    let found = salvage(&bytes);
    assert_eq!(found.version.as_ref().unwrap().flushed, 1);
    assert!(!found.is_whole);
    assert_eq!(found.problems[0].offset, starts[1]);
}
