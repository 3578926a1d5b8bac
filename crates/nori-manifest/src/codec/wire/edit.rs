//! The body of an edit: what [`crate::VersionEdit`] holds, in this order.

use super::{Keyspace, List, Meta, Read, Run, keyspaces, seq, tables};
use crate::codec::Record;
use crate::edit::SlotChange;
use crate::slot::{NewGuard, SlotId};
use bytes::Bytes;
use nori_types::FileNumber;
use nori_wal::Position;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Guard<'a> {
    key: &'a [u8],
    slot: u64,
    kept: bool,
}

#[derive(Serialize, Deserialize)]
enum Change<'a> {
    Add {
        slot: u64,
        #[serde(borrow)]
        run: Run<'a>,
    },
    Replace {
        slot: u64,
        first: u64,
        removed: List<List<u64>>,
        run: Option<Run<'a>>,
    },
    Split {
        slot: u64,
        #[serde(borrow)]
        guards: List<Guard<'a>>,
    },
    Keep {
        slot: u64,
    },
    Merge {
        left: u64,
        right: u64,
    },
    Move {
        slot: u64,
        from: u64,
        to: u64,
        level: u8,
    },
}

impl Change<'_> {
    fn of(change: &SlotChange) -> Change<'_> {
        match change {
            SlotChange::Add { slot, run } => Change::Add { slot: slot.0, run: Run::of(run) },
            SlotChange::Replace { slot, first, removed, run } => Change::Replace {
                slot: slot.0,
                first: *first as u64,
                removed: List::of(removed, |run| List::of(run, |n| n.0)),
                run: run.as_ref().map(Run::of),
            },
            SlotChange::Split { slot, guards } => Change::Split {
                slot: slot.0,
                guards: List::of(guards, |g| Guard { key: &g.key, slot: g.slot.0, kept: g.kept }),
            },
            SlotChange::Keep { slot } => Change::Keep { slot: slot.0 },
            SlotChange::Merge { left, right } => Change::Merge { left: left.0, right: right.0 },
            SlotChange::Move { slot, from, to, level } => {
                let (from, to) = (*from as u64, *to as u64);
                Change::Move { slot: slot.0, from, to, level: *level }
            }
        }
    }

    fn read(self) -> Read<SlotChange> {
        Ok(match self {
            Change::Add { slot, run } => SlotChange::Add { slot: SlotId(slot), run: run.read()? },
            Change::Replace { slot, first, removed, run } => SlotChange::Replace {
                slot: SlotId(slot),
                first: index(first)?,
                removed: removed.read(|run| run.read(|number| Ok(FileNumber(number))))?,
                run: run.map(Run::read).transpose()?,
            },
            Change::Split { slot, guards } => SlotChange::Split {
                slot: SlotId(slot),
                guards: guards.read(|g| {
                    let (key, slot) = (Bytes::copy_from_slice(g.key), SlotId(g.slot));
                    Ok(NewGuard { key, slot, kept: g.kept })
                })?,
            },
            Change::Keep { slot } => SlotChange::Keep { slot: SlotId(slot) },
            Change::Merge { left, right } => {
                SlotChange::Merge { left: SlotId(left), right: SlotId(right) }
            }
            Change::Move { slot, from, to, level } => {
                let (from, to) = (index(from)?, index(to)?);
                SlotChange::Move { slot: SlotId(slot), from, to, level }
            }
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Size<'a> {
    number: u64,
    lo: &'a [u8],
    bytes: u64,
}

#[derive(Serialize, Deserialize)]
pub(in crate::codec) struct Edit<'a> {
    #[serde(borrow)]
    tables: List<Meta<'a>>,
    changes: List<Change<'a>>,
    keyspaces: List<Keyspace<'a>>,
    sizes: List<Size<'a>>,
    flush: Option<u64>,
    last_seq: u64,
    wal_floor: u64,
    durable_segment: u64,
    durable_offset: u64,
    next_file: u64,
}

impl<'a> From<&'a crate::VersionEdit> for Edit<'a> {
    fn from(edit: &'a crate::VersionEdit) -> Edit<'a> {
        let sizes = edit.sizes.iter().map(|((number, lo), bytes)| Size {
            number: *number,
            lo,
            bytes: *bytes,
        });
        Edit {
            tables: tables(&edit.tables),
            changes: List::of(&edit.changes, Change::of),
            keyspaces: keyspaces(&edit.keyspaces),
            sizes: List(sizes.collect()),
            flush: edit.flush,
            last_seq: edit.last_seq.get(),
            wal_floor: edit.wal_floor,
            durable_segment: edit.durable.segment,
            durable_offset: edit.durable.offset,
            next_file: edit.next_file,
        }
    }
}

impl Edit<'_> {
    pub(in crate::codec) fn read(self) -> Read<Record> {
        let key = |s: Size<'_>| Ok(((s.number, Bytes::copy_from_slice(s.lo)), s.bytes));
        Ok(Record::Edit(crate::VersionEdit {
            tables: self.tables.read(Meta::read)?,
            changes: self.changes.read(Change::read)?,
            keyspaces: self.keyspaces.read(Keyspace::read)?,
            sizes: self.sizes.read(key)?.into_iter().collect(),
            flush: self.flush,
            last_seq: seq(self.last_seq)?,
            wal_floor: self.wal_floor,
            durable: Position::new(self.durable_segment, self.durable_offset),
            next_file: self.next_file,
        }))
    }
}

fn index(number: u64) -> Read<usize> {
    usize::try_from(number).map_err(|_| format!("{number} is no index"))
}
