//! The tables of the damaged store, opened when their first key is due.
//!
//! 1. A table is open while the walk is inside its keys; a few more stay open for slots to come.
//! 2. In the place of one that cannot be read at all stand those that were merged already, within
//!    its part of the keys.

use super::evidence::{Evidence, open};
use super::newest::{Source, Standing};
use super::report::{LostKey, LostPart, RepairReport};
use crate::error::{Error, Result};
use nori_env::FileSystem;
use nori_env::sync::Arc;
use nori_sstable::{BlockCache, Losses, Table, TableIter};
use nori_types::{FileNumber, KeyRange, TableMeta};
use std::collections::{BTreeMap, BTreeSet};

/// So many tables stay open that no walk is inside of.
const IDLE_MAX: usize = 16;

/// What comes of opening a table.
pub(super) enum Opened {
    /// With the tables that it was merged from.
    Table(TableIter, Vec<FileNumber>),
    /// Nothing can be had from it, but from these.
    Instead(Vec<Source>),
}

/// The tables of the damaged store.
pub(super) struct Tables<'a> {
    fs: &'a dyn FileSystem,
    evidence: &'a Evidence,
    losses: Arc<Losses>,
    cache: Arc<BlockCache>,
    /// `None`: nothing can be had from it, which has been told.
    open: BTreeMap<FileNumber, Option<Arc<Table>>>,
    /// The first key and the end of tables that no record describes.
    spans: BTreeMap<FileNumber, KeyRange>,
    read: BTreeSet<FileNumber>,
    /// Spent tables that were read after all.
    instead: BTreeSet<FileNumber>,
}

impl<'a> Tables<'a> {
    pub(super) fn new(fs: &'a dyn FileSystem, evidence: &'a Evidence) -> Tables<'a> {
        Tables {
            fs,
            evidence,
            losses: Arc::new(Losses::new()),
            cache: BlockCache::new(0),
            open: BTreeMap::new(),
            spans: BTreeMap::new(),
            read: BTreeSet::new(),
            instead: BTreeSet::new(),
        }
    }

    pub(super) fn evidence(&self) -> &'a Evidence {
        self.evidence
    }

    /// The part of a table in a range, not opened yet, if there may be such a part.
    pub(super) fn source(
        &mut self,
        number: FileNumber,
        range: &KeyRange,
        standing: Standing,
        report: &mut RepairReport,
    ) -> Result<Option<Source>> {
        let span = match (self.evidence.known.get(&number), self.spans.get(&number)) {
            (Some(known), _) => span(known),
            (None, Some(span)) => span.clone(),
            (None, None) => {
                // One that cannot be read spans nothing.
                let table = self.table(number, report)?;
                let span = table
                    .map_or(KeyRange::new(&b""[..], Some("".into())), |table| span(table.meta()));
                self.spans.insert(number, span.clone());
                span
            }
        };
        let range = range.intersection(&span);
        Ok((!range.is_empty()).then(|| Source::of_table(number, range, standing)))
    }

    /// Opens a table that a walk has come to.
    pub(super) fn open(
        &mut self,
        number: FileNumber,
        range: &KeyRange,
        report: &mut RepairReport,
    ) -> Result<Opened> {
        let evidence = self.evidence;
        if let Some(table) = self.table(number, report)? {
            let merged_from = table.properties().merged_from.clone();
            return Ok(Opened::Table(table.salvage_iter(&self.losses), merged_from));
        }
        let mut instead = Vec::new();
        if !evidence.spent.contains(&number) {
            for spent in &evidence.spent {
                let source = self.source(*spent, range, Standing::Spent, report)?;
                self.instead.extend(source.as_ref().map(|_| *spent));
                instead.extend(source);
            }
        }
        Ok(Opened::Instead(instead))
    }

    /// A table, unless nothing can be had from it.
    fn table(
        &mut self,
        number: FileNumber,
        report: &mut RepairReport,
    ) -> Result<Option<Arc<Table>>> {
        if let Some(known) = self.open.get(&number) {
            return Ok(known.clone());
        }
        let is_idle = |table: &&Option<Arc<Table>>| {
            table.as_ref().is_some_and(|table| Arc::strong_count(table) == 1)
        };
        if self.open.values().filter(is_idle).count() >= IDLE_MAX {
            self.open.retain(|_, table| !is_idle(&&*table));
        }
        let table = self.read(number, report)?;
        self.open.insert(number, table.clone());
        Ok(table)
    }

    fn read(
        &mut self,
        number: FileNumber,
        report: &mut RepairReport,
    ) -> Result<Option<Arc<Table>>> {
        let Some(path) = self.evidence.places.get(&number) else { return Ok(None) };
        let known = self.evidence.known.get(&number);
        let cache = Arc::clone(&self.cache);
        let opened = open(self.fs, path).and_then(|file| {
            Table::salvage(file, number, cache, known, &self.losses).map_err(Error::from)
        });
        let reason = match opened {
            Ok(table) if known.is_none_or(|known| known.id == table.meta().id) => {
                self.read.insert(number);
                return Ok(Some(table));
            }
            Ok(_) => "the file is another table's".to_string(),
            Err(error @ Error::FormatTooNew { .. }) => return Err(error),
            Err(error) => error.to_string(),
        };
        report.lost.push(LostPart {
            path: path.clone(),
            from: 0,
            to: None,
            first_key: known.and_then(|known| LostKey::of(&known.smallest)),
            last_key: known.and_then(|known| LostKey::of(&known.largest)),
            reason,
        });
        Ok(None)
    }

    /// Says what was read and what could not be.
    pub(super) fn tell(self, report: &mut RepairReport) {
        let evidence = self.evidence;
        report.tables = self.read.len() as u64;
        let used = self.read.iter().filter_map(|number| evidence.places.get(number));
        report.files_used.extend(used.cloned());
        let unused = evidence.spent.iter().filter(|number| !self.read.contains(number));
        let unused = unused.filter_map(|number| evidence.places.get(number));
        report.files_unused.extend(unused.cloned());
        if !self.instead.is_empty() {
            report.warnings.push(format!(
                "{} tables that were merged already were read in the place of lost ones: in their \
                 part of the keys old values and deleted keys may have come back",
                self.instead.len()
            ));
        }
        for lost in self.losses.take() {
            let (from, to) = (lost.section.offset, lost.section.offset + lost.section.bytes);
            let Some((first, last)) = lost.keys else {
                report.warnings.push(format!(
                    "{}: damaged from {from} to {to}, where no entries are: {}",
                    lost.path.display(),
                    lost.what
                ));
                continue;
            };
            report.lost.push(LostPart {
                path: lost.path,
                from,
                to: Some(to),
                first_key: LostKey::of(&first),
                last_key: last.as_deref().and_then(LostKey::of),
                reason: lost.what,
            });
        }
    }
}

/// The keys from the first to the last.
fn span(meta: &TableMeta) -> KeyRange {
    KeyRange::new(meta.smallest.clone(), Some(meta.end()))
}
