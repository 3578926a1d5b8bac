//! Model (d): versions are swapped while a reader reads, and files are deleted.
//!
//! A reader sees the files of one version, whole; a file is deleted only after its last reader,
//! and exactly once.
//!
//! `Published`, `TableFile` and `Obsolete` are the real ones; files are cells that loom watches.
#![cfg(nori_loom)]
#![allow(unsafe_code)] // Payloads lie in cells that loom watches.

#[path = "loom/mod.rs"]
mod support;

use bytes::Bytes;
use nori_env::sync::cell::UnsafeCell;
use nori_env::sync::{Arc, TrackedArc, thread};
use nori_manifest::{Obsolete, Published, TableFile};
use nori_types::{FileNumber, SeqNo, TableMeta};
use support::{Seen, model, twin};

/// What lies on the disk: for each file how often it was deleted. Deleting is a write, reading a
/// read: loom fails if the two can meet.
struct Disk([UnsafeCell<u32>; 5]);

// SAFETY: this is what the model is about; loom checks it.
unsafe impl Sync for Disk {}
// SAFETY: as above.
unsafe impl Send for Disk {}

impl Disk {
    fn cell(&self, number: FileNumber) -> &UnsafeCell<u32> {
        &self.0[usize::try_from(number.0).unwrap_or(0)]
    }

    fn deleted(&self, number: FileNumber) -> u32 {
        // SAFETY: loom checks it.
        self.cell(number).with(|count| unsafe { *count })
    }

    fn delete(&self, number: FileNumber) {
        // SAFETY: loom checks it.
        self.cell(number).with_mut(|count| unsafe { *count += 1 });
    }
}

struct Version {
    files: Vec<TrackedArc<TableFile>>,
}

struct Super {
    version: TrackedArc<Version>,
}

struct Store {
    current: Published<Super>,
    obsolete: Obsolete,
    disk: Disk,
}

fn file(number: u64, queue: &Obsolete) -> TrackedArc<TableFile> {
    let meta = TableMeta {
        number: FileNumber(number),
        id: 0,
        bytes: 0,
        entries: 0,
        tombstones: 0,
        smallest: Bytes::new(),
        largest: Bytes::new(),
        seq_min: SeqNo::ZERO,
        seq_max: SeqNo::ZERO,
        raw_bytes: 0,
    };
    TrackedArc::new(TableFile::unshared(meta, queue))
}

fn wrapped(files: Vec<TrackedArc<TableFile>>) -> Arc<Super> {
    Arc::new(Super { version: TrackedArc::new(Version { files }) })
}

impl Store {
    /// Files 1 and 2.
    fn new(relaxed: bool) -> Arc<Store> {
        let obsolete = Obsolete::new();
        let start = wrapped(vec![file(1, &obsolete), file(2, &obsolete)]);
        let make = if relaxed { Published::plant_relaxed } else { Published::new };
        let disk = Disk([0; 5].map(UnsafeCell::new));
        Arc::new(Store { current: make(start), obsolete, disk })
    }

    fn read(&self, seen: &Seen) {
        // The tracked reference keeps the version; the outer one is let go of at once.
        let version = TrackedArc::clone(&self.current.load().version);
        let numbers: Vec<u64> = version.files.iter().map(|f| f.number().0).collect();
        assert!([[1, 2], [2, 3]].contains(&[numbers[0], numbers[1]]), "torn: {numbers:?}");
        for file in &version.files {
            assert_eq!(self.disk.deleted(file.number()), 0, "deleted under its reader");
        }
        seen.outcome(usize::from(numbers[0] == 2));
    }

    /// A merge of file 1 into file 3: file 2 stays. As the manifest does it, the file leaves
    /// while the old version is still current.
    fn swap(&self) {
        let old = TrackedArc::clone(&self.current.load().version);
        let files = vec![TrackedArc::clone(&old.files[1]), file(3, &self.obsolete)];
        old.files[0].leave();
        drop(old);
        self.current.update(|_| wrapped(files));
    }

    fn delete_obsolete(&self) -> usize {
        let numbers = self.obsolete.take();
        numbers.iter().for_each(|number| self.disk.delete(*number));
        numbers.len()
    }

    /// With nobody else about.
    fn check_end(&self) {
        self.delete_obsolete();
        let deleted: Vec<u32> = (0..5).map(|n| self.disk.deleted(FileNumber(n))).collect();
        assert_eq!(deleted, [0, 1, 0, 0, 0], "file 1 goes, once");
    }
}

fn reader(store: &Arc<Store>, seen: &'static Seen) -> thread::JoinHandle<()> {
    let store = Arc::clone(store);
    thread::spawn(move || store.read(seen))
}

#[test]
fn files_go_after_their_last_reader() {
    model("version_swap_and_reclaim", 4, |seen| {
        let store = Store::new(false);
        let reader = reader(&store, seen);
        store.swap();
        // Either nobody reads version 1 any more, or the reader will queue the file.
        seen.outcome(2 + store.delete_obsolete());
        reader.join().expect("the reader is right");
        store.check_end();
    });
}

#[test]
fn files_go_after_the_last_of_two_readers() {
    model("two_readers_and_reclaim", 2, |seen| {
        let store = Store::new(false);
        let readers = [reader(&store, seen), reader(&store, seen)];
        store.swap();
        store.delete_obsolete();
        for reader in readers {
            reader.join().expect("the reader is right");
        }
        store.check_end();
    });
}

#[test]
fn twin_deleted_when_it_leaves() {
    twin("deleted_when_it_leaves", |seen| {
        let store = Store::new(false);
        let reader = reader(&store, seen);
        store.swap();
        store.disk.delete(FileNumber(1));
        reader.join().expect("the reader is right");
    });
}

#[test]
fn twin_two_handles_of_one_file() {
    twin("two_handles", |seen| {
        let store = Store::new(false);
        let reader = reader(&store, seen);
        // The merge makes a second handle of file 2 instead of sharing the first.
        let old = TrackedArc::clone(&store.current.load().version);
        let files = vec![file(2, &store.obsolete), file(3, &store.obsolete)];
        old.files.iter().for_each(|file| file.leave());
        drop(old);
        store.current.update(|_| wrapped(files));
        store.delete_obsolete();
        reader.join().expect("the reader is right");
        store.check_end();
    });
}

#[test]
fn twin_relaxed_store() {
    twin("reclaim_relaxed_store", |seen| {
        let store = Store::new(true);
        let reader = reader(&store, seen);
        store.swap();
        reader.join().expect("the reader is right");
    });
}
