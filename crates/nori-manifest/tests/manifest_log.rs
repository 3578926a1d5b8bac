//! What the manifest log promises: a version that `log` returned is what the next process loads.

#![allow(clippy::unwrap_used)]

mod common;

use common::{DIR, Edits, Fate, Judged, dir, dump};
use nori_env::sync::Arc;
use nori_env::{FileSystem, MemFs};
use nori_manifest::{Error, Loaded, Manifest, ManifestOptions, Version};
use std::path::Path;

const SMALL: ManifestOptions = ManifestOptions { rollover_bytes: 2000 };

fn disk(seed: u64) -> MemFs {
    let fs = MemFs::new(seed);
    fs.create_dir_all(Path::new(DIR)).unwrap();
    fs
}

fn load(fs: &MemFs) -> Loaded {
    Manifest::load(fs, &dir()).unwrap().expect("CURRENT is there")
}

#[test]
fn an_empty_directory_has_no_manifest() {
    assert!(Manifest::load(&disk(1), &dir()).unwrap().is_none());
    assert!(Manifest::load(&disk(1), Path::new("/nowhere")).unwrap().is_none());
}

#[test]
fn what_is_logged_is_loaded_through_many_rollovers() {
    nori_testkit::run_seeds("-p nori-manifest --test manifest_log loaded", 8, |seed| {
        let fs = disk(seed);
        let mut current = Arc::new(Version::new());
        let mut edits = Edits::new(seed, &current);
        let arc: Arc<dyn FileSystem> = Arc::new(fs.clone());
        let mut manifest = Manifest::create(arc, &dir(), &current, SMALL).unwrap();
        let first = manifest.number();
        for step in 0..120 {
            let edit = edits.next(&current);
            if edits.rng.chance(20) {
                let mut batch = vec![edit];
                let mut version = current.apply(&batch[0]).unwrap();
                for _ in 0..edits.rng.below(3) {
                    batch.push(edits.next(&version));
                    version = version.apply(batch.last().unwrap()).unwrap();
                }
                current = manifest.log_all(&current, batch).unwrap();
            } else {
                current = manifest.log(&current, edit).unwrap();
            }
            let loaded = load(&fs);
            assert_eq!(dump(&loaded.version), dump(&current), "step {step}");
            assert!(!loaded.cut && !loaded.read_only && loaded.number == manifest.number());
            assert!(loaded.version.next_file > loaded.number);
            assert_eq!(loaded.bytes, manifest.bytes());
        }
        assert!(manifest.number() > first + 3, "it rolled over");
        let names = fs.list(&dir()).unwrap();
        assert_eq!(names.len(), 2, "only CURRENT and the live manifest: {names:?}");
        // The next process numbers from there on.
        let next = Manifest::create(Arc::new(fs.clone()), &dir(), &load(&fs).version, SMALL);
        assert!(next.unwrap().number() > manifest.number());
    });
}

#[test]
fn a_refused_edit_changes_nothing() {
    let fs = disk(3);
    let current = Arc::new(Version::new());
    let mut edits = Edits::new(3, &current);
    let mut manifest =
        Manifest::create(Arc::new(fs.clone()), &dir(), &current, ManifestOptions::default())
            .unwrap();
    let flush = edits.flush(&current, current.durable);
    let after = manifest.log(&current, flush.clone()).unwrap();
    let bytes = manifest.bytes();
    // The same flush again is not the next one.
    assert!(matches!(manifest.log(&after, flush), Err(Error::Misfit(_))));
    assert!(manifest.is_settled() && manifest.bytes() == bytes);
    assert_eq!(dump(&load(&fs).version), dump(&after));
}

#[test]
fn after_a_failed_append_a_whole_new_manifest_is_written() {
    let fs = disk(4);
    let failing = Arc::new(nori_env::sync::atomic::AtomicBool::new(false));
    let armed = Arc::clone(&failing);
    let judged = Judged::new(Arc::new(fs.clone()), move |_, op, _| {
        let fails = armed.load(nori_env::sync::atomic::Ordering::Relaxed) && op == "sync";
        if fails { Fate::Eio } else { Fate::Done }
    });
    let mut current = Arc::new(Version::new());
    let mut edits = Edits::new(4, &current);
    let options = ManifestOptions::default();
    let mut manifest = Manifest::create(Arc::new(judged), &dir(), &current, options).unwrap();
    let edit = edits.next(&current);
    current = manifest.log(&current, edit).unwrap();
    let first = manifest.number();

    failing.store(true, nori_env::sync::atomic::Ordering::Relaxed);
    let lost = edits.next(&current);
    assert!(matches!(manifest.log(&current, lost), Err(Error::Io(_))));
    assert!(!manifest.is_settled() && manifest.poisoned().is_none());
    let again = edits.next(&current);
    assert!(manifest.log(&current, again.clone()).is_err(), "the new manifest fails to sync too");
    assert!(!manifest.is_settled());

    failing.store(false, nori_env::sync::atomic::Ordering::Relaxed);
    current = manifest.log(&current, again).unwrap();
    assert!(manifest.is_settled() && manifest.number() > first + 1);
    assert_eq!(dump(&load(&fs).version), dump(&current), "without the edit that failed");
    assert_eq!(fs.list(&dir()).unwrap().len(), 2, "failed attempts are removed");
}

#[test]
fn a_failed_current_ends_logging() {
    for op in ["rename", "sync_dir"] {
        let fs = disk(5);
        let renames = nori_env::sync::Mutex::new(0);
        // The third CURRENT fails, or the directory sync behind it.
        let judged = Judged::new(Arc::new(fs.clone()), move |_, call, _| {
            let mut renames = renames.lock();
            *renames += u64::from(call == "rename");
            if *renames >= 3 && call == op { Fate::Eio } else { Fate::Done }
        });
        let mut current = Arc::new(Version::new());
        let mut edits = Edits::new(5, &current);
        let mut manifest = Manifest::create(Arc::new(judged), &dir(), &current, SMALL).unwrap();
        let error = loop {
            let edit = edits.next(&current);
            match manifest.log(&current, edit) {
                Ok(next) => current = next,
                Err(error) => break error,
            }
        };
        assert!(matches!(error, Error::Io(_)), "{error}");
        assert!(manifest.poisoned().is_some() && !manifest.is_settled());
        let edit = edits.next(&current);
        assert!(matches!(manifest.log(&current, edit), Err(Error::Poisoned { .. })));
    }
}

#[test]
fn a_full_disk_stops_the_rollover_but_not_the_log() {
    let fs = disk(6);
    let judged = Judged::new(Arc::new(fs.clone()), |number, op, path| {
        let manifest = path.to_string_lossy().contains("MANIFEST");
        if op == "create" && manifest && number > 6 { Fate::Eio } else { Fate::Done }
    });
    let mut current = Arc::new(Version::new());
    let mut edits = Edits::new(6, &current);
    let mut manifest = Manifest::create(Arc::new(judged), &dir(), &current, SMALL).unwrap();
    let number = manifest.number();
    for _ in 0..1000 {
        let edit = edits.next(&current);
        current = manifest.log(&current, edit).unwrap();
        if manifest.bytes() > 10 * SMALL.rollover_bytes {
            break;
        }
    }
    assert!(manifest.bytes() > 10 * SMALL.rollover_bytes && manifest.is_settled());
    assert_eq!(manifest.number(), number);
    assert_eq!(dump(&load(&fs).version), dump(&current));
}
