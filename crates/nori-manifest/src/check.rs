//! Every invariant of a version, as code.
//!
//! Runs after each install in tests and debug builds, and at every open. What only the tables
//! themselves can show (that runs are ordered per key) is tested where tables can be read.

use crate::run::{Run, table_range};
use crate::{Slot, Version};
use bytes::Bytes;
use nori_env::sync::Arc;
use nori_types::{FileNumber, SeqNo, TableMeta};
use std::collections::{BTreeMap, BTreeSet};

type Checked = Result<(), String>;

fn ensure(holds: bool, text: impl FnOnce() -> String) -> Checked {
    if holds { Ok(()) } else { Err(text()) }
}

impl Version {
    /// Whether every invariant holds; if not, which one, and where.
    ///
    /// # Errors
    /// One sentence about the first broken invariant.
    pub fn check(&self) -> Result<(), String> {
        self.check_chunks()?;
        self.check_guards()?;
        self.check_catalog()?;
        let mut files = BTreeMap::new();
        for slot in self.slots() {
            check_slot(slot, &mut files).map_err(|text| format!("slot {}: {text}", slot.id))?;
            for run in &slot.runs {
                ensure(run.flush_seq <= self.flushed, || {
                    format!("slot {}: a run of flush {}", slot.id, run.flush_seq)
                })?;
            }
        }
        for meta in files.into_values() {
            self.check_file(meta)?;
        }
        Ok(())
    }

    fn check_chunks(&self) -> Checked {
        let (last, full) = self.chunks.split_last().ok_or("there are no slots")?;
        let size = crate::version::CHUNK_SLOTS;
        ensure(full.iter().all(|chunk| chunk.len() == size), || "a chunk is not full".into())?;
        ensure((1..=size).contains(&last.len()), || "the last chunk is empty or too long".into())
    }

    /// Guards are sorted and gapless, and routing knows them.
    fn check_guards(&self) -> Checked {
        let mut expected = Some(Bytes::new());
        let mut ids = BTreeSet::new();
        for slot in self.slots() {
            ensure(expected.as_ref() == Some(&slot.range.lo), || {
                format!("slot {} does not start where the one before it ends", slot.id)
            })?;
            ensure(!slot.range.is_empty(), || format!("slot {} has no keys", slot.id))?;
            ensure(slot.id.0 < self.next_slot, || format!("slot {} is from the future", slot.id))?;
            ensure(ids.insert(slot.id), || format!("slot {} is there twice", slot.id))?;
            expected = slot.range.hi.clone();
        }
        ensure(expected.is_none(), || "the last slot ends".into())?;
        let starts: Vec<&Bytes> = self.slots().map(|slot| &slot.range.lo).collect();
        let known: Vec<&Bytes> = self.guards.keys().iter().collect();
        ensure(starts == known, || "routing uses other guards than the slots".into())
    }

    /// A guard stands at each keyspace's ends; above the highest one lies one empty slot.
    fn check_catalog(&self) -> Checked {
        for keyspace in self.catalog.iter() {
            let end = crate::keyspace_range(keyspace.id).hi;
            ensure(end.is_some_and(|end| self.guards.keys().binary_search(&end).is_ok()), || {
                format!("no guard at the end of keyspace {}", keyspace.id)
            })?;
            ensure(keyspace.dropped.is_none_or(|dropped| keyspace.created < dropped), || {
                format!("keyspace {} was dropped before it was created", keyspace.id)
            })?;
        }
        let tail = self.slots().next_back().ok_or("there are no slots")?;
        let above = crate::key_prefix(self.catalog.next_id());
        ensure(tail.range.lo == above, || "the last slot is not above all keyspaces".into())?;
        ensure(tail.runs.is_empty(), || "the slot above all keyspaces holds data".into())
    }

    fn check_file(&self, meta: &TableMeta) -> Checked {
        let number = meta.number;
        ensure(number.0 < self.next_file, || format!("table {number} is from the future"))?;
        ensure(meta.seq_max <= self.last_seq, || {
            format!(
                "table {number} has writes up to {}, the version {}",
                meta.seq_max, self.last_seq
            )
        })
    }
}

fn check_slot<'a>(slot: &'a Slot, files: &mut BTreeMap<FileNumber, &'a TableMeta>) -> Checked {
    for run in &slot.runs {
        check_run(slot, run)?;
        for table in &run.tables {
            let meta = &table.file.meta;
            let known = files.entry(meta.number).or_insert(meta);
            // One handle per file: the file would be deleted when the first of two is dropped.
            ensure(std::ptr::eq(*known, meta), || {
                format!("table {} has two handles", meta.number)
            })?;
        }
    }
    let fragments: Vec<&Arc<Run>> = slot.runs.iter().filter(|run| run.is_fragment()).collect();
    let ordered = fragments.windows(2).all(|w| w[0].flush_seq <= w[1].flush_seq);
    ensure(ordered, || "fragments are not in the order of their flushes".into())?;
    check_no_key_twice(slot)
}

/// Clips are inside the slot and the table, sorted and disjoint; the sums are those of the refs.
fn check_run(slot: &Slot, run: &Run) -> Checked {
    let at = || format!("run at {}", run.first_key().escape_ascii());
    ensure(!run.tables.is_empty(), || "an empty run".into())?;
    for table in &run.tables {
        let number = table.file.number();
        let allowed = [&slot.range, &table_range(&table.file.meta)];
        ensure(!table.range.is_empty() && table.range.hi.is_some(), || {
            format!("{}: the clip of table {number} is empty or endless", at())
        })?;
        ensure(allowed.iter().all(|range| table.range.is_within(range)), || {
            format!("{}: the clip of table {number} leaves the slot or the table", at())
        })?;
    }
    let apart = |w: &[crate::TableRef]| !w[0].range.is_below_end(&w[1].range.lo);
    ensure(run.tables.windows(2).all(apart), || format!("{}: tables overlap", at()))?;
    let told = (run.bytes, run.entries, run.tombstones, run.seq_max);
    ensure(Run::sums(&run.tables) == told, || format!("{}: sums are wrong", at()))
}

/// No two runs of a slot show the same part of one file.
fn check_no_key_twice(slot: &Slot) -> Checked {
    let mut clips: BTreeMap<FileNumber, Vec<&crate::TableRef>> = BTreeMap::new();
    for table in slot.tables() {
        let seen = clips.entry(table.file.number()).or_default();
        ensure(!seen.iter().any(|other| other.overlaps(&table.range)), || {
            format!("table {} shows the same keys twice", table.file.number())
        })?;
        seen.push(table);
    }
    Ok(())
}

/// What may not happen between a version and the one derived from it.
impl Version {
    /// Whether `next` may follow this version: positions do not go back, names are not reused.
    ///
    /// # Errors
    /// One sentence about the first broken rule.
    pub fn check_successor(&self, next: &Version) -> Result<(), String> {
        let rises = [
            ("flushed", self.flushed, next.flushed),
            ("last sequence", self.last_seq.get(), next.last_seq.get()),
            ("WAL floor", self.wal_floor, next.wal_floor),
            ("next file", self.next_file, next.next_file),
            ("next slot", self.next_slot, next.next_slot),
        ];
        for (name, old, new) in rises {
            ensure(old <= new, || format!("{name} went back from {old} to {new}"))?;
        }
        ensure(self.durable <= next.durable, || "the durable position went back".into())?;
        let known: BTreeSet<_> = self.slots().map(|slot| slot.id.0).collect();
        let fresh = |id: u64| known.contains(&id) || id >= self.next_slot;
        ensure(next.slots().all(|slot| fresh(slot.id.0)), || "a slot's name came back".into())?;
        ensure(self.last_known() <= next.last_known(), || {
            format!("the last number known went below {}", SeqNo::get(self.last_known()))
        })
    }
}
