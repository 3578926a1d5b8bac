//! The storage of one node: a nori store and a directory of snapshots.

use crate::error::{Error, Result};
use crate::log::Log;
use crate::log_store::LogStore;
use crate::machine::Applier;
use crate::options::RaftOptions;
use crate::records::{FORMAT, META, SnapshotRecord, key, put, read, state_name, state_number};
use crate::snapshot::{Arrivals, SnapshotDir, SnapshotFile};
use crate::state::{State, StateMachine, StateView};
use crate::worker::Worker;
use nori_env::sync::{Arc, Mutex};
use nori_lsm::{Durability, Keyspace, Lsm, WriteBatch};
use openraft::{Entry, RaftTypeConfig};
use std::fmt;
use std::path::Path;

/// What the handles of one storage share.
pub(crate) struct Shared<C: RaftTypeConfig> {
    pub(crate) store: Lsm,
    pub(crate) options: RaftOptions,
    pub(crate) log: Log<C>,
    pub(crate) state: State<C>,
    pub(crate) snapshots: Arc<SnapshotDir>,
    pub(crate) arrivals: Arrivals,
    /// Held while another snapshot becomes the current one.
    pub(crate) switching: Mutex<()>,
    /// The snapshot whose bytes were written or checked by this process.
    pub(crate) verified: Mutex<Option<u64>>,
    pub(crate) log_thread: Worker,
    pub(crate) state_thread: Worker,
    pub(crate) read_thread: Worker,
}

/// The storage of one raft node: log, vote, state and snapshots in one directory. A handle, cheap
/// to clone.
pub struct RaftStore<C: RaftTypeConfig, M> {
    shared: Arc<Shared<C>>,
    machine: Arc<M>,
}

impl<C, M> RaftStore<C, M>
where
    C: RaftTypeConfig<Entry = Entry<C>, SnapshotData = SnapshotFile>,
    M: StateMachine<C>,
{
    /// Opens the storage in a directory, and makes it where it is missing. What a crash left
    /// unfinished is removed.
    ///
    /// # Errors
    /// [`Error::Store`] with `Locked` if it is open elsewhere, with `Corruption` if bytes that were
    /// durable are damaged; [`Error::FormatTooNew`]; [`Error::Record`] if `C` is not what it was
    /// written with; [`Error::Io`], [`Error::DiskFull`].
    pub fn open(
        dir: impl AsRef<Path>,
        options: RaftOptions,
        machine: M,
    ) -> Result<RaftStore<C, M>> {
        let fs = Arc::clone(&options.file_system);
        let dir = fs.absolute(dir.as_ref())?;
        let config = options.store.clone().file_system(Arc::clone(&fs));
        let store = Lsm::open_with(dir.join("store"), config)?;
        let meta = store.keyspace(META)?;
        let number = begin(&store, &meta)?;
        for name in store.keyspaces() {
            if state_number(&name).is_some_and(|other| other != number) {
                store.drop_keyspace(&name)?;
            }
        }
        let current = read::<SnapshotRecord<C>>(&meta, key::SNAPSHOT)?;
        let kept = current.map(|record| record.number);
        let snapshots = Arc::new(SnapshotDir::open(&fs, &dir.join("snapshots"), kept)?);
        let shared = Shared {
            log: Log::open(&store, &options)?,
            state: State::open(&store, number)?,
            store,
            options,
            snapshots,
            arrivals: Arrivals::new(),
            switching: Mutex::new(()),
            verified: Mutex::new(None),
            log_thread: Worker::new("raft-log")?,
            state_thread: Worker::new("raft-state")?,
            read_thread: Worker::new("raft-read")?,
        };
        Ok(RaftStore { shared: Arc::new(shared), machine: Arc::new(machine) })
    }

    /// The log, for `Raft::new`.
    pub fn log(&self) -> LogStore<C> {
        LogStore::new(Arc::clone(&self.shared))
    }

    /// The state machine, for `Raft::new`.
    pub fn state_machine(&self) -> Applier<C, M> {
        Applier::new(Arc::clone(&self.shared), Arc::clone(&self.machine))
    }

    /// The state as it is now on this node. To read what the leader has acknowledged, ask
    /// `Raft::ensure_linearizable` first.
    ///
    /// # Errors
    /// [`Error::Store`] if the store is closed or cannot be read.
    pub fn view(&self) -> Result<StateView> {
        StateView::of(&self.shared.store.snapshot())
    }

    /// The nori store below, to watch it. Its keyspaces whose names begin with "raft-" are not to
    /// be written to.
    pub fn store(&self) -> &Lsm {
        &self.shared.store
    }

    /// Closes the storage for all its handles. Shut the `Raft` down first: its calls fail from now
    /// on. Without this it is closed with its last handle.
    ///
    /// # Errors
    /// [`Error::Store`] of the last writes; it is closed all the same.
    pub fn close(self) -> Result<()> {
        Ok(self.shared.store.clone().close()?)
    }
}

/// Reads which state is the current one; makes a first one in a new store.
fn begin(store: &Lsm, meta: &Keyspace) -> Result<u64> {
    if let Some(found) = read::<u64>(meta, key::FORMAT)? {
        if found > FORMAT {
            let what = "the format of a raft store".to_string();
            return Err(Error::FormatTooNew { what, found, supported: FORMAT });
        }
        let number = read(meta, key::STATE)?;
        let missing = Error::Record { what: key::STATE.into(), cause: "it is missing".into() };
        return number.ok_or(missing);
    }
    let first = 1;
    store.keyspace(&state_name(first))?;
    let mut batch = WriteBatch::new();
    put(&mut batch, meta, key::FORMAT, &FORMAT)?;
    put(&mut batch, meta, key::STATE, &first)?;
    store.write_with(batch, Durability::Synced)?;
    Ok(first)
}

impl<C: RaftTypeConfig, M> Clone for RaftStore<C, M> {
    fn clone(&self) -> RaftStore<C, M> {
        RaftStore { shared: Arc::clone(&self.shared), machine: Arc::clone(&self.machine) }
    }
}

impl<C: RaftTypeConfig, M> fmt::Debug for RaftStore<C, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RaftStore").field("store", &self.shared.store).finish()
    }
}
