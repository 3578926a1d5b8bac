//! Power cuts and kills before every operation of backup, removal and restore.

use crate::rig::{Contents, Rig, STORE, check, config, contents, create, keep, open, restored};
use nori_env::{Cut, FileSystem, MemFs};
use nori_lsm::Lsm;
use nori_testkit::run_seeds;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// What a crash before each operation of `work` leaves.
fn images(disk: &MemFs, cuts: &[Cut], work: impl FnOnce()) -> Vec<(String, MemFs)> {
    let taken = Arc::new(Mutex::new(Vec::new()));
    let (into, cuts) = (Arc::clone(&taken), cuts.to_vec());
    disk.on_operation(Some(Arc::new(move |number, disk: &MemFs| {
        let cut = cuts[(number % cuts.len() as u64) as usize];
        let image = disk.crash(cut, number);
        into.lock().unwrap().push((format!("{cut:?} before operation {number}"), image));
    })));
    work();
    disk.on_operation(None);
    let mut taken = taken.lock().unwrap();
    std::mem::take(&mut *taken)
}

/// A crashed machine starts again: each generation holds what is `expected`, those that must `stay`
/// are there, and the next backup goes well.
fn go_on(told: &str, image: MemFs, expected: &BTreeMap<u64, Contents>, stay: &[u64]) {
    let fs: Arc<dyn FileSystem> = Arc::new(image.clone());
    let backups = create(&fs).unwrap_or_else(|e| panic!("{told}: {e}"));
    let numbers = backups.numbers().unwrap();
    for number in stay {
        assert!(numbers.contains(number), "{told}: generation {number} is gone");
    }
    let mut all = expected.clone();
    all.retain(|number, _| numbers.contains(number));
    check(&fs, &backups, &all);
    let store = Lsm::open_with(STORE, config(&fs)).unwrap_or_else(|e| panic!("{told}: {e}"));
    store.put("after", told).unwrap();
    let report = backups.backup(&store, &keep(2)).unwrap_or_else(|e| panic!("{told}: {e}"));
    assert_eq!(report.not_removed, None, "{told}");
    all.retain(|number, _| !report.removed.contains(number));
    all.insert(report.generation.generation, contents(&store));
    check(&fs, &backups, &all);
    let report = backups.check().unwrap();
    assert!(report.is_ok() && report.unused == 0, "{told}: {report:?}");
    let staged = image.files().into_iter().filter(|(path, _)| path.starts_with("/db/backup-"));
    assert_eq!(staged.count(), 0, "{told}");
}

#[test]
fn a_backup_crashed_anywhere_leaves_the_earlier_ones() {
    run_seeds("-p nori-backup --test backups a_backup_crashed", 3, |seed| {
        let (disk, mut rig) = Rig::on_memory(seed);
        rig.write(25);
        rig.backup(&keep(2));
        rig.write(15);
        rig.backup(&keep(2));
        rig.write(15);
        // The oldest one is removed at the end of this one.
        let mut expected = rig.expected.clone();
        expected.insert(3, contents(&rig.store));
        let images = images(&disk, &Cut::ALL, || {
            rig.backup(&keep(2));
        });
        assert!(images.len() > 40, "{}", images.len());
        for (told, image) in images {
            go_on(&told, image, &expected, &[2]);
        }
        rig.check_all();
    });
}

/// The first backup: nothing there yet, not even the place.
#[test]
fn a_first_backup_crashed_anywhere_leaves_a_place_to_go_on_with() {
    let disk = MemFs::new(4);
    let fs: Arc<dyn FileSystem> = Arc::new(disk.clone());
    let store = Lsm::open_with(STORE, config(&fs)).unwrap();
    store.put("one", "1").unwrap();
    let expected = BTreeMap::from([(1, contents(&store))]);
    let images = images(&disk, &Cut::ALL, || {
        let backups = create(&fs).unwrap();
        backups.backup(&store, &keep(2)).unwrap();
    });
    for (told, image) in images {
        go_on(&told, image, &expected, &[]);
    }
}

#[test]
fn a_removal_crashed_anywhere_leaves_what_should_stay() {
    run_seeds("-p nori-backup --test backups a_removal_crashed", 2, |seed| {
        let (disk, mut rig) = Rig::on_memory(seed);
        for _ in 0..4 {
            rig.write(15);
            rig.store.compact().unwrap();
            rig.backup(&keep(9));
        }
        let images = images(&disk, &Cut::ALL, || {
            assert_eq!(rig.backups.prune(2).unwrap(), [1, 2]);
        });
        assert!(images.len() > 8, "{}", images.len());
        for (told, image) in images {
            let fs: Arc<dyn FileSystem> = Arc::new(image);
            let backups = open(&fs).unwrap();
            // Each of them is there in whole or not at all.
            for number in backups.numbers().unwrap() {
                let expected = &rig.expected[&number];
                assert!(restored(&fs, &backups, number) == *expected, "{told}: {number}");
            }
            backups.prune(2).unwrap();
            assert_eq!(backups.numbers().unwrap(), [3, 4], "{told}");
            assert_eq!(backups.check().unwrap().unused, 0, "{told}");
        }
    });
}

#[test]
fn a_restore_crashed_anywhere_is_no_store_or_the_whole_one() {
    run_seeds("-p nori-backup --test backups a_restore_crashed", 3, |seed| {
        let (disk, mut rig) = Rig::on_memory(seed);
        rig.write(40);
        rig.backup(&keep(2));
        let images = images(&disk, &Cut::ALL, || {
            rig.backups.restore(1, "/new").unwrap();
        });
        assert!(images.len() > 20, "{}", images.len());
        let mut unfinished = 0;
        for (told, image) in images {
            let fs: Arc<dyn FileSystem> = Arc::new(image);
            let old = config(&fs).create_if_missing(false);
            if let Ok(store) = Lsm::open_with("/new", old.clone()) {
                assert!(contents(&store) == rig.expected[&1], "{told}");
                continue;
            }
            unfinished += 1;
            let backups = open(&fs).unwrap();
            backups.restore(1, "/new").unwrap_or_else(|e| panic!("{told}: {e}"));
            let store = Lsm::open_with("/new", old).unwrap();
            assert!(contents(&store) == rig.expected[&1], "{told}");
        }
        assert!(unfinished > 10, "{unfinished}");
    });
}
