//! A verification that opens nothing: it finds all damage, and nothing where there is none.
//!
//! A seed is one store, left by a killed process, and a share of its bytes, each changed in turn;
//! then other damage of all kinds, and several at once. The stores and what can happen to them are
//! those of the suite "corruption". `NORI_SEEDS=606` changes every byte of every kind of store.

#![cfg(not(any(nori_loom, nori_shuttle)))]

#[allow(dead_code)]
#[path = "../corruption/damage.rs"]
mod damage;
mod failing;
mod flips;
mod logs;
mod places;
#[allow(dead_code)]
#[path = "../corruption/sample.rs"]
mod sample;
mod whole;

use nori_env::MemFs;
use nori_env::sync::Arc;
use nori_lsm::{Config, Lsm, VerifyReport};
use sample::{KINDS, ROOT, Sample};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A seed takes one in so many bytes of a store.
const SHARE: usize = 101;

/// The store of a seed, and which share of its bytes is its turn.
fn of_seed(seed: u64) -> (Sample, usize) {
    let kinds = KINDS.len() as u64;
    let (turn, kind) = ((seed - 1) / kinds, KINDS[((seed - 1) % kinds) as usize]);
    (Sample::new(kind, 1 + turn / SHARE as u64), (turn % SHARE as u64) as usize)
}

/// Verifies a store and checks what must hold of every report: the bytes of all files are counted,
/// the caller is told of those that are read, and the disk stays as it was.
fn verify(disk: &MemFs, config: &Config) -> VerifyReport {
    let before = disk.digest();
    let mut told = 0;
    let report = Lsm::verify_at(ROOT, config, &mut |bytes| told += bytes).expect("a store");
    assert_eq!(disk.digest(), before, "the disk was changed");
    let kinds = [report.current, report.manifests, report.tables, report.log, report.heat];
    assert_eq!(report.bytes, kinds.iter().map(|kind| kind.bytes).sum::<u64>(), "{report:?}");
    assert_eq!(told, report.bytes, "bytes told of: {report:?}");
    let (files, bytes) = files_of(disk, |_| true);
    let counted: u64 = kinds.iter().map(|kind| kind.files).sum();
    assert_eq!(counted + report.unused.files, files, "{report:?}");
    assert_eq!(report.bytes + report.unused.bytes, bytes, "{report:?}");
    report
}

/// The files that the killed process had done with and did not remove any more.
fn unused(sample: &Sample) -> BTreeSet<PathBuf> {
    let disk = sample.disk.image();
    let report = verify(&disk, &config(sample, &disk));
    assert!(report.is_ok(), "{report:#?}");
    assert!(report.notes.iter().all(|note| note.what.contains("no part of")), "{report:#?}");
    report.notes.into_iter().map(|note| note.path).collect()
}

/// How many files of a store there are, and how many bytes. LOCK never has any.
fn files_of(disk: &MemFs, wanted: impl Fn(&Path) -> bool) -> (u64, u64) {
    let files: Vec<_> = disk
        .files()
        .into_iter()
        .filter(|(p, _)| p.starts_with(ROOT) && !p.ends_with("LOCK") && wanted(p))
        .collect();
    (files.len() as u64, files.iter().map(|(_, bytes)| bytes).sum())
}

fn config(sample: &Sample, disk: &MemFs) -> Config {
    sample.config(Arc::new(disk.clone()))
}
