//! What a salvage met and could not read.
//!
//! Several cursors over one table, and several tables of one salvage, may share a list. A place is
//! in it once, however often it is passed.

use crate::table::Section;
use bytes::Bytes;
use nori_env::sync::Mutex;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Bytes of a table that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostBlock {
    /// The table's file.
    pub path: PathBuf,
    /// Where it lies.
    pub section: Section,
    /// All keys of the block lie from the first to the second, as far as is known; `None` for a
    /// part of the table that holds no entries.
    pub keys: Option<(Bytes, Option<Bytes>)>,
    /// Why it cannot be read.
    pub what: String,
}

/// A list of lost blocks, each once. `Send + Sync`.
#[derive(Debug, Default)]
pub struct Losses {
    by_place: Mutex<BTreeMap<(PathBuf, u64), LostBlock>>,
}

impl Losses {
    /// An empty list.
    pub fn new() -> Losses {
        Losses::default()
    }

    /// Notes a loss, unless its place is known.
    pub fn note(&self, lost: LostBlock) {
        let place = (lost.path.clone(), lost.section.offset);
        self.by_place.lock().entry(place).or_insert(lost);
    }

    /// A part of the frame: no entries are lost with it.
    pub(crate) fn note_frame(&self, path: &Path, section: Section, what: impl ToString) {
        let what = what.to_string();
        self.note(LostBlock { path: path.to_path_buf(), section, keys: None, what });
    }

    /// Takes all out, by file and offset.
    pub fn take(&self) -> Vec<LostBlock> {
        std::mem::take(&mut *self.by_place.lock()).into_values().collect()
    }
}
