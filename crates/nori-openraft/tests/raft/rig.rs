//! A storage with small files, and reading all of it back.

use crate::truth::{Contents, Id, Truth, Types, Words};
use nori_env::{FileSystem, ManualClock, MemFs};
use nori_lsm::{Background, Config};
use nori_openraft::{Applier, LogStore, RaftOptions, RaftStore, Result, SnapshotFile};
use openraft::storage::{RaftLogStorage, RaftStateMachine};
use openraft::{Entry, RaftLogReader, Snapshot, StorageError};
use std::future::Future;
use std::sync::Arc;

pub(crate) const DIR: &str = "/raft";

pub(crate) type Answer<T> = std::result::Result<T, StorageError<u64>>;

pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

pub(crate) fn options(fs: &Arc<dyn FileSystem>) -> RaftOptions {
    let config = Config::default()
        .clock(Arc::new(ManualClock::default()))
        .background(Background::Manual)
        .memtable_bytes(4096)
        .table_bytes(2048)
        .block_bytes(256)
        .block_cache_bytes(0)
        .disk_reserve_bytes(Some(0));
    let options = RaftOptions::default().store(config).file_system(Arc::clone(fs));
    options.batch_bytes(150).read_bytes(300).removals(3)
}

/// An open storage.
pub(crate) struct Rig {
    pub(crate) fs: Arc<dyn FileSystem>,
    pub(crate) store: RaftStore<Types, Words>,
    pub(crate) log: LogStore<Types>,
    pub(crate) machine: Applier<Types, Words>,
}

impl Rig {
    pub(crate) fn open(fs: Arc<dyn FileSystem>) -> Result<Rig> {
        let store = RaftStore::open(DIR, options(&fs), Words)?;
        let (log, machine) = (store.log(), store.state_machine());
        Ok(Rig { fs, store, log, machine })
    }

    pub(crate) fn in_memory(seed: u64) -> (MemFs, Rig) {
        let disk = MemFs::new(seed);
        (disk.clone(), Rig::open(Arc::new(disk)).unwrap())
    }

    pub(crate) fn reopen(self) -> Rig {
        self.store.close().unwrap();
        Rig::open(self.fs).unwrap()
    }

    pub(crate) fn entries(&mut self) -> Vec<Entry<Types>> {
        wait(self.log.try_get_log_entries(..)).unwrap()
    }

    pub(crate) fn applied(&mut self) -> Option<Id> {
        wait(self.machine.applied_state()).unwrap().0
    }

    /// The state, which must be that of the log id that it says it is of.
    pub(crate) fn check_state(&mut self, truth: &mut Truth, told: &str) {
        let (applied, membership) = wait(self.machine.applied_state()).unwrap();
        let (state, members) = truth.before(next(applied)).clone();
        assert_eq!(membership, members, "{told}: the membership at {applied:?}");
        assert_eq!(contents(&self.store), state, "{told}: the state at {applied:?}");
        assert_eq!(self.store.view().unwrap().applied::<Types>().unwrap(), applied, "{told}");
        if let Some(applied) = applied {
            assert_eq!(applied, truth.id(applied.index), "{told}");
        }
    }

    /// The current snapshot, which must hold what was true at its log id; returns the id.
    pub(crate) fn check_snapshot(&mut self, truth: &mut Truth, told: &str) -> Option<Option<Id>> {
        let snapshot = wait(self.machine.get_current_snapshot()).unwrap()?;
        let last = snapshot.meta.last_log_id;
        let (_, mut other) = Rig::in_memory(9);
        other.take(snapshot).unwrap_or_else(|e| panic!("{told}: {e}"));
        assert_eq!(other.applied(), last, "{told}");
        other.check_state(truth, told);
        Some(last)
    }

    /// Receives a snapshot as from another node and installs it.
    pub(crate) fn take(&mut self, mut snapshot: Snapshot<Types>) -> Answer<()> {
        wait(async {
            let mut file = self.machine.begin_receiving_snapshot().await?;
            copy(&mut snapshot.snapshot, &mut file).await?;
            self.machine.install_snapshot(&snapshot.meta, file).await
        })
    }

    /// As `take`, with the purge that openraft asks for without waiting for the state machine.
    pub(crate) fn take_and_purge(&mut self, mut snapshot: Snapshot<Types>) -> Answer<()> {
        wait(async {
            let mut file = self.machine.begin_receiving_snapshot().await?;
            copy(&mut snapshot.snapshot, &mut file).await?;
            let purge = self.log.purge(snapshot.meta.last_log_id.unwrap());
            let install = self.machine.install_snapshot(&snapshot.meta, file);
            let (purged, installed) = tokio::join!(purge, install);
            installed.and(purged)
        })
    }
}

/// Copies a snapshot as a network would, in chunks.
async fn copy(from: &mut SnapshotFile, to: &mut SnapshotFile) -> Answer<()> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let told = |e: std::io::Error| openraft::StorageIOError::write(openraft::AnyError::new(&e));
    let mut chunk = [0; 100];
    loop {
        let read = from.read(&mut chunk).await.map_err(told)?;
        if read == 0 {
            return Ok(to.shutdown().await.map_err(told)?);
        }
        to.write_all(&chunk[..read]).await.map_err(told)?;
    }
}

pub(crate) fn next(last: Option<Id>) -> u64 {
    last.map_or(0, |last| last.index + 1)
}

pub(crate) fn contents(store: &RaftStore<Types, Words>) -> Contents {
    let view = store.view().unwrap();
    view.iter().map(|item| item.map(|(k, v)| (k.to_vec(), v.to_vec())).unwrap()).collect()
}

/// A snapshot of what was true before `next`, made by another node.
pub(crate) fn snapshot_of(truth: &mut Truth, next: u64) -> Snapshot<Types> {
    use openraft::RaftSnapshotBuilder;
    let (_, mut other) = Rig::in_memory(8);
    let entries = truth.entries(0..next);
    wait(other.machine.apply(entries)).unwrap();
    wait(async { other.machine.get_snapshot_builder().await.build_snapshot().await }).unwrap()
}

pub(crate) fn log_state(rig: &mut Rig) -> (Option<Id>, Option<Id>) {
    let state = wait(rig.log.get_log_state()).unwrap();
    (state.last_purged_log_id, state.last_log_id)
}
