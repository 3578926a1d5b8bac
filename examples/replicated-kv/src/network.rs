//! How members reach each other: three calls of openraft, each a POST.

use crate::app::TypeConfig;
use crate::wire::{Lost, Wire, pack, unpack};
use hyper::Method;
use openraft::error::{
    InstallSnapshotError, NetworkError, RPCError, RaftError, RemoteError, Unreachable,
};
use openraft::network::{RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
    VoteRequest, VoteResponse,
};
use openraft::{AnyError, BasicNode};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Connections to all members.
#[derive(Clone, Debug, Default)]
pub struct Network {
    wire: Wire,
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Peer;

    async fn new_client(&mut self, target: u64, node: &BasicNode) -> Peer {
        Peer { wire: self.wire.clone(), target, at: node.addr.clone() }
    }
}

/// The way to one member.
#[derive(Debug)]
pub struct Peer {
    wire: Wire,
    target: u64,
    at: String,
}

type Failed<E> = RPCError<u64, BasicNode, E>;

impl Peer {
    async fn call<Q, A, E>(&self, path: &str, what: &Q, how: &RPCOption) -> Result<A, Failed<E>>
    where
        Q: Serialize + Sync,
        A: DeserializeOwned,
        E: std::error::Error + DeserializeOwned,
    {
        let garbled = |why: String| Failed::Network(NetworkError::new(&AnyError::error(why)));
        let body = pack(what).map_err(garbled)?;
        let answer = self.wire.ask(Method::POST, &self.at, path, body, how.hard_ttl()).await;
        let (_, body) = answer.map_err(|lost| match lost {
            // A while passes before the next try.
            Lost::NoConnection(_) => Failed::Unreachable(Unreachable::new(&lost)),
            Lost::NoAnswer(..) => Failed::Network(NetworkError::new(&lost)),
        })?;
        let answer: Result<A, E> = unpack(&body).map_err(garbled)?;
        answer.map_err(|error| Failed::RemoteError(RemoteError::new(self.target, error)))
    }
}

impl RaftNetwork<TypeConfig> for Peer {
    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<u64>, Failed<RaftError<u64>>> {
        self.call("/raft/append", &rpc, &option).await
    }

    async fn install_snapshot(
        &mut self,
        rpc: InstallSnapshotRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<InstallSnapshotResponse<u64>, Failed<RaftError<u64, InstallSnapshotError>>> {
        self.call("/raft/snapshot", &rpc, &option).await
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<u64>,
        option: RPCOption,
    ) -> Result<VoteResponse<u64>, Failed<RaftError<u64>>> {
        self.call("/raft/vote", &rpc, &option).await
    }
}
