//! Open files and held locks of a [`MemFs`].

use super::names::{failed, told};
use super::tree::{Change, FileNode, Ino};
use super::{FILE_BYTES_MAX, MemFs, State};
use crate::sync::MutexGuard;
use crate::{File, FileLock, FsResult, OpenMode};
use std::io;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// An open file. Lives on when its name is removed.
#[derive(Debug)]
pub(super) struct MemFile {
    fs: MemFs,
    ino: Ino,
    path: PathBuf,
    writable: bool,
}

impl MemFile {
    /// A handle that the caller has counted already.
    pub(super) fn new(fs: MemFs, ino: Ino, path: &Path, mode: OpenMode) -> MemFile {
        MemFile { fs, ino, path: path.to_path_buf(), writable: mode != OpenMode::Read }
    }

    fn begin_write(&self, op: &'static str) -> FsResult<MutexGuard<'_, State>> {
        if !self.writable {
            return told(op, &self.path, failed(ErrorKind::PermissionDenied));
        }
        Ok(self.fs.begin())
    }

    fn sync(&self) -> FsResult<()> {
        let mut state = self.fs.begin();
        if state.tree.files.get(&self.ino).is_some_and(|f| !f.pending.is_empty()) {
            change(&mut state, self.ino, FileNode::sync);
        }
        Ok(())
    }
}

fn change(state: &mut State, ino: Ino, with: impl FnOnce(&mut FileNode)) {
    if let Some(file) = state.tree().file_mut(ino) {
        with(file);
    }
}

/// The end of a range as an index, if a simulated file may be that long.
fn end_of(offset: u64, len: usize) -> io::Result<usize> {
    let end = u64::try_from(len).ok().and_then(|len| offset.checked_add(len));
    match end.filter(|end| *end <= FILE_BYTES_MAX).and_then(|end| usize::try_from(end).ok()) {
        Some(end) => Ok(end),
        None => failed(ErrorKind::FileTooLarge),
    }
}

impl State {
    fn file(&self, ino: Ino) -> io::Result<&FileNode> {
        self.tree.files.get(&ino).map_or_else(|| failed(ErrorKind::NotFound), |f| Ok(&**f))
    }

    /// How far a file that is to reach `end` can: less if the disk fills up.
    fn reach(&self, ino: Ino, end: usize) -> io::Result<usize> {
        let held = self.file(ino)?.bytes_held();
        if self.capacity.is_none() || end <= held {
            return Ok(end);
        }
        let free = usize::try_from(self.free()).unwrap_or(usize::MAX);
        Ok(end.min(held.saturating_add(free)))
    }

    fn write(&mut self, ino: Ino, offset: u64, data: &[u8]) -> io::Result<()> {
        let end = end_of(offset, data.len())?;
        let (op, at) = (self.ops - 1, end - data.len());
        let fits = self.reach(ino, end)?.saturating_sub(at);
        // As on a real disk, what fits is written before the call fails.
        let part = data.get(..fits).unwrap_or(data);
        if !part.is_empty() {
            change(self, ino, |f| f.change(Change::Write { op, at, data: part.into() }));
        }
        if part.len() < data.len() { failed(ErrorKind::StorageFull) } else { Ok(()) }
    }

    fn resize(&mut self, ino: Ino, len: u64) -> io::Result<()> {
        let len = end_of(len, 0)?;
        if self.reach(ino, len)? < len {
            return failed(ErrorKind::StorageFull);
        }
        let op = self.ops - 1;
        change(self, ino, |f| {
            f.change(Change::Resize { op, len });
            f.reserved = f.reserved.min(len);
        });
        Ok(())
    }

    fn allocate(&mut self, ino: Ino, len: u64) -> io::Result<()> {
        let len = end_of(len, 0)?;
        if self.reach(ino, len)? < len {
            return failed(ErrorKind::StorageFull);
        }
        change(self, ino, |f| f.reserved = f.reserved.max(len));
        Ok(())
    }
}

impl File for MemFile {
    fn path(&self) -> &Path {
        &self.path
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> FsResult<usize> {
        let state = self.fs.inner.lock();
        let file = told("read", &self.path, state.file(self.ino))?;
        Ok(usize::try_from(offset).map_or(0, |at| file.view.read(at, buffer)))
    }

    fn write_at(&self, data: &[u8], offset: u64) -> FsResult<()> {
        let mut state = self.begin_write("write")?;
        told("write", &self.path, state.write(self.ino, offset, data))
    }

    fn sync_data(&self) -> FsResult<()> {
        self.sync()
    }

    fn sync_all(&self) -> FsResult<()> {
        self.sync()
    }

    fn truncate(&self, len: u64) -> FsResult<()> {
        let mut state = self.begin_write("truncate")?;
        told("truncate", &self.path, state.resize(self.ino, len))
    }

    fn allocate(&self, len: u64) -> FsResult<()> {
        let mut state = self.begin_write("allocate")?;
        told("allocate", &self.path, state.allocate(self.ino, len))
    }

    fn len(&self) -> FsResult<u64> {
        let state = self.fs.inner.lock();
        let file = told("length", &self.path, state.file(self.ino))?;
        Ok(u64::try_from(file.view.len()).unwrap_or(u64::MAX))
    }

    fn lose_unsynced(&self) {
        change(&mut self.fs.inner.lock(), self.ino, FileNode::lose_pending);
    }
}

impl Drop for MemFile {
    fn drop(&mut self) {
        close_handle(&mut self.fs.inner.lock(), self.ino);
    }
}

fn close_handle(state: &mut State, ino: Ino) {
    if let Some(count) = state.handles.get_mut(&ino) {
        *count -= 1;
        if *count == 0 {
            // A file without a name goes at the next sync of a directory.
            state.handles.remove(&ino);
        }
    }
}

/// A held lock.
#[derive(Debug)]
pub(super) struct MemLock {
    fs: MemFs,
    ino: Ino,
}

impl MemLock {
    /// A lock that the caller has entered already.
    pub(super) fn new(fs: MemFs, ino: Ino) -> MemLock {
        MemLock { fs, ino }
    }
}

impl FileLock for MemLock {}

impl Drop for MemLock {
    fn drop(&mut self) {
        let mut state = self.fs.inner.lock();
        state.locks.remove(&self.ino);
        close_handle(&mut state, self.ino);
    }
}
