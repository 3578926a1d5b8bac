//! Model (c): rotation, the install of a flush, and a get, all through one store of one pointer.
//!
//! The key has a version 1; version 2 is written, its memtable rotated and flushed, and the flush
//! drops version 1 as shadowed. A get at any moment finds a version, the newest it may see.
//!
//! The memtables and tables are small stand-ins; `Published` and `Snapshots` are the real ones.
#![cfg(nori_loom)]
#![allow(unsafe_code)] // Payloads lie in cells that loom watches.

#[path = "loom/mod.rs"]
mod support;

use nori_env::sync::atomic::{AtomicU64, Ordering};
use nori_env::sync::cell::UnsafeCell;
use nori_env::sync::{Arc, thread};
use nori_manifest::{Published, Snapshots};
use nori_types::SeqNo;
use support::{Seen, model, twin};

/// Versions of the one key: insert-only, published by a release store each.
#[derive(Default)]
struct Memtable([AtomicU64; 2]);

impl Memtable {
    fn of(first: u64) -> Arc<Memtable> {
        Arc::new(Memtable([AtomicU64::new(first), AtomicU64::new(0)]))
    }

    fn insert(&self, seq: u64) {
        self.0[1].store(seq, Ordering::Release);
    }

    fn newest(&self, at: u64) -> Option<u64> {
        let seqs = self.0.iter().map(|seq| seq.load(Ordering::Acquire));
        seqs.filter(|seq| *seq > 0 && *seq <= at).max()
    }
}

/// The version that a table has; plain memory, written before the table is published.
struct Table(UnsafeCell<u64>);

// SAFETY: written once, before it is shared; loom complains if not.
unsafe impl Sync for Table {}
// SAFETY: as above.
unsafe impl Send for Table {}

impl Table {
    fn write(seq: u64) -> Arc<Table> {
        let table = Table(UnsafeCell::new(0));
        // SAFETY: nobody else knows the table.
        table.0.with_mut(|place| unsafe { *place = seq });
        Arc::new(table)
    }

    fn newest(&self, at: u64) -> Option<u64> {
        // SAFETY: tables are not changed after they are published.
        Some(self.0.with(|seq| unsafe { *seq })).filter(|seq| *seq <= at)
    }
}

#[derive(Clone)]
struct Super {
    active: Arc<Memtable>,
    sealed: Option<Arc<Memtable>>,
    table: Option<Arc<Table>>,
}

impl Super {
    /// Which source answers, and with which version.
    fn get(&self, at: u64) -> Option<(usize, u64)> {
        let active = self.active.newest(at).map(|seq| (0, seq));
        let sealed = || self.sealed.as_ref()?.newest(at).map(|seq| (1, seq));
        let table = || self.table.as_ref()?.newest(at).map(|seq| (2, seq));
        active.or_else(sealed).or_else(table)
    }
}

struct Store {
    current: Published<Super>,
    visible: AtomicU64,
    snapshots: Snapshots,
}

impl Store {
    fn new(relaxed: bool) -> Arc<Store> {
        let start = Super { active: Memtable::of(1), sealed: None, table: None };
        let make = if relaxed { Published::plant_relaxed } else { Published::new };
        let current = make(Arc::new(start));
        Arc::new(Store { current, visible: AtomicU64::new(1), snapshots: Snapshots::new() })
    }

    fn write_2(&self) {
        self.current.load().active.insert(2);
        // One compare-exchange publishes; loom would miss interleavings of a load and a store.
        let moved = self.visible.compare_exchange(1, 2, Ordering::AcqRel, Ordering::Relaxed);
        assert!(moved.is_ok());
    }

    fn rotate(&self) {
        self.current.update(|old| {
            let sealed = Some(Arc::clone(&old.active));
            Arc::new(Super { active: Arc::default(), sealed, table: old.table.clone() })
        });
    }

    /// Pins the sealed memtable first, then looks at the stripes; shadowed versions go.
    fn flush(&self) -> Arc<Table> {
        let pinned = self.current.load().sealed.clone().expect("rotated");
        let stripes = self.snapshots.stripes(|| SeqNo::new(self.visible.load(Ordering::Acquire)));
        let newest = stripes.last().and_then(|at| pinned.newest(at.get()));
        Table::write(newest.expect("version 1 at least"))
    }

    fn install(&self, table: Arc<Table>) {
        self.current.update(|old| {
            let (active, table) = (Arc::clone(&old.active), Some(table));
            Arc::new(Super { active, sealed: None, table })
        });
    }

    fn get(&self, seen: &Seen) {
        let current = self.current.load();
        let at = self.visible.load(Ordering::Acquire);
        let (source, found) = current.get(at).expect("no key vanishes");
        assert_eq!(found, at, "the newest visible version");
        seen.outcome(source);
        seen.outcome(2 + usize::try_from(found).unwrap_or(0));
    }
}

fn spawn(store: &Arc<Store>, run: impl FnOnce(&Store) + Send + 'static) -> thread::JoinHandle<()> {
    let store = Arc::clone(store);
    thread::spawn(move || run(&store))
}

#[test]
fn no_key_vanishes() {
    model("rotate_flush_get", 5, |seen| {
        let store = Store::new(false);
        let reader = spawn(&store, move |store| store.get(seen));
        store.write_2();
        store.rotate();
        store.install(store.flush());
        reader.join().expect("the reader is right");
    });
}

#[test]
fn twin_sequence_number_before_super_version() {
    twin("sequence_before_super_version", |_| {
        let store = Store::new(false);
        let reader = spawn(&store, |store| {
            let at = store.visible.load(Ordering::Acquire);
            let current = store.current.load();
            assert!(current.get(at).is_some(), "version 1 was dropped as shadowed");
        });
        store.write_2();
        store.rotate();
        store.install(store.flush());
        reader.join().expect("the reader is right");
    });
}

#[test]
fn twin_install_in_two_stores() {
    twin("install_in_two_stores", |seen| {
        let store = Store::new(false);
        let reader = spawn(&store, move |store| store.get(seen));
        store.rotate();
        let table = store.flush();
        store.current.update(|old| Arc::new(Super { sealed: None, ..(**old).clone() }));
        store.install(table);
        reader.join().expect("the reader is right");
    });
}

#[test]
fn twin_relaxed_store() {
    twin("publish_relaxed_store", |seen| {
        let store = Store::new(true);
        let reader = spawn(&store, move |store| store.get(seen));
        store.rotate();
        store.install(store.flush());
        reader.join().expect("the reader is right");
    });
}

/// A flush and a rotation at once, on two threads, with `derive` as the flush's install.
fn flush_beside_rotation(install: fn(&Store, Arc<Table>), seen: &'static Seen) {
    let store = Store::new(false);
    store.rotate();
    let rotator = spawn(&store, |store| {
        // The second rotation: its sealed memtable would wait behind the first.
        store.current.update(|old| Arc::new(Super { active: Memtable::of(7), ..(**old).clone() }));
    });
    install(&store, store.flush());
    seen.outcome(usize::from(store.current.load().active.newest(9) == Some(7)));
    rotator.join().expect("the rotator is right");
    let end = store.current.load();
    assert_eq!(end.active.newest(9), Some(7), "the rotation is lost");
    assert!(end.sealed.is_none() && end.table.is_some(), "the flush is lost");
}

#[test]
fn no_update_is_lost() {
    model("updates_from_two_threads", 2, |seen| {
        flush_beside_rotation(|store, table| store.install(table), seen);
    });
}

#[test]
fn twin_update_without_the_lock() {
    twin("update_without_lock", |seen| {
        let unlocked = |store: &Store, table: Arc<Table>| {
            let old = store.current.load_full();
            let active = Arc::clone(&old.active);
            store.current.update(|_| Arc::new(Super { active, sealed: None, table: Some(table) }));
        };
        flush_beside_rotation(unlocked, seen);
    });
}
