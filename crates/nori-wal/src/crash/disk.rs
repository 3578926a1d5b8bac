//! A disk in memory that fails on demand, and that can do something else while it syncs.

use nori_env::sync::{Arc, Mutex};
use nori_env::{File, FileLock, FileSystem, FsError, FsResult, MemFs, OpenMode, Rng};
use std::io::ErrorKind;
use std::ops::Range;
use std::path::Path;

/// Which operations fail, by number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    /// These fail with EIO.
    pub(crate) broken: Vec<Range<u64>>,
    /// In this span the disk is full.
    pub(crate) full: Range<u64>,
}

impl Faults {
    pub(crate) fn random(rng: &mut Rng, from: u64) -> Faults {
        let mut at = || from + rng.below(120);
        let (first, second) = (at(), at());
        match rng.below(10) {
            0..=2 => Faults::broken(first..first + 1),
            3 => Faults { broken: vec![first..first + 1, second..second + 1], full: 0..0 },
            4..=5 => Faults::full(first..first + 1 + rng.below(30)),
            _ => Faults::default(),
        }
    }

    pub(crate) fn broken(span: Range<u64>) -> Faults {
        Faults { broken: vec![span], full: 0..0 }
    }

    pub(crate) fn full(span: Range<u64>) -> Faults {
        Faults { broken: Vec::new(), full: span }
    }
}

type Hook = Box<dyn FnOnce() + Send>;

#[derive(Clone)]
pub(crate) struct Disk {
    fs: MemFs,
    faults: Faults,
    hook: Arc<Mutex<Option<Hook>>>,
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disk").finish_non_exhaustive()
    }
}

impl Disk {
    pub(crate) fn new(fs: MemFs, faults: Faults) -> Disk {
        Disk { fs, faults, hook: Arc::default() }
    }

    pub(crate) fn operations(&self) -> u64 {
        self.fs.operations()
    }

    pub(crate) fn has_faults(&self) -> bool {
        !self.faults.broken.is_empty() || !self.faults.full.is_empty()
    }

    /// Whether the only trouble is a full disk.
    pub(crate) fn is_sound(&self) -> bool {
        self.faults.broken.is_empty()
    }

    /// Does this when the next sync of a file has done its work and has not yet returned.
    pub(crate) fn after_next_sync(&self, hook: Hook) {
        *self.hook.lock() = Some(hook);
    }

    pub(crate) fn forget_hook(&self) {
        *self.hook.lock() = None;
    }

    fn is_broken(&self) -> bool {
        self.faults.broken.iter().any(|span| span.contains(&self.operations()))
    }

    fn is_full(&self) -> bool {
        self.faults.full.contains(&self.operations())
    }

    /// Fails if the next operation is to.
    fn begin(&self, op: &'static str, path: &Path, grows: bool) -> FsResult<()> {
        if self.is_broken() {
            self.spend();
            return Err(FsError::new(op, path, ErrorKind::Other.into()));
        }
        if grows && self.is_full() {
            self.spend();
            return Err(FsError::new(op, path, ErrorKind::StorageFull.into()));
        }
        Ok(())
    }

    /// Lets an operation's number pass without doing anything.
    fn spend(&self) {
        let missing = self.fs.remove(Path::new("/never"));
        assert!(missing.is_err());
    }
}

impl FileSystem for Disk {
    fn open(&self, path: &Path, mode: OpenMode) -> FsResult<Arc<dyn File>> {
        if mode == OpenMode::CreateNew {
            self.begin("create", path, true)?;
        }
        let file = self.fs.open(path, mode)?;
        Ok(Arc::new(DiskFile { disk: self.clone(), file }))
    }
    fn rename(&self, from: &Path, to: &Path) -> FsResult<()> {
        self.begin("rename", from, false)?;
        self.fs.rename(from, to)
    }
    fn remove(&self, path: &Path) -> FsResult<()> {
        self.begin("remove", path, false)?;
        self.fs.remove(path)
    }
    fn hard_link(&self, from: &Path, to: &Path) -> FsResult<()> {
        self.begin("link", to, true)?;
        self.fs.hard_link(from, to)
    }
    fn list(&self, dir: &Path) -> FsResult<Vec<String>> {
        self.fs.list(dir)
    }
    fn create_dir_all(&self, dir: &Path) -> FsResult<()> {
        self.begin("create directory", dir, true)?;
        self.fs.create_dir_all(dir)
    }
    fn remove_dir(&self, dir: &Path) -> FsResult<()> {
        self.fs.remove_dir(dir)
    }
    fn exists(&self, path: &Path) -> FsResult<bool> {
        self.fs.exists(path)
    }
    fn sync_dir(&self, dir: &Path) -> FsResult<()> {
        self.begin("sync", dir, false)?;
        self.fs.sync_dir(dir)
    }
    fn lock(&self, path: &Path) -> FsResult<Option<Box<dyn FileLock>>> {
        self.fs.lock(path)
    }
    fn free_space(&self, dir: &Path) -> FsResult<u64> {
        self.fs.free_space(dir)
    }
    fn random(&self) -> u64 {
        self.fs.random()
    }
}

#[derive(Debug)]
struct DiskFile {
    disk: Disk,
    file: Arc<dyn File>,
}

impl DiskFile {
    fn sync(&self) -> FsResult<()> {
        if self.disk.is_broken() {
            // The bytes become clean, and are lost.
            self.file.lose_unsynced();
        }
        self.disk.begin("sync", self.path(), false)?;
        self.file.sync_data()?;
        let hook = self.disk.hook.lock().take();
        if let Some(hook) = hook {
            hook();
        }
        Ok(())
    }
}

impl File for DiskFile {
    fn path(&self) -> &Path {
        self.file.path()
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> FsResult<usize> {
        self.file.read_at(buffer, offset)
    }
    fn write_at(&self, data: &[u8], offset: u64) -> FsResult<()> {
        let grows = offset + data.len() as u64 > self.file.len()?;
        if self.disk.is_broken() || (grows && self.disk.is_full()) {
            // A short write, then the error.
            let kind =
                if self.disk.is_broken() { ErrorKind::Other } else { ErrorKind::StorageFull };
            self.file.write_at(&data[..data.len() / 2], offset)?;
            return Err(FsError::new("write", self.path(), kind.into()));
        }
        self.file.write_at(data, offset)
    }
    fn sync_data(&self) -> FsResult<()> {
        self.sync()
    }
    fn sync_all(&self) -> FsResult<()> {
        self.sync()
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
    fn lose_unsynced(&self) {
        self.file.lose_unsynced();
    }
}
