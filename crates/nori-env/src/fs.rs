//! The door to the disk.
//!
//! 1. What a call wrote is durable only after `sync_data` or `sync_all` on that file returned Ok.
//! 2. A created, renamed, linked or removed name is durable only after `sync_dir` on its
//!    directory returned Ok. Neither sync does the other's work.
//! 3. After a failed sync nothing is known about the bytes it should have covered, and a second
//!    sync that succeeds proves nothing about them.

use crate::mapping::Mapping;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;

/// Whole files are read in pieces of this length.
const PIECE_BYTES: usize = 1 << 20;

/// A failed call: what was being done, to which path, and what the system said.
#[derive(Debug, Error)]
#[error("{op} {}: {source}", path.display())]
pub struct FsError {
    /// The operation: "open", "write", "sync", ...
    pub op: &'static str,
    /// The file or directory.
    pub path: PathBuf,
    /// What the operating system said.
    #[source]
    pub source: io::Error,
}

/// The result of a file-system call.
pub type FsResult<T> = Result<T, FsError>;

impl FsError {
    /// A failed `op` on `path`.
    pub fn new(op: &'static str, path: impl AsRef<Path>, source: io::Error) -> FsError {
        FsError { op, path: path.as_ref().to_path_buf(), source }
    }

    /// Whether the file or directory does not exist.
    pub fn is_not_found(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }

    /// Whether the disk, or the user's share of it, is full.
    pub fn is_full(&self) -> bool {
        matches!(self.source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }
}

/// How [`FileSystem::open`] opens a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// An existing file, to read.
    Read,
    /// An existing file, to read and to write over.
    Write,
    /// A file that must not exist yet, to read and write.
    CreateNew,
}

/// A place where files live.
pub trait FileSystem: std::fmt::Debug + Send + Sync + 'static {
    /// Opens or creates a file. Never waits for another process, as opening a pipe would.
    fn open(&self, path: &Path, mode: OpenMode) -> FsResult<Arc<dyn File>>;
    /// Renames a file within one directory, replacing what had the new name. Atomic.
    fn rename(&self, from: &Path, to: &Path) -> FsResult<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> FsResult<()>;
    /// A second name for a file. The new name must not exist.
    fn hard_link(&self, from: &Path, to: &Path) -> FsResult<()>;
    /// The names in a directory, sorted; names that are not UTF-8 are left out.
    fn list(&self, dir: &Path) -> FsResult<Vec<String>>;
    /// Creates a directory and its parents, and makes their names durable. Ok if it exists.
    fn create_dir_all(&self, dir: &Path) -> FsResult<()>;
    /// Removes an empty directory.
    fn remove_dir(&self, dir: &Path) -> FsResult<()>;
    /// The path as it will still be right when the process has gone to another directory. For
    /// file systems without a current directory it is the path itself.
    fn absolute(&self, path: &Path) -> FsResult<PathBuf> {
        Ok(path.to_path_buf())
    }
    /// Whether a file or directory of this name exists.
    fn exists(&self, path: &Path) -> FsResult<bool>;
    /// Makes the names in a directory durable.
    fn sync_dir(&self, dir: &Path) -> FsResult<()>;
    /// Takes the lock file `path`, creating it; `Ok(None)` if another holder lives. Released
    /// when the lock is dropped or its process ends.
    fn lock(&self, path: &Path) -> FsResult<Option<Box<dyn FileLock>>>;
    /// Bytes that may still be written below `dir`.
    fn free_space(&self, dir: &Path) -> FsResult<u64>;
    /// A random number: salts and ids that must differ from those of every other store and of
    /// every earlier process. Simulated file systems derive it from their seed.
    fn random(&self) -> u64;
}

/// A held lock.
pub trait FileLock: std::fmt::Debug + Send + Sync {}

/// An open file. Calls may come from several threads; `read_at` and `write_at` do not move a
/// shared position.
pub trait File: std::fmt::Debug + Send + Sync {
    /// The path it was opened under, for messages.
    fn path(&self) -> &Path;
    /// Fills `buffer` from `offset`; returns how many bytes were read, fewer than asked for only
    /// at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> FsResult<usize>;
    /// Writes all of `data` at `offset`; the file grows, with zeros in a gap. After an error any
    /// part may have been written.
    fn write_at(&self, data: &[u8], offset: u64) -> FsResult<()>;
    /// Makes the bytes and the length durable.
    fn sync_data(&self) -> FsResult<()>;
    /// As `sync_data`, with all metadata.
    fn sync_all(&self) -> FsResult<()>;
    /// Cuts or zero-extends the file.
    fn truncate(&self, len: u64) -> FsResult<()>;
    /// Reserves disk space for `[0, len)` without changing the length, where the system can.
    fn allocate(&self, len: u64) -> FsResult<()>;
    /// The length in bytes.
    fn len(&self) -> FsResult<u64>;
    /// What a failed sync does on Linux: the unsynced bytes count as clean, stay readable while
    /// they are cached, and never reach the disk. For injectors of faults; a real file knows
    /// nothing of it.
    fn lose_unsynced(&self) {}
    /// All bytes of the file as memory; `Ok(None)` where this file system has no such thing.
    /// For files that nobody changes or shortens any more, however they are called: a page that
    /// the file has lost, or that the disk cannot give, ends the process when it is touched.
    fn map(&self) -> FsResult<Option<Mapping>> {
        Ok(None)
    }
    /// Whether the file has no bytes.
    fn is_empty(&self) -> FsResult<bool> {
        Ok(self.len()? == 0)
    }
    /// Fills all of `buffer`; the end of the file before that is `UnexpectedEof`.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> FsResult<()> {
        let wanted = buffer.len();
        let read = self.read_at(buffer, offset)?;
        if read == wanted {
            return Ok(());
        }
        Err(FsError::new("read", self.path(), io::ErrorKind::UnexpectedEof.into()))
    }
    /// All bytes of the file. Allocates no more than the file holds; one that memory cannot hold,
    /// such as a sparse file of a terabyte, is `OutOfMemory`.
    fn read_all(&self) -> FsResult<Vec<u8>> {
        let len = usize::try_from(self.len()?).unwrap_or(usize::MAX);
        let mut bytes: Vec<u8> = Vec::new();
        let reserved = bytes.try_reserve_exact(len);
        reserved.map_err(|e| {
            let source = io::Error::new(io::ErrorKind::OutOfMemory, e);
            FsError::new("read", self.path(), source)
        })?;
        while bytes.len() < len {
            let at = bytes.len();
            bytes.resize(len.min(at.saturating_add(PIECE_BYTES)), 0);
            let read = self.read_at(&mut bytes[at..], at as u64)?;
            if at + read < bytes.len() {
                // It has become shorter meanwhile.
                bytes.truncate(at + read);
                break;
            }
        }
        Ok(bytes)
    }
}
