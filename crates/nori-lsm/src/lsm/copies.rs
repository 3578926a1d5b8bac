//! The verbs that copy a store.

use super::Lsm;
use crate::changes::Changes;
use crate::checkpoint::{CheckpointInfo, CheckpointProgress};
use crate::error::Result;
use nori_env::sync::Arc;
use std::ops::ControlFlow;
use std::path::Path;

impl Lsm {
    /// A copy of the store as it is now, in a directory that opens as a store: one moment over all
    /// keyspaces, durable when this returns. Tables are linked where they can be, so it costs
    /// little disk; writers go on meanwhile. A store that was opened to read is copied as it was
    /// then.
    ///
    /// # Errors
    /// `InvalidArgument` if `dir` exists and is not empty; those of writing files. Nothing of the
    /// copy is left then.
    pub fn checkpoint(&self, dir: impl AsRef<Path>) -> Result<CheckpointInfo> {
        self.checkpoint_with(dir, &mut |_| ControlFlow::Continue(()))
    }

    /// As [`Lsm::checkpoint`]; `watcher` is told of each file and of each MiB that is copied, and
    /// ends the work by `Break`.
    ///
    /// # Errors
    /// As [`Lsm::checkpoint`]; `Cancelled`.
    pub fn checkpoint_with(
        &self,
        dir: impl AsRef<Path>,
        watcher: &mut dyn FnMut(CheckpointProgress) -> ControlFlow<()>,
    ) -> Result<CheckpointInfo> {
        let (store, dir) = (self.handle(), dir.as_ref());
        store.told_checkpoint(dir, || store.checkpoint(dir, watcher))
    }

    /// All changes behind a sequence number, that of a [`CheckpointInfo`], a snapshot or a
    /// [`Change`](crate::Change), in the order in which they were committed, and then those to
    /// come. "Checkpoint and changes" makes a replica and keeps it up to date. Each change is
    /// durable before it is shown, for which the log is synced if need be. How far back the feed
    /// can begin is a matter of `wal_retention_bytes`. A sequence number of a snapshot is one to
    /// begin from only if it is durable: sync first, or a power cut may leave the follower ahead.
    ///
    /// # Errors
    /// `SeqNoTooOld` if the log does not reach back so far; `InvalidArgument` if the store has no
    /// such sequence number yet; `ReadOnly`, `Closed`; those of reading the log.
    pub fn changes(&self, from: u64) -> Result<Changes> {
        Changes::new(Arc::clone(&self.handle().store), from)
    }
}
