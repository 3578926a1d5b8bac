//! A file system that tells before each call what it is about to do, and can be made to wait.

use nori_env::sync::{Arc, Condvar, Mutex};
use nori_env::{File, FileLock, FileSystem, FsResult, MemFs, OpenMode};
use std::path::Path;
use std::time::Duration;

/// Called with what is done and to which path.
pub(crate) type Hook = Arc<dyn Fn(&'static str, &Path) + Send + Sync>;

/// A wrapper that calls a hook before each call that changes something.
#[derive(Clone)]
pub(crate) struct Hooked {
    inner: Arc<dyn FileSystem>,
    hook: Hook,
}

impl Hooked {
    pub(crate) fn new(inner: Arc<dyn FileSystem>, hook: Hook) -> Arc<Hooked> {
        Arc::new(Hooked { inner, hook })
    }
}

impl std::fmt::Debug for Hooked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hooked").finish_non_exhaustive()
    }
}

impl FileSystem for Hooked {
    fn open(&self, path: &Path, mode: OpenMode) -> FsResult<Arc<dyn File>> {
        if mode == OpenMode::CreateNew {
            (self.hook)("create", path);
        }
        let file = self.inner.open(path, mode)?;
        Ok(Arc::new(HookedFile { file, hook: Arc::clone(&self.hook) }))
    }

    fn rename(&self, from: &Path, to: &Path) -> FsResult<()> {
        (self.hook)("rename", to);
        self.inner.rename(from, to)
    }

    fn remove(&self, path: &Path) -> FsResult<()> {
        (self.hook)("remove", path);
        self.inner.remove(path)
    }

    fn hard_link(&self, from: &Path, to: &Path) -> FsResult<()> {
        (self.hook)("link", to);
        self.inner.hard_link(from, to)
    }

    fn list(&self, dir: &Path) -> FsResult<Vec<String>> {
        self.inner.list(dir)
    }

    fn create_dir_all(&self, dir: &Path) -> FsResult<()> {
        self.inner.create_dir_all(dir)
    }

    fn remove_dir(&self, dir: &Path) -> FsResult<()> {
        self.inner.remove_dir(dir)
    }

    fn exists(&self, path: &Path) -> FsResult<bool> {
        self.inner.exists(path)
    }

    fn sync_dir(&self, dir: &Path) -> FsResult<()> {
        self.inner.sync_dir(dir)
    }

    fn lock(&self, path: &Path) -> FsResult<Option<Box<dyn FileLock>>> {
        self.inner.lock(path)
    }

    fn free_space(&self, dir: &Path) -> FsResult<u64> {
        self.inner.free_space(dir)
    }

    fn random(&self) -> u64 {
        self.inner.random()
    }
}

struct HookedFile {
    file: Arc<dyn File>,
    hook: Hook,
}

impl std::fmt::Debug for HookedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.file.fmt(f)
    }
}

impl File for HookedFile {
    fn path(&self) -> &Path {
        self.file.path()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> FsResult<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, data: &[u8], offset: u64) -> FsResult<()> {
        (self.hook)("write", self.file.path());
        self.file.write_at(data, offset)
    }

    fn sync_data(&self) -> FsResult<()> {
        (self.hook)("sync", self.file.path());
        self.file.sync_data()
    }

    fn sync_all(&self) -> FsResult<()> {
        (self.hook)("sync", self.file.path());
        self.file.sync_all()
    }

    fn truncate(&self, len: u64) -> FsResult<()> {
        self.file.truncate(len)
    }

    fn allocate(&self, len: u64) -> FsResult<()> {
        self.file.allocate(len)
    }

    fn len(&self) -> FsResult<u64> {
        self.file.len()
    }
}

/// Stops who comes to it, once it is shut, until it is opened.
#[derive(Clone, Default)]
pub(crate) struct Barrier {
    state: Arc<(Mutex<BarrierState>, Condvar)>,
}

#[derive(Default)]
struct BarrierState {
    shut: bool,
    stopped: usize,
}

impl Barrier {
    pub(crate) fn shut(&self) {
        self.state.0.lock().shut = true;
    }

    pub(crate) fn open(&self) {
        self.state.0.lock().shut = false;
        self.state.1.notify_all();
    }

    /// Waits here while the barrier is shut.
    pub(crate) fn pass(&self) {
        let (state, changed) = &*self.state;
        let mut held = state.lock();
        if held.shut {
            held.stopped += 1;
            changed.notify_all();
        }
        while held.shut {
            held = changed.wait(held);
        }
    }

    /// Waits until somebody was stopped.
    pub(crate) fn wait_for_somebody(&self) {
        let (state, changed) = &*self.state;
        let mut held = state.lock();
        while held.stopped == 0 {
            let (again, timed_out) = changed.wait_timeout(held, Duration::from_secs(20));
            held = again;
            assert!(!timed_out, "nobody came to the barrier");
        }
    }
}

/// A disk that stops calls of one kind, on paths that contain some characters, at a barrier.
pub(crate) fn stopping(
    disk: &MemFs,
    op: &'static str,
    part: &'static str,
) -> (Arc<dyn FileSystem>, Barrier) {
    let barrier = Barrier::default();
    let at = barrier.clone();
    let hook: Hook = Arc::new(move |called, path: &Path| {
        if called == op && path.to_string_lossy().contains(part) {
            at.pass();
        }
    });
    (Hooked::new(Arc::new(disk.clone()), hook), barrier)
}
