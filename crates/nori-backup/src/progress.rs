//! How far a verb is, and how it is ended before its end.

use crate::error::{Error, Result};
use serde::Serialize;
use std::ops::ControlFlow;

/// How far a backup, a restore or a check is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Progress {
    /// Bytes that are copied or read.
    pub bytes_done: u64,
    /// Bytes in all.
    pub bytes: u64,
    /// Files that are copied or read.
    pub files_done: u64,
    /// Files in all.
    pub files: u64,
}

/// Who watches. `Break` ends the work with [`Error::Cancelled`].
pub(crate) type Watch<'a> = &'a mut dyn FnMut(&Progress) -> ControlFlow<()>;

/// Progress, and who is told of it.
pub(crate) struct Teller<'a> {
    progress: Progress,
    watch: Watch<'a>,
}

impl<'a> Teller<'a> {
    pub(crate) fn new(files: u64, bytes: u64, watch: Watch<'a>) -> Teller<'a> {
        Teller { progress: Progress { bytes, files, ..Progress::default() }, watch }
    }

    pub(crate) fn bytes(&mut self, bytes: u64) -> Result<()> {
        self.progress.bytes_done += bytes;
        self.tell()
    }

    pub(crate) fn file(&mut self) -> Result<()> {
        self.progress.files_done += 1;
        self.tell()
    }

    /// Something is not to be copied after all.
    pub(crate) fn spare(&mut self, bytes: u64) -> Result<()> {
        self.progress.bytes = self.progress.bytes.saturating_sub(bytes);
        self.file()
    }

    fn tell(&mut self) -> Result<()> {
        match (self.watch)(&self.progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Cancelled),
        }
    }
}
