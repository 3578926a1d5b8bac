//! Three members on this machine, clients, and one fault after another.
//!
//! Afterwards all members hold the same, every acknowledged write is there, and the history of each
//! register has an order that explains it.

#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // A program on a real machine.

use nori_torture::{Disk, Kind};
use replicated_kv::cluster::faults::Fault;
use replicated_kv::cluster::load::Load;
use replicated_kv::cluster::members::Cluster;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Room on the disk that is filled.
const SMALL_DISK_BYTES: u64 = 256 << 20;
/// The member whose disk it is.
const SMALL_DISK_MEMBER: usize = 2;
/// Entries between snapshots: few, so that who comes back late needs one.
const SNAPSHOT_EVERY: u64 = 2_000;
const CLIENTS: usize = 6;

fn main() -> ExitCode {
    let seconds = std::env::args().nth(1).and_then(|seconds| seconds.parse().ok());
    // A twin: the test must find that stale reads are not linearizable.
    let is_stale = std::env::args().nth(2).as_deref() == Some("--stale-reads");
    let usage = "cluster-test SECONDS [--stale-reads]".to_string();
    match seconds.ok_or(usage).and_then(|seconds| test(seconds, is_stale)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn test(seconds: u64, is_stale: bool) -> Result<(), String> {
    let own = std::env::current_exe().map_err(|e| e.to_string())?;
    let program = own.with_file_name("replicated-kv");
    let dir = std::env::temp_dir().join(format!("nori-cluster-{}", std::process::id()));
    std::fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let small = Disk::new(Kind::Ext4, SMALL_DISK_BYTES, "");
    let small_dir = match &small {
        Ok(disk) => Some(disk.path().to_path_buf()),
        Err(why) => {
            println!("no disk is filled: {why}");
            None
        }
    };
    let result = run(seconds, is_stale, &program, &dir, small_dir);
    if result.is_err() {
        eprintln!("what the members said is in {}", dir.join("members.log").display());
    } else {
        let _ = std::fs::remove_dir_all(&dir);
    }
    result
}

fn run(
    seconds: u64,
    is_stale: bool,
    program: &std::path::Path,
    dir: &std::path::Path,
    small: Option<PathBuf>,
) -> Result<(), String> {
    let elsewhere: Vec<(usize, PathBuf)> =
        small.into_iter().map(|dir| (SMALL_DISK_MEMBER, dir)).collect();
    let small = elsewhere.first().map(|(member, _)| *member);
    let mut cluster = Cluster::start(program, dir, &elsewhere, SNAPSHOT_EVERY, 3)?;
    println!("members: {}", cluster.addresses().join(", "));
    let load = Load::start(&cluster.addresses(), CLIENTS, is_stale)?;
    let (begun, time) = (Instant::now(), Duration::from_secs(seconds));
    let mut faults: BTreeMap<Fault, u64> = BTreeMap::new();
    let possible = Fault::ALL.into_iter().filter(|f| *f != Fault::DiskFull || small.is_some());
    for fault in possible.cycle() {
        std::thread::sleep(Duration::from_secs(2));
        if begun.elapsed() >= time {
            break;
        }
        fault.inject(&mut cluster, small).map_err(|e| format!("{fault:?}: {e}"))?;
        *faults.entry(fault).or_default() += 1;
        let at = begun.elapsed().as_secs();
        println!("{at:>5} s  {fault:?} done; {:?}", load.tally());
    }
    cluster.leader()?;
    let (tally, acknowledged, histories, mut wrong) = load.stop();
    cluster.agree()?;
    let contents = (0..cluster.members.len()).map(|number| cluster.contents(number));
    let contents: Vec<Vec<String>> = contents.collect::<Result<_, _>>()?;
    for (number, other) in contents.iter().enumerate().skip(1) {
        if *other != contents[0] {
            wrong.push(format!("members 0 and {number} differ: {}", difference(&contents, number)));
        }
    }
    let held: BTreeMap<&str, &str> =
        contents[0].iter().filter_map(|line| line.split_once('\t')).collect();
    for (key, value) in &acknowledged {
        if held.get(key.as_str()) != Some(&value.to_string().as_str()) {
            wrong.push(format!("{key} = {value} was acknowledged: {:?}", held.get(key.as_str())));
        }
    }
    wrong.iter().take(20).for_each(|what| eprintln!("{what}"));
    println!(
        "cluster-test: {} s, {} writes acknowledged, {} reads, {} writes whose answer was lost, {} \
         refused; {} keys on each member; {histories} histories checked",
        begun.elapsed().as_secs(),
        tally.writes,
        tally.reads,
        tally.unknown,
        tally.refused,
        held.len()
    );
    println!("faults: {faults:?}; violations: {}", wrong.len());
    if wrong.is_empty() { Ok(()) } else { Err(format!("{} violations", wrong.len())) }
}

fn difference(contents: &[Vec<String>], number: usize) -> String {
    let (one, other) = (&contents[0], &contents[number]);
    let lacks = |a: &[String], b: &[String]| {
        let held: std::collections::BTreeSet<&String> = b.iter().collect();
        a.iter().find(|line| !held.contains(line)).cloned()
    };
    format!("only here {:?}, only there {:?}", lacks(one, other), lacks(other, one))
}
