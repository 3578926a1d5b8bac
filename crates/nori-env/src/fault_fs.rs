//! A file system that fails on order.
//!
//! Wraps another and asks its rules before each call: which kinds of calls, on which paths, the
//! how-manieth of them, and what then. Contract: as the wrapped file system; calls and rules may
//! come from any thread.
//!
//! 1. A rule counts only calls that its fault can hit: [`Fault::ShortWrite`] writes,
//!    [`Fault::FlipBit`] reads, [`Fault::Enospc`] calls that need room (unless the rule names one
//!    kind). So `nth(i)` for i = 0, 1, .. reaches each of them once and then none.
//! 2. All rules count a call, the first that fires decides. Delays add up.
//! 3. After a failed sync the unsynced bytes are clean and lost, if the wrapped file can do that.
//! 4. After [`Fault::Crash`] every call fails: nothing reaches the disk any more.

mod file;
mod rule;
#[cfg(all(test, not(any(nori_loom, nori_shuttle))))]
mod tests;

pub use rule::{Fault, FaultRule};

use crate::sync::{Arc, Mutex, thread};
use crate::{File, FileLock, FileSystem, FsError, FsOp, FsResult, OpenMode, Rng};
use file::FaultFile;
use rule::Counted;
use std::io;
use std::path::{Path, PathBuf};

/// A fault that was injected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultHit {
    /// The call's number among all calls, from 0.
    pub operation: u64,
    /// Its kind.
    pub op: FsOp,
    /// Its path.
    pub path: PathBuf,
    /// What was done to it.
    pub fault: Fault,
}

/// A file system that fails on order. Clones share their rules.
///
/// ```
/// use nori_env::{Fault, FaultFs, FaultRule, FileSystem, FsOp, MemFs, OpenMode};
/// use std::path::Path;
/// use std::sync::Arc;
///
/// let fs = FaultFs::new(Arc::new(MemFs::new(1)));
/// fs.inject(FaultRule::new(Fault::Eio).on(FsOp::Sync).path("wal/").nth(1));
/// let file = fs.open(Path::new("/log"), OpenMode::CreateNew)?;
/// file.sync_data()?; // not in wal/, so not counted
/// assert_eq!(fs.operations(), 2);
/// assert!(fs.hits().is_empty());
/// # Ok::<(), nori_env::FsError>(())
/// ```
#[derive(Clone, Debug)]
pub struct FaultFs {
    inner: Arc<dyn FileSystem>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    rules: Vec<Counted>,
    rng: Rng,
    operations: u64,
    changing: u64,
    hits: Vec<FaultHit>,
    crashed: bool,
}

/// What a call is to do.
enum Verdict {
    Pass,
    Fail(Fault, io::Error),
    FlipBit(Rng),
}

impl FaultFs {
    /// Passes everything on until there are rules.
    pub fn new(inner: Arc<dyn FileSystem>) -> FaultFs {
        let state = State {
            rules: Vec::new(),
            rng: Rng::new(0),
            operations: 0,
            changing: 0,
            hits: Vec::new(),
            crashed: false,
        };
        FaultFs { inner, state: Arc::new(Mutex::new(state)) }
    }

    /// Adds a rule, behind those there are. It counts from now on.
    pub fn inject(&self, rule: FaultRule) {
        self.state.lock().rules.push(Counted::new(rule));
    }

    /// Forgets all rules: the disk works again. A crash stays a crash.
    pub fn clear(&self) {
        self.state.lock().rules.clear();
    }

    /// The seed behind `one_in` and `FlipBit`.
    pub fn set_seed(&self, seed: u64) {
        self.state.lock().rng = Rng::new(seed);
    }

    /// How many calls came so far, of all kinds.
    pub fn operations(&self) -> u64 {
        self.state.lock().operations
    }

    /// How many of them could change the disk.
    pub fn changing_operations(&self) -> u64 {
        self.state.lock().changing
    }

    /// The faults injected so far.
    pub fn hits(&self) -> Vec<FaultHit> {
        self.state.lock().hits.clone()
    }

    /// Whether a rule has stopped the machine.
    pub fn has_crashed(&self) -> bool {
        self.state.lock().crashed
    }

    /// Counts a call and decides about it. `needs_room` is asked only if a rule depends on it.
    fn decide(&self, op: FsOp, paths: &[&Path], needs_room: &dyn Fn() -> bool) -> Verdict {
        // The wrapped file system may be asked for this, so not under the lock.
        let needs_room = self.wants_room(op, paths).then(needs_room).unwrap_or(true);
        let (verdict, delay) = self.state.lock().decide(op, paths, needs_room);
        if !delay.is_zero() {
            thread::sleep(delay);
        }
        verdict
    }

    fn wants_room(&self, op: FsOp, paths: &[&Path]) -> bool {
        let state = self.state.lock();
        state.rules.iter().any(|r| r.rule.asks_for_room() && r.rule.matches(op, paths, true))
    }

    /// Runs a call that either happens or fails as a whole.
    fn run<T>(&self, op: FsOp, paths: &[&Path], call: impl FnOnce() -> FsResult<T>) -> FsResult<T> {
        match self.decide(op, paths, &|| true) {
            Verdict::Pass | Verdict::FlipBit(_) => call(),
            Verdict::Fail(_, error) => Err(failed(op, paths, error)),
        }
    }
}

fn failed(op: FsOp, paths: &[&Path], error: io::Error) -> FsError {
    FsError::new(op.word(), paths.first().unwrap_or(&Path::new("")), error)
}

fn stopped() -> io::Error {
    io::Error::other("the simulated machine has stopped")
}

impl State {
    fn decide(
        &mut self,
        op: FsOp,
        paths: &[&Path],
        needs_room: bool,
    ) -> (Verdict, std::time::Duration) {
        let operation = self.operations;
        self.operations += 1;
        self.changing += u64::from(op.is_changing());
        let mut delay = std::time::Duration::ZERO;
        if self.crashed {
            return (Verdict::Fail(Fault::Crash, stopped()), delay);
        }
        let mut decided = None;
        for rule in &mut self.rules {
            if !rule.rule.matches(op, paths, needs_room) || !rule.fires(&mut self.rng) {
                continue;
            }
            match rule.rule.fault {
                Fault::Latency(time) => delay += time,
                fault if decided.is_none() => decided = Some(fault),
                _ => {}
            }
        }
        let Some(fault) = decided else { return (Verdict::Pass, delay) };
        let path = paths.first().unwrap_or(&Path::new("")).to_path_buf();
        self.hits.push(FaultHit { operation, op, path, fault });
        let verdict = match fault {
            Fault::FlipBit => Verdict::FlipBit(self.rng.fork()),
            Fault::Crash => {
                self.crashed = true;
                Verdict::Fail(fault, stopped())
            }
            // ENOSPC and EIO have these numbers on every Unix system.
            Fault::Enospc => Verdict::Fail(fault, io::Error::from_raw_os_error(28)),
            Fault::ReadOnly => Verdict::Fail(fault, io::ErrorKind::ReadOnlyFilesystem.into()),
            _ => Verdict::Fail(fault, io::Error::from_raw_os_error(5)),
        };
        (verdict, delay)
    }
}

impl FileSystem for FaultFs {
    fn open(&self, path: &Path, mode: OpenMode) -> FsResult<Arc<dyn File>> {
        let op = if mode == OpenMode::CreateNew { FsOp::Create } else { FsOp::Open };
        let file = self.run(op, &[path], || self.inner.open(path, mode))?;
        Ok(Arc::new(FaultFile::new(self.clone(), file)))
    }

    fn rename(&self, from: &Path, to: &Path) -> FsResult<()> {
        self.run(FsOp::Rename, &[from, to], || self.inner.rename(from, to))
    }

    fn remove(&self, path: &Path) -> FsResult<()> {
        self.run(FsOp::Remove, &[path], || self.inner.remove(path))
    }

    fn hard_link(&self, from: &Path, to: &Path) -> FsResult<()> {
        self.run(FsOp::Link, &[to, from], || self.inner.hard_link(from, to))
    }

    fn list(&self, dir: &Path) -> FsResult<Vec<String>> {
        self.run(FsOp::List, &[dir], || self.inner.list(dir))
    }

    fn create_dir_all(&self, dir: &Path) -> FsResult<()> {
        self.run(FsOp::CreateDir, &[dir], || self.inner.create_dir_all(dir))
    }

    fn remove_dir(&self, dir: &Path) -> FsResult<()> {
        self.run(FsOp::RemoveDir, &[dir], || self.inner.remove_dir(dir))
    }

    fn absolute(&self, path: &Path) -> FsResult<PathBuf> {
        self.inner.absolute(path)
    }

    fn exists(&self, path: &Path) -> FsResult<bool> {
        self.run(FsOp::Exists, &[path], || self.inner.exists(path))
    }

    fn sync_dir(&self, dir: &Path) -> FsResult<()> {
        self.run(FsOp::SyncDir, &[dir], || self.inner.sync_dir(dir))
    }

    fn lock(&self, path: &Path) -> FsResult<Option<Box<dyn FileLock>>> {
        self.run(FsOp::Lock, &[path], || self.inner.lock(path))
    }

    fn free_space(&self, dir: &Path) -> FsResult<u64> {
        self.run(FsOp::FreeSpace, &[dir], || self.inner.free_space(dir))
    }

    fn random(&self) -> u64 {
        self.inner.random()
    }
}
