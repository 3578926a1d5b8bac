//! Disks that refuse, fill up, or flip bits.

use crate::rig::{Rig, contents, keep, restored};
use nori_backup::Error;
use nori_env::{Fault, FaultFs, FaultRule, FileSystem, FsOp, MemFs};
use nori_lsm::Lsm;
use std::sync::Arc;

fn rig(seed: u64) -> (FaultFs, Rig) {
    let disk = FaultFs::new(Arc::new(MemFs::new(seed)));
    (disk.clone(), Rig::new(Arc::new(disk), seed))
}

/// Makes each call of a backup that touches its place fail, one after the other.
#[test]
fn a_refused_call_leaves_the_earlier_generations_and_the_next_backup_goes_well() {
    for fault in [Fault::Eio, Fault::Enospc, Fault::ShortWrite] {
        let mut failed = 0;
        for nth in 1.. {
            let (disk, mut rig) = rig(nth);
            rig.write(20);
            rig.backup(&keep(2));
            rig.write(10);
            let under_way = contents(&rig.store);
            disk.inject(FaultRule::new(fault).path("/backups").nth(nth));
            let result = rig.backups.backup(&rig.store, &keep(2));
            let was_hit = !disk.hits().is_empty();
            disk.clear();
            match result {
                Ok(report) => {
                    let number = report.generation.generation;
                    assert!(report.not_removed.is_none() || was_hit);
                    rig.expected.insert(number, under_way);
                }
                Err(error) => {
                    failed += 1;
                    let is_typed = matches!(error, Error::Io { .. } | Error::DiskFull { .. });
                    assert!(is_typed && error.to_string().contains("/backups"), "{error}");
                    // The last call of making the generation may have been done all the same.
                    if rig.backups.numbers().unwrap().contains(&2) {
                        rig.expected.insert(2, under_way);
                    }
                }
            }
            rig.check_all();
            rig.backup(&keep(2));
            rig.check_all();
            if !was_hit {
                break;
            }
        }
        assert!(failed > 3, "{fault:?}: {failed}");
    }
}

#[test]
fn a_refused_call_of_a_restore_leaves_no_store_and_is_repeated() {
    let mut failed = 0;
    for nth in 1.. {
        let (disk, mut rig) = rig(nth);
        rig.write(20);
        rig.backup(&keep(2));
        let fault = if nth % 2 == 0 { Fault::Eio } else { Fault::Enospc };
        disk.inject(FaultRule::new(fault).path("/new").changing().nth(nth));
        let result = rig.backups.restore(1, "/new");
        let was_hit = !disk.hits().is_empty();
        disk.clear();
        if result.is_err() {
            failed += 1;
            rig.backups.restore(1, "/new").unwrap();
        }
        let store = Lsm::open_with("/new", crate::rig::config(&rig.fs)).unwrap();
        assert!(contents(&store) == rig.expected[&1]);
        if !was_hit {
            break;
        }
    }
    assert!(failed > 10, "{failed}");
}

/// A disk that lies when it is read: an error, or what was written.
#[test]
fn flipped_bits_while_reading_never_become_data() {
    let (mut errors, mut fine) = (0, 0);
    for nth in 1..120 {
        let (disk, mut rig) = rig(7);
        rig.write(30);
        disk.set_seed(nth);
        disk.inject(FaultRule::new(Fault::FlipBit).on(FsOp::Read).path("backup").nth(nth));
        let made = rig.backups.backup(&rig.store, &keep(2));
        disk.clear();
        if made.is_ok() {
            fine += 1;
            assert!(restored(&rig.fs, &rig.backups, 1) == contents(&rig.store));
        } else {
            errors += 1;
            rig.backups.backup(&rig.store, &keep(2)).unwrap();
        }
        disk.inject(FaultRule::new(Fault::FlipBit).on(FsOp::Read).path("/backups").nth(nth));
        let copied = rig.backups.restore(1, "/new");
        disk.clear();
        if copied.is_ok() {
            let store = Lsm::open_with("/new", crate::rig::config(&rig.fs)).unwrap();
            assert!(contents(&store) == contents(&rig.store));
        } else {
            errors += 1;
        }
    }
    assert!(errors > 50 && fine > 10, "{errors} errors, {fine} fine");
}

#[test]
fn a_full_disk_is_told_as_one() {
    let disk = MemFs::new(9);
    let fs: Arc<dyn FileSystem> = Arc::new(disk.clone());
    let mut rig = Rig::new(fs, 9);
    rig.write(40);
    rig.store.flush().unwrap();
    disk.set_capacity(Some(disk.total_bytes() + 2000));
    let full = rig.backups.backup(&rig.store, &keep(2));
    assert!(matches!(full, Err(Error::DiskFull { .. })), "{full:?}");
    disk.set_capacity(None);
    rig.backup(&keep(2));
    rig.check_all();
}
