//! A control group that bounds memory: that of a process and of the pages cached for its files.
//!
//! Only cgroup v2, of Linux. The group is made beside that of this process, or in it, wherever the
//! memory controller is handed on; it is removed at the end.

use crate::failure::Failure;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A group that exists until this is dropped.
pub(super) struct Group(PathBuf);

impl Group {
    /// A group of so many bytes.
    pub(super) fn new(bytes: u64) -> Result<Group, Failure> {
        let (root, own) = hierarchy()?;
        // A group with processes in it may not hand on controllers, so beside it comes first.
        let places = [own.parent(), Some(own.as_path())];
        let made = places
            .into_iter()
            .flatten()
            .filter(|place| place.starts_with(&root))
            .find_map(|place| make(place, bytes));
        made.ok_or_else(|| {
            Failure::usage(format!(
                "--memory-mb: no control group with a memory limit can be made at or beside {}; \
                 leave it out, or run all of it in a group: systemd-run --scope -p MemoryMax=...",
                own.display()
            ))
        })
    }

    /// A command of which the group's limit holds from its first step on.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("sh");
        command.arg("-c").arg("echo $$ > \"$0/cgroup.procs\" && exec \"$@\"");
        command.arg(&self.0).arg(program);
        command
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // An empty group that cannot be removed is no harm.
        let _ = fs::remove_dir(&self.0);
    }
}

/// Where cgroup v2 is mounted, and this process's group below it.
fn hierarchy() -> Result<(PathBuf, PathBuf), Failure> {
    let read = |path: &str| {
        fs::read_to_string(path).map_err(|e| Failure::io("reading", Path::new(path), &e))
    };
    let (mounts, own) = (read("/proc/mounts")?, read("/proc/self/cgroup")?);
    find(&mounts, &own).ok_or_else(|| {
        Failure::usage("--memory-mb needs cgroup v2, which is not mounted here; leave it out")
    })
}

fn find(mounts: &str, own: &str) -> Option<(PathBuf, PathBuf)> {
    let root = mounts.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        (fields.get(2) == Some(&"cgroup2")).then(|| fields.get(1).map(PathBuf::from))?
    })?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let own = if path.is_empty() { root.clone() } else { root.join(path) };
    Some((root, own))
}

/// Makes a group with a limit in another one, if that hands on the memory controller.
fn make(parent: &Path, bytes: u64) -> Option<Group> {
    let handed_on = fs::read_to_string(parent.join("cgroup.subtree_control")).ok()?;
    if !handed_on.split_whitespace().any(|name| name == "memory") {
        return None;
    }
    let group = Group(parent.join(format!("nori-bench-{}", std::process::id())));
    fs::create_dir(&group.0).ok()?;
    fs::write(group.0.join("memory.max"), bytes.to_string()).ok()?;
    Some(group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hierarchy_is_where_version_two_is_mounted() {
        let mounts = "cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n\
                      cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n";
        let found = find(mounts, "4:memory:/old\n0::/user.slice/a.scope\n").expect("mounted");
        let root = Path::new("/sys/fs/cgroup/unified");
        assert_eq!(found, (root.into(), root.join("user.slice/a.scope")));
        assert_eq!(find(mounts, "0::/\n").expect("mounted").1, root);
        assert!(find("tmpfs /tmp tmpfs rw 0 0\n", "0::/\n").is_none());
    }

    /// Plain files stand in for the kernel's.
    #[test]
    fn a_group_is_made_only_where_memory_is_handed_on() {
        let dir = std::env::temp_dir().join(format!("nori-group-{}", std::process::id()));
        fs::create_dir_all(&dir).expect("made");
        assert!(make(&dir, 1 << 20).is_none());
        fs::write(dir.join("cgroup.subtree_control"), "cpu io\n").expect("written");
        assert!(make(&dir, 1 << 20).is_none());
        fs::write(dir.join("cgroup.subtree_control"), "cpu memory\n").expect("written");
        let group = make(&dir, 1 << 20).expect("made");
        let limit = fs::read_to_string(group.0.join("memory.max")).expect("written");
        assert_eq!(limit, "1048576");
        // The process enters the group before it becomes the program.
        let ran = group.command(Path::new("true")).status().expect("starts");
        assert!(ran.success());
        let entered = fs::read_to_string(group.0.join("cgroup.procs")).expect("entered");
        assert!(entered.trim().parse::<u32>().is_ok(), "{entered}");
        fs::remove_dir_all(&dir).expect("removed");
    }
}
