//! A reader sees each record once and in order, whatever is retired, cut or lost meanwhile.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::WalOptions;
use nori_env::{Cut, MemFs};

const DIR: &str = "/wal";

fn options(retained_bytes: u64) -> WalOptions {
    WalOptions { grow_bytes: 256, spares_max: 2, spare_bytes_max: 1 << 20, retained_bytes }
}

fn open(fs: &MemFs, first: u64, retained_bytes: u64) -> Wal {
    let fs = Arc::new(fs.clone());
    Wal::create(fs, Path::new(DIR), first, options(retained_bytes)).unwrap()
}

/// Appends, syncs and begins the next segment.
fn segment(wal: &Wal, payloads: &[&str]) {
    wal.append(payloads.iter().map(|p| p.as_bytes())).unwrap();
    wal.sync().unwrap();
    wal.next_segment().unwrap();
}

/// All records from `at` on, and where reading goes on.
fn read(wal: &Wal, at: Position) -> (Vec<String>, Position) {
    let mut seen = Vec::new();
    let mut show = |_: Position, payload: &[u8]| -> Result<ControlFlow<()>> {
        seen.push(String::from_utf8(payload.to_vec()).unwrap());
        Ok(ControlFlow::Continue(()))
    };
    let next = wal.read_from(at, &mut show).unwrap();
    (seen, next)
}

fn kept(fs: &MemFs) -> Vec<String> {
    fs.list(&retained_dir(Path::new(DIR))).unwrap()
}

#[test]
fn a_reader_follows_over_segments_and_goes_on_where_it_stopped() {
    let fs = MemFs::new(1);
    let wal = open(&fs, 1, 1 << 20);
    segment(&wal, &["a", "b"]);
    let (seen, at) = read(&wal, Position::default());
    assert_eq!(seen, ["a", "b"]);
    assert_eq!(read(&wal, at), (vec![], at));
    segment(&wal, &["c"]);
    segment(&wal, &[]);
    wal.append([&b"d"[..]]).unwrap();
    let (seen, at) = read(&wal, at);
    assert_eq!(seen, ["c"], "what is not durable is not shown");
    wal.sync().unwrap();
    assert_eq!(read(&wal, at).0, ["d"]);
    assert_eq!(wal.readable(), [1, 2, 3, 4]);
}

#[test]
fn a_break_stops_before_the_record() {
    let fs = MemFs::new(2);
    let wal = open(&fs, 1, 0);
    segment(&wal, &["a", "b", "c"]);
    let mut left = 2;
    let mut show = |_: Position, _: &[u8]| -> Result<ControlFlow<()>> {
        left -= 1;
        Ok(if left < 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    };
    let at = wal.read_from(Position::default(), &mut show).unwrap();
    assert_eq!(read(&wal, at).0, ["c"]);
}

#[test]
fn long_records_are_read_whole() {
    let fs = MemFs::new(3);
    let wal = open(&fs, 1, 0);
    let long = "x".repeat(3 * WINDOW_BYTES as usize);
    segment(&wal, &["a", &long, "b", &long[..WINDOW_BYTES as usize - 30], "c"]);
    let (seen, _) = read(&wal, Position::default());
    let lengths: Vec<_> = seen.iter().map(String::len).collect();
    assert_eq!(lengths, [1, long.len(), 1, WINDOW_BYTES as usize - 30, 1]);
}

#[test]
fn retired_segments_stay_readable_within_the_limit() {
    let fs = MemFs::new(4);
    let wal = open(&fs, 1, 200);
    for n in 0..6 {
        segment(&wal, &[&format!("{n}-{}", "y".repeat(20))]);
    }
    assert_eq!(wal.retire(6).unwrap(), [1, 2, 3, 4, 5]);
    // A segment is a header of 64 bytes and a record of 46: one more would be 220 bytes.
    assert_eq!(kept(&fs), ["000005.wal", "000006.wal"]);
    assert_eq!(wal.readable(), [5, 6, 7]);
    assert_eq!(wal.retained_bytes(), 110);
    let (seen, _) = read(&wal, Position::new(2, 64));
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert!(seen[0].starts_with("4-") && seen[1].starts_with("5-"));
}

#[test]
fn without_retention_segments_are_written_again_and_nothing_is_kept() {
    let fs = MemFs::new(5);
    let wal = open(&fs, 1, 0);
    segment(&wal, &["a"]);
    wal.retire(2).unwrap();
    segment(&wal, &["b"]);
    assert!(!fs.exists(&retained_dir(Path::new(DIR))).unwrap());
    assert_eq!(read(&wal, Position::default()).0, ["b"]);
}

#[test]
fn the_next_process_reads_what_the_last_one_left_up_to_the_cut() {
    let fs = MemFs::new(6);
    let wal = open(&fs, 1, 1 << 20);
    segment(&wal, &["a"]);
    segment(&wal, &["b"]);
    wal.append([&b"c"[..]]).unwrap();
    wal.retire(2).unwrap();
    drop(wal);
    let disk = fs.crash(Cut::Kill, 1);
    // Recovery says that the log ends in segment 2: segment 3 continues nothing.
    keep_history(&disk, Path::new(DIR), 2, Position::new(2, 89), true).unwrap();
    let wal = open(&disk, 4, 1 << 20);
    wal.sweep().unwrap();
    segment(&wal, &["d"]);
    assert_eq!(read(&wal, Position::default()).0, ["a", "b", "d"]);
    assert_eq!(wal.readable(), [1, 2, 4, 5]);
    drop(wal);
    keep_history(&disk, Path::new(DIR), 4, Position::new(4, 89), false).unwrap();
    assert!(!disk.exists(&retained_dir(Path::new(DIR))).unwrap());
}

#[test]
fn what_is_cut_off_does_not_come_back_after_a_power_cut() {
    let fs = MemFs::new(7);
    let wal = open(&fs, 1, 1 << 20);
    segment(&wal, &["a"]);
    segment(&wal, &["b"]);
    drop(wal);
    fs.sync_dir(&retained_dir(Path::new(DIR))).unwrap();
    keep_history(&fs, Path::new(DIR), 1, Position::new(1, 89), true).unwrap();
    for cut in [Cut::SyncedOnly, Cut::Kill] {
        let disk = fs.crash(cut, 1);
        let names = disk.list(&retained_dir(Path::new(DIR))).unwrap();
        assert_eq!(names, ["000001.wal"], "{cut:?}");
    }
}

#[test]
fn damage_in_a_live_segment_is_told_and_a_damaged_kept_one_only_ends_early() {
    let fs = MemFs::new(8);
    let wal = open(&fs, 1, 1 << 20);
    segment(&wal, &["a", "b"]);
    segment(&wal, &["c"]);
    let flip = |path: PathBuf, at: u64| {
        let file = fs.open(&path, OpenMode::Write).unwrap();
        file.write_at(b"?", at).unwrap();
    };
    flip(segment_path(Path::new(DIR), 1), 64 + 24 + 1 + 24);
    let mut show =
        |_: Position, _: &[u8]| -> Result<ControlFlow<()>> { Ok(ControlFlow::Continue(())) };
    let error = wal.read_from(Position::default(), &mut show).unwrap_err();
    assert!(matches!(&error, Error::Corruption(c) if c.offset == 89), "{error}");
    wal.retire(3).unwrap();
    assert_eq!(read(&wal, Position::default()).0, ["a", "c"]);
}
