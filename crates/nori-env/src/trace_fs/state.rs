//! What a trace knows of files and names, and the events themselves.
//!
//! Numbers come from one clock that ticks when a call begins and when it ends.

use crate::FsOp;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::path::{Path, PathBuf};

const EVENTS_MAX: usize = 100_000;
const VIOLATIONS_MAX: usize = 1_000;

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceEvent {
    /// Grows with each call, by one or more.
    pub number: u64,
    /// What was asked.
    pub op: FsOp,
    /// Of which file or directory.
    pub path: PathBuf,
    /// The new name of a rename or link.
    pub to: Option<PathBuf>,
    /// Where a read or write began; the new length of a truncate or allocate.
    pub offset: u64,
    /// How many bytes it was about.
    pub bytes: u64,
    /// Whether it succeeded.
    pub is_ok: bool,
    /// A hash of the bytes written.
    pub(super) content: u64,
}

impl TraceEvent {
    pub(super) fn new(op: FsOp, path: &Path) -> TraceEvent {
        let path = path.to_path_buf();
        TraceEvent { number: 0, op, path, to: None, offset: 0, bytes: 0, is_ok: true, content: 0 }
    }
}

impl fmt::Display for TraceEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.number, self.op.word(), self.path.display())?;
        if let Some(to) = &self.to {
            write!(f, " -> {}", to.display())?;
        }
        if self.bytes > 0 || self.offset > 0 {
            write!(f, " at {} +{}", self.offset, self.bytes)?;
        }
        if self.is_ok { Ok(()) } else { f.write_str(" failed") }
    }
}

/// FNV-1a.
pub(super) fn fnv(mut hash: u64, bytes: &[u8]) -> u64 {
    for byte in bytes {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash
}

/// A file, whatever its names.
#[derive(Clone, Debug, Default)]
pub(super) struct FileState {
    /// When the last write began or, if it has ended, ended.
    last_write: u64,
    /// When the last write that has ended began.
    done_began: u64,
    /// Writes that ended before this are on disk.
    synced: u64,
    /// The largest `done_began` that is on disk.
    record_synced: u64,
    /// A sync failed while there were unsynced bytes.
    is_lost: bool,
}

impl FileState {
    pub(super) fn is_durable(&self) -> bool {
        !self.is_lost && self.last_write <= self.synced
    }

    /// When the newest write began that is surely on disk; 0 for none.
    pub(super) fn record_synced(&self) -> u64 {
        self.record_synced
    }

    pub(super) fn last_write(&self) -> u64 {
        self.last_write
    }

    pub(super) fn write_begins(&mut self, at: u64) {
        self.last_write = self.last_write.max(at);
    }

    pub(super) fn write_ends(&mut self, began: u64, ended: u64) {
        self.last_write = self.last_write.max(ended);
        self.done_began = self.done_began.max(began);
    }

    pub(super) fn emptied(&mut self) {
        self.is_lost = false;
    }

    /// `done` is what `done_began` was when the sync began.
    pub(super) fn synced(&mut self, began: u64, done: u64) {
        self.synced = self.synced.max(began);
        if !self.is_lost {
            self.record_synced = self.record_synced.max(done);
        }
    }

    pub(super) fn sync_failed(&mut self) {
        self.is_lost |= self.last_write > self.synced;
    }

    pub(super) fn done_began(&self) -> u64 {
        self.done_began
    }
}

/// A name that says which log rules.
#[derive(Clone, Debug)]
pub(super) struct Pointer {
    /// What it names, and what it named when it was last durable.
    pub(super) target: Option<PathBuf>,
    pub(super) durable_target: Option<PathBuf>,
    turned: u64,
    pub(super) is_durable: bool,
}

#[derive(Debug, Default)]
pub(super) struct State {
    clock: u64,
    next_id: u64,
    names: BTreeMap<PathBuf, u64>,
    pub(super) files: BTreeMap<u64, FileState>,
    /// Names whose directory was not synced since, and when they were made.
    unsynced_names: BTreeMap<PathBuf, u64>,
    pub(super) pointers: BTreeMap<PathBuf, Pointer>,
    pub(super) events: VecDeque<TraceEvent>,
    pub(super) violations: Vec<String>,
    hash: u64,
}

impl State {
    pub(super) fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    pub(super) fn write_down(&mut self, event: TraceEvent) {
        let mut hash = fnv(self.hash.rotate_left(5), event.to_string().as_bytes());
        hash = fnv(hash, &event.content.to_le_bytes());
        self.hash = hash;
        if self.events.len() == EVENTS_MAX {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    pub(super) fn violated(&mut self, rule: &super::OrderRule, what: String) {
        if self.violations.len() < VIOLATIONS_MAX {
            self.violations.push(format!("event {}: {what} ({rule:?})", self.clock + 1));
        }
    }

    /// The file of a name, new to the trace or not.
    pub(super) fn known(&mut self, path: &Path) -> u64 {
        if let Some(id) = self.names.get(path) {
            return *id;
        }
        self.next_id += 1;
        self.files.insert(self.next_id, FileState::default());
        self.names.insert(path.to_path_buf(), self.next_id);
        self.next_id
    }

    pub(super) fn created(&mut self, path: &Path, ended: u64) -> u64 {
        self.names.remove(path);
        self.unsynced_names.insert(path.to_path_buf(), ended);
        self.known(path)
    }

    pub(super) fn renamed(&mut self, from: &Path, to: &Path, ended: u64) {
        let id = self.known(from);
        self.removed(from);
        self.names.insert(to.to_path_buf(), id);
        self.unsynced_names.insert(to.to_path_buf(), ended);
    }

    pub(super) fn linked(&mut self, from: &Path, to: &Path, ended: u64) {
        let id = self.known(from);
        self.names.insert(to.to_path_buf(), id);
        self.unsynced_names.insert(to.to_path_buf(), ended);
    }

    pub(super) fn removed(&mut self, path: &Path) {
        self.names.remove(path);
        self.unsynced_names.remove(path);
    }

    pub(super) fn dir_synced(&mut self, dir: &Path, began: u64) {
        self.unsynced_names.retain(|path, made| path.parent() != Some(dir) || *made > began);
        for (path, pointer) in &mut self.pointers {
            if path.parent() == Some(dir) && pointer.turned < began {
                pointer.is_durable = true;
                pointer.durable_target.clone_from(&pointer.target);
            }
        }
    }

    pub(super) fn turned(&mut self, path: &Path, target: Option<PathBuf>, ended: u64) {
        let durable_target = self.pointers.get(path).and_then(|p| p.durable_target.clone());
        let pointer = Pointer { target, durable_target, turned: ended, is_durable: false };
        self.pointers.insert(path.to_path_buf(), pointer);
    }

    /// A pointer that was there before the trace.
    pub(super) fn found(&mut self, path: &Path, target: Option<PathBuf>) {
        let durable_target = target.clone();
        let pointer = Pointer { target, durable_target, turned: 0, is_durable: true };
        self.pointers.entry(path.to_path_buf()).or_insert(pointer);
    }

    pub(super) fn file(&self, path: &Path) -> Option<&FileState> {
        self.files.get(self.names.get(path)?)
    }

    /// Why a name is not durable, for a sentence; `None` if it is.
    pub(super) fn why_not_durable(&self, path: &Path) -> Option<&'static str> {
        if self.file(path).is_some_and(|f| !f.is_durable()) {
            return Some("has unsynced bytes");
        }
        self.unsynced_names.contains_key(path).then_some("is in an unsynced directory")
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.names.keys()
    }
}
