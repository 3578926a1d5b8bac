//! What replication costs: durable puts in one store, through a member alone, and through three.

#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // A program on a real machine.

use nori_lsm::Lsm;
use replicated_kv::client::Client;
use replicated_kv::cluster::members::Cluster;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const VALUE: [u8; 100] = [b'v'; 100];
/// Writers at once.
const CLIENTS: [usize; 3] = [1, 16, 64];

fn main() -> ExitCode {
    let seconds = std::env::args().nth(1).and_then(|seconds| seconds.parse().ok());
    let result = seconds.ok_or("cluster-bench SECONDS".to_string()).and_then(bench);
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(seconds: u64) -> Result<(), String> {
    let time = Duration::from_secs(seconds);
    let dir = std::env::temp_dir().join(format!("nori-cluster-bench-{}", std::process::id()));
    std::fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    println!("{seconds} s each; durable puts of 100 bytes; writers, puts/s, p50 ms, p99 ms");
    for writers in CLIENTS {
        told("one store, no raft", writers, time, embedded(&dir.join("store"), writers, time)?);
    }
    let own = std::env::current_exe().map_err(|e| e.to_string())?;
    let program = own.with_file_name("replicated-kv");
    for (name, members) in [("one member", 1), ("three members", 3)] {
        let dir = dir.join(format!("cluster-{members}"));
        std::fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        let cluster = Cluster::start(&program, &dir, &[], 1_000_000, members)?;
        for writers in CLIENTS {
            told(name, writers, time, replicated(&cluster.addresses(), writers, time)?);
        }
    }
    std::fs::remove_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))
}

/// Prints a line of what each put took.
fn told(name: &str, writers: usize, time: Duration, mut took: Vec<Duration>) {
    took.sort_unstable();
    let at = |percent: usize| {
        let at = took.len().saturating_sub(1) * percent / 100;
        took.get(at).map_or(0.0, |took| took.as_secs_f64() * 1e3)
    };
    let rate = took.len() as f64 / time.as_secs_f64();
    println!("{name:<20} {writers:>4} {rate:>9.0} {:>8.2} {:>8.2}", at(50), at(99));
}

fn embedded(dir: &Path, writers: usize, time: Duration) -> Result<Vec<Duration>, String> {
    // Without options a put is durable when it returns.
    let store = Lsm::open(dir).map_err(|e| e.to_string())?;
    let (begun, next) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let write = |_| {
        let (store, next) = (store.clone(), Arc::clone(&next));
        std::thread::spawn(move || {
            let mut took = Vec::new();
            while begun.elapsed() < time {
                let key = format!("key-{:012}", next.fetch_add(1, Ordering::Relaxed));
                let begin = Instant::now();
                store.put(key, VALUE).map_err(|e| e.to_string())?;
                took.push(begin.elapsed());
            }
            Ok::<_, String>(took)
        })
    };
    let threads: Vec<_> = (0..writers).map(write).collect();
    let mut all = Vec::new();
    for thread in threads {
        all.extend(thread.join().map_err(|_| "a writer panicked".to_string())??);
    }
    store.close().map_err(|e| e.to_string())?;
    Ok(all)
}

fn replicated(members: &[String], writers: usize, time: Duration) -> Result<Vec<Duration>, String> {
    let runtime = tokio::runtime::Runtime::new().map_err(|e| e.to_string())?;
    let (begun, next) = (Instant::now(), Arc::new(AtomicU64::new(0)));
    let tasks: Vec<_> = (0..writers)
        .map(|_| {
            let (members, next) = (members.to_vec(), Arc::clone(&next));
            runtime.spawn(async move {
                let client = Client::new(members, Duration::from_secs(10));
                let mut took = Vec::new();
                while begun.elapsed() < time {
                    let key = format!("key-{:012}", next.fetch_add(1, Ordering::Relaxed));
                    let begin = Instant::now();
                    client.put(key.as_bytes(), &VALUE).await.map_err(|e| e.to_string())?;
                    took.push(begin.elapsed());
                }
                Ok::<_, String>(took)
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(runtime.block_on(task).map_err(|e| e.to_string())??);
    }
    Ok(all)
}
