//! The verbs, one by one.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::replay::{RecoveryMode, replay};
use nori_env::{Cut, Fault, FaultFs, FaultRule, FsOp, MemFs};

const DIR: &str = "/wal";

fn options() -> WalOptions {
    WalOptions { grow_bytes: 256, spares_max: 2, spare_bytes_max: 1 << 20, retained_bytes: 0 }
}

fn fresh(first: u64) -> (MemFs, Wal) {
    let fs = MemFs::new(first);
    let wal = Wal::create(Arc::new(fs.clone()), Path::new(DIR), first, options()).unwrap();
    (fs, wal)
}

/// What a process that starts after a cut of this kind reads.
fn after(fs: &MemFs, cut: Cut, floor: u64, durable: Position) -> Result<Vec<Vec<u8>>> {
    let mut records = Vec::new();
    let disk = fs.crash(cut, 1);
    let mut keep = |_: Position, payload: &[u8]| -> Result<()> {
        records.push(payload.to_vec());
        Ok(())
    };
    replay(&disk, Path::new(DIR), floor, durable, RecoveryMode::CutTornTail, &mut keep)?;
    Ok(records)
}

fn append(wal: &Wal, payloads: &[&[u8]]) -> Appended {
    wal.append(payloads.iter().copied()).unwrap()
}

fn names(fs: &MemFs) -> Vec<String> {
    fs.list(Path::new(DIR)).unwrap()
}

#[test]
fn a_synced_group_survives_a_power_cut_and_an_unsynced_one_a_kill() {
    let (fs, wal) = fresh(7);
    let group = append(&wal, &[b"one", b"two"]);
    assert_eq!((group.start, group.records, group.bytes), (Position::new(7, 64), 2, 54));
    assert_eq!(group.end, wal.end());
    assert_eq!(wal.sync_to(group.end).unwrap(), group.end);
    append(&wal, &[b"three"]);
    let read = |cut| after(&fs, cut, 7, wal.durable()).unwrap();
    assert_eq!(read(Cut::SyncedOnly), [b"one", b"two"]);
    assert_eq!(read(Cut::Kill), [&b"one"[..], b"two", b"three"]);
}

#[test]
fn records_go_on_over_segments_of_any_size() {
    let (fs, wal) = fresh(1);
    let long = vec![7; 3 << 20];
    let payloads: [&[u8]; 5] = [b"", &long, b"x", &long[..(256 << 10)], &long[..(256 << 10) - 1]];
    append(&wal, &payloads);
    assert_eq!(wal.next_segment().unwrap(), 2);
    append(&wal, &payloads);
    assert_eq!(wal.live_segments(), [1, 2]);
    wal.sync().unwrap();
    let read = after(&fs, Cut::SyncedOnly, 1, wal.durable()).unwrap();
    assert_eq!(read, [payloads, payloads].concat());
}

#[test]
fn a_sync_covers_what_was_appended_before_it_and_is_not_repeated() {
    let (fs, wal) = fresh(1);
    let first = append(&wal, &[b"a"]);
    let second = append(&wal, &[b"b"]);
    assert_eq!(wal.durable(), Position::new(1, 64));
    assert_eq!(wal.sync_to(first.end).unwrap(), second.end);
    let operations = fs.operations();
    assert_eq!(wal.sync_to(second.end).unwrap(), second.end);
    assert_eq!(wal.sync().unwrap(), second.end);
    assert_eq!(fs.operations(), operations, "nothing was left to sync");
}

#[test]
fn an_empty_group_writes_nothing() {
    let (fs, wal) = fresh(1);
    let operations = fs.operations();
    let group = append(&wal, &[]);
    assert_eq!((group.start, group.records, group.bytes), (group.end, 0, 0));
    assert_eq!(fs.operations(), operations);
}

#[test]
fn a_full_disk_is_told_when_room_is_made_and_changes_nothing() {
    let (fs, wal) = fresh(1);
    append(&wal, &[b"before"]);
    let end = wal.end();
    fs.set_capacity(Some(fs.total_bytes() + 100));
    let full = |e: Error| matches!(e, Error::DiskFull { ref path } if path.starts_with(DIR));
    assert!(full(wal.reserve(4000, 1).unwrap_err()));
    assert!(full(wal.append([&[1; 4000][..]]).unwrap_err()));
    // Room that was reserved before serves on.
    wal.reserve(10, 1).unwrap();
    append(&wal, &[b"still room"]);
    fs.set_capacity(Some(fs.total_bytes()));
    assert!(full(wal.next_segment().unwrap_err()));
    assert!(full(wal.prepare_spare(100).unwrap_err()));
    assert_eq!((wal.poisoned(), wal.live_segments()), (None, vec![1]));
    assert!(wal.end() > end && names(&fs).len() == 1, "{:?}", names(&fs));
    // Room comes back, and writes with it.
    fs.set_capacity(None);
    wal.reserve(4000, 1).unwrap();
    wal.next_segment().unwrap();
    append(&wal, &[b"after"]);
    let read = after(&fs, Cut::Kill, 1, wal.durable()).unwrap();
    assert_eq!(read, [&b"before"[..], b"still room", b"after"]);
}

#[test]
fn too_long_a_group_is_refused() {
    let (_, wal) = fresh(1);
    assert!(matches!(wal.reserve(1 << 60, 1), Err(Error::TooLarge { .. })));
    assert!(matches!(wal.reserve(u64::MAX, usize::MAX), Err(Error::TooLarge { .. })));
    assert!(matches!(check_length(1 << 31), Err(Error::TooLarge { .. })));
    check_length((1 << 31) - 1).unwrap();
    assert!(wal.poisoned().is_none());
}

#[test]
fn poison_keeps_its_first_cause_and_ends_writes() {
    let (_, wal) = fresh(1);
    append(&wal, &[b"a"]);
    let durable = wal.sync().unwrap();
    append(&wal, &[b"b"]);
    wal.poison("the manifest is lost");
    wal.poison("something else");
    assert_eq!(wal.poisoned().as_deref(), Some("the manifest is lost"));
    let poisoned =
        |e: Error| matches!(e, Error::Poisoned { cause } if &*cause == "the manifest is lost");
    assert!(poisoned(wal.reserve(1, 1).unwrap_err()));
    assert!(poisoned(wal.append([&b"c"[..]]).unwrap_err()));
    assert!(poisoned(wal.next_segment().unwrap_err()));
    assert!(poisoned(wal.prepare_spare(1).unwrap_err()));
    assert!(poisoned(wal.sync().unwrap_err()));
    // What is durable stays so.
    assert_eq!(wal.sync_to(durable).unwrap(), durable);
}

#[test]
fn retired_segments_become_spares_and_spares_segments() {
    let (fs, wal) = fresh(1);
    for _ in 0..4 {
        append(&wal, &[&[9; 300]]);
        wal.next_segment().unwrap();
    }
    assert_eq!(wal.retire(4).unwrap(), [1, 2, 3]);
    // Two are kept, the third is deleted.
    assert_eq!(names(&fs), ["000001.spare", "000002.spare", "000004.wal", "000005.wal"]);
    append(&wal, &[b"x"]);
    wal.next_segment().unwrap();
    assert_eq!(names(&fs), ["000001.spare", "000004.wal", "000005.wal", "000006.wal"]);
    // The old bytes are still there, behind the new header, and do not replay.
    let bytes = fs.read_file("/wal/000006.wal").unwrap();
    assert!(bytes[64..].iter().filter(|b| **b == 9).count() == 300);
    wal.sync().unwrap();
    assert_eq!(after(&fs, Cut::SyncedOnly, 5, wal.durable()).unwrap(), [b"x"]);
    // Nothing is reserved twice: the spare's length is room.
    let len = fs.read_file("/wal/000006.wal").unwrap().len();
    append(&wal, &[&[8; 200]]);
    assert_eq!(fs.read_file("/wal/000006.wal").unwrap().len(), len);
    // The newest segment is never given up.
    assert_eq!(wal.retire(u64::MAX).unwrap(), [4, 5]);
    assert_eq!(wal.live_segments(), [6]);
}

/// A spare whose old records are still in memory would make the next segment's header wait for
/// all of them.
#[test]
fn a_spare_has_its_bytes_on_disk() {
    let (fs, wal) = fresh(1);
    append(&wal, &[&[9; 300]]);
    wal.next_segment().unwrap();
    let on_disk = || {
        let disk = fs.crash(Cut::SyncedOnly, 1);
        disk.read_file("/wal/000001.wal").unwrap().iter().filter(|b| **b == 9).count()
    };
    assert_eq!(on_disk(), 0);
    wal.retire(2).unwrap();
    assert_eq!(on_disk(), 300);
    // One whose records are durable is not synced again.
    append(&wal, &[b"x"]);
    wal.next_segment().unwrap();
    wal.sync().unwrap();
    let operations = fs.operations();
    wal.retire(3).unwrap();
    assert_eq!(fs.operations(), operations + 1, "more than a rename");
}

#[test]
fn a_segment_that_cannot_be_synced_is_no_spare_and_no_poison() {
    let fs = FaultFs::new(Arc::new(MemFs::new(1)));
    let wal = Wal::create(Arc::new(fs.clone()), Path::new(DIR), 1, options()).unwrap();
    append(&wal, &[b"in a table"]);
    wal.next_segment().unwrap();
    fs.inject(FaultRule::new(Fault::Eio).on(FsOp::Sync).nth(0));
    assert_eq!(wal.retire(2).unwrap(), [1]);
    assert_eq!(fs.list(Path::new(DIR)).unwrap(), ["000002.wal"]);
    append(&wal, &[b"goes on"]);
    wal.sync().unwrap();
    assert_eq!(wal.poisoned(), None);
}

#[test]
fn unsynced_bytes_are_counted_over_segments() {
    let (_, wal) = fresh(1);
    assert_eq!(wal.unsynced_bytes(), 0);
    let first = append(&wal, &[b"one", b"two"]);
    assert_eq!(wal.unsynced_bytes(), first.bytes);
    wal.sync().unwrap();
    assert_eq!(wal.unsynced_bytes(), 0);
    let more = append(&wal, &[b"three"]).bytes;
    wal.next_segment().unwrap();
    wal.next_segment().unwrap();
    // A segment's header is synced before its name; it is counted until the log is.
    assert_eq!(wal.unsynced_bytes(), more + 2 * LOG_HEADER_BYTES);
    wal.sync().unwrap();
    assert_eq!(wal.unsynced_bytes(), 0);
}

#[test]
fn large_and_unwanted_segments_are_deleted() {
    let fs = MemFs::new(1);
    for (spares_max, spare_bytes_max) in [(0, 1 << 20), (2, 299)] {
        let dir = format!("/wal{spares_max}");
        let options = WalOptions { grow_bytes: 256, spares_max, spare_bytes_max, ..options() };
        let wal = Wal::create(Arc::new(fs.clone()), Path::new(&dir), 1, options).unwrap();
        append(&wal, &[&[9; 300]]);
        wal.next_segment().unwrap();
        assert_eq!(wal.retire(2).unwrap(), [1]);
        assert_eq!(fs.list(Path::new(&dir)).unwrap(), ["000002.wal"]);
    }
}

#[test]
fn pins_hold_segments_until_the_last_is_dropped() {
    let (fs, wal) = fresh(1);
    wal.next_segment().unwrap();
    wal.next_segment().unwrap();
    let (second, first) = (wal.pin(2), wal.pin(1));
    let held: Vec<u64> = first.segments().iter().map(|s| s.number).collect();
    assert_eq!((held, second.segments().len()), (vec![1, 2, 3], 2));
    assert_eq!(wal.retire(3).unwrap(), [0; 0]);
    drop(first);
    assert_eq!(wal.retire(3).unwrap(), [1]);
    assert!(fs.exists(&second.segments()[0].path).unwrap());
    drop(second);
    assert_eq!(wal.retire(3).unwrap(), [2]);
}

#[test]
fn a_prepared_spare_saves_the_next_segment_from_growing() {
    let (fs, wal) = fresh(1);
    assert!(wal.prepare_spare(5000).unwrap());
    assert!(!wal.prepare_spare(5000).unwrap(), "one waits");
    assert_eq!(wal.next_segment().unwrap(), 2);
    assert_eq!(names(&fs), ["000001.wal", "000002.wal"]);
    fs.set_capacity(Some(fs.total_bytes()));
    wal.reserve(4000, 10).unwrap();
    append(&wal, &[&[1; 4000]]);
    wal.sync().unwrap();
    assert_eq!(after(&fs, Cut::SyncedOnly, 1, wal.durable()).unwrap(), [[1; 4000]]);
}

#[test]
fn sweep_removes_what_others_left_and_nothing_else() {
    let fs = MemFs::new(1);
    for name in ["000001.wal", "000002.wal", "000009.spare", "segment-1.tmp", "notes.txt"] {
        fs.write_file(format!("{DIR}/{name}"), b"left");
    }
    let wal = Wal::create(Arc::new(fs.clone()), Path::new(DIR), 3, options()).unwrap();
    wal.next_segment().unwrap();
    wal.prepare_spare(100).unwrap();
    assert_eq!(wal.sweep().unwrap(), 4);
    assert_eq!(names(&fs).len(), 4, "{:?}", names(&fs));
    assert_eq!(names(&fs)[..2], ["000003.wal", "000004.wal"]);
    wal.next_segment().unwrap();
    assert_eq!(wal.live_segments(), [3, 4, 5]);
}

#[test]
fn a_first_segment_never_replaces_a_file() {
    let (fs, _) = fresh(7);
    let again = Wal::create(Arc::new(fs.clone()), Path::new(DIR), 7, options());
    assert!(matches!(again, Err(Error::Io(_))));
    let beyond = Wal::create(Arc::new(fs.clone()), Path::new(DIR), u64::MAX, options());
    assert!(matches!(beyond, Err(Error::Corruption(_))));
    assert_eq!(names(&fs), ["000007.wal"]);
}

#[test]
fn room_that_is_given_back_costs_no_record() {
    let (fs, wal) = fresh(1);
    append(&wal, &[b"one"]);
    wal.next_segment().unwrap();
    let end = append(&wal, &[b"two", b"three"]).end;
    wal.sync().unwrap();
    assert!(wal.prepare_spare(4096).unwrap());
    wal.give_back().unwrap();
    assert_eq!(names(&fs), ["000001.wal", "000002.wal"]);
    assert_eq!(fs.read_file("/wal/000002.wal").unwrap().len() as u64, end.offset);
    // The log goes on.
    append(&wal, &[b"four"]);
    wal.sync().unwrap();
    for cut in Cut::ALL {
        let read = after(&fs, cut, 1, wal.durable()).unwrap();
        assert_eq!(read, [&b"one"[..], b"two", b"three", b"four"], "{cut:?}");
    }
}
