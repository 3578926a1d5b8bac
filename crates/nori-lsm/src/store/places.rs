//! Where a store's bytes are: which keyspace, which files, and who holds what is not current.

use crate::error::Result;
use crate::metrics::{DiskInfo, KeyspaceInfo, PinInfo, PinKind, SlotInfo};
use crate::store::recover::list;
use crate::store::state::Store;
use crate::super_version::{Pinned, SuperVersion};
use nori_env::sync::{Arc, Mutex};
use nori_env::{FileSystem, OpenMode};
use nori_manifest::Deferred;
use nori_types::{FileName, FileNumber};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Weak;

/// Super-versions that were current once, without holding them: what readers still hold can be
/// told although readers write nothing down.
#[derive(Debug, Default)]
pub(crate) struct Superseded(Mutex<Vec<Weak<Deferred<SuperVersion>>>>);

impl Superseded {
    /// This one is being replaced. Those that nobody holds are forgotten, so there are hardly more
    /// than readers.
    pub(crate) fn note(&self, old: &Pinned) {
        let mut known = self.0.lock();
        known.retain(|weak| weak.strong_count() > 0);
        known.push(Arc::downgrade(old));
    }

    /// Those that are still held.
    fn held(&self) -> Vec<Pinned> {
        self.0.lock().iter().filter_map(Weak::upgrade).collect()
    }
}

impl Store {
    /// Who holds what merges and flushes have replaced: snapshots first, by age.
    pub(crate) fn pins(&self) -> Vec<PinInfo> {
        let live = self.snapshots.live().into_iter();
        let mut pins: Vec<PinInfo> = live
            .map(|(seq, holders)| PinInfo { sequence: seq.get(), holders, ..PinInfo::default() })
            .collect();
        let now = self.pin();
        let held = self.superseded.held();
        pins.extend(held.iter().filter_map(|old| pin_of(old, &now)));
        pins
    }

    /// The keyspaces, by name.
    pub(crate) fn keyspace_infos(&self) -> Vec<KeyspaceInfo> {
        let named = |name: String| (name.clone(), KeyspaceInfo { name, ..KeyspaceInfo::default() });
        let mut all: BTreeMap<_, _> = self.keyspace_names().into_iter().map(named).collect();
        for slot in self.slots(None) {
            if let Some(info) = all.get_mut(&slot.keyspace) {
                info.add(&slot);
            }
        }
        all.into_values().collect()
    }

    /// The files of the store by use.
    pub(crate) fn disk(&self) -> Result<DiskInfo> {
        self.check_open()?;
        let mut info = DiskInfo::default();
        let (fs, paths) = (&*self.fs, &self.paths);
        // Files first: of two versions the later one names what a flush has just installed.
        let tables = lengths(fs, &paths.sst)?;
        let version = Arc::clone(&self.pin().version);
        let live: BTreeSet<FileNumber> = version.tables().map(|file| file.number()).collect();
        for (name, bytes) in tables {
            let (files, sum) = match name {
                FileName::Table(number) if live.contains(&number) => {
                    (&mut info.tables, &mut info.tables_bytes)
                }
                FileName::Table(_) => (&mut info.tables_other, &mut info.tables_other_bytes),
                _ => {
                    info.other_bytes += bytes;
                    continue;
                }
            };
            *files += 1;
            *sum += bytes;
        }
        let segments = lengths(fs, &paths.wal)?;
        let kept = lengths(fs, &nori_wal::retained_dir(&paths.wal))?;
        // Second names of segments that have their first one too take no room.
        let only = kept.into_iter().filter(|(name, _)| segments.iter().all(|(n, _)| n != name));
        for (_, bytes) in only {
            info.wal_retained += 1;
            info.wal_retained_bytes += bytes;
        }
        for (name, bytes) in segments {
            let (files, sum) = match name {
                FileName::Segment(number) if number.0 >= version.wal_floor => {
                    (&mut info.wal_live, &mut info.wal_live_bytes)
                }
                FileName::Segment(_) => (&mut info.wal_retained, &mut info.wal_retained_bytes),
                FileName::Spare(_) => (&mut info.wal_spare, &mut info.wal_spare_bytes),
                _ => {
                    info.other_bytes += bytes;
                    continue;
                }
            };
            *files += 1;
            *sum += bytes;
        }
        for (name, bytes) in lengths(fs, &paths.root)? {
            *match name {
                FileName::Current | FileName::Manifest(_) => &mut info.manifest_bytes,
                FileName::Heat => &mut info.heat_bytes,
                _ => &mut info.other_bytes,
            } += bytes;
        }
        for (_, bytes) in lengths(fs, &paths.lost)? {
            info.lost += 1;
            info.lost_bytes += bytes;
        }
        info.free_bytes = fs.free_space(&paths.root)?;
        info.add_up();
        Ok(info)
    }
}

/// The store's files in a directory, with their lengths. One that is gone by now is left out.
fn lengths(fs: &dyn FileSystem, dir: &Path) -> Result<Vec<(FileName, u64)>> {
    let mut found = Vec::new();
    for name in list(fs, dir)? {
        let path: PathBuf = dir.join(name.to_string());
        match fs.open(&path, OpenMode::Read).and_then(|file| file.len()) {
            Ok(bytes) => found.push((name, bytes)),
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

/// What an old super-version keeps beside the current one; `None` if nobody but the caller holds
/// it.
fn pin_of(old: &Pinned, now: &SuperVersion) -> Option<PinInfo> {
    let holders = Arc::strong_count(old).saturating_sub(1);
    if holders == 0 {
        return None;
    }
    let current: BTreeSet<FileNumber> = now.version.tables().map(|file| file.number()).collect();
    let gone = old.version.tables().filter(|file| !current.contains(&file.number()));
    let (tables, table_bytes) = gone.fold((0, 0), |(n, sum), file| (n + 1, sum + file.meta.bytes));
    let is_current = |mem: &_| now.memtables().any(|other| Arc::ptr_eq(other, mem));
    let flushed = old.memtables().filter(|mem| !is_current(mem));
    Some(PinInfo {
        kind: PinKind::Readers,
        sequence: old.version.last_seq.get(),
        holders,
        tables,
        table_bytes,
        memtable_bytes: flushed.map(|mem| mem.table.bytes() as u64).sum(),
    })
}

impl KeyspaceInfo {
    fn add(&mut self, slot: &SlotInfo) {
        self.slots += 1;
        self.runs_max = self.runs_max.max(slot.runs as u64);
        self.tables += slot.tables as u64;
        self.bytes += slot.bytes;
        self.entries += slot.entries;
        self.tombstones += slot.tombstones;
        self.reads_per_s += slot.reads_per_s;
        self.writes_per_s += slot.writes_per_s;
        self.ledger.absorb(&slot.ledger);
        self.lifetime.absorb(&slot.lifetime);
    }
}

impl DiskInfo {
    fn add_up(&mut self) {
        self.total_bytes = self.tables_bytes
            + self.tables_other_bytes
            + self.wal_live_bytes
            + self.wal_retained_bytes
            + self.wal_spare_bytes
            + self.manifest_bytes
            + self.heat_bytes
            + self.lost_bytes
            + self.other_bytes;
    }
}
