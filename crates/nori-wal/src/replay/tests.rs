//! The rules of replay, one by one.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::log::{LogHeader, frame};
use crate::segment::{RECYCLED, SEGMENT};
use nori_env::MemFs;

const DIR: &str = "/wal";

/// A disk with segments made by hand.
struct Builder {
    fs: MemFs,
    log: LogHeader,
    bytes: Vec<u8>,
}

impl Builder {
    fn new(number: u64) -> Builder {
        let log = LogHeader { number, salt: number * 77, ..LogHeader::default() };
        Builder { fs: MemFs::new(1), log, bytes: log.encode(&SEGMENT).to_vec() }
    }

    fn record(mut self, payload: &str, durable: Position) -> Builder {
        let at = self.bytes.len() as u64;
        frame(&mut self.bytes, &self.log, at, payload.as_bytes(), durable);
        self
    }

    fn raw(mut self, bytes: &[u8]) -> Builder {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// Puts the segment on the disk and begins the next.
    fn next(self, previous_end: u64) -> Builder {
        let number = self.log.number + 1;
        let fs = self.end();
        let log = LogHeader { number, salt: number * 77, previous_end, ..LogHeader::default() };
        Builder { fs, log, bytes: log.encode(&SEGMENT).to_vec() }
    }

    fn end(self) -> MemFs {
        self.fs.write_file(segment_path(Path::new(DIR), self.log.number), &self.bytes);
        self.fs
    }

    fn at(&self) -> Position {
        Position::new(self.log.number, self.bytes.len() as u64)
    }
}

const NOTHING: Position = Position::new(0, 0);

fn read(
    fs: &MemFs,
    floor: u64,
    durable: Position,
    mode: RecoveryMode,
) -> Result<(Replayed, Vec<String>)> {
    let mut seen = Vec::new();
    let mut keep = |_: Position, payload: &[u8]| -> Result<()> {
        seen.push(String::from_utf8_lossy(payload).into_owned());
        Ok(())
    };
    Ok((replay(fs, Path::new(DIR), floor, durable, mode, &mut keep)?, seen))
}

fn cut(fs: &MemFs, floor: u64, durable: Position) -> Result<(Replayed, Vec<String>)> {
    read(fs, floor, durable, RecoveryMode::CutTornTail)
}

fn corruption(result: Result<(Replayed, Vec<String>)>) -> Corruption {
    match result {
        Err(Error::Corruption(corruption)) => corruption,
        other => panic!("no corruption: {other:?}"),
    }
}

#[test]
fn segments_follow_each_other_where_the_one_before_ended() {
    let first = Builder::new(5).record("a", NOTHING).record("b", NOTHING);
    let end = first.at().offset;
    let fs = first.raw(&[0; 500]).next(end).record("c", Position::new(5, end)).end();
    let (found, seen) = cut(&fs, 5, NOTHING).unwrap();
    assert_eq!(seen, ["a", "b", "c"]);
    assert_eq!((found.highest_segment, found.records, found.torn), (6, 3, None));
    assert_eq!((found.bytes, found.end), (75, Position::new(6, 89)));
}

#[test]
fn a_segment_whose_predecessor_ended_elsewhere_is_discarded() {
    let first = Builder::new(5).record("a", NOTHING);
    let end = first.at();
    let fs = first.raw(&[0; 500]).next(end.offset + 30).record("c", NOTHING).end();
    let (found, seen) = cut(&fs, 5, end).unwrap();
    assert_eq!((seen, found.discarded_segments, found.end), (vec!["a".into()], vec![6], end));
    assert_eq!(found.torn.unwrap().offset, end.offset);
    // The later segment still says what was durable.
    let promised = cut(&fs, 5, Position::new(5, end.offset + 1));
    let corruption = corruption(promised);
    assert_eq!(corruption.path, segment_path(Path::new(DIR), 5));
    assert_eq!(corruption.offset, end.offset);
}

#[test]
fn a_promise_behind_the_bad_record_makes_it_corruption() {
    let first = Builder::new(5).record("a", NOTHING);
    let (start, second) = (first.at(), first.record("b", NOTHING));
    let (middle, third) = (second.at(), second.raw(&[0xff; 40]));
    let fs = third.record("c", start).end();
    let (found, seen) = cut(&fs, 5, NOTHING).unwrap();
    assert_eq!(seen, ["a", "b"]);
    let torn = TornTail { path: segment_path(Path::new(DIR), 5), offset: middle.offset, bytes: 65 };
    assert_eq!(found.torn, Some(torn));
    let third = Builder::new(5).record("a", NOTHING).record("b", NOTHING).raw(&[0xff; 40]);
    let at = third.at();
    let fs = third.record("c", at).end();
    assert_eq!(corruption(cut(&fs, 5, NOTHING)).offset, middle.offset);
}

#[test]
fn missing_segments_are_corruption_wherever_they_are_missing() {
    let empty = MemFs::new(1);
    assert_eq!(corruption(cut(&empty, 3, NOTHING)).path, Path::new("/wal/000003.wal"));
    let first = Builder::new(5).record("a", NOTHING);
    let end = first.at().offset;
    let fs = first.next(end).next(64).next(64).end();
    assert_eq!(cut(&fs, 5, NOTHING).unwrap().0.highest_segment, 8);
    assert_eq!(corruption(cut(&fs, 4, NOTHING)).path, Path::new("/wal/000004.wal"));
    assert_eq!(corruption(cut(&fs, 9, NOTHING)).path, Path::new("/wal/000009.wal"));
    fs.remove_file("/wal/000007.wal");
    assert_eq!(corruption(cut(&fs, 5, NOTHING)).path, Path::new("/wal/000007.wal"));
    // Below the floor no one looks.
    assert_eq!(cut(&fs, 8, NOTHING).unwrap().1, [""; 0]);
}

#[test]
fn a_bad_header_is_corruption_and_a_newer_one_is_not() {
    let fs = Builder::new(5).record("a", NOTHING).end();
    fs.corrupt("/wal/000005.wal", 30, 1);
    assert_eq!(corruption(cut(&fs, 5, NOTHING)).offset, 60);
    assert!(!has_records(&fs, Path::new(DIR)).unwrap());
    let log = LogHeader { number: 5, ..LogHeader::default() };
    let newer = crate::LogFormat { version: SEGMENT.version + 1, ..SEGMENT };
    fs.write_file("/wal/000005.wal", &log.encode(&newer));
    for mode in [RecoveryMode::CutTornTail, RecoveryMode::Strict, RecoveryMode::Salvage] {
        assert!(matches!(read(&fs, 5, NOTHING, mode), Err(Error::FormatTooNew(_))));
    }
    assert!(matches!(has_records(&fs, Path::new(DIR)), Err(Error::FormatTooNew(_))));
}

#[test]
fn records_are_found_only_in_segments_that_have_some() {
    let none = MemFs::new(1);
    assert!(!has_records(&none, Path::new(DIR)).unwrap());
    let fs = Builder::new(1).raw(&[0; 100]).end();
    fs.write_file("/wal/000002.wal", b"");
    fs.write_file("/wal/000003.spare", b"spare");
    assert!(!has_records(&fs, Path::new(DIR)).unwrap());
    let fs = Builder::new(1).next(64).record("", NOTHING).end();
    assert!(has_records(&fs, Path::new(DIR)).unwrap());
}

#[test]
fn strict_accepts_zeros_and_stale_bytes_but_no_torn_record() {
    let strict = |fs: &MemFs| read(fs, 5, NOTHING, RecoveryMode::Strict);
    let fs = Builder::new(5).record("a", NOTHING).raw(&[0; 300]).end();
    assert_eq!(strict(&fs).unwrap().1, ["a"]);
    let fs = Builder::new(5).record("a", NOTHING).raw(&[0, 0, 1]).end();
    assert_eq!(corruption(strict(&fs)).offset, 89);
    assert_eq!(cut(&fs, 5, NOTHING).unwrap().0.torn.unwrap().bytes, 3);
    // The same bytes in a recycled segment are of its earlier life.
    let mut recycled = Builder::new(5);
    recycled.log.features.ignorable = RECYCLED;
    recycled.bytes = recycled.log.encode(&SEGMENT).to_vec();
    let fs = recycled.record("a", NOTHING).raw(&[0, 0, 1]).end();
    let (found, seen) = strict(&fs).unwrap();
    assert_eq!((seen, found.torn), (vec!["a".to_string()], None));
    // A record header under the present salt is not stale.
    let whole = fs.read_file("/wal/000005.wal").unwrap();
    fs.write_file("/wal/000005.wal", &whole[..88]);
    assert_eq!(corruption(strict(&fs)).offset, 64);
}

#[test]
fn an_unfinished_recovery_leaves_nothing_to_object_to() {
    // Its segment continues none and holds nothing, whatever mode looks at it.
    let first = Builder::new(5).record("a", NOTHING);
    let end = first.at();
    let fs = first.next(0).next(0).end();
    for mode in [RecoveryMode::CutTornTail, RecoveryMode::Strict, RecoveryMode::Salvage] {
        let (found, seen) = read(&fs, 5, end, mode).unwrap();
        assert_eq!((seen, found.end), (vec!["a".to_string()], end), "{mode:?}");
        assert_eq!((found.discarded_segments, found.torn), (vec![6, 7], None), "{mode:?}");
        assert!(found.lost.is_empty());
    }
}

#[test]
fn salvage_shows_what_checks_and_lists_what_is_lost() {
    let first = Builder::new(5).record("a", NOTHING).record("b", NOTHING).record("c", NOTHING);
    let end = first.at().offset;
    let second = first.next(end).record("d", Position::new(5, end));
    let end = second.at().offset;
    let third = second.next(end).record("e", NOTHING);
    let end = third.at().offset;
    let fs = third.next(end).record("f", NOTHING).end();
    fs.corrupt("/wal/000005.wal", 64 + 25 + 10, 1);
    fs.remove_file("/wal/000006.wal");
    fs.corrupt("/wal/000007.wal", 5, 1);
    let (found, seen) = read(&fs, 4, NOTHING, RecoveryMode::Salvage).unwrap();
    assert_eq!(seen, ["a", "c", "f"]);
    let lost: Vec<_> =
        found.lost.iter().map(|l| (l.path.display().to_string(), l.from, l.to)).collect();
    let path = |n: u64| format!("/wal/{n:06}.wal");
    let expected =
        [(path(4), 0, None), (path(5), 89, Some(114)), (path(6), 0, None), (path(7), 0, Some(89))];
    assert_eq!(lost, expected);
    // Nothing but a promise tells of a tail that is gone.
    let fs = Builder::new(5).record("a", NOTHING).end();
    let (found, seen) = read(&fs, 5, Position::new(5, 200), RecoveryMode::Salvage).unwrap();
    assert_eq!((seen.len(), found.lost.len(), found.lost[0].from), (1, 1, 89));
}

#[test]
fn an_error_of_the_reader_ends_the_replay() {
    let fs = Builder::new(5).record("a", NOTHING).record("b", NOTHING).end();
    let mut shown = 0;
    let mut refuse = |at: Position, _: &[u8]| -> Result<()> {
        shown += 1;
        Err(damage(&segment_path(Path::new(DIR), at.segment), at.offset, "a batch", "nonsense"))
    };
    let mode = RecoveryMode::Salvage;
    let result = replay(&fs, Path::new(DIR), 5, NOTHING, mode, &mut refuse);
    assert!(matches!(result, Err(Error::Corruption(c)) if c.offset == 64));
    assert_eq!(shown, 1);
}

#[test]
fn a_number_that_leaves_no_room_to_count_is_refused() {
    let fs = Builder::new(5).end();
    fs.write_file(format!("{DIR}/{}.wal", u64::MAX), b"");
    for mode in [RecoveryMode::CutTornTail, RecoveryMode::Salvage] {
        corruption(read(&fs, 5, NOTHING, mode));
    }
}

#[test]
fn the_bytes_of_a_segment_are_the_format() {
    let mut segment = Builder::new(42);
    segment.log = LogHeader {
        features: crate::Features { ignorable: RECYCLED, ..Default::default() },
        number: 42,
        salt: 0x0123_4567_89ab_cdef,
        previous_end: 5000,
        durable: Position::new(41, 4000),
    };
    segment.bytes = segment.log.encode(&SEGMENT).to_vec();
    let segment = segment
        .record("the first promises nothing", NOTHING)
        .record("", Position::new(41, 5000))
        .record("the third promises the first", Position::new(42, 114))
        .raw(&[0; 30]);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/000042.wal");
    nori_testkit::golden(path, &segment.bytes);
    let (found, seen) = cut(&segment.end(), 42, NOTHING).unwrap();
    assert_eq!((seen.len(), found.end, found.torn), (3, Position::new(42, 190), None));
}
