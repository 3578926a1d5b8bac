//! What a repair says of itself.

use nori_manifest::split_prefix;
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;

/// What a repair read, kept and could not read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RepairReport {
    /// The manifest that said which tables live; `None` if none could be read.
    pub manifest: Option<PathBuf>,
    /// Tables, segments of the log and manifests that something was taken from.
    pub files_used: Vec<PathBuf>,
    /// Tables and segments that are there but not part of the store's newest readable state.
    pub files_unused: Vec<PathBuf>,
    /// Bytes that held something and could not be read.
    pub lost: Vec<LostPart>,
    /// What the reader of the new store should know, one sentence each.
    pub warnings: Vec<String>,
    /// The names of the keyspaces in the new store, sorted.
    pub keyspaces: Vec<String>,
    /// Tables read.
    pub tables: u64,
    /// Records of the log whose checksums fit and that were used.
    pub log_records: u64,
    /// Keys in the new store.
    pub keys: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
    /// Keys whose newest version is a deletion.
    pub deleted: u64,
    /// How long it took.
    pub elapsed: Duration,
}

impl RepairReport {
    /// Whether nothing was found to be wrong: the new store holds exactly what the old one held.
    pub fn is_whole(&self) -> bool {
        self.lost.is_empty() && self.warnings.is_empty()
    }

    pub(super) fn lose(&mut self, path: PathBuf, from: u64, to: Option<u64>, reason: String) {
        self.lost.push(LostPart { path, from, to, first_key: None, last_key: None, reason });
    }
}

/// Bytes of a file that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LostPart {
    /// The file.
    pub path: PathBuf,
    /// The first lost byte.
    pub from: u64,
    /// The end of the lost bytes, exclusive; `None`: the end of the file.
    pub to: Option<u64>,
    /// No lost key lies before this one, where that is known.
    pub first_key: Option<LostKey>,
    /// No lost key lies behind this one, where that is known.
    pub last_key: Option<LostKey>,
    /// Why it cannot be read.
    pub reason: String,
}

/// A key at an end of what was lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LostKey {
    /// The number of its keyspace; 0 is "default".
    pub keyspace_id: u32,
    /// The key.
    pub key: Vec<u8>,
}

impl LostKey {
    pub(super) fn of(stored: &[u8]) -> Option<LostKey> {
        split_prefix(stored).map(|(keyspace_id, key)| LostKey { keyspace_id, key: key.to_vec() })
    }
}
