//! A file system in memory that can lose power.
//!
//! Each file has the bytes on disk, the view that processes read (the page cache) and the ordered
//! changes between the two; each directory the same with names. [`MemFs::crash`] gives what the
//! next process would find, as an independent copy; copies share their bytes until one changes,
//! so a test may take hundreds of thousands.
//!
//! Contract: every call may come from any thread. Each changing call is one operation with a
//! number, applied as a whole under one lock; a crash falls between two operations, never into
//! one. Without threads, the same seed and the same calls give the same bytes, images and random
//! numbers.
//!
//! 1. `sync_data` moves a file's changes to disk, `sync_dir` a directory's; neither does the
//!    other's work.
//! 2. A failed sync (see [`File::lose_unsynced`]) makes the changes clean and lost: the view
//!    still shows them, no later sync brings them to disk.
//! 3. No lock is held while a hook runs.

mod content;
mod crash;
mod files;
mod names;
mod test_verbs;
#[cfg(all(test, not(any(nori_loom, nori_shuttle))))]
mod tests;
mod tree;

pub use crash::Cut;

use crate::rng::splitmix;
use crate::sync::{Arc, Mutex, MutexGuard};
use crate::{File, FileLock, FileSystem, FsResult, OpenMode, Rng};
use files::{MemFile, MemLock};
use names::{components, told};
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::Path;
use tree::{Ino, Tree};

/// No simulated file grows beyond this.
const FILE_BYTES_MAX: u64 = 1 << 36;
/// What [`FileSystem::free_space`] says without a capacity: 1 PiB.
const FREE_UNLIMITED: u64 = 1 << 50;

/// Called before each changing operation with its number and an image of the state before it.
pub type Hook = Arc<dyn Fn(u64, &MemFs) + Send + Sync>;

/// Files in memory, with everything a crash may do to them. Clones are the same file system.
///
/// ```
/// use nori_env::{Cut, FileSystem, MemFs, OpenMode};
/// use std::path::Path;
///
/// let fs = MemFs::new(1);
/// let file = fs.open(Path::new("/log"), OpenMode::CreateNew)?;
/// file.write_at(b"hello", 0)?;
/// file.sync_all()?;
/// // The bytes are on disk, the name is not.
/// assert!(!fs.crash(Cut::SyncedOnly, 1).exists(Path::new("/log"))?);
/// fs.sync_dir(Path::new("/"))?;
/// assert_eq!(fs.crash(Cut::SyncedOnly, 1).read_file("/log").as_deref(), Some(&b"hello"[..]));
/// # Ok::<(), nori_env::FsError>(())
/// ```
#[derive(Clone)]
pub struct MemFs {
    inner: Arc<Mutex<State>>,
}

#[derive(Clone)]
struct State {
    tree: Arc<Tree>,
    /// The number of the next operation.
    ops: u64,
    /// Differs after every crash: where random salts come from.
    nonce: u64,
    random: Rng,
    handles: BTreeMap<Ino, usize>,
    locks: BTreeSet<Ino>,
    capacity: Option<u64>,
    sectors: Vec<usize>,
    hook: Option<Hook>,
}

impl std::fmt::Debug for MemFs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemFs").finish_non_exhaustive()
    }
}

impl MemFs {
    /// An empty disk with a root directory. The seed decides what `random` says.
    pub fn new(seed: u64) -> MemFs {
        MemFs::of(State {
            tree: Arc::default(),
            ops: 0,
            nonce: seed,
            random: Rng::new(seed),
            handles: BTreeMap::new(),
            locks: BTreeSet::new(),
            capacity: None,
            sectors: vec![512, 4096],
            hook: None,
        })
    }

    fn of(state: State) -> MemFs {
        MemFs { inner: Arc::new(Mutex::new(state)) }
    }

    /// The sizes in bytes of which each crash picks one. 512 and 4096 at first; small ones make
    /// small tests tear where big ones would. An empty list changes nothing.
    pub fn set_sectors(&self, sizes: &[usize]) {
        if !sizes.is_empty() {
            self.inner.lock().sectors = sizes.to_vec();
        }
    }

    /// How many bytes fit on the disk; `None` for no limit. What is there already stays.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.inner.lock().capacity = bytes;
    }

    /// How many changing operations were begun, including those of the file systems this one is
    /// an image of.
    pub fn operations(&self) -> u64 {
        self.inner.lock().ops
    }

    /// Calls the hook before each changing operation; `None` ends that. With several threads,
    /// others may go on between the hook and its operation, so numbers may come twice.
    pub fn on_operation(&self, hook: Option<Hook>) {
        self.inner.lock().hook = hook;
    }

    /// An independent copy of this moment: same bytes, same unsynced changes, no open handles, no
    /// held locks, no hook.
    pub fn image(&self) -> MemFs {
        MemFs::of(self.inner.lock().image())
    }

    /// What the next process finds if everything ends now. Independent of this file system, which
    /// goes on undisturbed. Its random numbers differ from those of this one.
    pub fn crash(&self, cut: Cut, seed: u64) -> MemFs {
        let mut next = self.inner.lock().image();
        let mut rng = Rng::new(seed);
        next.tree = Arc::new(crash::crash(&next.tree, next.ops, cut, &next.sectors, &mut rng));
        let mut mixed = next.nonce ^ seed.rotate_left(32);
        next.nonce = splitmix(&mut mixed);
        next.random = Rng::new(next.nonce);
        MemFs::of(next)
    }

    /// Begins a changing operation: hook first, then its number.
    fn begin(&self) -> MutexGuard<'_, State> {
        let mut state = self.inner.lock();
        if let Some(hook) = state.hook.clone() {
            let (op, image) = (state.ops, MemFs::of(state.image()));
            drop(state);
            hook(op, &image);
            state = self.inner.lock();
        }
        state.ops += 1;
        state
    }
}

impl FileSystem for MemFs {
    fn open(&self, path: &Path, mode: OpenMode) -> FsResult<Arc<dyn File>> {
        let mut state = if mode == OpenMode::CreateNew { self.begin() } else { self.inner.lock() };
        let ino = match mode {
            OpenMode::CreateNew => told("create", path, state.create(path))?,
            OpenMode::Read | OpenMode::Write => told("open", path, state.find_file(path))?,
        };
        state.open_handle(ino);
        drop(state);
        Ok(Arc::new(MemFile::new(self.clone(), ino, path, mode)))
    }

    fn rename(&self, from: &Path, to: &Path) -> FsResult<()> {
        told("rename", from, self.begin().rename(from, to))
    }

    fn remove(&self, path: &Path) -> FsResult<()> {
        told("remove", path, self.begin().remove(path))
    }

    fn hard_link(&self, from: &Path, to: &Path) -> FsResult<()> {
        told("link", to, self.begin().hard_link(from, to))
    }

    fn list(&self, dir: &Path) -> FsResult<Vec<String>> {
        let state = self.inner.lock();
        let ino = told("list", dir, state.find_dir(dir))?;
        let names = state.tree.dirs.get(&ino).map(|d| d.view.keys().map(|n| n.to_string()));
        Ok(names.into_iter().flatten().collect())
    }

    fn create_dir_all(&self, dir: &Path) -> FsResult<()> {
        let names = told("create directory", dir, components(dir))?;
        let mut path = std::path::PathBuf::from("/");
        for (index, name) in names.iter().enumerate() {
            let parent = path.clone();
            path.push(&**name);
            let found = self.inner.lock().find_dir(&path);
            let new = match found {
                Ok(_) => false,
                Err(e) if e.kind() == ErrorKind::NotFound => {
                    match self.begin().create_dir(&path) {
                        Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                        made => told("create directory", &path, made)?,
                    }
                    true
                }
                Err(e) => return told("create directory", &path, Err(e)),
            };
            // The last name may be there only in memory, left by a process that was killed.
            if new || index + 1 == names.len() {
                self.sync_dir(&parent)?;
            }
        }
        Ok(())
    }

    fn remove_dir(&self, dir: &Path) -> FsResult<()> {
        told("remove directory", dir, self.begin().remove_dir(dir))
    }

    fn exists(&self, path: &Path) -> FsResult<bool> {
        Ok(told("look up", path, components(path))
            .is_ok_and(|names| self.inner.lock().tree.lookup(&names).is_some()))
    }

    fn sync_dir(&self, dir: &Path) -> FsResult<()> {
        told("sync directory", dir, self.begin().sync_dir(dir))
    }

    fn lock(&self, path: &Path) -> FsResult<Option<Box<dyn FileLock>>> {
        let found = self.inner.lock().find_file(path);
        let (mut state, ino) = match found {
            Ok(ino) => (self.inner.lock(), ino),
            Err(_) => {
                let mut state = self.begin();
                let ino = match state.create(path) {
                    Err(e) if e.kind() == ErrorKind::AlreadyExists => state.find_file(path),
                    made => made,
                };
                let ino = told("lock", path, ino)?;
                (state, ino)
            }
        };
        if !state.locks.insert(ino) {
            return Ok(None);
        }
        state.open_handle(ino);
        drop(state);
        Ok(Some(Box::new(MemLock::new(self.clone(), ino))))
    }

    fn free_space(&self, dir: &Path) -> FsResult<u64> {
        let state = self.inner.lock();
        told("free space", dir, state.find_dir(dir))?;
        Ok(state.free())
    }

    fn random(&self) -> u64 {
        self.inner.lock().random.next_u64()
    }
}
