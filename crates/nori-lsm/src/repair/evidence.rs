//! What the files of a damaged store say of each other: which tables live, under which names.

use super::report::{LostKey, LostPart, RepairReport};
use super::{manifests, numbers};
use crate::error::Result;
use crate::store::Paths;
use crate::super_version::Mem;
use nori_env::sync::Arc;
use nori_env::{FileSystem, OpenMode};
use nori_manifest::{Keyspace, Version};
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
    /// Tables that the state has done with: what they hold is in others, or was deleted. Of use
    /// only in the place of others that cannot be read.
    pub(super) spent: Vec<FileNumber>,
    /// What records say of tables, whether they live or not.
    pub(super) known: BTreeMap<FileNumber, TableMeta>,
    /// The numbers of the log's segments.
    pub(super) segments: Vec<u64>,
    /// What the log holds, newest first.
    pub(super) log: Vec<Arc<Mem>>,
    has_manifests: bool,
    /// Nothing is missing behind the state but, at most, an edit that was being appended.
    is_whole: bool,
    /// The tables that were let go before the state.
    gone: Vec<FileNumber>,
}

impl Evidence {
    /// Looks at everything but the contents of tables and of the log.
    pub(super) fn gather(
        fs: &dyn FileSystem,
        paths: &Paths,
        report: &mut RepairReport,
    ) -> Result<Evidence> {
        let places = tables(fs, paths)?;
        let present = places.keys().copied().collect();
        let found = manifests::find(fs, paths, &present, report)?;
        let has_manifests = found.is_some() || !report.lost.is_empty();
        let found = found.unwrap_or_default();
        Ok(Evidence {
            version: found.version,
            keyspaces: found.keyspaces,
            places,
            extra: Vec::new(),
            spent: Vec::new(),
            known: found.tables,
            segments: numbers(fs, &paths.wal, |name| matches!(name, FileName::Segment(_)))?,
            log: Vec::new(),
            has_manifests,
            is_whole: found.is_whole,
            gone: found.gone,
        })
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

    /// Decides which tables are read beside those of the state, once the log has been.
    pub(super) fn choose(&mut self, paths: &Paths, report: &mut RepairReport) {
        let Some(version) = &self.version else {
            // The newest first: of two whose numbers became zero it is the later merge's.
            self.extra = self.places.keys().rev().copied().collect();
            report.warnings.push(
                "no manifest could be read: old values and deleted keys may have come back from \
                 tables that were merged already"
                    .to_string(),
            );
            return;
        };
        let live: BTreeSet<FileNumber> = version.tables().map(|t| t.number()).collect();
        let is_complete = live.iter().all(|number| self.places.contains_key(number));
        // Else all that was written behind this state is in the log, and not only in a table.
        let may_miss = !is_complete || report.lost.iter().any(|l| l.path.starts_with(&paths.wal));
        let gone: BTreeSet<FileNumber> = self.gone.iter().copied().collect();
        let is_later = |number: FileNumber| {
            let newer = self.known.get(&number).is_some_and(|m| m.seq_max > version.last_seq);
            number.0 >= version.next_file || newer || (!self.is_whole && !is_complete)
        };
        let others = self.places.keys().rev().copied().filter(|number| !live.contains(number));
        (self.extra, self.spent) =
            others.partition(|n| may_miss && !gone.contains(n) && is_later(*n));
        self.tell(version, paths, report);
    }

    fn tell(&self, version: &Version, paths: &Paths, report: &mut RepairReport) {
        if !self.extra.is_empty() {
            report.warnings.push(format!(
                "the manifest ends early: {} tables it does not know were read too, so old values \
                 and deleted keys may have come back",
                self.extra.len()
            ));
        }
        for file in version.tables() {
            let meta = &file.meta;
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

/// Opens a file to read.
pub(super) fn open(fs: &dyn FileSystem, path: &std::path::Path) -> Result<Arc<dyn nori_env::File>> {
    Ok(fs.open(path, OpenMode::Read)?)
}
