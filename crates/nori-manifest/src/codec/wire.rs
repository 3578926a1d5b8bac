//! The bodies of records as serde sees them: mirrors of this crate's and nori-types' structs.
//!
//! The order of fields and variants is the format. A new field or variant comes with a new
//! record kind or level, never inside an old one.

mod edit;

pub(super) use edit::Edit;

use super::{EndRecord, Record, SlotRecord};
use crate::catalog;
use crate::edit::{NewRef, NewRun};
use crate::slot::SlotId;
use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use bytes::Bytes;
use nori_types::{FileNumber, KeyRange, SeqNo, TableMeta};
use nori_wal::Position;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::marker::PhantomData;

/// No record is longer; the framing allows twice that.
const BYTES_MAX: usize = 1 << 30;

type Read<T> = Result<T, String>;

fn config() -> Configuration<LittleEndian, Varint, Limit<BYTES_MAX>> {
    bincode::config::standard().with_limit::<BYTES_MAX>()
}

pub(super) fn encode<T: Serialize>(value: &T) -> Read<Vec<u8>> {
    let bytes = bincode::serde::encode_to_vec(value, config()).map_err(|e| e.to_string())?;
    if bytes.len() >= BYTES_MAX {
        return Err(format!("{} bytes are too many for one record", bytes.len()));
    }
    Ok(bytes)
}

pub(super) fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Read<T> {
    let (value, consumed) = bincode::serde::borrow_decode_from_slice(bytes, config())
        .map_err(|error| error.to_string())?;
    if consumed != bytes.len() {
        return Err(format!("{} bytes behind its end", bytes.len() - consumed));
    }
    Ok(value)
}

/// A list that grows as its elements are read: a length alone allocates nothing.
#[derive(Debug)]
pub(super) struct List<T>(Vec<T>);

impl<T: Serialize> Serialize for List<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<List<T>, D::Error> {
        deserializer.deserialize_seq(ListVisitor(PhantomData))
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = List<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = seq.next_element()? {
            list.push(element);
        }
        Ok(List(list))
    }
}

impl<T> List<T> {
    fn of<'a, F: 'a>(list: &'a [F], wire: impl FnMut(&'a F) -> T) -> List<T> {
        List(list.iter().map(wire).collect())
    }

    fn read<V>(self, read: impl FnMut(T) -> Read<V>) -> Read<Vec<V>> {
        self.0.into_iter().map(read).collect()
    }
}

fn seq(number: u64) -> Read<SeqNo> {
    let seq = SeqNo::new(number);
    if seq.get() == number { Ok(seq) } else { Err(format!("{number} is no sequence number")) }
}

#[derive(Serialize, Deserialize)]
pub(super) struct Meta<'a> {
    number: u64,
    id: u64,
    bytes: u64,
    entries: u64,
    tombstones: u64,
    smallest: &'a [u8],
    largest: &'a [u8],
    seq_min: u64,
    seq_max: u64,
    raw_bytes: u64,
}

impl Meta<'_> {
    fn of(meta: &TableMeta) -> Meta<'_> {
        Meta {
            number: meta.number.0,
            id: meta.id,
            bytes: meta.bytes,
            entries: meta.entries,
            tombstones: meta.tombstones,
            smallest: &meta.smallest,
            largest: &meta.largest,
            seq_min: meta.seq_min.get(),
            seq_max: meta.seq_max.get(),
            raw_bytes: meta.raw_bytes,
        }
    }

    fn read(self) -> Read<TableMeta> {
        Ok(TableMeta {
            number: FileNumber(self.number),
            id: self.id,
            bytes: self.bytes,
            entries: self.entries,
            tombstones: self.tombstones,
            smallest: Bytes::copy_from_slice(self.smallest),
            largest: Bytes::copy_from_slice(self.largest),
            seq_min: seq(self.seq_min)?,
            seq_max: seq(self.seq_max)?,
            raw_bytes: self.raw_bytes,
        })
    }
}

pub(super) fn tables(list: &[TableMeta]) -> List<Meta<'_>> {
    List::of(list, Meta::of)
}

pub(super) fn read_tables(list: List<Meta<'_>>) -> Read<Record> {
    Ok(Record::Tables(list.read(Meta::read)?))
}

#[derive(Serialize, Deserialize)]
pub(super) struct Keyspace<'a> {
    id: u32,
    name: &'a str,
    created: u64,
    dropped: Option<u64>,
}

impl Keyspace<'_> {
    fn of(keyspace: &catalog::Keyspace) -> Keyspace<'_> {
        let (created, dropped) = (keyspace.created.get(), keyspace.dropped.map(SeqNo::get));
        Keyspace { id: keyspace.id, name: &keyspace.name, created, dropped }
    }

    fn read(self) -> Read<catalog::Keyspace> {
        let (created, dropped) = (seq(self.created)?, self.dropped.map(seq).transpose()?);
        Ok(catalog::Keyspace { id: self.id, name: self.name.to_string(), created, dropped })
    }
}

pub(super) fn keyspaces(list: &[catalog::Keyspace]) -> List<Keyspace<'_>> {
    List::of(list, Keyspace::of)
}

pub(super) fn read_keyspaces(list: List<Keyspace<'_>>) -> Read<Record> {
    Ok(Record::Keyspaces(list.read(Keyspace::read)?))
}

#[derive(Serialize, Deserialize)]
pub(super) struct Ref<'a> {
    number: u64,
    lo: &'a [u8],
    hi: &'a [u8],
    bytes: u64,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Run<'a> {
    flush_seq: u64,
    level: u8,
    #[serde(borrow)]
    refs: List<Ref<'a>>,
}

impl Run<'_> {
    fn of(run: &NewRun) -> Run<'_> {
        let refs = List::of(&run.refs, |r| Ref {
            number: r.number.0,
            lo: &r.range.lo,
            // A clip always ends.
            hi: r.range.hi.as_deref().unwrap_or_default(),
            bytes: r.bytes,
        });
        Run { flush_seq: run.flush_seq, level: run.level, refs }
    }

    fn read(self) -> Read<NewRun> {
        let refs = self.refs.read(|r| {
            let hi = Some(Bytes::copy_from_slice(r.hi));
            let range = KeyRange { lo: Bytes::copy_from_slice(r.lo), hi };
            Ok(NewRef { number: FileNumber(r.number), range, bytes: r.bytes })
        });
        Ok(NewRun { refs: refs?, flush_seq: self.flush_seq, level: self.level })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct Slot<'a> {
    id: u64,
    lo: &'a [u8],
    kept: bool,
    #[serde(borrow)]
    runs: List<Run<'a>>,
}

pub(super) fn slots(list: &[SlotRecord]) -> List<Slot<'_>> {
    List::of(list, |s| Slot {
        id: s.id.0,
        lo: &s.lo,
        kept: s.kept,
        runs: List::of(&s.runs, Run::of),
    })
}

pub(super) fn read_slots(list: List<Slot<'_>>) -> Read<Record> {
    let slots = list.read(|s| {
        let (id, lo) = (SlotId(s.id), Bytes::copy_from_slice(s.lo));
        Ok(SlotRecord { id, lo, kept: s.kept, runs: s.runs.read(Run::read)? })
    });
    Ok(Record::Slots(slots?))
}

#[derive(Serialize, Deserialize)]
pub(super) struct End {
    flushed: u64,
    last_seq: u64,
    wal_floor: u64,
    durable_segment: u64,
    durable_offset: u64,
    next_file: u64,
    next_slot: u64,
    records: u64,
    keyspaces: u64,
    tables: u64,
    slots: u64,
}

impl From<&EndRecord> for End {
    fn from(end: &EndRecord) -> End {
        End {
            flushed: end.flushed,
            last_seq: end.last_seq.get(),
            wal_floor: end.wal_floor,
            durable_segment: end.durable.segment,
            durable_offset: end.durable.offset,
            next_file: end.next_file,
            next_slot: end.next_slot,
            records: end.records,
            keyspaces: end.keyspaces,
            tables: end.tables,
            slots: end.slots,
        }
    }
}

impl End {
    pub(super) fn read(self) -> Read<Record> {
        Ok(Record::End(EndRecord {
            flushed: self.flushed,
            last_seq: seq(self.last_seq)?,
            wal_floor: self.wal_floor,
            durable: Position::new(self.durable_segment, self.durable_offset),
            next_file: self.next_file,
            next_slot: self.next_slot,
            records: self.records,
            keyspaces: self.keyspaces,
            tables: self.tables,
            slots: self.slots,
        }))
    }
}
