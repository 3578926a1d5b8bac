//! Generations in an object store, as in a directory.

use crate::rig::{Rig, config, contents, keep};
use nori_backup::{BackupOptions, Backups, Error};
use nori_env::{FileSystem, ManualClock, MemFs};
use nori_lsm::Lsm;
use nori_testkit::run_seeds;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use std::sync::Arc;

/// Names below a prefix of two parts.
const PREFIX: &str = "backups/orders";

pub(crate) fn create(bucket: &Arc<dyn ObjectStore>, fs: &Arc<dyn FileSystem>) -> Backups {
    try_create(bucket, fs).unwrap()
}

pub(crate) fn try_create(
    bucket: &Arc<dyn ObjectStore>,
    fs: &Arc<dyn FileSystem>,
) -> nori_backup::Result<Backups> {
    let clock = Arc::new(ManualClock::default());
    Backups::create_in_bucket_with(Arc::clone(bucket), PREFIX, Arc::clone(fs), clock)
}

pub(crate) fn rig(bucket: &Arc<dyn ObjectStore>, seed: u64) -> Rig {
    let fs: Arc<dyn FileSystem> = Arc::new(MemFs::new(seed));
    let backups = create(bucket, &fs);
    Rig::with(fs, backups, seed)
}

pub(crate) fn in_memory() -> Arc<dyn ObjectStore> {
    Arc::new(InMemory::new())
}

/// Waits for a call that the test itself makes.
pub(crate) fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

#[test]
fn each_generation_holds_what_was_there_when_it_was_made() {
    run_seeds("bucket", 12, |seed| {
        let mut rig = rig(&in_memory(), seed);
        for _ in 0..6 {
            rig.write(25);
            let options = keep(3).verify(rig.rng.chance(30));
            rig.backup(&options);
            if rig.rng.chance(20) {
                let number = *rig.rng.pick(&rig.backups.numbers().unwrap());
                rig.backups.remove(number).unwrap();
                rig.expected.remove(&number);
            }
            rig.check_all();
            let report = rig.backups.check().unwrap();
            assert!(report.is_ok() && report.unused == 0, "{report:?}");
        }
        rig.backups.prune(1).unwrap();
        assert_eq!(rig.backups.numbers().unwrap().len(), 1);
    });
}

#[test]
fn only_new_tables_are_uploaded() {
    let mut rig = rig(&in_memory(), 1);
    rig.write(60);
    rig.store.flush().unwrap();
    let first = rig.backup(&keep(3));
    let again = rig.backup(&keep(3));
    assert!(first.tables_copied > 0 && again.tables_copied == 0, "{first:?} {again:?}");
    assert_eq!(first.generation.tables, again.generation.tables);
}

/// Tables of several parts, through a directory of the real file system.
#[test]
fn large_tables_go_in_parts_and_come_back_whole() {
    let dir = nori_lsm::example_dir("backup-bucket-parts");
    std::fs::create_dir_all(dir.join("bucket")).unwrap();
    let local = LocalFileSystem::new_with_prefix(dir.join("bucket")).unwrap();
    for bucket in [Arc::new(local) as Arc<dyn ObjectStore>, in_memory()] {
        let (store_dir, new) = (dir.join("store"), dir.join("new"));
        let config = nori_lsm::Config::default().table_bytes(64 << 20);
        let store = Lsm::open_with(&store_dir, config.clone()).unwrap();
        let mut rng = nori_env::Rng::new(3);
        let mut values = Vec::new();
        for n in 0..40_u8 {
            let mut value = vec![0; 1 << 20];
            rng.fill(&mut value);
            store.put([n], &value).unwrap();
            values.push(value);
        }
        store.compact().unwrap();
        let backups = Backups::create_in_bucket(Arc::clone(&bucket), "").unwrap();
        let report = backups.backup(&store, &BackupOptions::default()).unwrap();
        let (tables, bytes) = (report.generation.tables, report.generation.table_bytes);
        assert!(bytes / tables > 20 << 20, "no table has two parts: {report:?}");
        store.close().unwrap();
        let backups = Backups::open_in_bucket(bucket, "").unwrap();
        assert!(backups.check().unwrap().is_ok());
        backups.restore(1, &new).unwrap();
        let restored = Lsm::open(&new).unwrap();
        for (n, value) in values.iter().enumerate() {
            assert_eq!(restored.get([n as u8]).unwrap().as_deref(), Some(&value[..]));
        }
        restored.close().unwrap();
        Lsm::destroy_with(&store_dir, &config).unwrap();
        std::fs::remove_dir_all(&new).unwrap();
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn two_at_once_are_refused_and_a_lock_that_was_left_is_taken_away() {
    let bucket = in_memory();
    let mut rig = rig(&bucket, 2);
    rig.write(20);
    rig.backup(&keep(3));
    // The watcher of one backup tries another.
    let (backups, store) = (rig.backups.clone(), &rig.store);
    let mut tried = 0;
    rig.backups
        .backup_with(store, &keep(3), &mut |_| {
            let second = backups.backup(store, &keep(3));
            assert!(matches!(second, Err(Error::Locked { .. })), "{second:?}");
            tried += 1;
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    assert!(tried > 0);
    let lock = Path::from(format!("{PREFIX}/LOCK"));
    wait(bucket.put(&lock, "nori-backups lock of one that died\n".into())).unwrap();
    let refused = rig.backups.check();
    assert!(matches!(&refused, Err(Error::Locked { path }) if path.ends_with("LOCK")));
    rig.backups.unlock().unwrap();
    assert!(rig.backups.check().unwrap().is_ok());
    rig.backups.unlock().unwrap();
}

#[test]
fn damage_is_found_and_mended() {
    let bucket = in_memory();
    let mut rig = rig(&bucket, 4);
    rig.write(60);
    rig.store.flush().unwrap();
    rig.backup(&keep(3));
    let tables = Path::from(format!("{PREFIX}/tables"));
    let listed = wait(bucket.list_with_delimiter(Some(&tables))).unwrap();
    for object in listed.objects {
        let at = object.location;
        let mut bytes =
            wait(async { bucket.get(&at).await.unwrap().bytes().await.unwrap() }).to_vec();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        wait(bucket.put(&at, bytes.into())).unwrap();
    }
    let report = rig.backups.check().unwrap();
    assert!(!report.is_ok(), "{report:?}");
    let restored = rig.backups.restore(1, "/damaged");
    assert!(matches!(restored, Err(Error::Corruption { .. })), "{restored:?}");
    let report = rig.backup(&keep(3).verify(true));
    assert!(report.tables_mended > 0);
    rig.check_all();
}

#[test]
fn places_of_other_kinds_are_refused() {
    let bucket = in_memory();
    let fs: Arc<dyn FileSystem> = Arc::new(MemFs::new(5));
    let none = Backups::open_in_bucket(Arc::clone(&bucket), PREFIX);
    assert!(matches!(none, Err(Error::InvalidArgument { .. })), "{none:?}");
    wait(bucket.put(&Path::from(format!("{PREFIX}/photo.jpg")), "a photo".into())).unwrap();
    let foreign = try_create(&bucket, &fs);
    assert!(matches!(&foreign, Err(e) if e.to_string().contains("photo.jpg")), "{foreign:?}");
    for prefix in ["a//b", "a/../b"] {
        let wrong = Backups::create_in_bucket(Arc::clone(&bucket), prefix);
        assert!(matches!(wrong, Err(Error::InvalidArgument { .. })), "{prefix}: {wrong:?}");
    }
}

/// A task of another runtime may call all of it, and let go of it.
#[test]
fn a_task_of_another_runtime_can_call_it() {
    wait(async {
        let fs: Arc<dyn FileSystem> = Arc::new(MemFs::new(6));
        let store = Lsm::open_with("/db", config(&fs)).unwrap();
        store.put("key", "value").unwrap();
        let backups = create(&in_memory(), &fs);
        backups.backup(&store, &keep(1)).unwrap();
        backups.restore(1, "/new").unwrap();
        drop(backups);
        let restored = Lsm::open_with("/new", config(&fs)).unwrap();
        assert!(contents(&restored) == contents(&store));
    });
}
