//! An open file of a trace.

use super::TraceFs;
use super::state::{FileState, TraceEvent, fnv};
use crate::sync::Arc;
use crate::{File, FsOp, FsResult};
use std::path::Path;

#[derive(Debug)]
pub(super) struct TraceFile {
    fs: TraceFs,
    inner: Arc<dyn File>,
    id: u64,
}

impl TraceFile {
    pub(super) fn new(fs: TraceFs, inner: Arc<dyn File>, id: u64) -> TraceFile {
        TraceFile { fs, inner, id }
    }

    fn event(&self, op: FsOp, offset: u64, bytes: usize) -> TraceEvent {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        TraceEvent { offset, bytes, ..TraceEvent::new(op, self.path()) }
    }

    fn change(&self, with: impl FnOnce(&mut FileState)) {
        if let Some(file) = self.fs.locked().files.get_mut(&self.id) {
            with(file);
        }
    }

    /// A call that changes bytes, also if it fails: any part may have been written.
    fn write(&self, event: TraceEvent, call: impl FnOnce() -> FsResult<()>) -> FsResult<()> {
        let began = self.fs.locked().tick();
        self.change(|f| f.write_begins(began));
        let result = self.fs.run(event, call);
        let ended = self.fs.locked().tick();
        self.change(|f| f.write_ends(began, ended));
        result
    }

    fn sync(&self, call: impl FnOnce() -> FsResult<()>) -> FsResult<()> {
        let mut done = 0;
        let began = self.fs.locked().tick();
        self.change(|f| done = f.done_began());
        let result = self.fs.run(self.event(FsOp::Sync, 0, 0), call);
        match result {
            Ok(()) => self.change(|f| f.synced(began, done)),
            Err(_) => self.change(FileState::sync_failed),
        }
        result
    }
}

impl File for TraceFile {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> FsResult<usize> {
        let event = self.event(FsOp::Read, offset, buffer.len());
        self.fs.run(event, || self.inner.read_at(buffer, offset))
    }

    fn write_at(&self, data: &[u8], offset: u64) -> FsResult<()> {
        self.fs.check_record(self.path(), data);
        let event = self.event(FsOp::Write, offset, data.len());
        self.write(TraceEvent { content: fnv(0, data), ..event }, || {
            self.inner.write_at(data, offset)
        })
    }

    fn sync_data(&self) -> FsResult<()> {
        self.sync(|| self.inner.sync_data())
    }

    fn sync_all(&self) -> FsResult<()> {
        self.sync(|| self.inner.sync_all())
    }

    fn truncate(&self, len: u64) -> FsResult<()> {
        self.write(self.event(FsOp::Truncate, len, 0), || self.inner.truncate(len))?;
        if len == 0 {
            self.change(FileState::emptied);
        }
        Ok(())
    }

    fn allocate(&self, len: u64) -> FsResult<()> {
        self.fs.run(self.event(FsOp::Allocate, len, 0), || self.inner.allocate(len))
    }

    fn len(&self) -> FsResult<u64> {
        self.fs.run(self.event(FsOp::Length, 0, 0), || self.inner.len())
    }

    fn lose_unsynced(&self) {
        self.change(FileState::sync_failed);
        self.inner.lose_unsynced();
    }
}
