//! The verbs that look at a store and change nothing in it.

use super::Lsm;
use crate::error::Result;
use crate::events::EventStream;
use crate::health::Health;
use crate::metrics::{
    Decision, DiskInfo, KeyspaceInfo, MemoryInfo, Metrics, PinInfo, PressureInfo, SlotInfo,
};

impl Lsm {
    /// Numbers about the store.
    pub fn metrics(&self) -> Metrics {
        self.handle().metrics()
    }

    /// All slots, by key.
    pub fn slots(&self) -> Vec<SlotInfo> {
        self.handle().slots(None)
    }

    /// The keyspaces one by one, by name; also a part of [`Lsm::metrics`].
    pub fn keyspace_metrics(&self) -> Vec<KeyspaceInfo> {
        self.handle().keyspace_infos()
    }

    /// The memory by use; also a part of [`Lsm::metrics`].
    pub fn memory(&self) -> MemoryInfo {
        self.handle().memory()
    }

    /// The files by use. Looks at each file of the store, so it takes its time: some microseconds a
    /// file.
    ///
    /// # Errors
    /// `Io` for a directory or a file that cannot be looked at; `Closed`.
    pub fn disk(&self) -> Result<DiskInfo> {
        self.handle().disk()
    }

    /// Who keeps what the store would let go of: the live snapshots, oldest first, then iterators,
    /// cursors and reads under way that began before a flush or a merge.
    pub fn pins(&self) -> Vec<PinInfo> {
        self.handle().pins()
    }

    /// How far background work is behind.
    pub fn pressure(&self) -> PressureInfo {
        self.handle().pressure()
    }

    /// Whether anything is wrong.
    pub fn health(&self) -> Health {
        self.handle().health_report()
    }

    /// What happens in the store from now on.
    pub fn events(&self) -> EventStream {
        self.handle().events.listen()
    }

    /// The last merges and why they were done, oldest first; at most 256 are remembered.
    pub fn decisions(&self, last: usize) -> Vec<Decision> {
        self.handle().brain.decisions(last)
    }
}
