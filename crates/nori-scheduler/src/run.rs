//! What the scheduler knows of one sorted run.

/// One sorted run of a slot, as the scheduler sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunView {
    /// Bytes of its tables inside the slot.
    pub bytes: u64,
    /// Entries, tombstones among them.
    pub entries: u64,
    /// Entries that are tombstones.
    pub tombstones: u64,
    /// The flush it came from; for a merged run the newest flush in it.
    pub flush_seq: u64,
    /// 0: a fragment, the slot's share of a flush that is not merged yet. Else the slot's merged
    /// runs: 1 with budgets, the level or tier in the other modes.
    pub level: u8,
    /// No entry is newer than this.
    pub seq_max: u64,
}

impl RunView {
    /// Whether this is the slot's part of a flush.
    pub(crate) fn is_fragment(&self) -> bool {
        self.level == 0
    }

    /// Tombstones that nobody needs once a merge reaches the bottom.
    pub(crate) fn droppable(&self, oldest_reader: u64) -> u64 {
        if self.seq_max <= oldest_reader { self.tombstones.min(self.entries) } else { 0 }
    }
}

/// The sum of bytes.
pub(crate) fn bytes_of(runs: &[RunView]) -> u64 {
    runs.iter().fold(0, |sum, run| sum.saturating_add(run.bytes))
}

/// Where the oldest fragment stands. Fragments are newer than all merged runs.
pub(crate) fn first_fragment(runs: &[RunView]) -> Option<usize> {
    runs.iter().position(RunView::is_fragment)
}
