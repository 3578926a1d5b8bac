//! A file system that writes down what it was asked, and checks the order.
//!
//! Wraps another. Every call is an event; an [`OrderRule`] says which orders lose data when the
//! power goes, and each break of one is a sentence in [`TraceFs::violations`]. A test asserts that
//! there is none. Contract: as the wrapped file system; calls may come from any thread.
//!
//! 1. A file counts as durable when a sync that *began* after its last write *ended* has
//!    succeeded, and none has failed since the file was last empty; a name when the same is true
//!    of its directory. Files that were there before the trace count as durable.
//! 2. Rules are asked before the call is passed on, whether or not it then succeeds.
//! 3. No lock is held while the wrapped file system works.

mod check;
mod file;
mod rule;
mod state;
#[cfg(all(test, not(any(nori_loom, nori_shuttle))))]
mod tests;

pub use rule::OrderRule;
pub use state::TraceEvent;

use crate::sync::{Arc, Mutex, MutexGuard};
use crate::{File, FileLock, FileSystem, FsOp, FsResult, OpenMode};
use file::TraceFile;
use state::State;
use std::path::{Path, PathBuf};

/// A file system that checks the order of what it is asked. Clones share their trace.
///
/// ```
/// use nori_env::{FileSystem, MemFs, OpenMode, OrderRule, TraceFs};
/// use std::path::Path;
/// use std::sync::Arc;
///
/// let rules = vec![
///     OrderRule::durable_before_record("MANIFEST-*", "*.sst"),
///     OrderRule::record_before_removal("*.wal", "MANIFEST-*").through("CURRENT"),
///     OrderRule::durable_before_pointer("CURRENT", "MANIFEST-*"),
///     OrderRule::no_removal_while_turning("CURRENT", "*"),
/// ];
/// let fs = TraceFs::new(Arc::new(MemFs::new(1)), rules);
/// fs.open(Path::new("/000001.sst"), OpenMode::CreateNew)?.write_at(b"data", 0)?;
/// fs.open(Path::new("/MANIFEST-000001"), OpenMode::CreateNew)?.write_at(b"000001.sst", 0)?;
/// assert!(fs.violations()[0].contains("000001.sst"));
/// # Ok::<(), nori_env::FsError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TraceFs {
    inner: Arc<dyn FileSystem>,
    rules: Arc<Vec<OrderRule>>,
    state: Arc<Mutex<State>>,
}

impl TraceFs {
    /// Checks the rules from now on; without rules it only writes down.
    pub fn new(inner: Arc<dyn FileSystem>, rules: Vec<OrderRule>) -> TraceFs {
        TraceFs { inner, rules: Arc::new(rules), state: Arc::default() }
    }

    /// One sentence for each break of a rule, in order, with the event's number. At most 1,000.
    pub fn violations(&self) -> Vec<String> {
        self.state.lock().violations.clone()
    }

    /// The last 100,000 events, oldest first.
    pub fn events(&self) -> Vec<TraceEvent> {
        self.state.lock().events.iter().cloned().collect()
    }

    /// A number that tells two traces apart: all events since the start, with the bytes written.
    pub fn hash(&self) -> u64 {
        self.state.lock().hash()
    }

    /// Runs a call and writes it down.
    fn run<T>(&self, event: TraceEvent, call: impl FnOnce() -> FsResult<T>) -> FsResult<T> {
        self.run_and(event, call, |_, _, _| {})
    }

    /// As `run`; after a success `then` learns the numbers at which the call began and ended.
    fn run_and<T>(
        &self,
        event: TraceEvent,
        call: impl FnOnce() -> FsResult<T>,
        then: impl FnOnce(&mut State, u64, u64),
    ) -> FsResult<T> {
        let began = self.state.lock().tick();
        let result = call();
        let mut state = self.state.lock();
        let ended = state.tick();
        state.write_down(TraceEvent { number: began, is_ok: result.is_ok(), ..event });
        if result.is_ok() {
            then(&mut state, began, ended);
        }
        result
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl FileSystem for TraceFs {
    fn open(&self, path: &Path, mode: OpenMode) -> FsResult<Arc<dyn File>> {
        let is_new = mode == OpenMode::CreateNew;
        let op = if is_new { FsOp::Create } else { FsOp::Open };
        let mut id = 0;
        let file = self.run_and(
            TraceEvent::new(op, path),
            || self.inner.open(path, mode),
            |state, _, ended| {
                id = if is_new { state.created(path, ended) } else { state.known(path) };
            },
        )?;
        Ok(Arc::new(TraceFile::new(self.clone(), file, id)))
    }

    fn rename(&self, from: &Path, to: &Path) -> FsResult<()> {
        self.check_removal(from, Some(to));
        self.check_pointer(from, to);
        let target = self.pointer_target(from, to);
        self.run_and(
            TraceEvent { to: Some(to.to_path_buf()), ..TraceEvent::new(FsOp::Rename, from) },
            || self.inner.rename(from, to),
            |state, _, ended| {
                state.renamed(from, to, ended);
                if let Some(target) = target {
                    state.turned(to, target, ended);
                }
            },
        )
    }

    fn remove(&self, path: &Path) -> FsResult<()> {
        self.check_removal(path, None);
        self.run_and(
            TraceEvent::new(FsOp::Remove, path),
            || self.inner.remove(path),
            |state, _, _| state.removed(path),
        )
    }

    fn hard_link(&self, from: &Path, to: &Path) -> FsResult<()> {
        self.run_and(
            TraceEvent { to: Some(to.to_path_buf()), ..TraceEvent::new(FsOp::Link, from) },
            || self.inner.hard_link(from, to),
            |state, _, ended| state.linked(from, to, ended),
        )
    }

    fn list(&self, dir: &Path) -> FsResult<Vec<String>> {
        self.run(TraceEvent::new(FsOp::List, dir), || self.inner.list(dir))
    }

    fn create_dir_all(&self, dir: &Path) -> FsResult<()> {
        self.run(TraceEvent::new(FsOp::CreateDir, dir), || self.inner.create_dir_all(dir))
    }

    fn remove_dir(&self, dir: &Path) -> FsResult<()> {
        self.run(TraceEvent::new(FsOp::RemoveDir, dir), || self.inner.remove_dir(dir))
    }

    fn absolute(&self, path: &Path) -> FsResult<PathBuf> {
        self.inner.absolute(path)
    }

    fn exists(&self, path: &Path) -> FsResult<bool> {
        self.run(TraceEvent::new(FsOp::Exists, path), || self.inner.exists(path))
    }

    fn sync_dir(&self, dir: &Path) -> FsResult<()> {
        self.run_and(
            TraceEvent::new(FsOp::SyncDir, dir),
            || self.inner.sync_dir(dir),
            |state, began, _| state.dir_synced(dir, began),
        )
    }

    fn lock(&self, path: &Path) -> FsResult<Option<Box<dyn FileLock>>> {
        self.run(TraceEvent::new(FsOp::Lock, path), || self.inner.lock(path))
    }

    fn free_space(&self, dir: &Path) -> FsResult<u64> {
        self.run(TraceEvent::new(FsOp::FreeSpace, dir), || self.inner.free_space(dir))
    }

    fn random(&self) -> u64 {
        self.inner.random()
    }
}

/// A name that stands for others: the whole name, or one `*` for any characters.
fn name_matches(pattern: &str, path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|n| n.to_str()) else { return false };
    match pattern.split_once('*') {
        None => name == pattern,
        Some((head, tail)) => {
            name.len() >= head.len() + tail.len() && name.starts_with(head) && name.ends_with(tail)
        }
    }
}

/// A path for a sentence.
fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// The path in `dir` of the first word of `text` that matches.
fn first_word(text: &[u8], pattern: &str, dir: &Path) -> Option<PathBuf> {
    let text = String::from_utf8_lossy(text);
    let is_border = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    let mut words = text.split(is_border).map(|word| dir.join(word));
    words.find(|path| name_matches(pattern, path))
}
