//! Writes the newest version of every key that can be read into a new store.

use super::evidence::{Evidence, open};
use super::newest::{Clipped, Newest, Walk};
use super::report::{LostKey, LostPart, RepairReport};
use super::target::Tally;
use crate::WriteBatch;
use crate::config::Durability;
use crate::error::{Error, Result};
use crate::keyspace::Keyspace;
use crate::lsm::Lsm;
use nori_env::FileSystem;
use nori_env::sync::Arc;
use nori_manifest::{DEFAULT_KEYSPACE, Slot, split_prefix};
use nori_sstable::{BlockCache, Losses, Table};
use nori_types::{FileNumber, KeyRange, TableMeta};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// A batch is written when it has so many bytes.
const BATCH_BYTES: usize = 256 << 10;

/// Tables kept open at once for slots to come.
const OPEN_MAX: usize = 256;

/// Copies all there is; returns what it wrote.
pub(super) fn copy(
    store: &Lsm,
    fs: &dyn FileSystem,
    evidence: &Evidence,
    report: &mut RepairReport,
) -> Result<Tally> {
    let spaces = Spaces::new(store, evidence, report)?;
    let tables = Tables {
        fs,
        evidence,
        losses: Arc::new(Losses::new()),
        cache: BlockCache::new(0),
        open: BTreeMap::new(),
        read: BTreeSet::new(),
    };
    let (batch, written) = (WriteBatch::new(), Tally::default());
    let mut copy = Copy { store, report, tables, spaces, batch, written };
    match &evidence.version {
        Some(version) => {
            for slot in version.slots() {
                copy.slot(&slot.range, Some(slot))?;
            }
        }
        None => copy.slot(&KeyRange::all(), None)?,
    }
    copy.write()?;
    let Copy { tables: Tables { losses, read, .. }, written, .. } = copy;
    tell_losses(&losses, report);
    report.tables = read.len() as u64;
    let used = read.iter().filter_map(|number| evidence.places.get(number));
    report.files_used.extend(used.cloned());
    report.keyspaces = store.keyspaces();
    (report.keys, report.bytes) = (written.keys, written.bytes);
    store.sync()?;
    Ok(written)
}

fn tell_losses(losses: &Losses, report: &mut RepairReport) {
    for lost in losses.take() {
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

struct Copy<'a> {
    store: &'a Lsm,
    report: &'a mut RepairReport,
    tables: Tables<'a>,
    spaces: Spaces,
    batch: WriteBatch,
    written: Tally,
}

impl Copy<'_> {
    /// The keys of a range, from the slot's runs and from what belongs to no slot.
    fn slot(&mut self, range: &KeyRange, slot: Option<&Arc<Slot>>) -> Result<()> {
        let evidence = self.tables.evidence;
        let log = evidence.log.iter().map(|mem| Walk::Mem(mem.table.iter()));
        let mut sources: Vec<Clipped> =
            log.map(|walk| Clipped { walk, range: range.clone() }).collect();
        for number in &evidence.extra {
            let known = evidence.known.get(number);
            sources.extend(self.tables.walk(*number, known, range, self.report)?);
        }
        let runs = slot.iter().flat_map(|slot| slot.runs.iter().rev());
        for table in runs.flat_map(|run| run.tables.iter()) {
            let meta = &table.file.meta;
            let clip = table.range.intersection(range);
            sources.extend(self.tables.walk(meta.number, Some(meta), &clip, self.report)?);
        }
        let mut newest = Newest::new(sources)?;
        while let Some((key, value)) = newest.next()? {
            self.keep(&key, value.as_deref())?;
        }
        Ok(())
    }

    fn keep(&mut self, stored: &[u8], value: Option<&[u8]>) -> Result<()> {
        let Some((id, key)) = split_prefix(stored) else {
            let key = stored.escape_ascii();
            self.report.warnings.push(format!("a key of no keyspace was left out: {key}"));
            return Ok(());
        };
        let Some(space) = self.spaces.get(self.store, id, self.report)? else { return Ok(()) };
        let Some(value) = value else {
            self.report.deleted += 1;
            return Ok(());
        };
        self.written.add(space.name(), key, value);
        self.batch.put_in(space, key, value);
        if self.batch.byte_len() >= BATCH_BYTES { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<()> {
        let batch = std::mem::take(&mut self.batch);
        self.store.write_with(batch, Durability::Buffered)
    }
}

/// The tables of the damaged store.
struct Tables<'a> {
    fs: &'a dyn FileSystem,
    evidence: &'a Evidence,
    losses: Arc<Losses>,
    cache: Arc<BlockCache>,
    /// `None`: nothing can be had from it, which has been told.
    open: BTreeMap<FileNumber, Option<Arc<Table>>>,
    read: BTreeSet<FileNumber>,
}

impl Tables<'_> {
    /// A walk over the part of a table in a range, if there is such a part.
    fn walk(
        &mut self,
        number: FileNumber,
        known: Option<&TableMeta>,
        range: &KeyRange,
        report: &mut RepairReport,
    ) -> Result<Option<Clipped>> {
        if range.is_empty() {
            return Ok(None);
        }
        if !self.open.contains_key(&number) {
            if self.open.len() >= OPEN_MAX {
                self.open.retain(|_, table| table.is_none());
            }
            let table = self.open(number, known, report)?;
            self.open.insert(number, table);
        }
        let Some(Some(table)) = self.open.get(&number) else { return Ok(None) };
        let walk = Walk::Table(table.salvage_iter(&self.losses));
        Ok(Some(Clipped { walk, range: range.clone() }))
    }

    fn open(
        &mut self,
        number: FileNumber,
        known: Option<&TableMeta>,
        report: &mut RepairReport,
    ) -> Result<Option<Arc<Table>>> {
        let Some(path) = self.evidence.places.get(&number) else { return Ok(None) };
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
}

/// The keyspaces of the new store by their numbers in the damaged one.
struct Spaces {
    by_id: BTreeMap<u32, Option<Keyspace>>,
}

impl Spaces {
    fn new(store: &Lsm, evidence: &Evidence, report: &mut RepairReport) -> Result<Spaces> {
        let mut names: BTreeMap<u32, &str> = BTreeMap::from([(0, DEFAULT_KEYSPACE)]);
        let mut spaces = Spaces { by_id: BTreeMap::new() };
        for (id, known) in &evidence.keyspaces {
            if *id > 0 && known.dropped.is_some() {
                spaces.by_id.insert(*id, None);
            } else if *id > 0 {
                names.insert(*id, &known.name);
            }
        }
        // Of two with one name the drop of the older one was lost.
        let mut taken = BTreeSet::new();
        for (id, name) in names.into_iter().rev() {
            let is_new = taken.insert(name);
            let space = if is_new { store.keyspace(name) } else { Err(Error::Closed) };
            match space {
                Ok(space) => drop(spaces.by_id.insert(id, Some(space))),
                Err(Error::InvalidArgument { .. }) => {}
                Err(_) if !is_new => {}
                Err(error) => return Err(error),
            }
        }
        if evidence.version.is_none() && evidence.keyspaces.is_empty() {
            let what = "the names of keyspaces are lost: those other than \"default\" are called \
                        \"keyspace-\" and their number";
            report.warnings.push(what.to_string());
        }
        Ok(spaces)
    }

    /// The keyspace of a number; `None` for a dropped one.
    fn get(
        &mut self,
        store: &Lsm,
        id: u32,
        report: &mut RepairReport,
    ) -> Result<Option<&Keyspace>> {
        if let Entry::Vacant(place) = self.by_id.entry(id) {
            let taken = store.keyspaces();
            let mut name = format!("keyspace-{id}");
            while taken.contains(&name) {
                name.push('~');
            }
            report.warnings.push(format!("keyspace {id} has lost its name and is called {name:?}"));
            place.insert(Some(store.keyspace(&name)?));
        }
        Ok(self.by_id.get(&id).and_then(Option::as_ref))
    }
}
