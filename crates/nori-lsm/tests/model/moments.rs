//! Moments: who keeps a store open, and what a snapshot says while a keyspace is being dropped.

use crate::reader::Reader;
use crate::run::ROOT;
use nori_env::MemFs;
use nori_env::sync::{Arc, Mutex};
use nori_lsm::{Background, Config, ErrorKind, Lsm, Snapshot};
use std::any::Any;

fn config(fs: &Arc<MemFs>) -> Config {
    Config::default()
        .file_system(Arc::<MemFs>::clone(fs))
        .background(Background::Manual)
        .memtable_bytes(4096)
        .disk_reserve_bytes(Some(0))
}

#[test]
fn whatever_reads_keeps_its_store_open_and_the_last_of_it_closes() {
    let fs = Arc::new(MemFs::new(1));
    let holders: [fn(&Lsm) -> Box<dyn Any>; 8] = [
        |store| Box::new(store.clone()),
        |store| Box::new(store.keyspace("s").expect("creates")),
        |store| Box::new(store.iter()),
        |store| Box::new(store.cursor()),
        |store| Box::new(store.snapshot()),
        |store| Box::new(store.snapshot().keyspace("default").expect("exists")),
        |store| Box::new(store.snapshot().range("a".."z")),
        |store| Box::new(Reader::Store(store.clone()).cursor()),
    ];
    for (n, hold) in holders.into_iter().enumerate() {
        let store = Lsm::open_with(ROOT, config(&fs)).expect("nobody holds it");
        store.put("k", n.to_string()).expect("writes");
        let held = hold(&store);
        let mut rest = store.iter();
        drop(store);
        let locked = Lsm::open_with(ROOT, config(&fs)).expect_err("it is still open");
        assert_eq!(locked.kind(), ErrorKind::Locked, "holder {n}");
        let first = rest.next().map(|item| item.expect("reads").1);
        assert_eq!(first.as_deref(), Some(n.to_string().as_bytes()), "holder {n}");
        drop(rest);
        let locked = Lsm::open_with(ROOT, config(&fs)).expect_err("it is still open");
        assert_eq!(locked.kind(), ErrorKind::Locked, "holder {n}");
        drop(held);
    }
    let store = Lsm::open_with(ROOT, config(&fs)).expect("nobody holds it");
    assert_eq!(store.recovery().records, 0, "the last drop flushed");
    assert_eq!(store.get("k").expect("reads").as_deref(), Some(&b"7"[..]));
}

/// A drop takes its sequence number first and logs itself second. A snapshot from in between is
/// behind the drop, also while the catalog does not know yet.
#[test]
fn a_snapshot_never_changes_its_mind_about_a_keyspace() {
    let fs = Arc::new(MemFs::new(2));
    let store = Lsm::open_with(ROOT, config(&fs)).expect("opens");
    let space = store.keyspace("s").expect("creates");
    space.put("k", "v").expect("writes");
    let taken: Arc<Mutex<Vec<(Snapshot, bool)>>> = Arc::default();
    let (eye, seen) = (store.clone(), Arc::clone(&taken));
    // Before each change of the disk while the keyspace is dropped and made anew.
    fs.on_operation(Some(Arc::new(move |_, _| {
        let snapshot = eye.snapshot();
        let sees = snapshot.keyspace("s").is_ok();
        seen.lock().push((snapshot, sees));
    })));
    store.drop_keyspace("s").expect("drops");
    store.keyspace("s").expect("creates");
    fs.on_operation(None);
    let taken = std::mem::take(&mut *taken.lock());
    assert!(taken.iter().any(|(_, sees)| !*sees), "nobody looked behind the drop");
    for (n, (snapshot, saw)) in taken.iter().enumerate() {
        let sees = snapshot.keyspace("s").is_ok();
        assert_eq!(sees, *saw, "snapshot {n} of {}, at {}", taken.len(), snapshot.sequence());
    }
}
