//! Reading the manifest that CURRENT names. Writes nothing.

use super::Manifest;
use super::snapshot::Parts;
use crate::codec::{self, Place, Record};
use crate::current::{self, manifest_path};
use crate::format::{FORMAT, READ_COMPATIBLE};
use crate::{Error, Result, Version};
use nori_env::{FileSystem, OpenMode};
use nori_types::Corruption;
use nori_wal::{LogHeader, LogScan, Position, scan};
use std::path::Path;

/// What a store's manifest says.
#[derive(Debug)]
pub struct Loaded {
    /// The newest version in it.
    pub version: Version,
    /// The manifest's number.
    pub number: u64,
    /// Bytes stand behind the last edit: one was being appended, or is damaged. Tables that the
    /// version does not know may be that edit's, so they must not be deleted.
    pub cut: bool,
    /// The manifest's length in bytes.
    pub bytes: u64,
    /// How many edits follow its snapshot.
    pub edits: u64,
    /// A later nori wrote it and allows this one to read, but not to write.
    pub read_only: bool,
}

impl Manifest {
    /// Reads the version that a store was left with; `None` if there is no CURRENT.
    ///
    /// # Errors
    /// `Corruption` if bytes that were durable are damaged or missing, `FormatTooNew`, or what
    /// the file system says.
    pub fn load(fs: &dyn FileSystem, dir: &Path) -> Result<Option<Loaded>> {
        let Some(number) = current::read(fs, dir)? else {
            return Ok(None);
        };
        let path = manifest_path(dir, number);
        let file = fs.open(&path, OpenMode::Read).map_err(|error| match error.is_not_found() {
            true => {
                let found = "no such file";
                Corruption::new(&path, 0, "manifest", "the file that CURRENT names", found).into()
            }
            false => Error::from(error),
        })?;
        read(&file.read_all()?, number, &path).map(Some)
    }
}

/// Reads a manifest from its bytes.
pub(crate) fn read(bytes: &[u8], number: u64, path: &Path) -> Result<Loaded> {
    let header = LogHeader::decode(bytes, &FORMAT, number, path).map_err(from_framing(path))?;
    let scan = scan(bytes, &header);
    let end = Position::new(number, scan.end);
    if scan.promise > end {
        let expected = format!("valid records up to {}", scan.promise.offset);
        return Err(Corruption::new(path, scan.end, "manifest", expected, "a bad one").into());
    }
    let (version, edits) = replay(&scan, path)?;
    Ok(Loaded {
        version,
        number,
        cut: scan.end < bytes.len() as u64,
        bytes: bytes.len() as u64,
        edits,
        read_only: header.features.read_compatible & !READ_COMPATIBLE != 0,
    })
}

/// The version that the records make, and how many edits there were.
fn replay(scan: &LogScan<'_>, path: &Path) -> Result<(Version, u64)> {
    let (mut parts, mut version) = (Parts::default(), None::<Version>);
    let mut edits = 0;
    for record in &scan.records {
        let place = Place { path, offset: record.start };
        match (codec::decode(record.payload, place)?, &mut version) {
            (Record::Edit(edit), Some(version)) => {
                let next = version.apply(&edit);
                *version = next.map_err(|e| place.corrupt("an edit that fits", e))?;
                edits += 1;
            }
            (Record::Keyspaces(list), None) => parts.keyspaces(list),
            (Record::Tables(list), None) => parts.tables(list),
            (Record::Slots(list), None) => parts.slots(list),
            (Record::End(end), none @ None) => {
                let whole = std::mem::take(&mut parts).finish(&end);
                let whole = whole.map_err(|text| place.corrupt("a consistent snapshot", text))?;
                *none = Some(whole);
            }
            (_, None) => return Err(place.corrupt("part of the snapshot", "an edit")),
            (_, Some(_)) => return Err(place.corrupt("an edit", "part of a snapshot")),
        }
    }
    let Some(version) = version else {
        let what = "manifest snapshot";
        return Err(Corruption::new(path, scan.end, what, "an end record", "none").into());
    };
    let place = Place { path, offset: scan.end };
    version.check().map_err(|text| place.corrupt("a consistent version", text))?;
    Ok((version, edits))
}

pub(super) fn from_framing(path: &Path) -> impl Fn(nori_wal::Error) -> Error + '_ {
    move |error| match error {
        nori_wal::Error::Io(error) => Error::Io(error),
        nori_wal::Error::Corruption(corruption) => Error::Corruption(corruption),
        nori_wal::Error::FormatTooNew(error) => Error::FormatTooNew(error),
        other => Corruption::new(path, 0, "manifest header", "a header", other).into(),
    }
}
