//! Power cuts, kills and I/O errors at every file-system operation of the manifest log.
//!
//! The rule: what the next process loads is exactly the last version that `log` returned, or that
//! version with one of the edits that were attempted since and failed or had not returned. And it
//! loads the same again after it wrote its own manifest, also when that is cut at every operation.
//!
//! Each planted violation of the protocol must be caught by the same test.

#![allow(clippy::unwrap_used)]

mod common;

use common::{DIR, Edits, Fate, Judged, dir, dump};
use nori_env::sync::{Arc, Mutex};
use nori_env::{Cut, FileSystem, MemFs, Rng};
use nori_manifest::{Manifest, ManifestOptions, Version};
use nori_testkit::{env_usize, plant_caught, run_seeds};
use std::path::Path;

const SMALL: ManifestOptions = ManifestOptions { rollover_bytes: 600 };

/// What a load may give.
#[derive(Clone, Default)]
struct Allowed {
    /// The last version returned by `log`; none before the creation returned.
    returned: Option<String>,
    /// Versions attempted since.
    attempted: Vec<String>,
}

/// The test's own eyes: counts images, keeps the first complaint.
#[derive(Default)]
struct Watch {
    allowed: Allowed,
    images: u64,
    complaint: Option<String>,
}

impl Watch {
    fn judge(&mut self, image: &MemFs, what: &str) {
        self.images += 1;
        if self.complaint.is_some() {
            return;
        }
        let allowed = &self.allowed;
        let complaint = match Manifest::load(image, &dir()) {
            Err(error) => Some(format!("the load failed: {error}")),
            Ok(None) if allowed.returned.is_none() => None,
            Ok(None) => Some("CURRENT is gone".to_string()),
            Ok(Some(loaded)) => {
                let got = dump(&loaded.version);
                let fits = allowed.returned.iter().chain(&allowed.attempted).any(|v| *v == got);
                (!fits).then(|| format!("a version that nobody asked for:\n{got}"))
            }
        };
        self.complaint = complaint.map(|text| {
            let returned = allowed.returned.as_deref().unwrap_or("nothing\n");
            format!("{what}: {text}\nlast returned:\n{returned}")
        });
    }
}

type Shared = Arc<Mutex<Watch>>;

fn lock_and_judge(watch: &Shared, image: &MemFs, what: &str) {
    watch.lock().judge(image, what);
}

/// The next process: loads, writes its own manifest, and is cut at each of its operations.
fn reopen(watch: &Shared, image: &MemFs, seed: u64) {
    let Ok(Some(loaded)) = Manifest::load(image, &dir()) else { return };
    image.sync_dir(&dir()).unwrap();
    let version = renumbered(image, &loaded.version);
    // After a kill, what it finds may be in memory only: until this open returns, a power cut may
    // take it back to what had been logged.
    let mut allowed = watch.lock().allowed.clone();
    allowed.attempted.push(dump(&version));
    let nested = Arc::new(Mutex::new(Watch { allowed, ..Watch::default() }));
    let eyes = Arc::clone(&nested);
    image.on_operation(Some(Arc::new(move |op, image| {
        let mut rng = Rng::new(seed ^ op);
        let cut = *rng.pick(&Cut::ALL[2..]);
        lock_and_judge(&eyes, &image.crash(cut, rng.next_u64()), "inside the next open");
    })));
    Manifest::create(Arc::new(image.clone()), &dir(), &version, SMALL).unwrap();
    image.on_operation(None);
    nested.lock().allowed = Allowed { returned: Some(dump(&version)), attempted: vec![] };
    lock_and_judge(&nested, &image.crash(Cut::SyncedOnly, seed), "after the next open");
    let nested = nested.lock();
    let mut watch = watch.lock();
    watch.images += nested.images;
    if watch.complaint.is_none() {
        watch.complaint.clone_from(&nested.complaint);
    }
}

/// The version with its file numbers above everything in the directory, as recovery does it.
fn renumbered(fs: &MemFs, version: &Version) -> Version {
    let names = fs.list(&dir()).unwrap();
    let numbers = names.iter().filter_map(|n| nori_types::FileName::parse(n)?.number());
    let above = numbers.map(|n| n.0 + 1).max().unwrap_or(1);
    let edit = version.edit_positions(0, version.last_seq, version.durable).with_next_file(above);
    version.apply(&edit).unwrap()
}

/// A planted violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plant {
    None,
    CurrentBeforeManifestSync,
    CurrentBeforeManifestEntry,
    CurrentNotSynced,
    CurrentDirNotSynced,
    AppendNotSynced,
    AppendRepeatedBehindFailed,
    OldManifestRemovedEarly,
}

/// One program on one disk: creation, edits, rollovers; each operation cut in every way.
fn program(seed: u64, plant: Plant, eio_at: Option<u64>, deep: bool) -> (u64, Option<String>, u64) {
    let fs = MemFs::new(seed);
    fs.set_sectors(&[32, 512]);
    fs.create_dir_all(Path::new(DIR)).unwrap();
    let watch: Shared = Arc::default();
    if deep {
        let eyes = Arc::clone(&watch);
        fs.on_operation(Some(Arc::new(move |op, image| {
            for (i, cut) in Cut::ALL.into_iter().enumerate() {
                let next = image.crash(cut, seed.wrapping_mul(31) ^ (op << 4) ^ i as u64);
                lock_and_judge(&eyes, &next, &format!("operation {op}, {cut:?}"));
                if (op + i as u64).is_multiple_of(7) {
                    reopen(&eyes, &next, op);
                }
            }
        })));
    }
    let judged = Judged::new(Arc::new(fs.clone()), judge(fs.clone(), plant, eio_at));
    run(&judged, &watch, seed, plant);
    fs.on_operation(None);
    for cut in Cut::ALL {
        lock_and_judge(&watch, &fs.crash(cut, seed), &format!("at the end, {cut:?}"));
    }
    let watch = watch.lock();
    (watch.images, watch.complaint.clone(), judged.calls())
}

fn run(judged: &Judged, watch: &Shared, seed: u64, plant: Plant) {
    let mut current = Arc::new(Version::new());
    let mut edits = Edits::new(seed, &current);
    watch.lock().allowed.attempted.push(dump(&current));
    let created = Manifest::create(Arc::new(judged.clone()), &dir(), &current, SMALL);
    let Ok(mut manifest) = created else { return };
    watch.lock().allowed.returned = Some(dump(&current));
    for _ in 0..24 {
        let edit = edits.next(&current);
        let after = dump(&current.apply(&edit).unwrap());
        watch.lock().allowed.attempted.push(after.clone());
        match manifest.log(&current, edit) {
            Ok(next) => {
                let allowed = Allowed { returned: Some(after), attempted: vec![] };
                watch.lock().allowed = allowed;
                current = next;
            }
            Err(_) if manifest.poisoned().is_some() => return,
            Err(_) if plant == Plant::AppendRepeatedBehindFailed => manifest.plant_settled(),
            Err(_) => {}
        }
    }
}

fn judge(
    fs: MemFs,
    plant: Plant,
    eio_at: Option<u64>,
) -> impl Fn(u64, &str, &Path) -> Fate + Send + Sync {
    let renamed = Mutex::new(false);
    move |number, op, path| {
        let name = path.to_string_lossy();
        // Whether this directory sync is the one behind a rename, or the one before it.
        let behind = std::mem::replace(&mut *renamed.lock(), op == "rename");
        let appended = name.contains("MANIFEST") && fs.exists(Path::new("/store/CURRENT")).unwrap();
        let forgotten = match plant {
            Plant::CurrentBeforeManifestSync => {
                op == "sync" && name.contains("MANIFEST") && is_new(&fs, path)
            }
            Plant::CurrentBeforeManifestEntry => op == "sync_dir" && !behind,
            Plant::CurrentNotSynced => op == "sync" && name.contains("CURRENT"),
            Plant::CurrentDirNotSynced => op == "sync_dir" && behind,
            Plant::AppendNotSynced => op == "sync" && appended && !is_new(&fs, path),
            _ => false,
        };
        if plant == Plant::OldManifestRemovedEarly && op == "rename" {
            let mut names = fs.list(&dir()).unwrap();
            names.retain(|n| n.starts_with("MANIFEST"));
            for old in names.iter().rev().skip(1) {
                fs.remove(&dir().join(old)).unwrap();
                fs.sync_dir(&dir()).unwrap();
            }
        }
        match (forgotten, eio_at == Some(number)) {
            (true, _) => Fate::Forgotten,
            (_, true) => Fate::Eio,
            _ => Fate::Done,
        }
    }
}

/// Whether a manifest has never been synced.
fn is_new(fs: &MemFs, path: &Path) -> bool {
    fs.read_synced(path).is_none_or(|bytes| bytes.is_empty())
}

#[test]
fn every_cut_at_every_operation_leaves_a_version_that_was_logged() {
    let mut images = 0;
    run_seeds("-p nori-manifest --test crash every_cut", 12, |seed| {
        let (seen, complaint, _) = program(seed, Plant::None, None, true);
        images += seen;
        assert_eq!(complaint, None);
    });
    println!("{images} crash images");
    assert!(images > 1000 || env_usize("NORI_SEED", 0) > 0);
}

#[test]
fn an_io_error_at_every_operation_loses_nothing_that_was_logged() {
    let (mut images, mut runs) = (0, 0);
    run_seeds("-p nori-manifest --test crash an_io_error", 2, |seed| {
        let (_, _, calls) = program(seed, Plant::None, None, false);
        for at in 0..calls {
            // Every few runs are cut at every operation too.
            let (seen, complaint, _) = program(seed, Plant::None, Some(at), at % 9 == 0);
            images += seen;
            runs += 1;
            assert_eq!(complaint, None, "EIO at call {at}");
        }
    });
    println!("{runs} runs with an error, {images} crash images");
}

#[test]
fn planted_violations_are_caught() {
    let plants = [
        Plant::CurrentBeforeManifestSync,
        Plant::CurrentBeforeManifestEntry,
        Plant::CurrentNotSynced,
        Plant::CurrentDirNotSynced,
        Plant::AppendNotSynced,
        Plant::AppendRepeatedBehindFailed,
        Plant::OldManifestRemovedEarly,
    ];
    for plant in plants {
        let fails = plant == Plant::AppendRepeatedBehindFailed;
        let (mut images, mut caught) = (0, None);
        'search: for seed in 1..40 {
            let errors = if fails { 8..60 } else { 0..1 };
            for at in errors {
                let (seen, complaint, _) = program(seed, plant, fails.then_some(at), true);
                images += seen;
                if let Some(text) = complaint {
                    caught = Some(text);
                    break 'search;
                }
            }
        }
        let text = caught.unwrap_or_else(|| panic!("{plant:?} was not caught in {images} images"));
        let first = text.lines().next().unwrap_or_default();
        println!("{first}");
        plant_caught(plant, "manifest-crash", images, "images");
    }
}
