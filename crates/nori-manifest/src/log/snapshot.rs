//! A version as records, and records as a version.

use crate::catalog::{Catalog, Keyspace};
use crate::codec::{EndRecord, Record, SlotRecord};
use crate::edit::{NewRef, NewRun};
use crate::format::SNAPSHOT_RECORD_BYTES;
use crate::run::{Run, TableRef};
use crate::{Obsolete, Slot, TableFile, Version};
use nori_env::sync::Arc;
use nori_types::{FileNumber, KeyRange, TableMeta};
use std::collections::BTreeMap;

/// The records that say all of a version: keyspaces, tables, slots, end.
pub(super) fn records(version: &Version, next_file: u64) -> Vec<Record> {
    let keyspaces: Vec<Keyspace> = version.catalog.iter().cloned().collect();
    let tables: Vec<TableMeta> = version.tables().map(|file| file.meta.clone()).collect();
    let slots: Vec<SlotRecord> = version.slots().map(|slot| slot_record(slot)).collect();
    let mut records = Vec::new();
    let counts = [keyspaces.len(), tables.len(), slots.len()].map(|n| n as u64);
    records.extend(chunked(keyspaces, |k| k.name.len() + 32).into_iter().map(Record::Keyspaces));
    let size = |t: &TableMeta| t.smallest.len() + t.largest.len() + 80;
    records.extend(chunked(tables, size).into_iter().map(Record::Tables));
    records.extend(chunked(slots, slot_bytes).into_iter().map(Record::Slots));
    let end = EndRecord {
        flushed: version.flushed,
        last_seq: version.last_seq,
        wal_floor: version.wal_floor,
        durable: version.durable,
        next_file,
        next_slot: version.next_slot,
        records: records.len() as u64,
        keyspaces: counts[0],
        tables: counts[1],
        slots: counts[2],
    };
    records.push(Record::End(end));
    records
}

/// Cuts a list where the bytes of a part reach the size of a record.
fn chunked<T>(list: Vec<T>, bytes: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let (mut parts, mut size) = (Vec::new(), SNAPSHOT_RECORD_BYTES);
    for element in list {
        if size >= SNAPSHOT_RECORD_BYTES {
            parts.push(Vec::new());
            size = 0;
        }
        size = size.saturating_add(bytes(&element));
        if let Some(part) = parts.last_mut() {
            part.push(element);
        }
    }
    parts
}

fn slot_record(slot: &Slot) -> SlotRecord {
    let runs = slot.runs.iter().map(|run| {
        let refs = run.tables.iter().map(|t| NewRef {
            number: t.file.number(),
            range: t.range.clone(),
            bytes: t.bytes,
        });
        let (flush_seq, level) = (run.flush_seq, run.level);
        NewRun { refs: refs.collect(), flush_seq, level }
    });
    let (id, lo, kept) = (slot.id, slot.range.lo.clone(), slot.kept);
    SlotRecord { id, lo, kept, runs: runs.collect() }
}

fn slot_bytes(slot: &SlotRecord) -> usize {
    let refs = slot.runs.iter().flat_map(|run| &run.refs);
    let bytes = refs.map(|r| r.range.lo.len() + r.range.hi.as_ref().map_or(0, |hi| hi.len()) + 24);
    slot.lo.len() + 24 + bytes.sum::<usize>()
}

/// The parts of a snapshot that have been read.
#[derive(Default)]
pub(super) struct Parts {
    records: u64,
    keyspaces: Vec<Keyspace>,
    files: BTreeMap<FileNumber, Arc<TableFile>>,
    slots: Vec<SlotRecord>,
    obsolete: Obsolete,
}

impl Parts {
    pub(super) fn keyspaces(&mut self, list: Vec<Keyspace>) {
        self.records += 1;
        self.keyspaces.extend(list);
    }

    pub(super) fn tables(&mut self, list: Vec<TableMeta>) {
        self.records += 1;
        let files =
            list.into_iter().map(|meta| (meta.number, TableFile::new(meta, &self.obsolete)));
        self.files.extend(files);
    }

    pub(super) fn slots(&mut self, list: Vec<SlotRecord>) {
        self.records += 1;
        self.slots.extend(list);
    }

    /// The version; an error says which part does not fit the others.
    pub(super) fn finish(self, end: &EndRecord) -> Result<Version, String> {
        let counts = [self.keyspaces.len(), self.files.len(), self.slots.len()].map(|n| n as u64);
        if self.records != end.records || counts != [end.keyspaces, end.tables, end.slots] {
            return Err("counts that differ from the end record's".into());
        }
        let catalog = Catalog::from_stored(self.keyspaces).ok_or("a catalog with gaps")?;
        let ends: Vec<_> = self.slots.iter().skip(1).map(|slot| Some(slot.lo.clone())).collect();
        let mut slots = Vec::new();
        for (record, hi) in self.slots.into_iter().zip(ends.into_iter().chain([None])) {
            let runs = record.runs.into_iter().map(|run| read_run(run, &self.files));
            let runs = runs.collect::<Result<Vec<_>, String>>()?;
            let range = KeyRange { lo: record.lo, hi };
            slots.push(Arc::new(Slot { id: record.id, range, runs, kept: record.kept }));
        }
        let mut version = Version::new();
        version.set_slots_from(0, slots);
        version.catalog = Arc::new(catalog);
        version.obsolete = self.obsolete;
        version.flushed = end.flushed;
        version.last_seq = end.last_seq;
        version.wal_floor = end.wal_floor;
        version.durable = end.durable;
        version.next_file = end.next_file;
        version.next_slot = end.next_slot;
        version.check()?;
        Ok(version)
    }
}

fn read_run(run: NewRun, files: &BTreeMap<FileNumber, Arc<TableFile>>) -> Result<Arc<Run>, String> {
    let refs = run.refs.into_iter().map(|r| {
        let file = files.get(&r.number).ok_or(format!("table {} without facts", r.number))?;
        Ok(TableRef { file: Arc::clone(file), range: r.range, bytes: r.bytes })
    });
    let refs = refs.collect::<Result<Vec<_>, String>>()?;
    Ok(Arc::new(Run::new(refs, run.flush_seq, run.level)))
}
