//! The machine's own file system.
//!
//! Contract: as [`FileSystem`] says, on Unix systems. A sync is a real one (`fdatasync`, `fsync`,
//! on macOS `F_FULLFSYNC`), of files and of directories; nothing is retried after it failed.
//! Interrupted calls are repeated. All calls may come from any thread.
//!
//! 1. A directory that [`FileSystem::create_dir_all`] made is itself named on disk: each new
//!    name's parent is synced.
//! 2. A lock belongs to the open file, not to the process, so a second one in the same process
//!    is refused too, and the system frees it when the process ends however it ends.

use crate::{File, FileLock, FileSystem, FsError, FsResult, Mapping, OpenMode};
use std::fs;
use std::io;
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The machine's file system.
///
/// ```
/// use nori_env::{FileSystem, OpenMode, OsFs};
///
/// let dir = std::env::temp_dir().join(format!("nori-env-{}", std::process::id()));
/// OsFs.create_dir_all(&dir)?;
/// let file = OsFs.open(&dir.join("log"), OpenMode::CreateNew)?;
/// file.write_at(b"hello", 0)?;
/// file.sync_data()?;
/// OsFs.sync_dir(&dir)?; // the name is durable only now
/// # OsFs.remove(&dir.join("log"))?;
/// # OsFs.remove_dir(&dir)?;
/// # Ok::<(), nori_env::FsError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct OsFs;

fn told<T>(op: &'static str, path: &Path, result: io::Result<T>) -> FsResult<T> {
    result.map_err(|source| FsError::new(op, path, source))
}

impl FileSystem for OsFs {
    fn open(&self, path: &Path, mode: OpenMode) -> FsResult<Arc<dyn File>> {
        let mut options = fs::OpenOptions::new();
        // A pipe would wait for somebody at its other end; files know nothing of this flag.
        options.read(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
        let op = match mode {
            OpenMode::Read => "open",
            OpenMode::Write => {
                options.write(true);
                "open"
            }
            OpenMode::CreateNew => {
                options.write(true).create_new(true);
                "create"
            }
        };
        let file = told(op, path, options.open(path))?;
        // A directory opens for reading, and fails only when read.
        let kind = told(op, path, file.metadata())?.file_type();
        if kind.is_dir() {
            return told(op, path, Err(ErrorKind::IsADirectory.into()));
        }
        if kind.is_fifo() {
            return told(op, path, Err(io::Error::other("is a pipe")));
        }
        Ok(Arc::new(OsFile { file, path: path.to_path_buf() }))
    }

    fn rename(&self, from: &Path, to: &Path) -> FsResult<()> {
        // Across directories a rename needs two directory syncs, and is not atomic on disk.
        if from.parent() != to.parent() {
            return told("rename", from, Err(ErrorKind::CrossesDevices.into()));
        }
        told("rename", from, fs::rename(from, to))
    }

    fn remove(&self, path: &Path) -> FsResult<()> {
        told("remove", path, fs::remove_file(path))
    }

    fn hard_link(&self, from: &Path, to: &Path) -> FsResult<()> {
        told("link", to, fs::hard_link(from, to))
    }

    fn list(&self, dir: &Path) -> FsResult<Vec<String>> {
        let mut names = Vec::new();
        for entry in told("list", dir, fs::read_dir(dir))? {
            let name = told("list", dir, entry)?.file_name();
            names.extend(name.into_string().ok());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn create_dir_all(&self, dir: &Path) -> FsResult<()> {
        let mut missing = Vec::new();
        let mut at = dir;
        while !told("create directory", at, is_dir(at))? {
            missing.push(at);
            let Some(parent) = at.parent().filter(|p| !p.as_os_str().is_empty()) else { break };
            at = parent;
        }
        for dir in missing.iter().rev() {
            match fs::create_dir(dir) {
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                made => told("create directory", dir, made)?,
            }
            self.sync_dir(parent_of(dir))?;
        }
        if missing.is_empty() {
            // The name may be there only in memory, left by a process that was killed.
            match self.sync_dir(parent_of(dir)) {
                // It is there and the parent is not ours to read: nothing more can be done.
                Err(e) if e.source.kind() == ErrorKind::PermissionDenied => {}
                synced => synced?,
            }
        }
        Ok(())
    }

    fn remove_dir(&self, dir: &Path) -> FsResult<()> {
        told("remove directory", dir, fs::remove_dir(dir))
    }

    fn absolute(&self, path: &Path) -> FsResult<PathBuf> {
        told("find", path, std::path::absolute(or_here(path)))
    }

    fn exists(&self, path: &Path) -> FsResult<bool> {
        match fs::symlink_metadata(path) {
            Ok(_) => Ok(true),
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Ok(false)
            }
            Err(e) => told("look up", path, Err(e)),
        }
    }

    fn sync_dir(&self, dir: &Path) -> FsResult<()> {
        let open = told("sync directory", dir, fs::File::open(or_here(dir)))?;
        if !told("sync directory", dir, open.metadata())?.is_dir() {
            return told("sync directory", dir, Err(ErrorKind::NotADirectory.into()));
        }
        told("sync directory", dir, open.sync_all())
    }

    fn lock(&self, path: &Path) -> FsResult<Option<Box<dyn FileLock>>> {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = told("lock", path, options.open(path))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Box::new(OsLock { file }))),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(e)) => told("lock", path, Err(e)),
        }
    }

    fn free_space(&self, dir: &Path) -> FsResult<u64> {
        let stat = told("free space", dir, rustix::fs::statvfs(or_here(dir)).map_err(Into::into))?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    fn random(&self) -> u64 {
        os_random().unwrap_or_else(hashed_random)
    }
}

fn is_dir(path: &Path) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Ok(true),
        Ok(_) => Err(ErrorKind::NotADirectory.into()),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// The empty path is the current directory.
fn or_here(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

fn parent_of(dir: &Path) -> &Path {
    // The root is its own parent.
    dir.parent().map_or(dir, or_here)
}

#[cfg(target_os = "linux")]
fn os_random() -> Option<u64> {
    let mut bytes = [0; 8];
    // The first 256 bytes of one call are never cut short by a signal.
    let got = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()).ok()?;
    (got == bytes.len()).then_some(u64::from_le_bytes(bytes))
}

#[cfg(not(target_os = "linux"))]
fn os_random() -> Option<u64> {
    use std::io::Read;
    let mut bytes = [0; 8];
    fs::File::open("/dev/urandom").ok()?.read_exact(&mut bytes).ok()?;
    Some(u64::from_le_bytes(bytes))
}

/// Where the system gives no random bytes: std's hash keys, which it seeds as well as it can, and
/// what differs between processes and moments.
fn hashed_random() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    RandomState::new().hash_one((std::process::id(), since.map_or(0, |d| d.as_nanos())))
}

/// Held until dropped.
#[derive(Debug)]
struct OsLock {
    file: fs::File,
}

impl FileLock for OsLock {}

impl Drop for OsLock {
    fn drop(&mut self) {
        // Closing the file is not enough: a process that this one is just starting holds it too,
        // from its fork until it runs its program. If it fails, closing frees the lock then.
        let _ = self.file.unlock();
    }
}

#[derive(Debug)]
struct OsFile {
    file: fs::File,
    path: PathBuf,
}

impl OsFile {
    fn told<T>(&self, op: &'static str, result: io::Result<T>) -> FsResult<T> {
        told(op, &self.path, result)
    }
}

impl File for OsFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> FsResult<usize> {
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let at = u64::try_from(done).ok().and_then(|d| offset.checked_add(d));
            // No file reaches beyond what the system can address.
            let Some(at) = at.filter(|at| i64::try_from(*at).is_ok()) else { break };
            match self.file.read_at(rest, at) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return self.told("read", Err(e)),
            }
        }
        Ok(done)
    }

    fn write_at(&self, data: &[u8], offset: u64) -> FsResult<()> {
        self.told("write", self.file.write_all_at(data, offset))
    }

    fn sync_data(&self) -> FsResult<()> {
        self.told("sync", self.file.sync_data())
    }

    fn sync_all(&self) -> FsResult<()> {
        self.told("sync", self.file.sync_all())
    }

    fn truncate(&self, len: u64) -> FsResult<()> {
        self.told("truncate", self.file.set_len(len))
    }

    fn allocate(&self, len: u64) -> FsResult<()> {
        self.told("allocate", allocate(&self.file, len))
    }

    fn len(&self) -> FsResult<u64> {
        self.told("length", self.file.metadata().map(|m| m.len()))
    }

    fn map(&self) -> FsResult<Option<Mapping>> {
        self.told("map", Mapping::of(&self.file).map(Some))
    }
}

#[cfg(target_os = "linux")]
fn allocate(file: &fs::File, len: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;
    if len == 0 {
        return Ok(());
    }
    loop {
        match fallocate(file, FallocateFlags::KEEP_SIZE, 0, len) {
            Err(Errno::INTR) => {}
            // The file system cannot: there is no promise, and no harm.
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(()),
            done => return done.map_err(Into::into),
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn allocate(_file: &fs::File, _len: u64) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, not(any(nori_loom, nori_shuttle))))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_mapping_outlives_its_file() {
        let path = std::env::temp_dir().join(format!("nori-map-{}", std::process::id()));
        let file = OsFs.open(&path, OpenMode::CreateNew).unwrap();
        assert_eq!(&file.map().unwrap().unwrap()[..], b"", "an empty file");
        let bytes: Vec<u8> = (0..10_000).map(|i| i as u8).collect();
        file.write_at(&bytes, 0).unwrap();
        let mapping = file.map().unwrap().unwrap();
        drop(file);
        OsFs.remove(&path).unwrap();
        std::thread::spawn(move || assert_eq!(mapping[..], bytes)).join().unwrap();
    }

    /// As a process has it that another thread is just starting.
    #[test]
    fn a_lock_is_free_although_somebody_has_its_file() {
        let path = std::env::temp_dir().join(format!("nori-lock-{}", std::process::id()));
        let lock = OsFs.lock(&path).unwrap().unwrap();
        assert!(OsFs.lock(&path).unwrap().is_none(), "it is held");
        drop(lock);
        let file = fs::File::open(&path).unwrap();
        file.try_lock().unwrap();
        let lock = OsLock { file };
        let inherited = lock.file.try_clone().unwrap();
        drop(lock);
        assert!(OsFs.lock(&path).unwrap().is_some(), "it is free");
        drop(inherited);
        fs::remove_file(&path).unwrap();
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_recognised() {
        // This device accepts every write with "no space left".
        let file = OsFs.open(Path::new("/dev/full"), OpenMode::Write).unwrap();
        let error = file.write_at(b"x", 0).unwrap_err();
        assert!(error.is_full() && !error.is_not_found(), "{error}");
        assert!(error.to_string().starts_with("write /dev/full: "), "{error}");
    }

    #[test]
    fn relative_paths_have_parents_to_sync() {
        assert_eq!(parent_of(Path::new("store")), Path::new("."));
        assert_eq!(parent_of(Path::new("a/b")), Path::new("a"));
        assert_eq!(parent_of(Path::new("/")), Path::new("/"));
        OsFs.create_dir_all(Path::new("src")).unwrap();
        OsFs.sync_dir(Path::new("")).unwrap();
        assert!(OsFs.free_space(Path::new("")).unwrap() > 0);
    }

    #[test]
    fn paths_become_absolute_and_keep_their_links() {
        let here = std::env::current_dir().unwrap();
        assert_eq!(OsFs.absolute(Path::new("a/../b")).unwrap(), here.join("a/../b"));
        assert_eq!(OsFs.absolute(Path::new("")).unwrap(), here);
        assert_eq!(OsFs.absolute(Path::new("/a")).unwrap(), Path::new("/a"));
    }

    #[test]
    fn both_sources_of_random_numbers_vary() {
        let system: std::collections::BTreeSet<_> = (0..50).map(|_| os_random()).collect();
        assert!(system.len() == 50 && !system.contains(&None));
        let hashed: std::collections::BTreeSet<_> = (0..50).map(|_| hashed_random()).collect();
        assert_eq!(hashed.len(), 50);
    }

    #[test]
    fn a_lock_is_seen_by_other_openings_and_ends_with_its_holder() {
        let path = std::env::temp_dir().join(format!("nori-lock-{}", std::process::id()));
        let held = OsFs.lock(&path).unwrap().unwrap();
        let other = fs::File::open(&path).unwrap();
        assert!(matches!(other.try_lock(), Err(fs::TryLockError::WouldBlock)));
        drop(held);
        other.try_lock().unwrap();
        assert!(OsFs.lock(&path).unwrap().is_none());
        fs::remove_file(path).unwrap();
    }
}
