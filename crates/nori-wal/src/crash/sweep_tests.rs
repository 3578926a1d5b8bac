//! Sweeps: a fault at every operation, a flip of every byte, every truncation.

#![allow(clippy::unwrap_used)]

use super::disk::{Disk, Faults};
use super::program::World;
use super::trace::{Manifest, Trace};
use super::{Checked, DIR, OpenError, Stats, check, open, options, read};
use crate::replay::RecoveryMode;
use crate::wal::Wal;
use crate::{Error, Position};
use nori_env::sync::{Arc, Mutex};
use nori_env::{Cut, MemFs, Rng};
use nori_testkit::run_seeds;
use std::path::Path;

/// Runs one program with these faults, then crashes in every way; returns how many operations
/// there were.
fn faulted(seed: u64, faults: Faults, stats: &mut Stats) -> Checked<u64> {
    let fs = MemFs::new(seed);
    fs.set_sectors(&[16, 64, 512]);
    let mut rng = Rng::new(seed);
    let disk = Arc::new(Disk::new(fs.clone(), faults));
    let trace = Arc::new(Mutex::new(Trace::new()));
    match open(&disk, &trace) {
        Ok((wal, manifest, _)) => {
            let mut world = World::new(disk.clone(), wal, trace.clone(), manifest);
            for _ in 0..25 {
                world.step(&mut rng)?;
            }
        }
        Err(OpenError::Log(Error::Io(_) | Error::DiskFull { .. })) if disk.has_faults() => {}
        Err(OpenError::Log(error)) => return Err(format!("open: {error}")),
        Err(OpenError::Wrong(what)) => return Err(format!("open: {what}")),
    }
    let operations = fs.operations();
    for cut in Cut::ALL {
        check(&fs, operations, cut, &trace.lock(), &mut rng, stats)
            .map_err(|e| format!("{cut:?}: {e}"))?;
    }
    Ok(operations)
}

#[test]
fn a_fault_at_any_operation_loses_nothing_durable() {
    let (mut stats, mut runs) = (Stats::default(), 0);
    run_seeds("-p nori-wal a_fault_at_any_operation_loses_nothing_durable", 12, |seed| {
        let operations = faulted(seed, Faults::default(), &mut stats).unwrap();
        for op in 0..operations {
            let all = [
                Faults::broken(op..op + 1),
                Faults::broken(op..u64::MAX),
                Faults::full(op..op + 1),
                Faults::full(op..op + 20),
                Faults::full(op..u64::MAX),
            ];
            for faults in all {
                let shown = format!("{faults:?}");
                faulted(seed, faults, &mut stats).unwrap_or_else(|e| panic!("{shown}: {e}"));
                runs += 1;
            }
        }
    });
    println!("{runs} runs, {} images", stats.images);
    assert!(runs > 0);
}

/// A log where every group is synced, over four segments, one of them recycled; its groups' ends.
fn synced_log() -> (MemFs, Manifest, Vec<Vec<u8>>, Vec<(Position, usize)>) {
    let fs = MemFs::new(3);
    let wal = Wal::create(Arc::new(fs.clone()), Path::new(DIR), 1, options()).unwrap();
    // An earlier life for the newest segment's file.
    wal.append([&[0xee; 500][..]]).unwrap();
    wal.sync().unwrap();
    wal.next_segment().unwrap();
    wal.retire(2).unwrap();
    let manifest = Manifest { floor: 2, durable: wal.durable(), base: 0 };
    let (mut records, mut groups) = (Vec::new(), Vec::new());
    for group in 0..9u8 {
        if group % 3 == 2 {
            wal.next_segment().unwrap();
        }
        let payloads: Vec<Vec<u8>> =
            (0..1 + group % 3).map(|i| vec![group; 9 + i as usize]).collect();
        let appended = wal.append(payloads.iter().map(Vec::as_slice)).unwrap();
        wal.sync_to(appended.end).unwrap();
        records.extend(payloads);
        groups.push((appended.end, records.len()));
    }
    (fs.crash(Cut::SyncedOnly, 1), manifest, records, groups)
}

/// The damaged log is corrupt or shows everything, except perhaps the last group.
fn at_most_the_last_group(
    disk: &MemFs,
    manifest: &Manifest,
    records: &[Vec<u8>],
    groups: &[(Position, usize)],
    what: &str,
) -> bool {
    let promised = groups[groups.len() - 2].1;
    for mode in [RecoveryMode::CutTornTail, RecoveryMode::Strict, RecoveryMode::Salvage] {
        match read(disk, manifest, mode) {
            Err(Error::Corruption(_)) => assert_ne!(mode, RecoveryMode::Salvage, "{what}"),
            Err(error) => panic!("{what}: {error}"),
            Ok((found, shown)) if mode == RecoveryMode::Salvage => {
                let told = !found.lost.is_empty() || found.torn.is_some();
                // A file that ends between two records shows no trace of the second.
                let traceless = what.contains("cut to") && shown.len() >= promised;
                assert!(shown == records || told || traceless, "{what}: salvage hides a loss");
            }
            Ok((_, shown)) => {
                assert!(records.starts_with(&shown) && shown.len() >= promised, "{what}: {mode:?}");
            }
        }
    }
    read(disk, manifest, RecoveryMode::CutTornTail).is_err()
}

#[test]
fn a_flip_of_any_bit_costs_at_most_the_last_synced_group() {
    let (disk, manifest, records, groups) = synced_log();
    let (mut flips, mut found) = (0, 0);
    for (path, len) in disk.files() {
        for at in 0..len {
            for bit in [0, 3, 7] {
                let disk = disk.image();
                assert!(disk.corrupt(&path, at, 1 << bit));
                let what = format!("{} bit {bit} of byte {at}", path.display());
                let error = at_most_the_last_group(&disk, &manifest, &records, &groups, &what);
                flips += 1;
                found += u64::from(error);
            }
        }
    }
    println!("{flips} flips, {found} found");
    assert!(found > flips / 8);
}

#[test]
fn a_truncation_to_any_length_costs_at_most_the_last_synced_group() {
    let (disk, manifest, records, groups) = synced_log();
    for (path, len) in disk.files() {
        let bytes = disk.read_file(&path).unwrap();
        for at in 0..len as usize {
            let disk = disk.image();
            disk.write_file(&path, &bytes[..at]);
            let what = format!("{} cut to {at}", path.display());
            at_most_the_last_group(&disk, &manifest, &records, &groups, &what);
        }
    }
}

#[test]
fn swapped_and_duplicated_segments_are_never_replayed() {
    let (disk, manifest, records, groups) = synced_log();
    let files: Vec<_> = disk.files().into_iter().map(|f| f.0).collect();
    for from in &files {
        for to in &files {
            let disk = disk.image();
            let bytes = disk.read_file(from).unwrap();
            disk.write_file(to, &bytes);
            let what = format!("{} over {}", from.display(), to.display());
            let error = at_most_the_last_group(&disk, &manifest, &records, &groups, &what);
            let live = to.extension().is_some_and(|e| e == "wal");
            assert_eq!(error, live && from != to, "{what}");
        }
    }
}
