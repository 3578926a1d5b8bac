//! What a store consists of.

use crate::budget::{Budget, Use};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::events::Events;
use crate::health::HealthBook;
use crate::keyspace::KeyspaceState;
use crate::metrics::{Counters, RecoveryReport, Timers};
use crate::plant::{Plant, planted};
use crate::store::brain::Brain;
use crate::store::callers::Callers;
use crate::store::commit::Commit;
use crate::store::commit_queue::CommitQueue;
use crate::store::edits::Change;
use crate::store::feed::Watchers;
use crate::store::jobs::Jobs;
use crate::store::merging::Merging;
use crate::store::options::table_options;
use crate::store::panics::caught;
use crate::store::places::Superseded;
use crate::store::pressure::Gauge;
use crate::store::signal::Signal;
use crate::super_version::{Pinned, SuperVersion};
use nori_compaction::Destination;
use nori_env::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use nori_env::sync::thread::JoinHandle;
use nori_env::sync::{Arc, Mutex};
use nori_env::{FileLock, FileSystem};
use nori_manifest::{Deferred, Manifest, Obsolete, Published, Reaper, Snapshots};
use nori_memtable::Visible;
use nori_sstable::TableCache;
use nori_types::{FileName, FileNumber, SeqNo};
use nori_wal::Wal;
use std::collections::HashMap;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A table is synced each time it has grown by so much, so that no sync of the log has to wait
/// for tens of MiB of a table on its way.
const TABLE_WRITE_BACK_BYTES: u64 = 8 << 20;

/// Where a store's files are.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    pub(crate) root: PathBuf,
    pub(crate) wal: PathBuf,
    pub(crate) sst: PathBuf,
    pub(crate) lost: PathBuf,
}

impl Paths {
    pub(crate) fn new(root: &Path) -> Paths {
        let sub = |name: &str| root.join(name);
        Paths { root: root.to_path_buf(), wal: sub("wal"), sst: sub("sst"), lost: sub("lost") }
    }

    pub(crate) fn table(&self, number: FileNumber) -> PathBuf {
        self.sst.join(FileName::Table(number).to_string())
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join(FileName::Lock.to_string())
    }

    pub(crate) fn heat(&self) -> PathBuf {
        self.root.join(FileName::Heat.to_string())
    }

    pub(crate) fn repairing(&self) -> PathBuf {
        self.root.join(FileName::Repairing.to_string())
    }

    pub(crate) fn current(&self) -> PathBuf {
        self.root.join(FileName::Current.to_string())
    }
}

/// The parts that only a store open for writing has.
pub(crate) struct Writer {
    pub(crate) wal: Wal,
    pub(crate) manifest: Mutex<Manifest>,
    pub(crate) lock: Mutex<Option<Box<dyn FileLock>>>,
}

/// Everything that handles, background threads and iterators share.
pub(crate) struct Store {
    pub(crate) config: Config,
    pub(crate) paths: Paths,
    pub(crate) fs: Arc<dyn FileSystem>,
    /// Differs for every store opened by this process.
    pub(crate) id: u64,
    /// `None`: opened read-only.
    pub(crate) writer: Option<Writer>,
    pub(crate) published: Published<Deferred<SuperVersion>>,
    /// V: every write at or below it is visible.
    pub(crate) visible: Visible,
    /// The last sequence number given; the commit leader's.
    pub(crate) assigned: AtomicU64,
    pub(crate) next_file: AtomicU64,
    pub(crate) queue: CommitQueue<Commit>,
    pub(crate) snapshots: Snapshots,
    pub(crate) tables: Arc<TableCache>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) obsolete: Obsolete,
    pub(crate) reaper: Reaper,
    pub(crate) flushing: Mutex<()>,
    pub(crate) jobs: Jobs,
    pub(crate) merging: Merging,
    /// Edits of the version on their way to the manifest.
    pub(crate) edits: CommitQueue<Change>,
    pub(crate) brain: Brain,
    pub(crate) gauge: Gauge,
    /// When what was learned was last written down.
    pub(crate) learned_at: Mutex<Duration>,
    pub(crate) signal: Signal,
    /// Signalled once: when the store is being closed.
    pub(crate) closing: Signal,
    /// Those who follow the store's changes.
    pub(crate) watchers: Watchers,
    /// The callers that work on files outside the commit queue.
    pub(crate) callers: Callers,
    pub(crate) keyspaces: Mutex<HashMap<String, Arc<KeyspaceState>>>,
    pub(crate) default: Arc<KeyspaceState>,
    pub(crate) closed: AtomicBool,
    /// Ends background threads and the jobs they run.
    pub(crate) cancelled: AtomicBool,
    /// Outputs of edits whose append failed: deleted once the manifest is settled.
    pub(crate) orphans: Mutex<Vec<FileNumber>>,
    pub(crate) synced_at: Mutex<Duration>,
    pub(crate) events: Events,
    pub(crate) counters: Counters,
    pub(crate) timers: Timers,
    /// What was current once and somebody may still hold; a leaf.
    pub(crate) superseded: Superseded,
    pub(crate) health: HealthBook,
    pub(crate) recovery: RecoveryReport,
}

impl Store {
    pub(crate) fn writer(&self) -> Result<&Writer> {
        self.writer.as_ref().ok_or(Error::ReadOnly)
    }

    pub(crate) fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) { Err(Error::Closed) } else { Ok(()) }
    }

    pub(crate) fn pin(&self) -> Pinned {
        self.published.load_full()
    }

    /// The stripes' ends for a flush or a job. Pin its input first.
    pub(crate) fn stripes(&self) -> Vec<SeqNo> {
        // With the highest number in its place nothing is above V.
        let without_v = planted(Plant::VNotASnapshot)
            || planted(Plant::DropLoggedFirst)
            || planted(Plant::FlushLooksFirst)
            || planted(Plant::MergeLooksFirst);
        self.snapshots.stripes(|| if without_v { SeqNo::MAX } else { self.visible.load() })
    }

    /// Runs a job that writes tables of about `table_bytes`; `cancellable` by closing the store.
    pub(crate) fn with_destination<T>(
        &self,
        cancellable: bool,
        table_bytes: u64,
        job: impl FnOnce(&Destination<'_>) -> nori_compaction::Result<T>,
    ) -> Result<T> {
        let numbers = || self.take_file_number();
        let table = table_options(&self.config);
        let dir = &self.paths.sst;
        let mut to = Destination::new(&*self.fs, dir, &numbers, &table, table_bytes);
        to.cancelled = cancellable.then_some(&self.cancelled);
        to.writeback_bytes = Some(TABLE_WRITE_BACK_BYTES);
        let _buffers = self.budget.charge(Use::Jobs, self.config.job_bytes(table_bytes));
        job(&to).map_err(Error::from)
    }

    /// The next file number; never given twice.
    pub(crate) fn take_file_number(&self) -> FileNumber {
        FileNumber(self.next_file.fetch_add(1, Ordering::Relaxed))
    }

    /// Installs what `derive` makes of the current super-version.
    pub(crate) fn install(&self, derive: impl Fn(&SuperVersion) -> SuperVersion) {
        self.published.update(|old| {
            self.superseded.note(old);
            self.reaper.defer(derive(old))
        });
        self.signal.wake();
    }

    /// Moves V from the number before a group to its last.
    pub(crate) fn publish(&self, before: SeqNo, last: SeqNo) {
        let moved = self.visible.publish(before, last);
        debug_assert!(moved, "V moves only by the commit leader, in order");
        self.tell_watchers();
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("path", &self.paths.root).finish_non_exhaustive()
    }
}

/// Keeps a store open: owned by handles, iterators, cursors and snapshots, not by its threads.
/// The last drop closes the store and waits until its threads have ended.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) store: Arc<Store>,
    pub(crate) threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Deref for Handle {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // Nobody is left to hear of an error; whoever cares calls `close`. A panic has been told by
        // its hook, and would abort the process if this drop is part of another's unwinding.
        let _ = caught(|| self.close());
    }
}
