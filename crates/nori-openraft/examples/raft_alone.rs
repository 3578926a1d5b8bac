//! nori-openraft by itself: a raft of one node that counts, is shut down, and counts on.

use nori_openraft::{RaftOptions, RaftStore, Result, SnapshotFile, StateBatch, StateMachine};
use openraft::error::{InstallSnapshotError, RPCError, RaftError, Unreachable};
use openraft::network::RPCOption;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
    VoteRequest, VoteResponse,
};
use openraft::{BasicNode, Config, Raft, RaftNetwork, RaftNetworkFactory};
use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

// ANCHOR: machine
openraft::declare_raft_types!(
    /// A request is a name, and the response how often it was counted.
    pub Types: D = String, R = u64, SnapshotData = SnapshotFile
);

struct Counter;

impl StateMachine<Types> for Counter {
    fn apply(&self, state: &mut StateBatch<'_>, name: String) -> Result<u64> {
        let count = count_of(state.get(&name)?.as_deref()) + 1;
        state.put(name, count.to_le_bytes());
        Ok(count)
    }

    fn blank(&self) -> u64 {
        0
    }
}
// ANCHOR_END: machine

fn count_of(value: Option<&[u8]>) -> u64 {
    value.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes)
}

/// One node has nobody to talk to.
struct Nobody;

type Sent<T, E = RaftError<u64>> = std::result::Result<T, RPCError<u64, BasicNode, E>>;

fn unreachable<E: Error>() -> RPCError<u64, BasicNode, E> {
    let gone = std::io::Error::from(std::io::ErrorKind::NotConnected);
    RPCError::Unreachable(Unreachable::new(&gone))
}

impl RaftNetworkFactory<Types> for Nobody {
    type Network = Nobody;

    async fn new_client(&mut self, _: u64, _: &BasicNode) -> Nobody {
        Nobody
    }
}

impl RaftNetwork<Types> for Nobody {
    async fn append_entries(
        &mut self,
        _: AppendEntriesRequest<Types>,
        _: RPCOption,
    ) -> Sent<AppendEntriesResponse<u64>> {
        Err(unreachable())
    }

    async fn install_snapshot(
        &mut self,
        _: InstallSnapshotRequest<Types>,
        _: RPCOption,
    ) -> Sent<InstallSnapshotResponse<u64>, RaftError<u64, InstallSnapshotError>> {
        Err(unreachable())
    }

    async fn vote(&mut self, _: VoteRequest<u64>, _: RPCOption) -> Sent<VoteResponse<u64>> {
        Err(unreachable())
    }
}

/// Starts a node, lets it count, and shuts it down.
async fn count(dir: &Path, names: &[&str]) -> std::result::Result<(), Box<dyn Error>> {
    // ANCHOR: node
    let store = RaftStore::<Types, Counter>::open(dir, RaftOptions::default(), Counter)?;
    let config = Arc::new(Config::default().validate()?);
    let raft = Raft::new(1, config, Nobody, store.log(), store.state_machine()).await?;
    // ANCHOR_END: node
    if !raft.is_initialized().await? {
        raft.initialize(BTreeSet::from([1])).await?;
    }
    raft.wait(None).current_leader(1, "it leads itself").await?;
    for name in names {
        let answer = raft.client_write((*name).to_string()).await?;
        println!("entry {}: {name} was counted {} times", answer.log_id.index, answer.data);
    }
    raft.ensure_linearizable().await?;
    for item in store.view()?.iter() {
        let (name, count) = item?;
        println!("  {}: {}", name.escape_ascii(), count_of(Some(&count)));
    }
    raft.shutdown().await?;
    Ok(store.close()?)
}

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let dir = nori_lsm::example_dir("raft-alone");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(async {
        count(&dir, &["apples", "pears", "apples"]).await?;
        println!("started again");
        count(&dir, &["pears", "apples"]).await
    })?;
    #[allow(clippy::disallowed_methods)] // An example tidies up behind itself.
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}
