//! From a state to a file.

use super::dir::Temporary;
use super::file::SnapshotFile;
use super::format::{SnapshotReader, SnapshotWriter};
use crate::error::{Error, Result};
use crate::records::{LogIdOf, MembershipOf, MetaOf, SnapshotRecord, encode, key, put, read};
use crate::state::StateView;
use crate::store::Shared;
use crate::worker::Worker;
use nori_env::sync::Arc;
use nori_env::{File, OpenMode};
use nori_lsm::{Durability, WriteBatch};
use openraft::{
    ErrorSubject, ErrorVerb, RaftSnapshotBuilder, RaftTypeConfig, Snapshot, SnapshotMeta,
    StorageError,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What the first frame of a snapshot holds.
#[derive(Serialize, Deserialize, PartialEq, Eq, Debug)]
#[serde(bound = "")]
pub(super) struct Head<C: RaftTypeConfig> {
    pub(super) applied: Option<LogIdOf<C>>,
    pub(super) membership: MembershipOf<C>,
}

/// A state at one moment, to be written to a file while requests go on being applied: openraft's
/// [`RaftSnapshotBuilder`].
pub struct SnapshotBuilder<C: RaftTypeConfig> {
    shared: Arc<Shared<C>>,
    moment: nori_lsm::Snapshot,
}

impl<C: RaftTypeConfig> SnapshotBuilder<C> {
    pub(crate) fn new(shared: &Arc<Shared<C>>) -> SnapshotBuilder<C> {
        SnapshotBuilder { shared: Arc::clone(shared), moment: shared.store.snapshot() }
    }
}

impl<C: RaftTypeConfig> fmt::Debug for SnapshotBuilder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SnapshotBuilder").field("moment", &self.moment).finish()
    }
}

impl<C: RaftTypeConfig<SnapshotData = SnapshotFile>> RaftSnapshotBuilder<C> for SnapshotBuilder<C> {
    async fn build_snapshot(
        &mut self,
    ) -> std::result::Result<Snapshot<C>, StorageError<C::NodeId>> {
        let (shared, moment) = (Arc::clone(&self.shared), self.moment.clone());
        // A thread of its own: it may take long, and neither reads nor applies wait for it.
        let built = match Worker::new("raft-snapshot") {
            Ok(worker) => worker.run(move || shared.build(&moment)).await,
            Err(error) => Err(error),
        };
        built.map_err(|e| e.to_storage(ErrorSubject::Snapshot(None), ErrorVerb::Write))
    }
}

impl<C: RaftTypeConfig<SnapshotData = SnapshotFile>> Shared<C> {
    fn build(&self, moment: &nori_lsm::Snapshot) -> Result<Snapshot<C>> {
        let view = StateView::of(moment)?;
        let head = Head::<C> { applied: view.applied::<C>()?, membership: view.membership::<C>()? };
        let (temporary, file) = self.snapshots.create()?;
        let id = self.snapshots.fs.random();
        let first = encode("the meta of a snapshot", &head)?;
        let mut writer = SnapshotWriter::new(Arc::clone(&file), id, &first)?;
        for item in view.iter() {
            let (key, value) = item?;
            writer.entry(&key, &value)?;
        }
        let bytes = writer.end()?;
        let index = head.applied.as_ref().map_or(0, |applied| applied.index);
        let meta = SnapshotMeta {
            last_log_id: head.applied,
            last_membership: head.membership,
            snapshot_id: format!("{index}-{id:016x}"),
        };
        let snapshot = Box::new(SnapshotFile::finished(Arc::clone(&file), &self.read_thread)?);
        self.make_current(temporary, &*file, bytes, &meta)?;
        Ok(Snapshot { meta, snapshot })
    }

    /// Makes what was built the current snapshot, if none of a later log id was installed or built
    /// meanwhile.
    fn make_current(
        &self,
        temporary: Temporary,
        file: &dyn File,
        bytes: u64,
        meta: &MetaOf<C>,
    ) -> Result<()> {
        let _switching = self.switching.lock();
        let before = self.current_snapshot()?;
        if before.as_ref().is_some_and(|before| before.meta.last_log_id > meta.last_log_id) {
            return Ok(());
        }
        let number = temporary.publish(file)?;
        *self.verified.lock() = Some(number);
        let mut batch = WriteBatch::new();
        let record = SnapshotRecord::<C> { number, bytes, meta: meta.clone() };
        put(&mut batch, &self.state.meta, key::SNAPSHOT, &record)?;
        self.store.write_with(batch, Durability::Synced)?;
        if let Some(before) = before {
            self.snapshots.remove(before.number);
        }
        Ok(())
    }

    pub(super) fn current_snapshot(&self) -> Result<Option<SnapshotRecord<C>>> {
        read(&self.state.meta, key::SNAPSHOT)
    }

    /// The current snapshot. One that lay on the disk when the store was opened is read whole and
    /// checked first; if it is damaged or gone it is forgotten, since the state that it was made of
    /// is here, and openraft makes another when it needs one.
    pub(crate) fn open_current(&self) -> Result<Option<Snapshot<C>>> {
        let _switching = self.switching.lock();
        let Some(record) = self.current_snapshot()? else { return Ok(None) };
        match self.open_snapshot(&record) {
            Ok(file) => {
                *self.verified.lock() = Some(record.number);
                let snapshot = Box::new(SnapshotFile::finished(file, &self.read_thread)?);
                Ok(Some(Snapshot { meta: record.meta, snapshot }))
            }
            Err(Error::Corruption { .. }) => {
                let mut batch = WriteBatch::new();
                batch.delete_in(&self.state.meta, key::SNAPSHOT);
                self.store.write_with(batch, Durability::Synced)?;
                self.snapshots.remove(record.number);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn open_snapshot(&self, record: &SnapshotRecord<C>) -> Result<Arc<dyn File>> {
        let path = self.snapshots.path(record.number);
        let file = match self.snapshots.fs.open(&path, OpenMode::Read) {
            Err(error) if error.is_not_found() => {
                return Err(Error::corrupt(&path, 0, "a snapshot", "the file", "none"));
            }
            file => file?,
        };
        if *self.verified.lock() != Some(record.number) {
            let len = file.len()?;
            if len != record.bytes {
                return Err(Error::corrupt(&path, 0, "the length of it", record.bytes, len));
            }
            let (mut reader, _) = SnapshotReader::new(Arc::clone(&file))?;
            while reader.next_entries()?.is_some() {}
        }
        Ok(file)
    }
}
