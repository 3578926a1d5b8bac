//! What a reader needs at one moment, behind one pointer.
//!
//! 1. A super-version never changes. Rotation, flush and merge each derive a new one.
//! 2. A key's newest version is met first: active memtable, sealed ones newest first, then the
//!    runs of its slot newest first.

use crate::budget::{Budget, Charge, Use};
use crate::config::{Config, memtable_memory};
use crate::error::Result;
use crate::heat::{Sampler, SlotReads};
use bytes::Bytes;
use nori_env::sync::{Arc, OnceLock};
use nori_manifest::{Deferred, Run, Slot, SlotId, Version};
use nori_memtable::Memtable;
use nori_sstable::{Table, TableCache};
use nori_types::{KeyRange, Lookup, SeqNo};
use std::ops::Deref;

/// A super-version that somebody holds. Letting go of the last one frees nothing on the spot.
pub(crate) type Pinned = Arc<Deferred<SuperVersion>>;

/// A memtable and the first segment of the log that is its own.
#[derive(Debug)]
pub(crate) struct Mem {
    pub(crate) table: Arc<Memtable>,
    pub(crate) first_segment: u64,
    charge: OnceLock<Charge>,
}

impl Mem {
    /// A memtable that is sealed at about so many bytes.
    pub(crate) fn new(first_segment: u64, bytes: usize) -> Mem {
        let table = Arc::new(Memtable::with_capacity(bytes));
        Mem { table, first_segment, charge: OnceLock::new() }
    }

    /// Charges it with so many bytes from now on, and what it does not use of its last chunk,
    /// until it is freed.
    pub(crate) fn charge(&self, budget: &Arc<Budget>, bytes: usize) {
        let charge = self.charge.get_or_init(|| budget.charge(Use::Memtables, 0));
        charge.set(memtable_memory(bytes as u64));
    }

    /// Bytes it is charged with.
    pub(crate) fn charged(&self) -> u64 {
        self.charge.get().map_or(0, Charge::bytes)
    }
}

/// Memtables and version at one moment.
#[derive(Debug)]
pub(crate) struct SuperVersion {
    pub(crate) active: Arc<Mem>,
    /// Newest first.
    pub(crate) sealed: Vec<Arc<Mem>>,
    pub(crate) version: Arc<Version>,
    /// The most runs that a slot has.
    pub(crate) runs_max: usize,
    /// One for each slot of the version.
    sources: Vec<Arc<SlotSources>>,
    shared: Arc<Shared>,
}

/// What all super-versions of a store share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) tables: Arc<TableCache>,
    budget: Arc<Budget>,
    block_bytes: u64,
    pub(crate) sampler: Sampler,
}

impl Shared {
    pub(crate) fn new(tables: &Arc<TableCache>, budget: &Arc<Budget>, config: &Config) -> Shared {
        let (tables, budget) = (Arc::clone(tables), Arc::clone(budget));
        let sampler = Sampler::new(config.seed);
        Shared { tables, budget, block_bytes: config.block_bytes as u64, sampler }
    }
}

/// The runs of a slot, newest first, with their tables as far as they have been opened.
#[derive(Debug)]
struct SlotSources {
    slot: Arc<Slot>,
    runs: Vec<Arc<RunSources>>,
    /// The same for a slot through all versions.
    reads: Arc<SlotReads>,
    /// What an iterator in the slot holds of its runs, in bytes, about: a block of each.
    walk_bytes: u64,
}

#[derive(Debug)]
struct RunSources {
    run: Arc<Run>,
    cache: Arc<TableCache>,
    opened: Vec<OnceLock<Arc<Table>>>,
}

impl RunSources {
    fn new(run: &Arc<Run>, cache: &Arc<TableCache>) -> Arc<RunSources> {
        let opened = run.tables.iter().map(|_| OnceLock::new()).collect();
        Arc::new(RunSources { run: Arc::clone(run), cache: Arc::clone(cache), opened })
    }

    /// The table whose clip holds `key`.
    fn find(&self, key: &[u8]) -> Result<Option<Opened<'_>>> {
        let tables = &self.run.tables;
        let at = tables.partition_point(|t| !t.range.is_below_end(key));
        match tables.get(at).filter(|t| t.range.contains(key)) {
            Some(_) => self.table(at).map(Some),
            None => Ok(None),
        }
    }

    fn table(&self, at: usize) -> Result<Opened<'_>> {
        let cell = &self.opened[at];
        if let Some(table) = cell.get() {
            return Ok(Opened::Held(table));
        }
        let table = self.cache.open(&self.run.tables[at].file.meta)?;
        // What is held here stays open as long as the run is read at all.
        match self.cache.may_hold() {
            true => Ok(Opened::Held(cell.get_or_init(|| table))),
            false => Ok(Opened::Lent(table)),
        }
    }
}

/// A table that is open.
enum Opened<'a> {
    Held(&'a Table),
    /// By the cache of tables, which may close it afterwards.
    Lent(Arc<Table>),
}

impl Deref for Opened<'_> {
    type Target = Table;

    #[inline]
    fn deref(&self) -> &Table {
        match self {
            Opened::Held(table) => table,
            Opened::Lent(table) => table,
        }
    }
}

impl SlotSources {
    fn new(slot: &Arc<Slot>, old: Option<&SlotSources>, shared: &Shared) -> SlotSources {
        let cache = &shared.tables;
        let known = |run: &Arc<Run>| old?.runs.iter().find(|known| Arc::ptr_eq(&known.run, run));
        let newest_first = slot.runs.iter().rev();
        let runs = newest_first.map(|run| match known(run) {
            Some(known) => Arc::clone(known),
            None => RunSources::new(run, cache),
        });
        let same = old.filter(|old| old.slot.id == slot.id);
        let reads = same.map(|old| Arc::clone(&old.reads)).unwrap_or_default();
        let walk_bytes = slot.runs.iter().map(|run| walk_bytes(run, shared.block_bytes)).sum();
        SlotSources { runs: runs.collect(), slot: Arc::clone(slot), reads, walk_bytes }
    }

    /// The value of a stored key, and how many runs were looked into.
    fn get(&self, key: &[u8], hash: u64, at: SeqNo, probes: &mut usize) -> Result<Option<Bytes>> {
        for run in &self.runs {
            let Some(table) = run.find(key)? else { continue };
            *probes += 1;
            match table.get(key, hash, at)? {
                // Copied already, unless it is a good part of its block.
                Lookup::Found(value, _) => return Ok(Some(value)),
                Lookup::Deleted(_) => return Ok(None),
                Lookup::Absent => {}
            }
        }
        Ok(None)
    }
}

/// What a cursor over a run holds besides the block it stands in, in bytes.
const CURSOR_BYTES: u64 = 512;

/// What a cursor over a run holds, in bytes. An entry longer than a block is a block of its own.
fn walk_bytes(run: &Run, block_bytes: u64) -> u64 {
    let tables = || run.tables.iter().map(|table| &table.file.meta);
    let (raw, entries) = tables().fold((0u64, 0u64), |(raw, entries), meta| {
        (raw.saturating_add(meta.raw_bytes), entries.saturating_add(meta.entries))
    });
    CURSOR_BYTES + block_bytes.max(raw / entries.max(1))
}

impl SuperVersion {
    pub(crate) fn new(
        active: Arc<Mem>,
        sealed: Vec<Arc<Mem>>,
        version: Arc<Version>,
        shared: &Arc<Shared>,
    ) -> SuperVersion {
        SuperVersion::derive(active, sealed, version, None, shared)
    }

    fn derive(
        active: Arc<Mem>,
        sealed: Vec<Arc<Mem>>,
        version: Arc<Version>,
        old: Option<&SuperVersion>,
        shared: &Arc<Shared>,
    ) -> SuperVersion {
        let sources = version.slots().map(|slot| {
            let old = old.map(|old| &old.sources[old.version.route(&slot.range.lo).0]);
            match old {
                Some(old) if Arc::ptr_eq(&old.slot, slot) => Arc::clone(old),
                old => Arc::new(SlotSources::new(slot, old.map(|o| &**o), shared)),
            }
        });
        let sources: Vec<_> = sources.collect();
        let runs_max = sources.iter().map(|s| s.runs.len()).max().unwrap_or(0);
        let shared = Arc::clone(shared);
        SuperVersion { active, sealed, version, runs_max, sources, shared }
    }

    /// A fresh memtable is active; the one that was is the newest sealed one.
    pub(crate) fn rotated(&self, fresh: Arc<Mem>) -> SuperVersion {
        let sealed = std::iter::once(&self.active).chain(&self.sealed).cloned().collect();
        SuperVersion {
            active: fresh,
            sealed,
            version: Arc::clone(&self.version),
            runs_max: self.runs_max,
            sources: self.sources.clone(),
            shared: Arc::clone(&self.shared),
        }
    }

    /// Another version, with the memtables as they are.
    pub(crate) fn with_version(&self, version: Arc<Version>) -> SuperVersion {
        let (active, sealed) = (Arc::clone(&self.active), self.sealed.clone());
        SuperVersion::derive(active, sealed, version, Some(self), &self.shared)
    }

    /// A version that holds a sealed memtable's data, which goes in the same step.
    pub(crate) fn flushed(&self, mem: &Arc<Mem>, version: Arc<Version>) -> SuperVersion {
        let others = self.sealed.iter().filter(|m| !Arc::ptr_eq(m, mem));
        let (active, sealed) = (Arc::clone(&self.active), others.cloned().collect());
        SuperVersion::derive(active, sealed, version, Some(self), &self.shared)
    }

    /// The memtables, newest first.
    pub(crate) fn memtables(&self) -> impl Iterator<Item = &Arc<Mem>> {
        std::iter::once(&self.active).chain(&self.sealed)
    }

    /// The value of a stored key as a reader at `at` sees it.
    pub(crate) fn get(&self, key: &[u8], at: SeqNo) -> Result<Option<Bytes>> {
        // Memtables and tables have filters of one kind of hash.
        let hash = nori_bloom::hash(key);
        for mem in self.memtables() {
            match mem.table.get_hashed(key, hash, at) {
                Lookup::Found(value, _) => return Ok(Some(value)),
                Lookup::Deleted(_) => return Ok(None),
                Lookup::Absent => {}
            }
        }
        let (index, _) = self.version.route(key);
        let sources = &self.sources[index];
        if sources.runs.is_empty() {
            return Ok(None);
        }
        let mut probes = 0;
        let found = sources.get(key, hash, at, &mut probes);
        if let Some(weight) = self.shared.sampler.weight() {
            sources.reads.add_points(weight, probes, sources.runs.len());
        }
        found
    }

    /// What an iterator in a slot holds, in bytes, about.
    pub(crate) fn walk_bytes(&self, slot: usize) -> u64 {
        self.sources.get(slot).map_or(0, |sources| sources.walk_bytes)
    }

    /// What all of the store's memory is charged to.
    pub(crate) fn budget(&self) -> &Arc<Budget> {
        &self.shared.budget
    }

    /// A scan comes through a slot.
    pub(crate) fn note_scan(&self, slot: usize) {
        let sources = self.sources.get(slot);
        if let (Some(sources), Some(weight)) = (sources, self.shared.sampler.weight()) {
            sources.reads.add_scans(weight);
        }
    }

    /// The slots' read counters.
    pub(crate) fn reads(&self) -> impl Iterator<Item = (SlotId, &Arc<SlotReads>)> {
        self.sources.iter().map(|sources| (sources.slot.id, &sources.reads))
    }

    pub(crate) fn tables(&self) -> &Arc<TableCache> {
        &self.shared.tables
    }

    /// About how many bytes of tables lie in a range.
    pub(crate) fn approximate_bytes(&self, range: &KeyRange) -> Result<u64> {
        let mut bytes = 0u64;
        for (index, _) in self.version.slots_in(range) {
            for run in &self.sources[index].runs {
                for (at, table) in run.run.tables.iter().enumerate() {
                    let clip = table.range.intersection(range);
                    if clip.is_empty() {
                        continue;
                    }
                    bytes = bytes.saturating_add(run.table(at)?.approximate_bytes(&clip));
                }
            }
        }
        Ok(bytes)
    }
}
