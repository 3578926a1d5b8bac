//! Work of callers that others are told of.

use crate::checkpoint::CheckpointInfo;
use crate::error::Result;
use crate::events::{VizEvent, micros};
use crate::store::state::Store;
use std::path::Path;

impl Store {
    /// Makes a copy of the store in `dir`, and tells of its begin and end.
    pub(crate) fn told_checkpoint(
        &self,
        dir: &Path,
        copy: impl FnOnce() -> Result<CheckpointInfo>,
    ) -> Result<CheckpointInfo> {
        let named = || dir.display().to_string();
        self.events.emit(|| VizEvent::CheckpointStarted { dir: named() });
        let start = self.config.clock.now();
        let done = copy();
        self.events.emit(|| VizEvent::CheckpointEnded {
            dir: named(),
            sequence: done.as_ref().map_or(0, |info| info.sequence),
            bytes: done.as_ref().map_or(0, |info| info.bytes),
            elapsed_us: micros(self.config.clock.now().saturating_sub(start)),
            error: done.as_ref().err().map(ToString::to_string),
        });
        done
    }
}
