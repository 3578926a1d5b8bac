//! The verbs, one by one.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::replay::{RecoveryMode, replay};
use nori_env::{Cut, MemFs};

const DIR: &str = "/wal";

fn options() -> WalOptions {
    WalOptions { grow_bytes: 256, spares_max: 2, spare_bytes_max: 1 << 20 }
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
