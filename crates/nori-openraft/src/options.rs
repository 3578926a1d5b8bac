//! How the storage of a node is set up.

use nori_env::sync::Arc;
use nori_env::{FileSystem, OsFs};
use nori_lsm::Config;

/// Options of a [`crate::RaftStore`]: `RaftOptions::default()` and a builder method for each.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RaftOptions {
    /// Options of the nori store. Its durability does not matter, since each write here says its
    /// own, and its file system is `file_system`.
    pub store: Config,
    /// Bytes of changes that applied entries put into one atomic batch, at the end of an entry.
    /// Default 1 MiB. Turn it down where memory is short and openraft applies many entries at once.
    pub batch_bytes: usize,
    /// Bytes of entries that are read for a follower at once; one entry always is. Default 4 MiB.
    /// Turn it down if sending entries takes longer than the followers' patience.
    pub read_bytes: usize,
    /// Entries that one batch of a purge or a truncation removes, at least 1. Default 4096. Turn it
    /// down if appends wait too long behind a purge.
    pub removals: u64,
    /// Where the store and the snapshots live. Default: the operating system's files.
    pub file_system: Arc<dyn FileSystem>,
}

impl Default for RaftOptions {
    fn default() -> RaftOptions {
        RaftOptions {
            store: Config::default(),
            batch_bytes: 1 << 20,
            read_bytes: 4 << 20,
            removals: 4096,
            file_system: Arc::new(OsFs),
        }
    }
}

impl RaftOptions {
    /// Sets [`RaftOptions::store`].
    #[must_use]
    pub fn store(mut self, store: Config) -> RaftOptions {
        self.store = store;
        self
    }

    /// Sets [`RaftOptions::batch_bytes`].
    #[must_use]
    pub fn batch_bytes(mut self, bytes: usize) -> RaftOptions {
        self.batch_bytes = bytes;
        self
    }

    /// Sets [`RaftOptions::read_bytes`].
    #[must_use]
    pub fn read_bytes(mut self, bytes: usize) -> RaftOptions {
        self.read_bytes = bytes;
        self
    }

    /// Sets [`RaftOptions::removals`].
    #[must_use]
    pub fn removals(mut self, entries: u64) -> RaftOptions {
        self.removals = entries.max(1);
        self
    }

    /// Sets [`RaftOptions::file_system`].
    #[must_use]
    pub fn file_system(mut self, file_system: Arc<dyn FileSystem>) -> RaftOptions {
        self.file_system = file_system;
        self
    }
}
