//! Reading a damaged manifest for what it is worth.
//!
//! Edits build on each other, so the state that can be trusted ends where the first record is
//! missing. What the records behind it say of single things holds all the same: names and ends of
//! keyspaces, and what tables there were.

use super::Manifest;
use super::load::from_framing;
use super::snapshot::Parts;
use crate::catalog::Keyspace;
use crate::codec::{self, Place, Record};
use crate::current::{self, manifest_path};
use crate::format::FORMAT;
use crate::{Error, Result, Version};
use nori_env::{FileSystem, OpenMode};
use nori_types::{Corruption, FileNumber, SeqNo, TableMeta};
use nori_wal::{LOG_HEADER_BYTES, Position};
use std::collections::BTreeMap;
use std::path::Path;

/// What a manifest still says.
#[derive(Debug, Default)]
pub struct Salvaged {
    /// The manifest's number.
    pub number: u64,
    /// The newest version before the first damage; `None` if its snapshot is not whole.
    pub version: Option<Version>,
    /// Nothing is missing behind `version` but, at most, an edit that was being appended.
    pub is_whole: bool,
    /// Bytes stand behind the last record before the first damage, as in
    /// [`Loaded::cut`](super::Loaded::cut).
    pub is_cut: bool,
    /// Every keyspace that a record tells of, by id, with the last word on each.
    pub keyspaces: BTreeMap<u32, Keyspace>,
    /// Every table that a record describes, by number.
    pub tables: BTreeMap<FileNumber, TableMeta>,
    /// The tables described before the first damage that `version` does not use: they were let go.
    pub gone: Vec<FileNumber>,
    /// The highest sequence number in any record.
    pub last_seq: SeqNo,
    /// What is wrong with the manifest.
    pub problems: Vec<Corruption>,
}

impl Manifest {
    /// The number of the manifest that CURRENT names; `None` if there is no CURRENT.
    ///
    /// # Errors
    /// `Corruption`, `FormatTooNew`, `Io`.
    pub fn current(fs: &dyn FileSystem, dir: &Path) -> Result<Option<u64>> {
        current::read(fs, dir)
    }

    /// Reads what is left of a manifest. Damage is in the result and is no error.
    ///
    /// # Errors
    /// `FormatTooNew`, `Io`.
    pub fn salvage(fs: &dyn FileSystem, dir: &Path, number: u64) -> Result<Salvaged> {
        let path = manifest_path(dir, number);
        let bytes = fs.open(&path, OpenMode::Read)?.read_all()?;
        let found = read(&bytes, number, &path, Checked::AtTheEnd)?;
        match found.version.as_ref().map(Version::check) {
            // Which edit made it so is asked only then: a check looks at all slots.
            Some(Err(_)) => read(&bytes, number, &path, Checked::EachEdit),
            Some(Ok(())) | None => Ok(found),
        }
    }
}

/// When the invariants of a version are tested.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Checked {
    AtTheEnd,
    EachEdit,
}

fn read(bytes: &[u8], number: u64, path: &Path, checked: Checked) -> Result<Salvaged> {
    let mut state = State::new(number, path, checked);
    let mut failed = Ok(());
    let mut on_record = |at: Position, payload: &[u8]| {
        if failed.is_ok() {
            failed = state.record(at.offset, payload);
        }
        Ok::<(), nori_wal::Error>(())
    };
    let read = nori_wal::salvage(bytes, &FORMAT, number, path, &mut on_record)
        .map_err(from_framing(path))?;
    failed?;
    let mut found = state.finish();
    found.is_cut = found.is_cut || read.end < read.bytes;
    for lost in read.lost {
        let found_there = format!("{} (up to {:?})", lost.what, lost.to);
        let bad = Corruption::new(path, lost.from, "manifest record", "records", found_there);
        found.problems.push(bad);
    }
    // A lost end that nobody promised is what a crash leaves.
    let promised = read.promise > Position::new(number, read.end);
    let torn = found.problems.len() == 1 && !promised && !state_broke(&found, read.end);
    found.is_whole = found.version.is_some() && (found.problems.is_empty() || torn);
    Ok(found)
}

/// Whether the only problem lies before the end of the readable records.
fn state_broke(found: &Salvaged, end: u64) -> bool {
    found.problems.iter().any(|problem| problem.offset < end)
}

/// The records read so far.
struct State<'a> {
    path: &'a Path,
    checked: Checked,
    parts: Parts,
    found: Salvaged,
    /// Where the next record starts, as long as nothing was missing.
    next: Option<u64>,
}

impl<'a> State<'a> {
    fn new(number: u64, path: &'a Path, checked: Checked) -> State<'a> {
        let found = Salvaged { number, ..Salvaged::default() };
        State { path, checked, parts: Parts::default(), found, next: Some(LOG_HEADER_BYTES) }
    }

    fn record(&mut self, offset: u64, payload: &[u8]) -> Result<()> {
        let place = Place { path: self.path, offset };
        let record = match codec::decode(payload, place) {
            Ok(record) => record,
            Err(Error::Corruption(bad)) => {
                self.stop(bad);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.note(&record);
        if self.next != Some(offset) {
            self.next = None;
            return Ok(());
        }
        let behind = offset + nori_wal::RECORD_HEADER_BYTES + payload.len() as u64;
        self.next = Some(behind);
        if let Err(error) = self.apply(record, place) {
            let bad = match error {
                Error::Corruption(bad) => bad,
                other => {
                    Corruption::new(self.path, offset, "manifest record", "one that fits", other)
                }
            };
            self.stop(bad);
        }
        Ok(())
    }

    /// The state ends here.
    fn stop(&mut self, bad: Corruption) {
        self.next = None;
        self.found.problems.push(bad);
    }

    fn apply(&mut self, record: Record, place: Place<'_>) -> Result<()> {
        match (record, &mut self.found.version) {
            (Record::Edit(edit), Some(version)) => {
                let next = version.apply(&edit)?;
                if self.checked == Checked::EachEdit {
                    next.check().map_err(|text| place.corrupt("a consistent version", text))?;
                }
                self.found.gone.extend(edit.tables.iter().map(|meta| meta.number));
                *version = next;
            }
            (Record::Keyspaces(list), None) => self.parts.keyspaces(list),
            (Record::Tables(list), None) => {
                self.found.gone.extend(list.iter().map(|meta| meta.number));
                self.parts.tables(list);
            }
            (Record::Slots(list), None) => self.parts.slots(list),
            (Record::End(end), none @ None) => {
                let whole = std::mem::take(&mut self.parts).finish(&end);
                let whole = whole.map_err(|text| place.corrupt("a consistent snapshot", text))?;
                whole.check().map_err(|text| place.corrupt("a consistent version", text))?;
                *none = Some(whole);
            }
            (_, None) => return Err(place.corrupt("part of the snapshot", "an edit")),
            (_, Some(_)) => return Err(place.corrupt("an edit", "part of a snapshot")),
        }
        Ok(())
    }

    /// What a record says for itself.
    fn note(&mut self, record: &Record) {
        let found = &mut self.found;
        let (keyspaces, tables) = match record {
            Record::Edit(edit) => {
                found.last_seq = found.last_seq.max(edit.last_seq);
                (&edit.keyspaces[..], &edit.tables[..])
            }
            Record::Keyspaces(list) => (&list[..], &[][..]),
            Record::Tables(list) => (&[][..], &list[..]),
            Record::End(end) => {
                found.last_seq = found.last_seq.max(end.last_seq);
                (&[][..], &[][..])
            }
            Record::Slots(_) => (&[][..], &[][..]),
        };
        found.keyspaces.extend(keyspaces.iter().map(|k| (k.id, k.clone())));
        found.tables.extend(tables.iter().map(|meta| (meta.number, meta.clone())));
    }

    fn finish(mut self) -> Salvaged {
        if self.found.version.is_none() && self.found.problems.is_empty() {
            let what = "manifest snapshot";
            let bad =
                Corruption::new(self.path, self.next.unwrap_or(0), what, "an end record", "none");
            self.found.problems.push(bad);
        }
        if let Some(version) = &self.found.version {
            let live: BTreeMap<_, ()> = version.tables().map(|t| (t.number(), ())).collect();
            self.found.gone.retain(|number| !live.contains_key(number));
        }
        self.found.is_cut = self.next.is_none();
        self.found
    }
}

#[cfg(all(test, not(any(nori_loom, nori_shuttle))))]
mod tests;
