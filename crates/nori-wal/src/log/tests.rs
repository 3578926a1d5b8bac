//! What could go wrong with framing: damage believed, promises lost, hostile lengths.

#![allow(clippy::unwrap_used)]

use super::format::{OFFSET_MAX, PROMISES_NOTHING, RECORD, RecordHeader, header_checksum};
use super::*;
use crate::error::Error;
use crate::position::Position;
use std::path::Path;

const FORMAT: LogFormat =
    LogFormat { magic: *b"test", version: 3, incompatible: 0b1, what: "test log" };

fn header(number: u64, salt: u64) -> LogHeader {
    let durable = Position::new(number - 1, 900);
    LogHeader { features: Features::default(), number, salt, previous_end: 900, durable }
}

/// A file of records; each promises the end of the record two before it.
fn file(log: &LogHeader, payloads: &[&[u8]]) -> (Vec<u8>, Vec<u64>) {
    let mut bytes = log.encode(&FORMAT).to_vec();
    let mut ends = vec![bytes.len() as u64];
    for (i, payload) in payloads.iter().enumerate() {
        let durable = Position::new(log.number, ends[i.saturating_sub(1)]);
        let at = bytes.len() as u64;
        frame(&mut bytes, log, at, payload, durable);
        ends.push(bytes.len() as u64);
    }
    (bytes, ends)
}

fn decode(bytes: &[u8], number: u64) -> crate::Result<LogHeader> {
    LogHeader::decode(bytes, &FORMAT, number, Path::new("wal/000007.wal"))
}

#[test]
fn headers_come_back() {
    let log = LogHeader {
        features: Features { incompatible: 1, read_compatible: 2, ignorable: 4 },
        ..header(7, u64::MAX)
    };
    assert_eq!(decode(&log.encode(&FORMAT), 7).unwrap(), log);
}

#[test]
fn a_damaged_short_or_foreign_header_is_corruption() {
    let bytes = header(7, 9).encode(&FORMAT);
    for bit in 0..bytes.len() * 8 {
        let mut bad = bytes;
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(matches!(decode(&bad, 7), Err(Error::Corruption(_))), "bit {bit}");
    }
    for len in 0..bytes.len() {
        assert!(matches!(decode(&bytes[..len], 7), Err(Error::Corruption(_))), "length {len}");
    }
    let Err(Error::Corruption(c)) = decode(&bytes, 8) else { panic!("another file's header") };
    assert_eq!((c.expected.as_str(), c.found.as_str()), ("8", "7"));
}

#[test]
fn a_header_from_the_future_is_too_new_and_not_damaged() {
    let newer = LogFormat { version: 4, ..FORMAT };
    let Err(Error::FormatTooNew(e)) = decode(&header(7, 9).encode(&newer), 7) else {
        panic!("version 4 was read")
    };
    assert_eq!((e.found, e.supported), (4, 3));
    let features = Features { incompatible: 0b101, ..Features::default() };
    let unknown = LogHeader { features, ..header(7, 9) };
    let Err(Error::FormatTooNew(e)) = decode(&unknown.encode(&FORMAT), 7) else {
        panic!("an unknown feature was ignored")
    };
    assert_eq!((e.found, e.supported), (0b101, 1));
}

#[test]
fn a_header_that_vouches_for_its_own_records_is_corruption() {
    let log = LogHeader { durable: Position::new(7, 65), ..header(7, 9) };
    assert!(matches!(decode(&log.encode(&FORMAT), 7), Err(Error::Corruption(_))));
}

#[test]
fn records_of_any_size_come_back() {
    let log = header(7, 42);
    let long = vec![0xab; 70_000];
    let payloads: [&[u8]; 6] = [b"", b"a", b"", &long, &[0; 300], b"end"];
    let (mut bytes, ends) = file(&log, &payloads);
    bytes.resize(bytes.len() + 4096, 0);
    let scan = scan(&bytes, &log);
    let read: Vec<&[u8]> = scan.records.iter().map(|r| r.payload).collect();
    assert_eq!(read, payloads);
    assert_eq!(scan.records.iter().map(|r| r.end).collect::<Vec<_>>(), ends[1..]);
    assert_eq!((scan.end, scan.tail), (ends[6], Tail::default()));
    assert_eq!(scan.promise, Position::new(7, ends[4]));
}

#[test]
fn no_flipped_bit_changes_a_record_or_hides_a_later_promise() {
    let log = header(7, 42);
    let (bytes, ends) = file(&log, &[b"one", b"two", b"", b"four"]);
    let whole = scan(&bytes, &log);
    for bit in 64 * 8..bytes.len() * 8 {
        let mut bad = bytes.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let scan = scan(&bad, &log);
        let hit = ends.iter().filter(|e| **e <= (bit / 8) as u64).count() - 1;
        assert_eq!(scan.records, whole.records[..hit], "bit {bit}");
        assert_eq!(scan.end, ends[hit]);
        // Each later record still tells what it promised.
        let last_header_hit = (bit / 8) as u64 >= ends[3] && ((bit / 8) as u64) < ends[3] + 24;
        let expected = if last_header_hit { ends[1] } else { ends[2] };
        assert_eq!(scan.promise, Position::new(7, expected), "bit {bit}");
        assert!(scan.tail.header.is_some() || hit == 3);
    }
}

#[test]
fn every_truncation_leaves_a_prefix() {
    let log = header(7, 42);
    let (bytes, ends) = file(&log, &[b"one", b"two", b"", b"four"]);
    for len in 0..bytes.len() {
        let scan = scan(&bytes[..len], &log);
        let whole = ends[1..].iter().filter(|e| **e <= len as u64).count();
        assert_eq!(scan.records.len(), whole, "length {len}");
    }
}

#[test]
fn records_do_not_pass_under_another_salt_or_at_another_place() {
    let log = header(7, 42);
    let (bytes, _) = file(&log, &[b"one", b"two"]);
    assert!(scan(&bytes, &LogHeader { salt: 43, ..log }).records.is_empty());
    // The same bytes eight further on: a copy of a log inside a log.
    let mut moved = bytes[..64].to_vec();
    moved.extend_from_slice(&[0; 8]);
    moved.extend_from_slice(&bytes[64..]);
    let scan = scan(&moved, &log);
    assert_eq!((scan.records.len(), scan.tail.header), (0, None));
    assert!(scan.tail.bytes > 0);
}

#[test]
fn promises_are_kept_to_what_a_record_can_know() {
    let log = header(7, 42);
    for (given, kept) in [
        (Position::default(), Position::default()),
        (Position::new(7, 0), Position::new(7, 64)),
        (Position::new(3, 5000), Position::new(3, 5000)),
        // Beyond the record itself: it vouches for what is before it at most.
        (Position::new(7, 65), Position::new(7, 64)),
        (Position::new(8, 64), Position::new(7, 64)),
    ] {
        let mut bytes = log.encode(&FORMAT).to_vec();
        frame(&mut bytes, &log, 64, b"x", given);
        assert_eq!(scan(&bytes, &log).promise, kept, "{given}");
    }
    // A distance that does not fit promises nothing rather than too much.
    let far = header(u64::MAX - 1, 42);
    let mut bytes = far.encode(&FORMAT).to_vec();
    frame(&mut bytes, &far, 64, b"x", Position::new(5, 64));
    let scan = scan(&bytes, &far);
    assert_eq!((scan.records.len(), scan.promise), (1, Position::default()));
}

#[test]
fn a_length_beyond_the_file_is_not_believed() {
    let log = header(7, 42);
    let mut bytes = log.encode(&FORMAT).to_vec();
    let payload = vec![1; 1000];
    bytes.extend_from_slice(&record_header(&log, 64, &payload, Position::new(6, 700)));
    bytes.extend_from_slice(&[1; 999]);
    let scan = scan(&bytes, &log);
    assert!(scan.records.is_empty());
    // Its header is whole, so what it promises holds.
    assert_eq!(scan.tail.header, Some(64));
    assert_eq!(scan.promise, Position::new(6, 700));
}

#[test]
fn salvage_finds_the_records_behind_damage() {
    let log = header(7, 42);
    let (mut bytes, ends) = file(&log, &[b"one", b"two", b"three"]);
    bytes[ends[1] as usize + 25] ^= 4;
    let mut reader = LogReader::new(&bytes, &log);
    assert_eq!(reader.by_ref().count(), 1);
    assert_eq!(reader.why(), "a record whose payload fails its checksum");
    assert!(reader.skip_damage());
    assert_eq!(reader.by_ref().map(|r| r.start).collect::<Vec<_>>(), [ends[2]]);
    assert!(!reader.skip_damage());
}

#[test]
fn forged_headers_cannot_make_salvage_run_for_ever() {
    let log = header(7, 42);
    let mut bytes = log.encode(&FORMAT).to_vec();
    // Every 24 bytes a valid header that claims nearly the whole rest of the file.
    while bytes.len() < 1 << 20 {
        let at = bytes.len() as u64;
        let claimed = vec![0; (1 << 19).min((1 << 20) - at as usize)];
        bytes.extend_from_slice(&record_header(&log, at, &claimed, Position::default()));
        if bytes.len() > 4096 {
            bytes.resize(1 << 20, 7);
        }
    }
    let mut reader = LogReader::new(&bytes, &log);
    assert!(!reader.skip_damage());
}

#[test]
fn one_record_at_every_distance_from_zeros_is_found() {
    let log = header(7, 42);
    for gap in 0..100u64 {
        let mut bytes = log.encode(&FORMAT).to_vec();
        bytes.resize(bytes.len() + gap as usize, 0);
        let at = bytes.len() as u64;
        frame(&mut bytes, &log, at, &[], Position::new(6, 4000 + gap));
        bytes.resize(bytes.len() + 200, 0);
        let tail = scan(&bytes, &log).tail;
        let (header, promise) = (Some(at), Position::new(6, 4000 + gap));
        assert!(gap == 0 || (tail.header, tail.promise) == (header, promise), "gap {gap}");
    }
}

#[test]
fn arbitrary_bytes_are_read_without_harm() {
    let log = header(7, 42);
    let mut state = 1u64;
    for len in (0..600).chain([1 << 20]) {
        let mut bytes: Vec<u8> = (0..len)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 56) as u8 & if len % 3 == 0 { 0xff } else { 0x11 }
            })
            .collect();
        let found = scan(&bytes, &log);
        assert!(found.records.is_empty() && found.tail.header.is_none());
        let _ = decode(&bytes, 7);
        bytes.fill(0xff);
        assert!(scan(&bytes, &log).records.is_empty());
    }
}

/// A record's header with these fields and the checksum that fits them.
fn forged(length: u32, distance: u32, offset: u64, salt: u64, at: u64) -> [u8; RECORD] {
    let mut out = [0; RECORD];
    out[8..12].copy_from_slice(&length.to_le_bytes());
    out[12..16].copy_from_slice(&distance.to_le_bytes());
    out[16..24].copy_from_slice(&offset.to_le_bytes());
    let sum = header_checksum(salt, &out, at);
    out[0..4].copy_from_slice(&sum.to_le_bytes());
    out
}

#[test]
fn headers_that_nobody_writes_are_none_although_their_checksums_fit() {
    // Far enough on that no distance leads below zero.
    let (number, salt, at) = (1 << 40, 7, 1000);
    let decode = |length, distance, offset| {
        let bytes = forged(length, distance, offset, salt, at);
        RecordHeader::decode(&bytes, number, salt, at).map(|header| header.durable)
    };
    let longest = RECORD_BYTES_MAX as u32;
    assert_eq!(decode(9, PROMISES_NOTHING, 0), Some(Position::default()));
    assert_eq!(decode(longest, 0, 64), Some(Position::new(number, 64)));
    assert_eq!(decode(9, 0, at), Some(Position::new(number, at)));
    assert_eq!(decode(9, 3, OFFSET_MAX - 1), Some(Position::new(number - 3, OFFSET_MAX - 1)));
    // A promise of nothing has no offset; one of something begins behind the file's header.
    assert_eq!(decode(9, PROMISES_NOTHING, 64), None);
    assert_eq!(decode(9, 1, 63), None);
    assert_eq!(decode(9, 1, OFFSET_MAX), None);
    // Nobody vouches for himself, and nothing is longer than the longest.
    assert_eq!(decode(9, 0, at + 1), None);
    assert_eq!(decode(longest + 1, 0, 64), None);
    // Without its checksum even a good one is none.
    let mut bytes = forged(9, 0, 64, salt, at);
    bytes[0] ^= 1;
    assert!(RecordHeader::decode(&bytes, number, salt, at).is_none());
}

#[test]
fn a_file_header_may_promise_itself_and_not_more() {
    let header = |durable| LogHeader { number: 5, durable, ..LogHeader::default() };
    let read_header = |bytes: &[u8]| decode(bytes, 5);
    let decode = |durable| {
        let bytes = header(durable).encode(&FORMAT);
        read_header(&bytes).map(|read| read.durable)
    };
    let itself = Position::new(5, LOG_HEADER_BYTES);
    assert_eq!(decode(itself).expect("a header"), itself);
    for beyond in [Position::new(5, LOG_HEADER_BYTES + 1), Position::new(6, 0)] {
        assert!(matches!(decode(beyond), Err(Error::Corruption(_))), "{beyond}");
    }
}

#[test]
fn what_ends_a_log_is_said_in_words() {
    let log = header(7, 9);
    let (bytes, ends) = file(&log, &[b"first", b"the second"]);
    let why = |bytes: &[u8]| {
        let mut reader = LogReader::new(bytes, &log);
        let records = reader.by_ref().count();
        (records, reader.why())
    };
    assert_eq!(why(&bytes), (2, "the end of the file"));
    let zeros = |n| [&bytes[..], &vec![0; n]].concat();
    assert_eq!(why(&zeros(RECORD - 1)), (2, "the end of the file"));
    assert_eq!(why(&zeros(RECORD)), (2, "no record (zeros)"));
    assert_eq!(why(&[&bytes[..], &[1; RECORD]].concat()), (2, "bytes that are no record header"));
    let (first, last) = (ends[1] as usize, bytes.len());
    for cut in first + RECORD..last {
        assert_eq!(why(&bytes[..cut]), (1, "a record longer than the file"), "cut at {cut}");
    }
    for at in first + RECORD..last {
        let mut bad = bytes.clone();
        bad[at] ^= 1;
        assert_eq!(why(&bad), (1, "a record whose payload fails its checksum"), "byte {at}");
    }
}
