//! A member: openraft over a nori store, and its HTTP.
//!
//! ```text
//! PUT, DELETE /kv/KEY         through the log; answered when a majority has it and it is applied
//! GET /kv/KEY                 linearizable: the leader asks a majority whether it still leads
//! GET /kv/KEY?stale=true      what this member has
//! GET /range?from&to&limit    as GET of a key; stale=true too
//! POST /cluster/init          BODY {"1": "ADDR", ...}: a cluster of these members, once
//! POST /cluster/learner       BODY {"id": 4, "addr": "ADDR"}: a member that only follows
//! POST /cluster/members       BODY [1, 2, 4]: who votes from now on
//! GET /cluster/state          role, term, log, membership
//! GET /metrics                numbers of the store, for Prometheus
//! POST /raft/...              what members say to each other
//! ```
//!
//! A member that does not lead answers 421 and names the leader it knows.

use crate::app::{Change, Raft, Storage, TypeConfig};
use crate::client::unescape;
use crate::network::Network;
use crate::wire::{pack, unpack};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State as Shared;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use nori_lsm::Lsm;
use openraft::error::{CheckIsLeaderError, ClientWriteError, ForwardToLeader, RaftError};
use openraft::raft::{AppendEntriesRequest, InstallSnapshotRequest, VoteRequest};
use openraft::{BasicNode, Config, SnapshotPolicy};
use serde::Deserialize;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

const KEY_FORM: &str = "a key is text in which %XX stands for any byte";

/// Keys that one answer may hold.
const RANGE_MAX: usize = 10_000;

/// How a member is set up.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Its number.
    pub id: u64,
    /// Its directory.
    pub dir: std::path::PathBuf,
    /// Entries between snapshots, of which as many stay in the log.
    pub snapshot_every: u64,
}

/// What a member's HTTP works on.
#[derive(Clone)]
pub struct Member {
    raft: Raft,
    storage: Storage,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

impl Member {
    /// Opens the member's store and starts its part of the cluster.
    ///
    /// # Errors
    /// What keeps the store from opening, or openraft from starting.
    pub async fn start(setup: &Setup) -> Result<Member, Failure> {
        let config = Config {
            cluster_name: "replicated-kv".to_string(),
            heartbeat_interval: 200,
            election_timeout_min: 800,
            election_timeout_max: 1600,
            snapshot_policy: SnapshotPolicy::LogsSinceLast(setup.snapshot_every),
            max_in_snapshot_log_to_keep: setup.snapshot_every,
            snapshot_max_chunk_size: 1 << 20,
            install_snapshot_timeout: 2_000,
            max_payload_entries: 1_000,
            ..Config::default()
        };
        let storage = crate::app::open(&setup.dir)?;
        let (log, machine) = (storage.log(), storage.state_machine());
        let config = Arc::new(config.validate()?);
        let raft = Raft::new(setup.id, config, Network::default(), log, machine).await?;
        Ok(Member { raft, storage })
    }

    /// The store below, for those who look at it.
    pub fn store(&self) -> &Lsm {
        self.storage.store()
    }

    /// Ends the member's part, then closes its store.
    ///
    /// # Errors
    /// What openraft or the store said.
    pub async fn stop(self) -> Result<(), Failure> {
        self.raft.shutdown().await?;
        Ok(self.storage.close()?)
    }

    /// The routes above.
    pub fn routes(self) -> Router {
        Router::new()
            .route("/kv/{key}", put(put_key).get(get_key).delete(delete_key))
            .route("/range", get(range))
            .route("/cluster/init", post(init))
            .route("/cluster/learner", post(learner))
            .route("/cluster/members", post(members))
            .route("/cluster/state", get(state))
            .route("/metrics", get(metrics))
            .route("/raft/append", post(append))
            .route("/raft/snapshot", post(snapshot))
            .route("/raft/vote", post(vote))
            .layer(axum::extract::DefaultBodyLimit::max(64 << 20))
            .with_state(self)
    }

    async fn change(&self, change: Change) -> Response {
        match self.raft.client_write(change).await {
            Ok(done) => (StatusCode::OK, format!("{}\n", done.log_id.index)).into_response(),
            Err(error) => failed(error),
        }
    }

    /// Waits until this member has all that was acknowledged before the call.
    /// `Some` says why it cannot.
    async fn catch_up(&self, is_stale: bool) -> Option<Response> {
        if is_stale {
            return None;
        }
        match self.raft.ensure_linearizable().await {
            Ok(_) => None,
            Err(RaftError::APIError(CheckIsLeaderError::ForwardToLeader(to))) => {
                Some(elsewhere(&to))
            }
            Err(error) => Some(unavailable(&error)),
        }
    }
}

fn elsewhere(to: &ForwardToLeader<u64, BasicNode>) -> Response {
    let leader = to.leader_node.as_ref().map(|node| &node.addr);
    (StatusCode::MISDIRECTED_REQUEST, json!({ "leader": leader }).to_string()).into_response()
}

fn unavailable(error: &dyn std::fmt::Display) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response()
}

fn wrong(what: impl std::fmt::Display) -> Response {
    (StatusCode::BAD_REQUEST, format!("{what}\n")).into_response()
}

fn failed(error: RaftError<u64, ClientWriteError<u64, BasicNode>>) -> Response {
    match error {
        RaftError::APIError(ClientWriteError::ForwardToLeader(to)) => elsewhere(&to),
        RaftError::APIError(ClientWriteError::ChangeMembershipError(error)) => wrong(error),
        error @ RaftError::Fatal(_) => unavailable(&error),
    }
}

/// The key in a path: any bytes, so the path is not taken for text.
fn key_of(uri: &Uri) -> Option<Vec<u8>> {
    uri.path().strip_prefix("/kv/").and_then(unescape)
}

/// The parameters behind a path.
fn query(uri: &Uri) -> BTreeMap<&str, Vec<u8>> {
    let pairs = uri.query().unwrap_or_default().split('&');
    let pairs = pairs.filter_map(|pair| pair.split_once('='));
    pairs.filter_map(|(name, value)| Some((name, unescape(value)?))).collect()
}

fn is_stale(query: &BTreeMap<&str, Vec<u8>>) -> bool {
    query.get("stale").is_some_and(|value| value == b"true")
}

async fn put_key(Shared(member): Shared<Member>, uri: Uri, value: Bytes) -> Response {
    match key_of(&uri) {
        Some(key) => member.change(Change::Put { key, value: value.to_vec() }).await,
        None => wrong(KEY_FORM),
    }
}

async fn delete_key(Shared(member): Shared<Member>, uri: Uri) -> Response {
    match key_of(&uri) {
        Some(key) => member.change(Change::Delete { key }).await,
        None => wrong(KEY_FORM),
    }
}

async fn get_key(Shared(member): Shared<Member>, uri: Uri) -> Response {
    let Some(key) = key_of(&uri) else { return wrong(KEY_FORM) };
    if let Some(refused) = member.catch_up(is_stale(&query(&uri))).await {
        return refused;
    }
    // Reads of a disk do not belong on the threads of the runtime.
    let storage = member.storage;
    let read = tokio::task::spawn_blocking(move || storage.view()?.get(&key)).await;
    match read {
        Ok(Ok(Some(value))) => (StatusCode::OK, value).into_response(),
        Ok(Ok(None)) => StatusCode::NOT_FOUND.into_response(),
        Ok(Err(error)) => unavailable(&error),
        Err(error) => unavailable(&error),
    }
}

async fn range(Shared(member): Shared<Member>, uri: Uri) -> Response {
    let query = query(&uri);
    let end = |name: &str| query.get(name).filter(|key| !key.is_empty()).cloned();
    let limit = query.get("limit").map_or(Some(RANGE_MAX), |limit| {
        std::str::from_utf8(limit).ok()?.parse().ok().filter(|limit| *limit <= RANGE_MAX)
    });
    let Some(limit) = limit else { return wrong(format!("limit is at most {RANGE_MAX}")) };
    if let Some(refused) = member.catch_up(is_stale(&query)).await {
        return refused;
    }
    let (from, to) = (end("from").unwrap_or_default(), end("to"));
    let to = to.map_or(Bound::Unbounded, Bound::Excluded);
    let read = move || {
        let mut lines = String::new();
        let view = member.storage.view()?;
        for item in view.range((Bound::Included(from), to)).take(limit) {
            let (key, value) = item?;
            lines.push_str(&format!("{}\t{}\n", key.escape_ascii(), value.escape_ascii()));
        }
        Ok::<String, Failure>(lines)
    };
    match tokio::task::spawn_blocking(read).await {
        Ok(Ok(lines)) => lines.into_response(),
        Ok(Err(error)) => unavailable(&error),
        Err(error) => unavailable(&error),
    }
}

async fn init(Shared(member): Shared<Member>, body: Bytes) -> Response {
    let Ok(members) = serde_json::from_slice::<BTreeMap<u64, String>>(&body) else {
        return wrong("name the members: {\"1\": \"127.0.0.1:7001\"}");
    };
    let members: BTreeMap<u64, BasicNode> =
        members.into_iter().map(|(id, addr)| (id, BasicNode { addr })).collect();
    match member.raft.initialize(members).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(error) => wrong(error),
    }
}

#[derive(Debug, Deserialize)]
struct Learner {
    id: u64,
    addr: String,
}

async fn learner(Shared(member): Shared<Member>, body: Bytes) -> Response {
    let Ok(Learner { id, addr }) = serde_json::from_slice(&body) else {
        return wrong("name the member: {\"id\": 4, \"addr\": \"127.0.0.1:7004\"}");
    };
    match member.raft.add_learner(id, BasicNode { addr }, true).await {
        Ok(done) => (StatusCode::OK, format!("{}\n", done.log_id.index)).into_response(),
        Err(error) => failed(error),
    }
}

async fn members(Shared(member): Shared<Member>, body: Bytes) -> Response {
    let Ok(members) = serde_json::from_slice::<BTreeSet<u64>>(&body) else {
        return wrong("name who votes: [1, 2, 3]");
    };
    match member.raft.change_membership(members, false).await {
        Ok(done) => (StatusCode::OK, format!("{}\n", done.log_id.index)).into_response(),
        Err(error) => failed(error),
    }
}

async fn state(Shared(member): Shared<Member>) -> Response {
    let metrics = member.raft.metrics().borrow().clone();
    match serde_json::to_string(&metrics) {
        Ok(text) => text.into_response(),
        Err(error) => unavailable(&error),
    }
}

async fn metrics(Shared(member): Shared<Member>) -> String {
    member.store().metrics().to_prometheus()
}

/// Answers a call of another member; what openraft says, success or not, is for that member.
fn answer<T: serde::Serialize>(result: &T) -> Response {
    match pack(result) {
        Ok(bytes) => bytes.into_response(),
        Err(error) => unavailable(&error),
    }
}

async fn append(Shared(member): Shared<Member>, body: Bytes) -> Response {
    match unpack::<AppendEntriesRequest<TypeConfig>>(&body) {
        Ok(call) => answer(&member.raft.append_entries(call).await),
        Err(error) => wrong(error),
    }
}

async fn snapshot(Shared(member): Shared<Member>, body: Bytes) -> Response {
    match unpack::<InstallSnapshotRequest<TypeConfig>>(&body) {
        Ok(call) => answer(&member.raft.install_snapshot(call).await),
        Err(error) => wrong(error),
    }
}

async fn vote(Shared(member): Shared<Member>, body: Bytes) -> Response {
    match unpack::<VoteRequest<u64>>(&body) {
        Ok(call) => answer(&member.raft.vote(call).await),
        Err(error) => wrong(error),
    }
}
