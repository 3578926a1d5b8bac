//! The records of a manifest in words, for people who look into one.

use super::Manifest;
use super::load::from_framing;
use crate::catalog::Keyspace;
use crate::codec::{self, EndRecord, Place, Record};
use crate::current::manifest_path;
use crate::edit::{NewRun, SlotChange};
use crate::format::FORMAT;
use crate::{Error, Result, VersionEdit};
use nori_env::{FileSystem, OpenMode};
use nori_types::{FileNumber, SeqNo};
use nori_wal::Position;
use std::fmt;
use std::path::Path;

impl Manifest {
    /// Hands over the place in the file of each record that can be read, and what it says, one
    /// line for each thing. A record that cannot be understood says so; what is damaged is passed
    /// over: [`Manifest::salvage`] lists it.
    ///
    /// # Errors
    /// `FormatTooNew`, `Io`.
    pub fn records(
        fs: &dyn FileSystem,
        dir: &Path,
        number: u64,
        each: &mut dyn FnMut(u64, String),
    ) -> Result<()> {
        let path = manifest_path(dir, number);
        let bytes = fs.open(&path, OpenMode::Read)?.read_all()?;
        let mut failed = Ok(());
        let mut on_record = |at: Position, payload: &[u8]| {
            match codec::decode(payload, Place { path: &path, offset: at.offset }) {
                Ok(record) => each(at.offset, record.to_string()),
                Err(Error::Corruption(bad)) => each(at.offset, format!("no record: {bad}")),
                Err(error) if failed.is_ok() => failed = Err(error),
                Err(_) => {}
            }
            Ok::<(), nori_wal::Error>(())
        };
        nori_wal::salvage(&bytes, &FORMAT, number, &path, &mut on_record)
            .map_err(from_framing(&path))?;
        failed
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Record::Edit(edit) => edit.fmt(f),
            Record::Keyspaces(list) => {
                write!(f, "state: {} keyspaces", list.len())?;
                list.iter().try_for_each(|keyspace| write!(f, "\n{}", told(keyspace)))
            }
            Record::Tables(list) => {
                let numbers: Vec<FileNumber> = list.iter().map(|meta| meta.number).collect();
                write!(f, "state: {} tables\n{}", list.len(), Numbers(&numbers))
            }
            Record::Slots(list) => {
                write!(f, "state: {} slots", list.len())?;
                list.iter().try_for_each(|slot| {
                    let kept = if slot.kept { ", guard kept" } else { "" };
                    write!(f, "\nslot {} from {:?}{kept}", slot.id, slot.lo)?;
                    slot.runs.iter().try_for_each(|run| write!(f, "\n  {run}"))
                })
            }
            Record::End(end) => end.fmt(f),
        }
    }
}

impl fmt::Display for EndRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "state: end of {} records; {} flushes, ", self.records, self.flushed)?;
        positions(f, self.last_seq, self.wal_floor, self.durable, self.next_file)?;
        write!(f, ", next slot {}", self.next_slot)
    }
}

impl fmt::Display for VersionEdit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("edit: ")?;
        if let Some(flush) = self.flush {
            write!(f, "flush {flush}, ")?;
        }
        positions(f, self.last_seq, self.wal_floor, self.durable, self.next_file)?;
        self.keyspaces.iter().try_for_each(|keyspace| write!(f, "\n{}", told(keyspace)))?;
        if !self.tables.is_empty() {
            let numbers: Vec<FileNumber> = self.tables.iter().map(|meta| meta.number).collect();
            write!(f, "\nnew tables {}", Numbers(&numbers))?;
        }
        self.changes.iter().try_for_each(|change| write!(f, "\n{change}"))
    }
}

impl fmt::Display for SlotChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SlotChange::Add { slot, run } => write!(f, "slot {slot}: {run} is the newest"),
            SlotChange::Replace { slot, first, removed, run } => {
                write!(f, "slot {slot}: runs from {first} on with tables")?;
                removed.iter().try_for_each(|tables| write!(f, " [{}]", Numbers(tables)))?;
                match run {
                    Some(run) => write!(f, " make place for {run}"),
                    None => f.write_str(" go"),
                }
            }
            SlotChange::Split { slot, guards } => {
                write!(f, "slot {slot}: is cut")?;
                guards.iter().try_for_each(|g| write!(f, ", slot {} from {:?}", g.slot, g.key))
            }
            SlotChange::Keep { slot } => write!(f, "slot {slot}: its guard was given by a user"),
            SlotChange::Merge { left, right } => write!(f, "slot {left}: takes slot {right} in"),
            SlotChange::Move { slot, from, to, level } if from == to => {
                write!(f, "slot {slot}: run {from} has level {level} now")
            }
            SlotChange::Move { slot, from, to, level } => {
                write!(f, "slot {slot}: run {from} joins run {to}, level {level}")
            }
        }
    }
}

impl fmt::Display for NewRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<FileNumber> = self.refs.iter().map(|r| r.number).collect();
        let bytes = self.refs.iter().map(|r| r.bytes).fold(0, u64::saturating_add);
        let (tables, flush, level) = (Numbers(&numbers), self.flush_seq, self.level);
        write!(f, "a run of tables {tables}, flush {flush}, level {level}, {bytes} bytes")
    }
}

/// Numbers with commas between them.
struct Numbers<'a>(&'a [FileNumber]);

impl fmt::Display for Numbers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, number) in self.0.iter().enumerate() {
            let comma = if n == 0 { "" } else { ", " };
            write!(f, "{comma}{number}")?;
        }
        Ok(())
    }
}

fn told(keyspace: &Keyspace) -> String {
    let Keyspace { id, name, created, dropped } = keyspace;
    let dropped = dropped.map_or(String::new(), |dropped| format!(", dropped at {dropped}"));
    format!("keyspace {id}: {name:?}, created at {created}{dropped}")
}

fn positions(
    f: &mut fmt::Formatter<'_>,
    last: SeqNo,
    floor: u64,
    durable: Position,
    next_file: u64,
) -> fmt::Result {
    let Position { segment, offset } = durable;
    write!(f, "last sequence {last}, log from segment {floor}, durable up to {segment}:{offset}")?;
    write!(f, ", next file {next_file}")
}
