//! Stores that nothing is wrong with.

use crate::sample::{KINDS, ROOT, Sample, kind_of};
use crate::{config, files_of, unused, verify};
use nori_env::sync::{Arc, Mutex};
use nori_env::{Cut, MemFs, Rng};
use nori_lsm::{Durability, Lsm, WriteBatch};
use nori_testkit::run_suite;
use std::path::Path;

#[test]
fn a_killed_and_a_closed_store_have_no_problems_and_all_is_read() {
    for kind in KINDS {
        let sample = Sample::new(kind, 1);
        let disk = sample.disk.image();
        let (report, unused) = (verify(&disk, &config(&sample, &disk)), unused(&sample));
        for (name, read) in [
            ("CURRENT", report.current),
            ("manifest", report.manifests),
            ("table", report.tables),
            ("log", report.log),
            ("HEAT", report.heat),
        ] {
            let wanted = |path: &Path| kind_of(path) == name && !unused.contains(path);
            let there = files_of(&disk, wanted);
            assert_eq!((read.files, read.bytes), there, "{kind:?}: {name}");
        }
        let reader = Lsm::open_read_only_with(ROOT, config(&sample, &disk)).expect("opens");
        assert_eq!(report.tables.files, reader.metrics().tables, "{kind:?}");
        assert_eq!(report.log_records, sample.records.len() as u64, "{kind:?}");
        let store = Lsm::open_with(ROOT, config(&sample, &disk)).expect("opens");
        let open = store.verify().expect("reads");
        assert!(open.is_ok() && open.notes.is_empty(), "{kind:?}: {open:#?}");
        assert_eq!((open.current.files, open.manifests.files, open.log.files), (1, 1, 0));
        store.close().expect("closes");
        let closed = verify(&disk, &config(&sample, &disk));
        assert!(closed.is_ok() && closed.notes.is_empty(), "{kind:?}: {closed:#?}");
        assert_eq!((closed.tables, closed.entries), (open.tables, open.entries));
        assert_eq!(closed.log_records, 0);
    }
}

/// A crash at any operation, in any way, is no damage.
#[test]
fn crashes_leave_no_problems() {
    let test = "-p nori-lsm --test verify crashes_leave_no_problems";
    run_suite("verify-crash", "images", test, 4, |seed| {
        let disk = MemFs::new(seed);
        let images: Arc<Mutex<Vec<(MemFs, Cut)>>> = Arc::default();
        let taken = Arc::clone(&images);
        disk.on_operation(Some(Arc::new(move |op, disk: &MemFs| {
            let mut rng = Rng::new(op ^ seed << 32);
            // Making the store, and now and then later on.
            if op < 40 || rng.chance(10) {
                let cut = *rng.pick(&Cut::ALL);
                taken.lock().push((disk.crash(cut, op), cut));
            }
        })));
        let kind = KINDS[(seed % KINDS.len() as u64) as usize];
        program(&disk, kind, seed);
        disk.on_operation(None);
        let images = std::mem::take(&mut *images.lock());
        let mut notes = 0;
        for (image, cut) in &images {
            if !image.files().iter().any(|(path, _)| path.starts_with(ROOT)) {
                continue;
            }
            let report = verify(image, &kind.config(Arc::new(image.clone())));
            assert!(report.is_ok(), "{kind:?} store, {cut:?}: {report:#?}");
            notes += report.notes.len();
            Lsm::open_with(ROOT, kind.config(Arc::new(image.clone()))).expect("opens");
        }
        assert!(notes > 0, "some have a torn tail or leftovers");
        images.len() as u64
    });
}

/// Writes of all kinds, some of them not durable.
fn program(disk: &MemFs, kind: crate::sample::Kind, seed: u64) {
    let open = || Lsm::open_with(ROOT, kind.config(Arc::new(disk.clone()))).expect("opens");
    let (mut store, mut rng) = (open(), Rng::new(seed));
    for n in 0..300 {
        match rng.below(40) {
            0 => store.flush().expect("flushes"),
            1 => store.compact().expect("merges"),
            2 => drop(store.keyspace(&format!("space-{}", rng.below(4))).expect("creates")),
            3 => drop(store.drop_keyspace(&format!("space-{}", rng.below(4)))),
            4 => store.split_at(&[format!("key-{:02}", rng.below(50))]).expect("splits"),
            5 => {
                store.clone().close().expect("closes");
                store = open();
            }
            6..12 => drop(store.step().expect("works")),
            _ => {
                let mut batch = WriteBatch::new();
                for _ in 0..1 + rng.below(3) {
                    batch.put(format!("key-{:02}", rng.below(50)), format!("{n:0100}"));
                }
                let durability =
                    *rng.pick(&[Durability::Buffered, Durability::Synced, Durability::Buffered]);
                store.write_with(batch, durability).expect("writes");
            }
        }
    }
}
