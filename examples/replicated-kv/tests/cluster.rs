//! Three members as processes: what a client sees of them, and that a killed leader loses nothing.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::disallowed_types)]

use hyper::Method;
use replicated_kv::client::Client;
use replicated_kv::cluster::members::Cluster;
use std::path::Path;
use std::time::Duration;

fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

#[test]
fn three_members_serve_and_survive_their_leader() {
    let dir = nori_lsm::example_dir("cluster");
    std::fs::create_dir_all(&dir).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_replicated-kv"));
    let mut cluster = Cluster::start(program, &dir, &[], 50, 3).unwrap();
    let client = cluster.client(Duration::from_secs(20));
    wait(async {
        client.put(b"user:1", b"Ada").await.unwrap();
        client.put(b"user:2", b"Grace").await.unwrap();
        client.put(b"\xff/ ?", b"any\x00byte").await.unwrap();
        client.delete(b"user:2").await.unwrap();
        assert_eq!(client.get(b"user:1").await.unwrap().as_deref(), Some(&b"Ada"[..]));
        assert_eq!(client.get(b"user:2").await.unwrap(), None);
        assert_eq!(client.get(b"\xff/ ?").await.unwrap().as_deref(), Some(&b"any\x00byte"[..]));
        client.delete(b"\xff/ ?").await.unwrap();
        let lines = client.range(b"user:", b"user;", 10).await.unwrap();
        assert_eq!(&lines[..], b"user:1\tAda\n");
    });
    let leader = cluster.leader().unwrap();
    cluster.members[leader].kill();
    // The other two choose one of them, and go on.
    wait(async {
        for number in 0..200 {
            client.put(format!("key-{number:03}").as_bytes(), b"value").await.unwrap();
        }
        assert_eq!(client.get(b"user:1").await.unwrap().as_deref(), Some(&b"Ada"[..]));
    });
    cluster.restart(leader).unwrap();
    // A disk is lost: an empty member takes its place, and gets a snapshot.
    let other = (leader + 1) % 3;
    cluster.agree().unwrap();
    cluster.replace(other).unwrap();
    cluster.agree().unwrap();
    let contents: Vec<_> = (0..3).map(|member| cluster.contents(member).unwrap()).collect();
    assert_eq!(contents[0].len(), 201);
    assert!(contents.iter().all(|other| *other == contents[0]));
    told_of_itself(&client, &cluster);
    drop(cluster);
    std::fs::remove_dir_all(&dir).unwrap();
}

/// A member tells its store's numbers, and refuses what it does not understand.
fn told_of_itself(client: &Client, cluster: &Cluster) {
    let at = &cluster.addresses()[0];
    wait(async {
        let ask = |method, path, body: &[u8]| client.ask(method, at, path, body.to_vec());
        let (status, numbers) = ask(Method::GET, "/metrics", b"").await.unwrap();
        assert!(status.is_success());
        assert!(String::from_utf8_lossy(&numbers).contains("nori_"));
        for (path, body) in [
            ("/cluster/members", &b"none"[..]),
            ("/cluster/learner", b"{}"),
            ("/cluster/init", b"[]"),
            ("/raft/append", b"\xc1"),
            ("/raft/vote", b""),
            ("/raft/snapshot", b"\x00\x01"),
        ] {
            let (status, _) = ask(Method::POST, path, body).await.unwrap();
            assert!(status.is_client_error(), "{path}: {status}");
        }
        for path in ["/range?limit=no", "/kv/%zz", "/range?limit=99999999"] {
            let (status, _) = ask(Method::GET, path, b"").await.unwrap();
            assert!(status.is_client_error(), "{path}: {status}");
        }
    });
}
