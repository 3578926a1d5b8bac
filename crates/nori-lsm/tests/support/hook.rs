//! A user's file system that calls a hook before everything it does. The hook may wait, or panic.

use nori_env::sync::Arc;
use nori_env::{File, FileLock, FileSystem, FsOp, FsResult, OpenMode};
use std::path::{Path, PathBuf};

/// Called with what is done and to which path.
pub(crate) type Hook = Arc<dyn Fn(FsOp, &Path) + Send + Sync>;

/// Calls a hook before each call.
#[derive(Clone)]
pub(crate) struct Hooked {
    inner: Arc<dyn FileSystem>,
    hook: Hook,
}

impl Hooked {
    pub(crate) fn over(inner: Arc<dyn FileSystem>, hook: Hook) -> Arc<dyn FileSystem> {
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
        (self.hook)(if mode == OpenMode::CreateNew { FsOp::Create } else { FsOp::Open }, path);
        let file = self.inner.open(path, mode)?;
        Ok(Arc::new(HookedFile { file, hook: Arc::clone(&self.hook) }))
    }

    fn rename(&self, from: &Path, to: &Path) -> FsResult<()> {
        (self.hook)(FsOp::Rename, to);
        let renamed = self.inner.rename(from, to);
        // Once more when it is done: what came of it is not known either then.
        (self.hook)(FsOp::Rename, to);
        renamed
    }

    fn remove(&self, path: &Path) -> FsResult<()> {
        (self.hook)(FsOp::Remove, path);
        self.inner.remove(path)
    }

    fn hard_link(&self, from: &Path, to: &Path) -> FsResult<()> {
        (self.hook)(FsOp::Link, to);
        self.inner.hard_link(from, to)
    }

    fn list(&self, dir: &Path) -> FsResult<Vec<String>> {
        (self.hook)(FsOp::List, dir);
        self.inner.list(dir)
    }

    fn create_dir_all(&self, dir: &Path) -> FsResult<()> {
        (self.hook)(FsOp::CreateDir, dir);
        self.inner.create_dir_all(dir)
    }

    fn remove_dir(&self, dir: &Path) -> FsResult<()> {
        (self.hook)(FsOp::RemoveDir, dir);
        self.inner.remove_dir(dir)
    }

    fn absolute(&self, path: &Path) -> FsResult<PathBuf> {
        self.inner.absolute(path)
    }

    fn exists(&self, path: &Path) -> FsResult<bool> {
        (self.hook)(FsOp::Exists, path);
        self.inner.exists(path)
    }

    fn sync_dir(&self, dir: &Path) -> FsResult<()> {
        (self.hook)(FsOp::SyncDir, dir);
        self.inner.sync_dir(dir)
    }

    fn lock(&self, path: &Path) -> FsResult<Option<Box<dyn FileLock>>> {
        (self.hook)(FsOp::Lock, path);
        self.inner.lock(path)
    }

    fn free_space(&self, dir: &Path) -> FsResult<u64> {
        (self.hook)(FsOp::FreeSpace, dir);
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

impl HookedFile {
    fn call(&self, op: FsOp) {
        (self.hook)(op, self.file.path());
    }
}

impl File for HookedFile {
    fn path(&self) -> &Path {
        self.file.path()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> FsResult<usize> {
        self.call(FsOp::Read);
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, data: &[u8], offset: u64) -> FsResult<()> {
        self.call(FsOp::Write);
        self.file.write_at(data, offset)?;
        self.call(FsOp::Write);
        Ok(())
    }

    fn sync_data(&self) -> FsResult<()> {
        self.call(FsOp::Sync);
        self.file.sync_data()
    }

    fn sync_all(&self) -> FsResult<()> {
        self.call(FsOp::Sync);
        self.file.sync_all()
    }

    fn truncate(&self, len: u64) -> FsResult<()> {
        self.call(FsOp::Truncate);
        self.file.truncate(len)
    }

    fn allocate(&self, len: u64) -> FsResult<()> {
        self.call(FsOp::Allocate);
        self.file.allocate(len)
    }

    fn len(&self) -> FsResult<u64> {
        self.call(FsOp::Length);
        self.file.len()
    }
}
