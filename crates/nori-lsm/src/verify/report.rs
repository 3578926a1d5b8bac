//! What a verification says.

use crate::error::Error;
use crate::repair::LostKey;
use nori_manifest::split_prefix;
use nori_types::Corruption;
use serde::Serialize;
use std::fmt;
use std::path::{Path, PathBuf};

/// What a full read of a store found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct VerifyReport {
    /// CURRENT, which names the manifest.
    pub current: FilesRead,
    /// The manifest.
    pub manifests: FilesRead,
    /// Tables.
    pub tables: FilesRead,
    /// Segments of the log.
    pub log: FilesRead,
    /// HEAT, which holds what compaction has learned.
    pub heat: FilesRead,
    /// Files that are no part of the store, which were not read: spare segments, and what a killed
    /// process leaves and the next opening removes.
    pub unused: FilesRead,
    /// Bytes read, of files of all kinds.
    pub bytes: u64,
    /// Entries read in tables.
    pub entries: u64,
    /// Records read in the log.
    pub log_records: u64,
    /// What is wrong, in the order in which it was found.
    pub problems: Vec<Finding>,
    /// What is not as after a clean close and harms nothing: the end of the log that a power cut
    /// leaves, leftovers, a HEAT that cannot be read.
    pub notes: Vec<Finding>,
}

impl VerifyReport {
    /// Whether nothing is wrong. Notes do not count.
    pub fn is_ok(&self) -> bool {
        self.problems.is_empty()
    }

    pub(super) fn problem(&mut self, path: &Path, what: impl Into<String>) {
        self.problems.push(Finding::new(path, None, what));
    }

    pub(super) fn note(&mut self, path: &Path, what: impl Into<String>) {
        self.notes.push(Finding::new(path, None, what));
    }

    /// A problem that an error tells of; `path` if it names none.
    pub(super) fn failed(&mut self, path: &Path, error: impl Into<Error>) {
        self.problems.push(Finding::of(path, &error.into()));
    }
}

/// How many files of a kind there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FilesRead {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl FilesRead {
    pub(super) fn add(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
    }
}

/// Something that a verification found in a file. Shown as `file: at byte N: what`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The file.
    pub path: PathBuf,
    /// The first byte that it is about; `None`: the file as a whole.
    pub offset: Option<u64>,
    /// How many bytes it is about, where that is known.
    pub bytes: Option<u64>,
    /// No key that it is about lies before this one, where that is known.
    pub first_key: Option<LostKey>,
    /// No key that it is about lies behind this one, where that is known.
    pub last_key: Option<LostKey>,
    /// What was found.
    pub what: String,
}

impl Finding {
    pub(super) fn new(path: &Path, offset: Option<u64>, what: impl Into<String>) -> Finding {
        let (path, what) = (path.to_path_buf(), what.into());
        Finding { path, offset, bytes: None, first_key: None, last_key: None, what }
    }

    pub(super) fn with_bytes(self, bytes: Option<u64>) -> Finding {
        Finding { bytes, ..self }
    }

    pub(super) fn with_keys(self, first: &[u8], last: Option<&[u8]>) -> Finding {
        let (first_key, last_key) = (key(first), last.and_then(key));
        Finding { first_key, last_key, ..self }
    }

    pub(super) fn of(path: &Path, error: &Error) -> Finding {
        match error {
            Error::Corruption { path, offset, what, expected, found } => {
                let what = format!("{what}: expected {expected}, found {found}");
                Finding::new(path, Some(*offset), what)
            }
            Error::Io { op, path, source } => Finding::new(path, None, format!("{op}: {source}")),
            other => Finding::new(path, None, other.to_string()),
        }
    }

    /// What it says of the store, as those say it who meet damage on their way.
    pub(super) fn as_damage(&self) -> Error {
        let place = self.offset.unwrap_or(0);
        let (what, expected) = ("what was verified", "all that was written");
        Corruption::new(&self.path, place, what, expected, &self.what).into()
    }

    /// Whether it is about a byte of a file.
    pub(super) fn covers(&self, path: &Path, offset: u64) -> bool {
        let from = self.offset.unwrap_or(0);
        let end = self.bytes.map_or(u64::MAX, |bytes| from.saturating_add(bytes));
        self.path == path && (from == offset || (from..end).contains(&offset))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path.display())?;
        if let Some(offset) = self.offset {
            write!(f, "at byte {offset}: ")?;
        }
        f.write_str(&self.what)
    }
}

fn key(stored: &[u8]) -> Option<LostKey> {
    split_prefix(stored).map(|(keyspace_id, key)| LostKey { keyspace_id, key: key.to_vec() })
}
