//! The list of a generation: every file it consists of, with length and checksum. Pure.
//!
//! ```text
//! generations/000007.gen, text, one item a line:
//!
//!   nori-backup 1                                    format version
//!   generation 7
//!   created 1764362000123                            milliseconds since 1970
//!   sequence 123456                                  the last write in it
//!   file 53 <digest> CURRENT                         bytes, XXH3-128 in 32 hex digits, name
//!   file 4096 <digest> MANIFEST-000009
//!   file 64 <digest> wal/000012.wal
//!   table 4194304 <digest> 0123456789abcdef-000012   bytes, digest, id and number
//!   ...
//!   end 1 1 3 <digest>                               tables, bytes of them, files; the digest of
//!                                                    all bytes before this line
//! ```
//!
//! 1. A list is believed only if the digest in its last line is that of everything before it and
//!    of the counts; nothing stands behind that line. Where it stands never changes between
//!    versions, so a damaged file is never taken for one from the future.
//! 2. Names are parsed to kinds of files, never used as paths: no list leads out of its place.
//! 3. Files and tables are sorted, each once.

use crate::error::{Error, Result};
use crate::sum::{Sum, digest};
use nori_types::{FileName, FileNumber};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// The version of the list.
const VERSION: u64 = 1;

/// What tells a table from every other one, of this store or another: its random id, drawn when
/// it was written, and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TableKey {
    pub(crate) id: u64,
    pub(crate) number: FileNumber,
}

impl fmt::Display for TableKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", self.id, self.number)
    }
}

impl TableKey {
    /// What `Display` gave.
    pub(crate) fn parse(text: &str) -> Option<TableKey> {
        let (id, number) = text.split_once('-')?;
        let FileName::Table(number) = FileName::parse(&format!("{number}.sst"))? else {
            return None;
        };
        let key = TableKey { id: u64::from_str_radix(id, 16).ok()?, number };
        (key.to_string() == text).then_some(key)
    }
}

/// A small file of a store: it belongs to one generation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SmallFile {
    /// "" for the root, or "wal".
    dir: &'static str,
    name: String,
}

impl SmallFile {
    /// A file of a checkpoint by its place; `None` for what no backup holds.
    pub(crate) fn new(dir: &str, name: &str) -> Option<SmallFile> {
        let dir = match (dir, FileName::parse(name)?) {
            ("", FileName::Current | FileName::Heat | FileName::Manifest(_)) => "",
            ("wal", FileName::Segment(_)) => "wal",
            _ => return None,
        };
        Some(SmallFile { dir, name: name.to_string() })
    }

    /// The name within the generation's directory, which has no directories.
    pub(crate) fn flat(&self) -> &str {
        &self.name
    }

    fn parse(text: &str) -> Option<SmallFile> {
        match text.split_once('/') {
            Some((dir, name)) => SmallFile::new(dir, name).filter(|file| !file.dir.is_empty()),
            None => SmallFile::new("", text),
        }
    }
}

impl fmt::Display for SmallFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.dir.is_empty() { f.write_str(&self.name) } else { write!(f, "wal/{}", self.name) }
    }
}

/// What a generation is, to look at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct GenerationInfo {
    /// Its number; later generations have higher ones.
    pub generation: u64,
    /// When it was made, in milliseconds since 1970.
    pub created_unix_ms: u64,
    /// The sequence number of the last write in it.
    pub sequence: u64,
    /// Its tables, shared with other generations or not.
    pub tables: u64,
    /// Bytes of these tables.
    pub table_bytes: u64,
    /// Its other files: CURRENT, the manifest, the log.
    pub files: u64,
    /// Bytes of these files.
    pub file_bytes: u64,
}

/// The list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Generation {
    pub(crate) number: u64,
    pub(crate) created_unix_ms: u64,
    pub(crate) sequence: u64,
    pub(crate) files: BTreeMap<SmallFile, Sum>,
    pub(crate) tables: BTreeMap<TableKey, Sum>,
}

impl Generation {
    pub(crate) fn info(&self) -> GenerationInfo {
        let bytes = |sum: &Sum| sum.bytes;
        GenerationInfo {
            generation: self.number,
            created_unix_ms: self.created_unix_ms,
            sequence: self.sequence,
            tables: self.tables.len() as u64,
            table_bytes: self.tables.values().map(bytes).sum(),
            files: self.files.len() as u64,
            file_bytes: self.files.values().map(bytes).sum(),
        }
    }

    pub(crate) fn encode(&self) -> String {
        let mut text = format!(
            "nori-backup {VERSION}\ngeneration {}\ncreated {}\nsequence {}\n",
            self.number, self.created_unix_ms, self.sequence
        );
        for (name, sum) in &self.files {
            text.push_str(&format!("file {sum} {name}\n"));
        }
        for (key, sum) in &self.tables {
            text.push_str(&format!("table {sum} {key}\n"));
        }
        let counts = self.counts();
        let sum = digest(format!("{text}{counts}").as_bytes());
        text.push_str(&format!("{counts} {sum:032x}\n"));
        text
    }

    fn counts(&self) -> String {
        let info = self.info();
        format!("end {} {} {}", info.tables, info.table_bytes, info.files)
    }

    /// Reads a list; `path` is for messages, `number` what its name says.
    pub(crate) fn decode(bytes: &[u8], number: u64, path: &Path) -> Result<Generation> {
        let body = checked(bytes, path)?;
        let mut lines = Lines { path, at: 0, rest: body };
        let version = lines.number("nori-backup")?;
        if version > VERSION {
            return Err(Error::FormatTooNew {
                path: path.to_path_buf(),
                what: "the format of a backup's list".to_string(),
                found: version,
                supported: VERSION,
            });
        }
        let mut list = Generation { number: lines.number("generation")?, ..Default::default() };
        list.created_unix_ms = lines.number("created")?;
        list.sequence = lines.number("sequence")?;
        lines.items(&mut list)?;
        let is_same = list.number == number && list.encode().as_bytes() == bytes;
        if version == VERSION && is_same {
            return Ok(list);
        }
        let found = format!("version {version}, generation {}, in another form", list.number);
        Err(Error::corrupt(path, 0, "a backup's list", format!("generation {number}"), found))
    }
}

/// The bytes before the last line, if that one vouches for them.
fn checked<'a>(bytes: &'a [u8], path: &Path) -> Result<&'a str> {
    let damaged = |offset: usize, found: &str| {
        Error::corrupt(path, offset as u64, "a backup's list", "the digest of its bytes", found)
    };
    let text = std::str::from_utf8(bytes).map_err(|e| damaged(e.valid_up_to(), "no text"))?;
    let closed = text.strip_suffix('\n').ok_or_else(|| damaged(text.len(), "no end of line"))?;
    let last = closed.rfind('\n').map_or(0, |at| at + 1);
    let claim = closed[last..].rsplit_once(' ').filter(|(counts, _)| counts.starts_with("end "));
    let (counts, hex) = claim.ok_or_else(|| damaged(last, "no last line"))?;
    let sum = format!("{:032x}", digest(&bytes[..last + counts.len()]));
    if sum != hex {
        return Err(damaged(last, &format!("{hex}, which is not {sum}")));
    }
    Ok(&text[..last])
}

/// Lines of words.
struct Lines<'a> {
    path: &'a Path,
    at: usize,
    rest: &'a str,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let (line, rest) = self.rest.split_once('\n')?;
        self.at += line.len() + 1;
        self.rest = rest;
        Some(line)
    }

    fn wrong(&self, expected: &str, found: &str) -> Error {
        Error::corrupt(self.path, self.at as u64, "a line of a backup's list", expected, found)
    }

    /// The number behind a word.
    fn number(&mut self, word: &str) -> Result<u64> {
        let line = self.next().unwrap_or_default();
        let number = line.strip_prefix(word).and_then(|n| n.strip_prefix(' ')?.parse().ok());
        number.ok_or_else(|| self.wrong(&format!("{word} and a number"), line))
    }

    fn items(&mut self, list: &mut Generation) -> Result<()> {
        while let Some(line) = self.next() {
            let known = item(line).and_then(|(kind, sum, name)| match kind {
                "file" => list.files.insert(SmallFile::parse(name)?, sum).is_none().then_some(()),
                "table" => list.tables.insert(TableKey::parse(name)?, sum).is_none().then_some(()),
                _ => None,
            });
            known.ok_or_else(|| self.wrong("a file or a table", line))?;
        }
        Ok(())
    }
}

/// Kind, length and digest, name.
fn item(line: &str) -> Option<(&str, Sum, &str)> {
    let mut words = line.splitn(4, ' ');
    let kind = words.next()?;
    let bytes = words.next()?.parse().ok()?;
    let digest = u128::from_str_radix(words.next()?, 16).ok()?;
    Some((kind, Sum { bytes, digest }, words.next()?))
}

#[cfg(test)]
mod tests;
