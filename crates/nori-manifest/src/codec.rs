//! Records to bytes and back: the only module that knows serde and bincode.
//!
//! 1. Decoding never panics and allocates no more than the bytes present stand for: lists grow
//!    element by element, and byte strings are borrowed before they are copied.
//! 2. A record is consumed to its last byte, or it is damaged.
//! 3. A kind or level that this build does not know is never skipped; if higher, it is from the
//!    future.

mod wire;

use crate::catalog::Keyspace;
use crate::edit::NewRun;
use crate::format::{KIND_EDIT, KIND_END, KIND_KEYSPACES, KIND_SLOTS, KIND_TABLES, RECORD_LEVEL};
use crate::{Error, Result, SlotId, VersionEdit};
use bytes::Bytes;
use nori_types::{Corruption, FormatTooNew, SeqNo, TableMeta};
use nori_wal::Position;
use std::path::Path;

/// What one record of a manifest says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    Edit(VersionEdit),
    Keyspaces(Vec<Keyspace>),
    Tables(Vec<TableMeta>),
    Slots(Vec<SlotRecord>),
    End(EndRecord),
}

/// A slot in a snapshot. Its end is the next slot's start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SlotRecord {
    pub(crate) id: SlotId,
    pub(crate) lo: Bytes,
    pub(crate) kept: bool,
    pub(crate) runs: Vec<NewRun>,
}

/// What closes a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct EndRecord {
    pub(crate) flushed: u64,
    pub(crate) last_seq: SeqNo,
    pub(crate) wal_floor: u64,
    pub(crate) durable: Position,
    pub(crate) next_file: u64,
    pub(crate) next_slot: u64,
    /// Records before this one.
    pub(crate) records: u64,
    pub(crate) keyspaces: u64,
    pub(crate) tables: u64,
    pub(crate) slots: u64,
}

/// Where a record was read, for errors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) path: &'a Path,
    pub(crate) offset: u64,
}

impl Place<'_> {
    pub(crate) fn corrupt(self, expected: &str, found: impl ToString) -> Error {
        Corruption::new(self.path, self.offset, "manifest record", expected, found).into()
    }

    fn too_new(self, what: &str, found: u8, supported: u8) -> Error {
        let (found, supported) = (u64::from(found), u64::from(supported));
        let (path, what) = (self.path.to_path_buf(), what.to_string());
        FormatTooNew { path, what, found, supported }.into()
    }
}

/// The payload of a record.
///
/// # Errors
/// [`Error::Misfit`] if the record cannot be said in the format; none is known.
pub(crate) fn encode(record: &Record) -> Result<Vec<u8>> {
    let (kind, body) = match record {
        Record::Edit(edit) => (KIND_EDIT, wire::encode(&wire::Edit::from(edit))),
        Record::Keyspaces(list) => (KIND_KEYSPACES, wire::encode(&wire::keyspaces(list))),
        Record::Tables(list) => (KIND_TABLES, wire::encode(&wire::tables(list))),
        Record::Slots(list) => (KIND_SLOTS, wire::encode(&wire::slots(list))),
        Record::End(end) => (KIND_END, wire::encode(&wire::End::from(end))),
    };
    let body = body.map_err(|text| Error::Misfit(format!("it cannot be encoded: {text}")))?;
    let mut payload = Vec::with_capacity(body.len() + 2);
    payload.extend_from_slice(&[kind, RECORD_LEVEL]);
    payload.extend_from_slice(&body);
    Ok(payload)
}

/// Reads a payload.
///
/// # Errors
/// `Corruption` for bytes that [`encode`] did not make, `FormatTooNew` for those of a later build.
pub(crate) fn decode(payload: &[u8], place: Place<'_>) -> Result<Record> {
    let [kind, level, body @ ..] = payload else {
        return Err(place.corrupt("a kind and a level", format!("{} bytes", payload.len())));
    };
    if *level > RECORD_LEVEL {
        return Err(place.too_new("manifest record level", *level, RECORD_LEVEL));
    }
    if *level < RECORD_LEVEL {
        let found = format!("level {level}, of a nori before 0.1.0");
        return Err(place.corrupt("record level 2", found));
    }
    let record = match *kind {
        KIND_EDIT => wire::decode::<wire::Edit<'_>>(body).and_then(wire::Edit::read),
        KIND_KEYSPACES => wire::decode(body).and_then(wire::read_keyspaces),
        KIND_TABLES => wire::decode(body).and_then(wire::read_tables),
        KIND_SLOTS => wire::decode(body).and_then(wire::read_slots),
        KIND_END => wire::decode::<wire::End>(body).and_then(wire::End::read),
        0 => return Err(place.corrupt("a kind from 1 on", 0)),
        later => return Err(place.too_new("manifest record kind", later, KIND_END)),
    };
    record.map_err(|text| place.corrupt("a whole record", text))
}

#[cfg(all(test, not(nori_loom)))]
mod tests;
