//! Bytes of a backup that change where they lie.

use crate::rig::{Rig, TARGET, keep, open};
use nori_backup::BackupOptions;
use nori_env::{FileSystem, MemFs};
use std::path::PathBuf;
use std::sync::Arc;

fn files(disk: &MemFs) -> Vec<(PathBuf, u64)> {
    let all = disk.files();
    all.into_iter().filter(|(path, len)| path.starts_with(TARGET) && *len > 0).collect()
}

/// Any byte of any file: an error that names the file, for exactly the generations that need it.
#[test]
fn a_flipped_byte_anywhere_is_an_error_that_names_the_file() {
    let (disk, mut rig) = Rig::on_memory(11);
    for _ in 0..2 {
        rig.write(15);
        rig.store.flush().unwrap();
        rig.backup(&keep(2));
    }
    let (mut flips, mut both) = (0, 0);
    for (path, len) in files(&disk) {
        let step = if len > 600 { 197 } else { 23 };
        for at in (0..len).step_by(step) {
            let xor = 1 << (at % 8);
            assert!(disk.corrupt(&path, at, xor));
            let name = path.display().to_string();
            flips += 1;
            if name.ends_with("BACKUP") {
                let error = open(&rig.fs).expect_err(&name);
                assert!(error.is_corruption() && error.to_string().contains(&name), "{error}");
                assert!(disk.corrupt(&path, at, xor));
                continue;
            }
            let report = rig.backups.check().unwrap();
            assert_eq!(report.problems.len(), 1, "{name} at {at}: {report:?}");
            let problem = &report.problems[0];
            assert!(problem.what.contains(&name), "{problem:?}");
            both += u64::from(problem.generations.len() == 2);
            for number in [1, 2] {
                let image: Arc<dyn FileSystem> = Arc::new(disk.image());
                let restored = open(&image).unwrap().restore(number, "/new");
                assert_eq!(restored.is_err(), problem.generations.contains(&number), "{name}");
                if let Err(error) = restored {
                    let told = error.to_string();
                    assert!(error.is_corruption() && told.contains(&name), "{told}");
                }
            }
            assert!(disk.corrupt(&path, at, xor));
        }
    }
    assert!(flips > 100 && both > 10, "{flips} flips, {both} in shared tables");
    rig.check_all();
}

#[test]
fn a_missing_or_cut_file_is_an_error_that_names_it() {
    let (disk, mut rig) = Rig::on_memory(12);
    rig.write(25);
    rig.backup(&keep(2));
    for (path, _) in files(&disk) {
        let name = path.display().to_string();
        if name.ends_with("BACKUP") || name.ends_with(".gen") {
            continue;
        }
        let bytes = disk.read_file(&path).unwrap();
        for damaged in [None, Some(&bytes[..bytes.len() - 1])] {
            assert!(disk.remove_file(&path));
            if let Some(cut) = damaged {
                assert!(disk.write_file(&path, cut));
            }
            let image: Arc<dyn FileSystem> = Arc::new(disk.image());
            let error = open(&image).unwrap().restore(1, "/new").expect_err(&name);
            assert!(error.is_corruption() && error.to_string().contains(&name), "{error}");
            assert!(disk.write_file(&path, &bytes));
        }
    }
    rig.check_all();
}

/// A table that rotted in the place is mended by a backup that reads what is there.
#[test]
fn a_verifying_backup_mends_damaged_tables_of_older_generations() {
    let (disk, mut rig) = Rig::on_memory(13);
    rig.write(40);
    rig.store.flush().unwrap();
    rig.backup(&keep(3));
    let mut tables =
        files(&disk).into_iter().filter(|(path, _)| path.to_string_lossy().contains(".sst"));
    let (path, _) = tables.next_back().unwrap();
    assert!(disk.corrupt(&path, 40, 1));
    rig.backup(&keep(3));
    assert!(!rig.backups.check().unwrap().is_ok(), "a backup that does not verify saw it");
    let report = rig.backup(&BackupOptions::default().keep(Some(3)).verify(true));
    assert_eq!((report.tables_mended, report.tables_copied), (1, 1));
    rig.check_all();
}

/// Nobody knows what a list that cannot be read needs, so nothing is taken from it.
#[test]
fn a_damaged_list_keeps_all_tables_until_it_is_removed() {
    let (disk, mut rig) = Rig::on_memory(14);
    for _ in 0..3 {
        rig.write(20);
        rig.store.compact().unwrap();
        rig.backup(&keep(9));
    }
    assert!(disk.corrupt("/backups/generations/000002.gen", 50, 4));
    rig.write(5);
    let report = rig.backups.backup(&rig.store, &keep(9)).unwrap();
    let why = report.not_removed.expect("a list cannot be read");
    assert!(why.contains("000002.gen"), "{why}");
    let error = rig.backups.prune(3).expect_err("a list cannot be read");
    assert!(error.is_corruption(), "{error}");
    // Put right again, all that it names is there.
    assert!(disk.corrupt("/backups/generations/000002.gen", 50, 4));
    rig.backups.restore(2, "/new").unwrap();
    assert!(disk.corrupt("/backups/generations/000002.gen", 50, 4));
    rig.backups.remove(2).unwrap();
    let report = rig.backups.check().unwrap();
    assert!(report.is_ok() && report.unused == 0, "{report:?}");
    assert_eq!(rig.backups.numbers().unwrap(), [3, 4]);
}

/// A damaged table of the store never gets into a backup.
#[test]
fn a_damaged_table_of_the_store_is_named_and_no_generation_is_made() {
    let (disk, mut rig) = Rig::on_memory(15);
    rig.write(40);
    rig.store.flush().unwrap();
    let all = disk.files();
    let (path, _) = all.iter().find(|(p, _)| p.starts_with("/db/sst")).unwrap();
    assert!(disk.corrupt(path, 30, 2));
    let error = rig.backups.backup(&rig.store, &keep(2)).expect_err("a damaged table");
    let file = path.file_name().unwrap().to_string_lossy();
    assert!(error.is_corruption() && error.to_string().contains(&*file), "{error}");
    assert!(error.to_string().contains("/db/backup-"), "of the store's: {error}");
    assert!(rig.backups.numbers().unwrap().is_empty());
    assert!(disk.corrupt(path, 30, 2));
    rig.backup(&keep(2));
    rig.check_all();
}
