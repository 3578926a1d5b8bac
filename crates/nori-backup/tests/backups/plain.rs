//! Nothing fails: generations, what is copied for them, what goes with them.

use crate::rig::{Rig, STORE, TARGET, config, contents, create, keep, open};
use nori_backup::{BackupOptions, Error};
use nori_env::{FileSystem, MemFs};
use nori_lsm::Lsm;
use nori_testkit::run_seeds;
use std::ops::ControlFlow;
use std::sync::Arc;

#[test]
fn every_generation_holds_what_the_store_held() {
    run_seeds("-p nori-backup --test backups every_generation", 12, |seed| {
        let (_, mut rig) = Rig::on_memory(seed);
        for _ in 0..6 {
            let batches = rig.rng.below(40);
            rig.write(batches);
            rig.backup(&keep(3));
        }
        assert_eq!(rig.expected.len(), 3);
        rig.check_all();
        let report = rig.backups.check().unwrap();
        assert!(report.is_ok() && report.unused == 0, "{report:?}");
    });
}

#[test]
fn a_second_backup_copies_only_what_is_new() {
    let (_, mut rig) = Rig::on_memory(1);
    rig.write(60);
    rig.store.flush().unwrap();
    let first = rig.backup(&keep(7));
    assert!(first.tables_copied > 1, "{first:?}");
    let same = rig.backup(&keep(7));
    assert_eq!((same.tables_copied, same.table_bytes_copied), (0, 0));
    assert_eq!(same.generation.tables, first.generation.tables);
    rig.store.put("one", "more").unwrap();
    rig.store.flush().unwrap();
    let third = rig.backup(&keep(7));
    assert!((1..first.tables_copied).contains(&third.tables_copied), "{third:?}");
    rig.check_all();
}

#[test]
fn what_only_removed_generations_need_goes_with_them() {
    let (disk, mut rig) = Rig::on_memory(2);
    for _ in 0..5 {
        rig.write(30);
        rig.store.compact().unwrap();
        rig.backup(&BackupOptions::default().keep(None));
    }
    let before = disk.total_bytes();
    assert_eq!(rig.backups.prune(2).unwrap(), [1, 2, 3]);
    rig.expected.retain(|number, _| *number > 3);
    assert!(disk.total_bytes() < before);
    rig.backups.remove(4).unwrap();
    rig.expected.remove(&4);
    rig.check_all();
    let report = rig.backups.check().unwrap();
    assert_eq!((report.generations, report.unused, report.is_ok()), (1, 0, true));
    let tables = disk.files().iter().filter(|(p, _)| p.starts_with("/backups/tables")).count();
    assert_eq!(tables as u64, rig.backups.generations().unwrap()[0].tables);
}

/// A restored store has the numbers of the first one, and then gives the same numbers to other
/// tables: both into one place, and no table is taken for another.
#[test]
fn two_stores_with_equal_numbers_do_not_mix() {
    let (_, mut rig) = Rig::on_memory(3);
    rig.write(40);
    rig.backup(&keep(9));
    rig.backups.restore(1, "/twin").unwrap();
    let twin = Lsm::open_with("/twin", config(&rig.fs)).unwrap();
    rig.store.clone().close().unwrap();
    let mut other = Rig { store: twin, rng: nori_env::Rng::new(77), ..rig };
    for _ in 0..3 {
        other.write(30);
        other.store.flush().unwrap();
        other.backup(&keep(9));
    }
    let first = Lsm::open_with(STORE, config(&other.fs)).unwrap();
    let mut rig = Rig { store: first, rng: nori_env::Rng::new(78), ..other };
    for _ in 0..3 {
        rig.write(30);
        rig.store.flush().unwrap();
        rig.backup(&keep(9));
    }
    rig.check_all();
}

#[test]
fn arguments_are_checked_before_anything_is_done() {
    let disk = MemFs::new(5);
    let fs: Arc<dyn FileSystem> = Arc::new(disk.clone());
    let refused = |error: Error| matches!(error, Error::InvalidArgument { .. });
    assert!(open(&fs).is_err_and(refused));
    assert!(disk.write_file("/backups/letter.txt", b"dear"));
    assert!(create(&fs).is_err_and(refused));
    assert!(disk.remove_file("/backups/letter.txt"));
    let (_, mut rig) = Rig::on_memory(5);
    rig.write(5);
    assert!(rig.backups.backup(&rig.store, &keep(0)).is_err_and(refused));
    assert!(rig.backups.prune(0).is_err_and(refused));
    assert!(rig.backups.restore(1, "/new").is_err_and(refused));
    assert!(rig.backups.remove(1).is_err_and(refused));
    rig.backup(&keep(1));
    assert!(rig.backups.restore(1, STORE).is_err_and(refused), "a store was overwritten");
    assert!(contents(&rig.store) == rig.expected[&1]);
    let _held = rig.fs.lock(std::path::Path::new("/backups/LOCK")).unwrap().unwrap();
    let locked = |error: Error| matches!(error, Error::Locked { .. });
    assert!(rig.backups.backup(&rig.store, &keep(1)).is_err_and(locked));
    assert!(rig.backups.check().is_err_and(locked));
    assert!(rig.backups.prune(1).is_err_and(locked));
    rig.check_all();
}

#[test]
fn who_watches_sees_all_bytes_and_may_end_it() {
    let (disk, mut rig) = Rig::on_memory(6);
    rig.write(60);
    rig.store.flush().unwrap();
    let mut told = Vec::new();
    let cancelled = rig.backups.backup_with(&rig.store, &keep(7), &mut |progress| {
        told.push(*progress);
        if progress.files_done == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(matches!(cancelled, Err(Error::Cancelled)));
    assert!(rig.backups.numbers().unwrap().is_empty());
    let left = disk.files().into_iter().filter(|(path, _)| path.starts_with("/db/backup-"));
    assert_eq!(left.count(), 0, "the staged checkpoint stayed");
    let mut last = told[0];
    let report = rig.backups.backup_with(&rig.store, &keep(7), &mut |progress| {
        assert!(progress.bytes_done >= last.bytes_done || last == told[0]);
        last = *progress;
        ControlFlow::Continue(())
    });
    // What the first one copied is not copied again.
    assert_eq!(report.unwrap().tables_copied + 2, rig.backups.generations().unwrap()[0].tables);
    assert_eq!((last.bytes_done, last.files_done), (last.bytes, last.files));
    let ended = rig.backups.restore_with(1, "/new", &mut |_| ControlFlow::Break(()));
    assert!(matches!(ended, Err(Error::Cancelled)));
    assert!(Lsm::open_with("/new", config(&rig.fs)).is_err(), "half a store was opened");
    rig.backups.restore(1, "/new").unwrap();
    let restored = Lsm::open_with("/new", config(&rig.fs)).unwrap();
    assert!(contents(&restored) == contents(&rig.store));
    assert!(disk.read_file(format!("{TARGET}/BACKUP")).is_some());
}
