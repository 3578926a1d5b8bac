//! A leader and a replica that follows it: seeded by a checkpoint, kept up to date by the change
//! feed, over a local socket, in processes of their own.
//!
//! Without arguments the program plays both: it starts a leader that writes and a follower that
//! has nothing, kills the leader in the middle with SIGKILL and starts it again, then the follower
//! likewise, and at the end compares the two stores key by key.

// A program of a user: its files and threads are the standard library's.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

mod follower;
mod leader;
mod wire;

use nori_lsm::{Lsm, Result as Stored};
use std::error::Error;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

type Failing<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> Failing {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["leader", dir, address, batches] => leader::run(dir.as_ref(), address, batches.parse()?),
        ["follower", dir, address] => follower::run(dir.as_ref(), address),
        [] => play(),
        _ => Err("replica [leader DIR ADDRESS BATCHES | follower DIR ADDRESS]".into()),
    }
}

/// Both parts, and what goes wrong between them.
fn play() -> Failing {
    let scratch = std::env::temp_dir().join(format!("nori-replica-{}", std::process::id()));
    let (first, second) = (scratch.join("leader"), scratch.join("follower"));
    // A port that is free now; nobody else on this machine is in a hurry for it.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();

    let mut leader = start(&["leader", path(&first)?, &address, "1000000"])?;
    wait_for_line(&mut leader, "serving")?;
    let mut follower = start(&["follower", path(&second)?, &address])?;
    wait_for_line(&mut follower, "seeded")?;
    std::thread::sleep(Duration::from_millis(200));
    kill(leader)?;
    println!("leader killed");

    let mut leader = start(&["leader", path(&first)?, &address, "1000000"])?;
    wait_for_line(&mut leader, "serving")?;
    std::thread::sleep(Duration::from_millis(200));
    kill(follower)?;
    println!("follower killed");
    std::thread::sleep(Duration::from_millis(50));
    kill(leader)?;

    // The last leader writes a little more and says so; the follower ends when it has all of it.
    let mut leader = start(&["leader", path(&first)?, &address, "100"])?;
    wait_for_line(&mut leader, "serving")?;
    let mut follower = start(&["follower", path(&second)?, &address])?;
    let caught_up = wait_for_line(&mut follower, "caught up")?;
    println!("follower {}", caught_up.trim());
    follower.wait()?;
    kill(leader)?;

    let (entries, keyspaces) = compare(&first, &second)?;
    println!("equal: {entries} entries in {keyspaces} keyspaces");
    assert!(entries > 100 && keyspaces > 1);
    Ok(std::fs::remove_dir_all(&scratch)?)
}

/// Every key of every keyspace, in both.
fn compare(first: &Path, second: &Path) -> Failing<(usize, usize)> {
    let (leader, follower) = (Lsm::open(first)?, Lsm::open(second)?);
    let mut names = follower.keyspaces();
    names.retain(|name| name != follower::OWN);
    assert_eq!(names, leader.keyspaces());
    let mut entries = 0;
    for name in &names {
        let one: Stored<Vec<_>> = leader.keyspace(name)?.iter().collect();
        let other: Stored<Vec<_>> = follower.keyspace(name)?.iter().collect();
        let one = one?;
        assert!(one == other?, "{name} differs");
        entries += one.len();
    }
    Ok((entries, names.len()))
}

fn start(arguments: &[&str]) -> Failing<Child> {
    let program = std::env::current_exe()?;
    Ok(Command::new(program).args(arguments).stdout(Stdio::piped()).spawn()?)
}

/// Reads what a child says until a line begins with `word`.
fn wait_for_line(child: &mut Child, word: &str) -> Failing<String> {
    let Some(said) = child.stdout.take() else { return Err("its output was taken".into()) };
    let mut said = BufReader::new(said);
    let mut line = String::new();
    while said.read_line(&mut line)? > 0 {
        if line.starts_with(word) {
            return Ok(line);
        }
        line.clear();
    }
    Err(format!("a child ended without {word:?}").into())
}

/// SIGKILL: the process writes nothing more.
fn kill(mut child: Child) -> Failing {
    child.kill()?;
    child.wait()?;
    Ok(())
}

fn path(path: &Path) -> Failing<&str> {
    path.to_str().ok_or_else(|| "a path that is no text".into())
}
