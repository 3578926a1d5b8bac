//! The state machine as openraft wants it.
//!
//! Applying, installing and looking at the current snapshot go through one thread, in order.
//! Building has another for each snapshot.

use crate::error::Result;
use crate::records::{LogIdOf, MembershipOf, MetaOf};
use crate::snapshot::{SnapshotBuilder, SnapshotFile};
use crate::state::StateMachine;
use crate::store::Shared;
use nori_env::sync::Arc;
use openraft::storage::RaftStateMachine;
use openraft::{
    Entry, ErrorSubject, ErrorVerb, OptionalSend, RaftTypeConfig, Snapshot, StorageError,
};
use std::fmt;

type Stored<C, T> = std::result::Result<T, StorageError<<C as RaftTypeConfig>::NodeId>>;

/// Applies entries, builds and installs snapshots: openraft's [`RaftStateMachine`].
pub struct Applier<C: RaftTypeConfig, M> {
    shared: Arc<Shared<C>>,
    machine: Arc<M>,
}

impl<C: RaftTypeConfig, M> Applier<C, M> {
    pub(crate) fn new(shared: Arc<Shared<C>>, machine: Arc<M>) -> Applier<C, M> {
        Applier { shared, machine }
    }
}

impl<C: RaftTypeConfig, M> fmt::Debug for Applier<C, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Applier").field("store", &self.shared.store).finish()
    }
}

impl<C, M> RaftStateMachine<C> for Applier<C, M>
where
    C: RaftTypeConfig<Entry = Entry<C>, SnapshotData = SnapshotFile>,
    M: StateMachine<C>,
{
    type SnapshotBuilder = SnapshotBuilder<C>;

    async fn applied_state(&mut self) -> Stored<C, (Option<LogIdOf<C>>, MembershipOf<C>)> {
        let current = self.shared.state.current();
        Ok((current.applied, current.membership))
    }

    async fn apply<I>(&mut self, entries: I) -> Stored<C, Vec<C::R>>
    where
        I: IntoIterator<Item = Entry<C>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Entry<C>> = entries.into_iter().collect();
        let (shared, machine) = (Arc::clone(&self.shared), Arc::clone(&self.machine));
        let job = move || {
            let batch_bytes = shared.options.batch_bytes;
            shared.state.apply(&*machine, entries, batch_bytes)
        };
        let applied = self.shared.state_thread.run(job).await;
        applied.map_err(|e| e.to_storage(ErrorSubject::StateMachine, ErrorVerb::Write))
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotBuilder<C> {
        SnapshotBuilder::new(&self.shared)
    }

    async fn begin_receiving_snapshot(&mut self) -> Stored<C, Box<SnapshotFile>> {
        let shared = Arc::clone(&self.shared);
        let file = self.shared.state_thread.run(move || shared.receive()).await;
        file.map(Box::new).map_err(|e| e.to_storage(ErrorSubject::Snapshot(None), ErrorVerb::Write))
    }

    async fn install_snapshot(
        &mut self,
        meta: &MetaOf<C>,
        snapshot: Box<SnapshotFile>,
    ) -> Stored<C, ()> {
        let subject = ErrorSubject::Snapshot(Some(meta.signature()));
        let (shared, meta) = (Arc::clone(&self.shared), meta.clone());
        let installed: Result<()> = async {
            // Begun before the file's own ends: a purge that waits must not find none between them.
            let arrival = self.shared.arrivals.begin();
            let (file, temporary) = snapshot.into_parts().await?;
            let job = move || {
                let installed = shared.install(&meta, file, temporary);
                drop(arrival);
                installed
            };
            self.shared.state_thread.run(job).await
        }
        .await;
        installed.map_err(|e| e.to_storage(subject, ErrorVerb::Write))
    }

    async fn get_current_snapshot(&mut self) -> Stored<C, Option<Snapshot<C>>> {
        let shared = Arc::clone(&self.shared);
        let current = self.shared.state_thread.run(move || shared.open_current()).await;
        current.map_err(|e| e.to_storage(ErrorSubject::Snapshot(None), ErrorVerb::Read))
    }
}
