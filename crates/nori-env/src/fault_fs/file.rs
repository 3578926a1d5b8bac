//! An open file behind the rules.

use super::{Fault, FaultFs, Verdict, failed};
use crate::sync::Arc;
use crate::{File, FsOp, FsResult};
use std::path::Path;

#[derive(Debug)]
pub(super) struct FaultFile {
    fs: FaultFs,
    inner: Arc<dyn File>,
}

impl FaultFile {
    pub(super) fn new(fs: FaultFs, inner: Arc<dyn File>) -> FaultFile {
        FaultFile { fs, inner }
    }

    fn sync(&self, call: impl FnOnce() -> FsResult<()>) -> FsResult<()> {
        match self.fs.decide(FsOp::Sync, &[self.path()], &|| false) {
            Verdict::Pass | Verdict::FlipBit(_) => call(),
            Verdict::Fail(fault, error) => {
                if fault != Fault::Crash {
                    self.inner.lose_unsynced();
                }
                Err(failed(FsOp::Sync, &[self.path()], error))
            }
        }
    }

    /// Whether bytes up to `end` make the file longer. If it cannot say, it may.
    fn is_growth(&self, end: u64) -> bool {
        self.inner.len().map_or(true, |len| end > len)
    }

    fn resize(&self, op: FsOp, len: u64, call: impl FnOnce() -> FsResult<()>) -> FsResult<()> {
        match self.fs.decide(op, &[self.path()], &|| self.is_growth(len)) {
            Verdict::Pass | Verdict::FlipBit(_) => call(),
            Verdict::Fail(_, error) => Err(failed(op, &[self.path()], error)),
        }
    }
}

impl File for FaultFile {
    fn path(&self) -> &Path {
        self.inner.path()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> FsResult<usize> {
        match self.fs.decide(FsOp::Read, &[self.path()], &|| false) {
            Verdict::Pass => self.inner.read_at(buffer, offset),
            Verdict::Fail(_, error) => Err(failed(FsOp::Read, &[self.path()], error)),
            Verdict::FlipBit(mut rng) => {
                let read = self.inner.read_at(buffer, offset)?;
                let index = rng.index(read);
                if let Some(byte) = buffer.get_mut(..read).and_then(|b| b.get_mut(index)) {
                    *byte ^= 1 << rng.below(8);
                }
                Ok(read)
            }
        }
    }

    fn write_at(&self, data: &[u8], offset: u64) -> FsResult<()> {
        let end = offset.saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
        match self.fs.decide(FsOp::Write, &[self.path()], &|| self.is_growth(end)) {
            Verdict::Pass | Verdict::FlipBit(_) => self.inner.write_at(data, offset),
            Verdict::Fail(fault, error) => {
                if matches!(fault, Fault::ShortWrite | Fault::Enospc) {
                    let (first_half, _) = data.split_at(data.len() / 2);
                    self.inner.write_at(first_half, offset)?;
                }
                Err(failed(FsOp::Write, &[self.path()], error))
            }
        }
    }

    fn sync_data(&self) -> FsResult<()> {
        self.sync(|| self.inner.sync_data())
    }

    fn sync_all(&self) -> FsResult<()> {
        self.sync(|| self.inner.sync_all())
    }

    fn truncate(&self, len: u64) -> FsResult<()> {
        self.resize(FsOp::Truncate, len, || self.inner.truncate(len))
    }

    fn allocate(&self, len: u64) -> FsResult<()> {
        self.resize(FsOp::Allocate, len, || self.inner.allocate(len))
    }

    fn len(&self) -> FsResult<u64> {
        self.fs.run(FsOp::Length, &[self.path()], || self.inner.len())
    }

    fn lose_unsynced(&self) {
        self.inner.lose_unsynced();
    }
}
