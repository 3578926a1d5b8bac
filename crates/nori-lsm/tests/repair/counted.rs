//! A file system that counts how many files below a directory are open at once.

use nori_env::sync::Arc;
use nori_env::sync::atomic::{AtomicUsize, Ordering};
use nori_env::{File, FileLock, FileSystem, FsResult, MemFs, OpenMode};
use std::path::{Path, PathBuf};

#[derive(Clone, Debug)]
pub(crate) struct Counted {
    inner: MemFs,
    below: PathBuf,
    open: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Counted {
    pub(crate) fn new(inner: MemFs, below: &str) -> Counted {
        let (open, most) = (Arc::default(), Arc::default());
        Counted { inner, below: below.into(), open, most }
    }

    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

#[derive(Debug)]
struct CountedFile {
    inner: Arc<dyn File>,
    open: Arc<AtomicUsize>,
}

impl Drop for CountedFile {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
    }
}

impl FileSystem for Counted {
    fn open(&self, path: &Path, mode: OpenMode) -> FsResult<Arc<dyn File>> {
        let inner = self.inner.open(path, mode)?;
        if !path.starts_with(&self.below) {
            return Ok(inner);
        }
        let now = self.open.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        Ok(Arc::new(CountedFile { inner, open: Arc::clone(&self.open) }))
    }
    fn rename(&self, from: &Path, to: &Path) -> FsResult<()> {
        self.inner.rename(from, to)
    }
    fn remove(&self, path: &Path) -> FsResult<()> {
        self.inner.remove(path)
    }
    fn hard_link(&self, from: &Path, to: &Path) -> FsResult<()> {
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

impl File for CountedFile {
    fn path(&self) -> &Path {
        self.inner.path()
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> FsResult<usize> {
        self.inner.read_at(buffer, offset)
    }
    fn write_at(&self, data: &[u8], offset: u64) -> FsResult<()> {
        self.inner.write_at(data, offset)
    }
    fn sync_data(&self) -> FsResult<()> {
        self.inner.sync_data()
    }
    fn sync_all(&self) -> FsResult<()> {
        self.inner.sync_all()
    }
    fn truncate(&self, len: u64) -> FsResult<()> {
        self.inner.truncate(len)
    }
    fn allocate(&self, len: u64) -> FsResult<()> {
        self.inner.allocate(len)
    }
    fn len(&self) -> FsResult<u64> {
        self.inner.len()
    }
}
