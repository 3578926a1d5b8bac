//! Which of the manifests tells the newest state.
//!
//! 1. The one that CURRENT names, if it is whole: no other is believed beside it.
//! 2. Else the newest state of any. The counters of a state never go back from one to the next, so
//!    they tell which is newer; numbers of manifests do not, since one whose making failed has a
//!    higher number than the one that went on.
//! 3. Single facts (names of keyspaces, what tables there were) are taken from all that were read.

use super::numbers;
use super::report::RepairReport;
use crate::error::{Error, Result};
use crate::store::Paths;
use nori_env::FileSystem;
use nori_manifest::{Keyspace, Manifest, Salvaged, Version};
use nori_types::{FileName, FileNumber};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// The newest state, with the facts of all manifests read; `None` if there is nothing to be had.
/// `present`: the tables there are.
pub(super) fn find(
    fs: &dyn FileSystem,
    paths: &Paths,
    present: &BTreeSet<FileNumber>,
    report: &mut RepairReport,
) -> Result<Option<Salvaged>> {
    let mut numbers = numbers(fs, &paths.root, |name| matches!(name, FileName::Manifest(_)))?;
    let current = current(fs, paths, !numbers.is_empty(), report)?;
    // The one named last is asked first.
    numbers.sort_by_key(|n| Reverse((Some(*n) == current, *n)));
    if let Some(current) = current
        && numbers.first() != Some(&current)
    {
        report.lose(path_of(paths, current), 0, None, "the file is missing".to_string());
    }
    let is_behind = current.is_some_and(|current| numbers.first() != Some(&current));
    let mut found = Found { all: Vec::new(), is_behind };
    for number in numbers {
        match Manifest::salvage(fs, &paths.root, number).map_err(Error::from) {
            Ok(read) if read.is_whole && current == Some(number) => {
                report.manifest = Some(path_of(paths, number));
                report.files_used.push(path_of(paths, number));
                return Ok(Some(read));
            }
            Ok(read) => found.all.push(read),
            Err(error @ Error::FormatTooNew { .. }) => return Err(error),
            Err(error) => {
                found.is_behind = true;
                report.lose(path_of(paths, number), 0, None, error.to_string());
            }
        }
    }
    for bad in found.all.iter().filter(|read| !read.is_whole).flat_map(|read| &read.problems) {
        report.lose(bad.path.clone(), bad.offset, None, bad.to_string());
    }
    Ok(found.newest(present).inspect(|best| {
        if best.version.is_some() {
            report.manifest = Some(path_of(paths, best.number));
            report.files_used.push(path_of(paths, best.number));
        }
    }))
}

fn path_of(paths: &Paths, number: u64) -> PathBuf {
    paths.root.join(FileName::Manifest(FileNumber(number)).to_string())
}

/// The manifest that CURRENT names.
fn current(
    fs: &dyn FileSystem,
    paths: &Paths,
    has_manifests: bool,
    report: &mut RepairReport,
) -> Result<Option<u64>> {
    match Manifest::current(fs, &paths.root).map_err(Error::from) {
        Ok(None) if has_manifests => {
            report.lose(paths.current(), 0, None, "the file is missing".to_string());
            Ok(None)
        }
        Ok(current) => Ok(current),
        Err(error @ Error::FormatTooNew { .. }) => Err(error),
        Err(error) => {
            report.lose(paths.current(), 0, None, error.to_string());
            Ok(None)
        }
    }
}

/// The manifests that could be read, the one preferred of equals first.
struct Found {
    all: Vec<Salvaged>,
    /// Another one cannot be read at all.
    is_behind: bool,
}

impl Found {
    /// The newest state.
    fn newest(self, present: &BTreeSet<FileNumber>) -> Option<Salvaged> {
        let is_whole = !self.is_behind && self.all.iter().all(|read| read.is_whole);
        let (mut keyspaces, mut tables) = (BTreeMap::new(), BTreeMap::new());
        for read in self.all.iter().rev() {
            tables.extend(read.tables.clone());
            for (id, keyspace) in &read.keyspaces {
                // A drop is never taken back.
                let known: &mut Keyspace = keyspaces.entry(*id).or_insert_with(|| keyspace.clone());
                if known.dropped.is_none() {
                    known.clone_from(keyspace);
                }
            }
        }
        let rank = |read: &Salvaged| read.version.as_ref().map(|version| age(version, present));
        // Of equals it takes the last.
        let best = self.all.into_iter().rev().max_by_key(rank)?;
        Some(Salvaged { keyspaces, tables, is_whole: is_whole && best.is_whole, ..best })
    }
}

/// What grows from state to state.
pub(crate) fn counters(version: &Version) -> impl Ord + use<> {
    (version.last_seq, version.flushed, version.wal_floor, version.next_file, version.durable)
}

/// Its counters; behind them, for states that differ in none, how many of its tables are there:
/// those of an older one are deleted.
fn age(version: &Version, present: &BTreeSet<FileNumber>) -> impl Ord + use<> {
    let missing = version.tables().filter(|file| !present.contains(&file.number())).count();
    (counters(version), Reverse(missing))
}
