//! The processes of a cluster on this machine.
//!
//! 1. Whatever ends the test, no process outlives it: each is killed when its handle is dropped.
//! 2. A member that was wiped comes back under a new number, as a learner first. Under its old one
//!    it would have forgotten whom it voted for and what it acknowledged.

use crate::client::Client;
use hyper::{Method, StatusCode};
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// How long a cluster may take to agree, when all its members are well.
const AGREE_MAX: Duration = Duration::from_secs(60);

/// A member's process.
#[derive(Debug)]
pub struct Member {
    /// Its number.
    pub id: u64,
    /// Where it listens.
    pub at: String,
    /// Its directory.
    pub dir: PathBuf,
    process: Option<Child>,
}

impl Member {
    fn start(&mut self, program: &Path, logs: &Path, snapshot_every: u64) -> Result<(), String> {
        let told = |e: std::io::Error| format!("{}: {e}", program.display());
        let log = File::options().create(true).append(true).open(logs.join("members.log"));
        let log = log.map_err(told)?;
        let started = Command::new(program)
            .args(["serve", &self.id.to_string(), &self.at])
            .arg(&self.dir)
            .args(["--snapshot-every", &snapshot_every.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.process = Some(started.map_err(told)?);
        Ok(())
    }

    /// Ends it at once, as by `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Sends a signal that has no place in the standard library.
    pub fn signal(&self, name: &str) {
        if let Some(process) = &self.process {
            let _ = Command::new("kill").args([name, &process.id().to_string()]).status();
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Three members, and a client that speaks to them.
#[derive(Debug)]
pub struct Cluster {
    /// The members.
    pub members: Vec<Member>,
    program: PathBuf,
    dir: PathBuf,
    snapshot_every: u64,
    next_id: u64,
    runtime: Runtime,
}

impl Cluster {
    /// Starts members in directories below `dir`, but for those that are given one, and makes them
    /// a cluster.
    ///
    /// # Errors
    /// What keeps them from it, in one sentence.
    pub fn start(
        program: &Path,
        dir: &Path,
        elsewhere: &[(usize, PathBuf)],
        snapshot_every: u64,
        count: usize,
    ) -> Result<Cluster, String> {
        let runtime = Runtime::new().map_err(|e| e.to_string())?;
        let (program, dir) = (program.to_path_buf(), dir.to_path_buf());
        let next_id = count as u64 + 1;
        let mut cluster =
            Cluster { members: Vec::new(), program, dir, snapshot_every, next_id, runtime };
        for (number, at) in ports(count)?.into_iter().enumerate() {
            let id = number as u64 + 1;
            let own = elsewhere.iter().find(|(which, _)| *which == number);
            let own = own.map(|(_, dir)| dir.join("store"));
            let dir = own.unwrap_or_else(|| cluster.dir.join(format!("member-{id}")));
            cluster.members.push(Member { id, at, dir, process: None });
            cluster.restart(number)?;
        }
        let members: std::collections::BTreeMap<u64, &String> =
            cluster.members.iter().map(|member| (member.id, &member.at)).collect();
        let body = serde_json::to_vec(&members).map_err(|e| e.to_string())?;
        let first = cluster.members[0].at.clone();
        cluster.until("be made", || {
            let client = cluster.client(Duration::from_secs(2));
            let path = "/cluster/init";
            let asked = client.ask(Method::POST, &first, path, body.clone());
            let (status, said) = cluster.runtime.block_on(asked).ok()?;
            let is_made = status == StatusCode::OK
                || String::from_utf8_lossy(&said).contains("already initialized");
            is_made.then_some(())
        })?;
        cluster.leader()?;
        Ok(cluster)
    }

    /// A client of all members.
    pub fn client(&self, patience: Duration) -> Client {
        Client::new(self.addresses(), patience)
    }

    /// Where the members listen.
    pub fn addresses(&self) -> Vec<String> {
        self.members.iter().map(|member| member.at.clone()).collect()
    }

    /// Starts a member that does not run.
    ///
    /// # Errors
    /// What keeps it from starting.
    pub fn restart(&mut self, number: usize) -> Result<(), String> {
        let (program, dir) = (self.program.clone(), self.dir.clone());
        self.members[number].start(&program, &dir, self.snapshot_every)
    }

    /// Which member leads, as most of those that answer say.
    ///
    /// # Errors
    /// Says that none does for too long.
    pub fn leader(&self) -> Result<usize, String> {
        self.until("have a leader", || {
            let client = self.client(Duration::from_secs(1));
            let leaders = self.members.iter().filter_map(|member| {
                let state = self.runtime.block_on(state(&client, &member.at))?;
                (state["state"] == "Leader").then(|| state["current_term"].as_u64())?
            });
            // One that was cut off may think so too, in an older term.
            let newest = leaders.max()?;
            let leads = |member: &Member| {
                let state = self.runtime.block_on(state(&client, &member.at));
                state.is_some_and(|s| s["state"] == "Leader" && s["current_term"] == newest)
            };
            self.members.iter().position(leads)
        })
    }

    /// Lets a member's disk be lost: it leaves the cluster, and an empty one joins in its place.
    ///
    /// # Errors
    /// What the cluster refused, or that it took too long.
    pub fn replace(&mut self, number: usize) -> Result<(), String> {
        let stay: Vec<u64> = self.ids().filter(|id| *id != self.members[number].id).collect();
        self.ask("/cluster/members", serde_json::json!(stay))?;
        self.members[number].kill();
        let dir = self.members[number].dir.clone();
        fs::remove_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        self.members[number].id = self.next_id;
        self.next_id += 1;
        self.restart(number)?;
        let Member { id, at, .. } = &self.members[number];
        self.ask("/cluster/learner", serde_json::json!({ "id": id, "addr": at }))?;
        let all: Vec<u64> = self.ids().collect();
        self.ask("/cluster/members", serde_json::json!(all))
    }

    fn ids(&self) -> impl Iterator<Item = u64> + '_ {
        self.members.iter().map(|member| member.id)
    }

    /// Asks the leader until it has done it.
    fn ask(&self, path: &str, body: serde_json::Value) -> Result<(), String> {
        let body = serde_json::to_vec(&body).map_err(|e| e.to_string())?;
        self.until(&format!("do {path}"), || {
            let client = self.client(Duration::from_secs(20));
            let asked = client.lead(Method::POST, path, body.clone(), false);
            let (status, _) = self.runtime.block_on(asked).ok()?;
            status.is_success().then_some(())
        })
    }

    /// Waits until all members have applied what the leader has committed.
    ///
    /// # Errors
    /// Says that they have not for too long.
    pub fn agree(&self) -> Result<(), String> {
        self.until("agree", || {
            let client = self.client(Duration::from_secs(2));
            let states =
                self.members.iter().map(|member| self.runtime.block_on(state(&client, &member.at)));
            let states: Vec<serde_json::Value> = states.collect::<Option<_>>()?;
            let applied: Vec<_> = states.iter().map(|s| &s["last_applied"]["index"]).collect();
            let logged = states.iter().filter_map(|s| s["last_log_index"].as_u64()).max();
            let is_same = applied.iter().all(|index| index.as_u64() == logged);
            is_same.then_some(())
        })
    }

    /// All keys and values that one member has, as lines.
    ///
    /// # Errors
    /// What the member said.
    pub fn contents(&self, number: usize) -> Result<Vec<String>, String> {
        let (client, at) = (self.client(Duration::from_secs(20)), &self.members[number].at);
        let (mut lines, mut from) = (Vec::new(), String::new());
        loop {
            let path = format!("/range?stale=true&from={from}&limit=10000");
            let asked = client.ask(Method::GET, at, &path, Vec::new());
            let (status, body) = self.runtime.block_on(asked).map_err(|e| e.to_string())?;
            let body = String::from_utf8_lossy(&body).into_owned();
            if !status.is_success() {
                return Err(format!("{at}: {status}: {body}"));
            }
            let page: Vec<String> = body.lines().map(str::to_string).collect();
            let Some(last) = page.last() else { return Ok(lines) };
            let key = last.split_once('\t').map_or(last.as_str(), |(key, _)| key);
            // The keys of the test are letters, digits and dashes.
            from = format!("{key}%00");
            lines.extend(page);
        }
    }

    /// Asks again and again, until there is an answer.
    fn until<T>(&self, what: &str, mut ask: impl FnMut() -> Option<T>) -> Result<T, String> {
        let begun = Instant::now();
        while begun.elapsed() < AGREE_MAX {
            if let Some(answer) = ask() {
                return Ok(answer);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Err(format!("the cluster did not {what} within {AGREE_MAX:?}"))
    }
}

/// What a member says of itself.
async fn state(client: &Client, at: &str) -> Option<serde_json::Value> {
    let (_, body) = client.ask(Method::GET, at, "/cluster/state", Vec::new()).await.ok()?;
    serde_json::from_slice(&body).ok()
}

/// Addresses of this machine that nobody listens on.
fn ports(count: usize) -> Result<Vec<String>, String> {
    let listen = |_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let held: Result<Vec<TcpListener>, _> = (0..count).map(listen).collect();
    let held = held.map_err(|e| format!("a port of 127.0.0.1: {e}"))?;
    let at = held.iter().map(|listener| listener.local_addr().map(|at| at.to_string()));
    at.collect::<Result<_, _>>().map_err(|e| e.to_string())
}
