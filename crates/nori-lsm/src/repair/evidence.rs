//! What the files of a damaged store say of each other: which tables live, under which names.

use super::numbers;
use super::report::{LostKey, LostPart, RepairReport};
use crate::error::{Error, Result};
use crate::store::Paths;
use crate::super_version::Mem;
use nori_env::sync::Arc;
use nori_env::{FileSystem, OpenMode};
use nori_manifest::{Keyspace, Manifest, Salvaged, Version};
use nori_types::{FileName, FileNumber, SeqNo, TableMeta};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What is known of a damaged store.
pub(super) struct Evidence {
    /// The newest state that a manifest still tells.
    pub(super) version: Option<Version>,
    /// Every keyspace that a record tells of, by id.
    pub(super) keyspaces: BTreeMap<u32, Keyspace>,
    /// Where the tables lie that there are.
    pub(super) places: BTreeMap<FileNumber, PathBuf>,
    /// Tables that the state does not know and that must be read all the same.
    pub(super) extra: Vec<FileNumber>,
    /// What records say of tables, whether they live or not.
    pub(super) known: BTreeMap<FileNumber, TableMeta>,
    /// The numbers of the log's segments.
    pub(super) segments: Vec<u64>,
    /// What the log holds, newest first.
    pub(super) log: Vec<Arc<Mem>>,
    has_manifests: bool,
}

impl Evidence {
    /// Looks at everything but the contents of tables and of the log.
    pub(super) fn gather(
        fs: &dyn FileSystem,
        paths: &Paths,
        report: &mut RepairReport,
    ) -> Result<Evidence> {
        let found = find_manifest(fs, paths, report)?;
        let has_manifests = found.is_some() || !report.lost.is_empty();
        let found = found.unwrap_or_default();
        let segments = numbers(fs, &paths.wal, |name| matches!(name, FileName::Segment(_)))?;
        let mut evidence = Evidence {
            keyspaces: found.keyspaces.clone(),
            places: tables(fs, paths)?,
            extra: Vec::new(),
            known: found.tables.clone(),
            segments,
            log: Vec::new(),
            has_manifests,
            version: None,
        };
        evidence.extra = evidence.choose(&found);
        evidence.version = found.version;
        evidence.tell(paths, report);
        Ok(evidence)
    }

    /// Neither tables nor log nor manifest.
    pub(super) fn is_nothing(&self) -> bool {
        self.places.is_empty() && self.segments.is_empty() && !self.has_manifests
    }

    /// The first segment that counts, and the sequence number up to which tables hold all.
    pub(super) fn log_start(&self) -> (u64, SeqNo) {
        let version = self.version.as_ref();
        version.map_or((0, SeqNo::ZERO), |v| (v.wal_floor, v.last_seq))
    }

    /// The tables beside those of the version that must be read.
    fn choose(&self, found: &Salvaged) -> Vec<FileNumber> {
        let all = self.places.keys().rev().copied();
        let Some(version) = &found.version else { return all.collect() };
        let live: BTreeSet<FileNumber> = version.tables().map(|t| t.number()).collect();
        let is_complete = live.iter().all(|number| self.places.contains_key(number));
        // Nothing of the log went after this state, so nothing is only in a table of a later one.
        let has_log = self.segments.contains(&version.wal_floor);
        if is_complete && has_log {
            return Vec::new();
        }
        let gone: BTreeSet<FileNumber> = found.gone.iter().copied().collect();
        let later = |number: FileNumber| {
            let newer = self.known.get(&number).is_some_and(|m| m.seq_max > version.last_seq);
            number.0 >= version.next_file || newer || (!found.is_whole && !is_complete)
        };
        all.filter(|n| !live.contains(n) && !gone.contains(n) && later(*n)).collect()
    }

    fn tell(&self, paths: &Paths, report: &mut RepairReport) {
        let Some(version) = &self.version else {
            report.warnings.push(
                "no manifest could be read: old values and deleted keys may have come back from \
                 tables that were merged already"
                    .to_string(),
            );
            return;
        };
        if !self.extra.is_empty() {
            report.warnings.push(format!(
                "the manifest ends early: {} tables it does not know were read too, so old values \
                 and deleted keys may have come back",
                self.extra.len()
            ));
        }
        let mut live = BTreeSet::new();
        for file in version.tables() {
            let meta = &file.meta;
            live.insert(meta.number);
            if !self.places.contains_key(&meta.number) {
                report.lost.push(LostPart {
                    path: paths.table(meta.number),
                    from: 0,
                    to: Some(meta.bytes),
                    first_key: LostKey::of(&meta.smallest),
                    last_key: LostKey::of(&meta.largest),
                    reason: "the file is missing".to_string(),
                });
            }
        }
        let unused = self
            .places
            .iter()
            .filter(|(number, _)| !live.contains(number) && !self.extra.contains(number));
        report.files_unused.extend(unused.map(|(_, path)| path.clone()));
        let old = self.segments.iter().filter(|n| **n < version.wal_floor);
        let path = |n: &u64| paths.wal.join(FileName::Segment(FileNumber(*n)).to_string());
        report.files_unused.extend(old.map(path));
    }
}

/// Where tables lie: in `sst/`, and in `lost/` where opening moved them.
fn tables(fs: &dyn FileSystem, paths: &Paths) -> Result<BTreeMap<FileNumber, PathBuf>> {
    let mut places = BTreeMap::new();
    for dir in [&paths.lost, &paths.sst] {
        for number in numbers(fs, dir, |name| matches!(name, FileName::Table(_)))? {
            let name = FileName::Table(FileNumber(number)).to_string();
            places.insert(FileNumber(number), dir.join(name));
        }
    }
    Ok(places)
}

/// The manifest that CURRENT names, or, if nothing can be had from it, the newest that tells a
/// state; its keyspaces and tables are those of all manifests.
fn find_manifest(
    fs: &dyn FileSystem,
    paths: &Paths,
    report: &mut RepairReport,
) -> Result<Option<Salvaged>> {
    let current = match Manifest::current(fs, &paths.root).map_err(Error::from) {
        Ok(current) => current,
        Err(error @ Error::FormatTooNew { .. }) => return Err(error),
        Err(error) => {
            report.lose(paths.current(), 0, None, error.to_string());
            None
        }
    };
    let mut numbers = numbers(fs, &paths.root, |name| matches!(name, FileName::Manifest(_)))?;
    if current.is_none() && report.lost.is_empty() && !numbers.is_empty() {
        report.lose(paths.current(), 0, None, "the file is missing".to_string());
    }
    let manifest = |n: u64| paths.root.join(FileName::Manifest(FileNumber(n)).to_string());
    if let Some(current) = current {
        if !numbers.contains(&current) {
            report.lose(manifest(current), 0, None, "the file is missing".to_string());
        }
        // The one named last is asked first.
        numbers.sort_by_key(|n| (*n == current, *n));
    }
    let mut best: Option<Salvaged> = None;
    for number in numbers.into_iter().rev() {
        let read = Manifest::salvage(fs, &paths.root, number).map_err(Error::from);
        let read = match read {
            Ok(read) => read,
            Err(error @ Error::FormatTooNew { .. }) => return Err(error),
            Err(error) => {
                report.lose(manifest(number), 0, None, error.to_string());
                continue;
            }
        };
        let had_version = best.as_ref().is_some_and(|best| best.version.is_some());
        // Of older ones beside a good one nothing is missed.
        if had_version {
            continue;
        }
        if !read.is_whole {
            for bad in &read.problems {
                report.lose(bad.path.clone(), bad.offset, None, bad.to_string());
            }
        }
        if read.version.is_some() {
            report.manifest = Some(manifest(number));
            report.files_used.push(manifest(number));
        }
        best = Some(match best {
            None => read,
            Some(newer) => joined(newer, read),
        });
    }
    Ok(best)
}

/// An older manifest's state with what a newer one still says of single things.
fn joined(newer: Salvaged, older: Salvaged) -> Salvaged {
    let mut both = older;
    both.keyspaces.extend(newer.keyspaces);
    both.tables.extend(newer.tables);
    both.is_whole = false;
    both
}

/// Opens a file to read.
pub(super) fn open(fs: &dyn FileSystem, path: &std::path::Path) -> Result<Arc<dyn nori_env::File>> {
    Ok(fs.open(path, OpenMode::Read)?)
}
