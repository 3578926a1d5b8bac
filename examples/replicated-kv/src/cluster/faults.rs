//! What is done to a cluster while clients write to it.

use super::members::Cluster;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The leader's process is ended by `kill -9` and started again.
    LeaderKilled,
    /// A follower's is.
    FollowerKilled,
    /// Those of all members are, at once.
    AllKilled,
    /// The disk of a follower is lost; an empty member joins in its place.
    DiskLost,
    /// The leader's process stands still for a while, as on a machine that is suspended.
    LeaderPaused,
    /// A follower's does.
    FollowerPaused,
    /// The disk of one member is full for a while.
    DiskFull,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Fault; 7] = [
        Fault::LeaderKilled,
        Fault::FollowerPaused,
        Fault::DiskLost,
        Fault::LeaderPaused,
        Fault::AllKilled,
        Fault::DiskFull,
        Fault::FollowerKilled,
    ];

    /// Does it, and undoes what it does.
    ///
    /// # Errors
    /// What did not come back.
    pub fn inject(self, cluster: &mut Cluster, small_disk: Option<usize>) -> Result<(), String> {
        let leader = cluster.leader()?;
        let follower = (leader + 1) % cluster.members.len();
        match self {
            Fault::LeaderKilled => kill(cluster, &[leader]),
            Fault::FollowerKilled => kill(cluster, &[follower]),
            Fault::AllKilled => kill(cluster, &(0..cluster.members.len()).collect::<Vec<_>>()),
            Fault::DiskLost => cluster.replace(follower),
            Fault::LeaderPaused => pause(cluster, leader),
            Fault::FollowerPaused => pause(cluster, follower),
            Fault::DiskFull => match small_disk {
                Some(member) => fill(cluster, member),
                None => Ok(()),
            },
        }
    }
}

fn kill(cluster: &mut Cluster, members: &[usize]) -> Result<(), String> {
    members.iter().for_each(|number| cluster.members[*number].kill());
    sleep(Duration::from_secs(2));
    members.iter().try_for_each(|number| cluster.restart(*number))
}

/// Longer than an election takes.
fn pause(cluster: &mut Cluster, member: usize) -> Result<(), String> {
    cluster.members[member].signal("-STOP");
    sleep(Duration::from_secs(4));
    cluster.members[member].signal("-CONT");
    Ok(())
}

/// Fills the disk below a member. openraft ends a member whose storage fails, so it is started
/// again when there is room.
fn fill(cluster: &mut Cluster, member: usize) -> Result<(), String> {
    let disk = cluster.members[member].dir.parent().map_or_else(PathBuf::new, PathBuf::from);
    let ballast = disk.join("ballast");
    let told = |e: std::io::Error| format!("{}: {e}", ballast.display());
    let mut file = File::create(&ballast).map_err(told)?;
    let piece = vec![0; 1 << 16];
    // Until there is no room.
    while file.write_all(&piece).is_ok() {}
    sleep(Duration::from_secs(4));
    drop(file);
    std::fs::remove_file(&ballast).map_err(told)?;
    cluster.members[member].kill();
    cluster.restart(member)
}
