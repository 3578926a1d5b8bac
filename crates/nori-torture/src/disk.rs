//! A file system on a loop device: its power can be cut, and it can be really full.
//!
//! The image is a file in memory where the machine has such a place, so a cycle is fast; what
//! counts is the file system above it. A power cut is the ioctl that ext4, XFS and others have for
//! tests: from then on nothing reaches the device, and the journal is not written out. What was
//! not synced is lost when the file system is mounted again, unless it went out by itself before.
//!
//! 1. Mounts are made in a mount namespace of the calling thread (and of what it starts), so
//!    nobody else sees them, and the system undoes them when the thread has ended, however it ends.
//! 2. The image has no name once the loop device has it, and the device goes when its last user
//!    does: a killed test leaves an empty directory.
//! 3. Only root can do this, on Linux, with `losetup` and `mkfs`. Elsewhere [`Disk::new`] says
//!    why not.

/// A kind of file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// ext4.
    Ext4,
    /// XFS.
    Xfs,
}

impl Kind {
    /// The name that mounts use.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Ext4 => "ext4",
            Kind::Xfs => "xfs",
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod linux;

#[cfg(not(target_os = "linux"))]
pub use elsewhere::Disk;
#[cfg(target_os = "linux")]
pub use linux::Disk;
