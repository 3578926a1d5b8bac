//! Whole nodes of openraft: a cluster in one process, snapshots sent in chunks, power cuts.

use crate::rig::{DIR, contents, options};
use crate::truth::{Command, Contents, Types, Words};
use nori_env::{Cut, FileSystem, MemFs};
use nori_openraft::RaftStore;
use openraft::error::{InstallSnapshotError, RPCError, RaftError, RemoteError, Unreachable};
use openraft::network::RPCOption;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
    VoteRequest, VoteResponse,
};
use openraft::{BasicNode, Config, Raft, RaftNetwork, RaftNetworkFactory, SnapshotPolicy};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// All nodes that can be reached.
#[derive(Clone, Default)]
struct Net(Arc<Mutex<BTreeMap<u64, Raft<Types>>>>);

struct Link {
    net: Net,
    target: u64,
}

type Sent<T, E = RaftError<u64>> = Result<T, RPCError<u64, BasicNode, E>>;

impl RaftNetworkFactory<Types> for Net {
    type Network = Link;

    async fn new_client(&mut self, target: u64, _: &BasicNode) -> Link {
        Link { net: self.clone(), target }
    }
}

impl Link {
    fn node<E: std::error::Error>(&self) -> Sent<Raft<Types>, E> {
        let found = self.net.0.lock().unwrap().get(&self.target).cloned();
        let gone = std::io::Error::from(std::io::ErrorKind::NotConnected);
        found.ok_or_else(|| RPCError::Unreachable(Unreachable::new(&gone)))
    }
}

impl RaftNetwork<Types> for Link {
    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<Types>,
        _: RPCOption,
    ) -> Sent<AppendEntriesResponse<u64>> {
        let answer = self.node()?.append_entries(rpc).await;
        answer.map_err(|e| RemoteError::new(self.target, e).into())
    }

    async fn install_snapshot(
        &mut self,
        rpc: InstallSnapshotRequest<Types>,
        _: RPCOption,
    ) -> Sent<InstallSnapshotResponse<u64>, RaftError<u64, InstallSnapshotError>> {
        let answer = self.node()?.install_snapshot(rpc).await;
        answer.map_err(|e| RemoteError::new(self.target, e).into())
    }

    async fn vote(&mut self, rpc: VoteRequest<u64>, _: RPCOption) -> Sent<VoteResponse<u64>> {
        let answer = self.node()?.vote(rpc).await;
        answer.map_err(|e| RemoteError::new(self.target, e).into())
    }
}

struct Node {
    disk: MemFs,
    store: RaftStore<Types, Words>,
    raft: Raft<Types>,
}

async fn start(net: &Net, number: u64, disk: MemFs) -> Node {
    let config = Config {
        heartbeat_interval: 50,
        election_timeout_min: 200,
        election_timeout_max: 400,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(20),
        max_in_snapshot_log_to_keep: 5,
        snapshot_max_chunk_size: 64,
        ..Config::default()
    };
    let config = Arc::new(config.validate().unwrap());
    let fs: Arc<dyn FileSystem> = Arc::new(disk.clone());
    let store = RaftStore::open(DIR, options(&fs), Words).unwrap();
    let (log, machine) = (store.log(), store.state_machine());
    let raft = Raft::new(number, config, net.clone(), log, machine).await.unwrap();
    net.0.lock().unwrap().insert(number, raft.clone());
    Node { disk, store, raft }
}

/// Writes through whoever leads; returns its index when it is acknowledged.
async fn write(nodes: &BTreeMap<u64, Node>, key: String) -> u64 {
    for _ in 0..200 {
        for node in nodes.values() {
            let command = Command::Put(key.clone(), format!("value of {key}"));
            if let Ok(answer) = node.raft.client_write(command).await {
                return answer.log_id.index;
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{key} was never acknowledged");
}

/// Waits until all nodes have applied an entry.
async fn settle(nodes: &BTreeMap<u64, Node>, last: u64) {
    for node in nodes.values() {
        let wait = node.raft.wait(Some(Duration::from_secs(20)));
        let settled = wait.applied_index_at_least(Some(last), "settle").await;
        let state = node.raft.metrics().borrow().running_state.clone();
        settled.unwrap_or_else(|e| panic!("{e}: {state:?}"));
    }
}

#[test]
fn a_cluster_keeps_what_it_acknowledged_through_power_cuts_and_snapshots() {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(2).enable_time().build().unwrap().block_on(async {
        let (net, mut nodes, mut expected) = (Net::default(), BTreeMap::new(), Contents::new());
        for number in 1..=3 {
            nodes.insert(number, start(&net, number, MemFs::new(number)).await);
        }
        let one = nodes[&1].raft.clone();
        one.initialize(BTreeSet::from([1])).await.unwrap();
        one.wait(None).current_leader(1, "alone").await.unwrap();
        let mut round = 0;
        let mut some = async |nodes: &BTreeMap<u64, Node>, expected: &mut Contents| {
            let mut last = 0;
            for number in 0..35 {
                let key = format!("{round} {number}");
                last = write(nodes, key.clone()).await;
                expected.insert(key.clone().into(), format!("value of {key}").into());
            }
            round += 1;
            last
        };
        some(&nodes, &mut expected).await;
        // The log that the learners would need is purged, so a snapshot is sent.
        one.wait(None).metrics(|m| m.purged.is_some(), "purged").await.unwrap();
        for number in [2, 3] {
            one.add_learner(number, BasicNode::default(), true).await.unwrap();
            let wait = nodes[&number].raft.wait(Some(Duration::from_secs(20)));
            wait.metrics(|m| m.snapshot.is_some(), "a snapshot is sent").await.unwrap();
        }
        one.change_membership(BTreeSet::from([1, 2, 3]), false).await.unwrap();
        for cut in [Cut::SyncedOnly, Cut::TornLast, Cut::KillEvict] {
            some(&nodes, &mut expected).await;
            let leader = nodes[&1].raft.metrics().borrow().current_leader.unwrap_or(1);
            // The power fails at the leader, which comes back while the others go on.
            net.0.lock().unwrap().remove(&leader);
            let node = nodes.remove(&leader).unwrap();
            let disk = node.disk.crash(cut, leader);
            node.raft.shutdown().await.unwrap();
            drop(node);
            some(&nodes, &mut expected).await;
            nodes.insert(leader, start(&net, leader, disk).await);
            let last = some(&nodes, &mut expected).await;
            settle(&nodes, last).await;
            for (number, node) in &nodes {
                assert!(contents(&node.store) == expected, "{cut:?}: node {number}");
            }
        }
        for node in nodes.values() {
            node.raft.shutdown().await.unwrap();
        }
    });
}
