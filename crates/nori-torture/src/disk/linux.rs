//! Loop devices, mounts and the shutdown ioctl of Linux.

// The ioctl has no safe wrapper, nor has leaving the mount namespace.
#![allow(unsafe_code)]

use super::Kind;
use crate::files::fast_dir;
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_change, unmount,
};
use rustix::thread::UnshareFlags;
use std::ffi::{CStr, CString};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// `FS_IOC_SHUTDOWN`: `_IOR('X', 125, __u32)`.
const SHUTDOWN: rustix::ioctl::Opcode = 0x8004_587d;
/// Its flag: what is in the journal is not written out first.
const NO_LOG_FLUSH: u32 = 2;

/// How long a mount may be busy with what its last users left to do.
const BUSY_MAX: Duration = Duration::from_secs(10);

/// A mounted file system of its own. Unmounted on drop.
#[derive(Debug)]
pub struct Disk {
    kind: Kind,
    options: CString,
    device: PathBuf,
    /// Keeps the loop device (invariant 2).
    _open: File,
    at: PathBuf,
    is_mounted: bool,
}

impl Disk {
    /// Makes a file system of `bytes` and mounts it with `options` (as of `mount -o`) on a new
    /// directory, for the calling thread and what it starts.
    ///
    /// # Errors
    /// Why this cannot be done here, in a few words.
    pub fn new(kind: Kind, bytes: u64, options: &str) -> Result<Disk, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("not root".to_owned());
        }
        private_mounts()?;
        let at = new_dir()?;
        let made = Disk::make(kind, bytes, options, &at);
        if made.is_err() {
            fs::remove_dir(&at).ok();
        }
        made
    }

    fn make(kind: Kind, bytes: u64, options: &str, at: &Path) -> Result<Disk, String> {
        let image = Image::new(fast_dir().join(name_of(at)), bytes)?;
        let quiet = match kind {
            Kind::Ext4 => ["-q", "-F"],
            Kind::Xfs => ["-q", "-f"],
        };
        let tool = format!("mkfs.{}", kind.name());
        run(Command::new(&tool).args(quiet).arg(&image.0))?;
        let device = run(Command::new("losetup").args(["--find", "--show"]).arg(&image.0))?;
        let device = PathBuf::from(device.trim());
        let open = File::open(&device);
        // While it is open the device only learns that it goes with its last user.
        run(Command::new("losetup").arg("--detach").arg(&device))?;
        let open = open.map_err(|e| format!("{}: {e}", device.display()))?;
        let options = CString::new(options).map_err(|e| format!("mount options: {e}"))?;
        let at = at.to_path_buf();
        let mut disk = Disk { kind, options, device, _open: open, at, is_mounted: false };
        disk.mount()?;
        Ok(disk)
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.at
    }

    /// Cuts the power: nothing reaches the device any more.
    ///
    /// # Errors
    /// If this file system cannot do that.
    pub fn cut(&self) -> Result<(), String> {
        let root = File::open(&self.at).map_err(|e| format!("{}: {e}", self.at.display()))?;
        // SAFETY: the opcode reads one u32, which lives until the call is over, and changes
        // nothing in this process.
        let cut = unsafe {
            let request = rustix::ioctl::Setter::<SHUTDOWN, u32>::new(NO_LOG_FLUSH);
            rustix::ioctl::ioctl(&root, request)
        };
        cut.map_err(|e| format!("shutdown of {}: {e}", self.kind.name()))
    }

    /// Unmounts it and mounts it again, after which it shows what the device holds.
    ///
    /// # Errors
    /// What the system said.
    pub fn remount(&mut self) -> Result<(), String> {
        let busy = Instant::now();
        loop {
            match unmount(&self.at, UnmountFlags::empty()) {
                Ok(()) => break,
                // A killed process may still hold a file for a moment.
                Err(Errno::BUSY) if busy.elapsed() < BUSY_MAX => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(e) => return Err(format!("unmount {}: {e}", self.at.display())),
            }
        }
        self.is_mounted = false;
        self.mount()
    }

    fn mount(&mut self) -> Result<(), String> {
        let options: &CStr = &self.options;
        mount(&self.device, &self.at, self.kind.name(), MountFlags::empty(), Some(options))
            .map_err(|e| format!("mount {} as {}: {e}", self.device.display(), self.kind.name()))?;
        self.is_mounted = true;
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.is_mounted {
            // Whoever still has a file open keeps it; the name is free at once.
            unmount(&self.at, UnmountFlags::DETACH).ok();
        }
        fs::remove_dir(&self.at).ok();
    }
}

/// A file of zeros without blocks; its name goes on drop.
struct Image(PathBuf);

impl Image {
    fn new(path: PathBuf, bytes: u64) -> Result<Image, String> {
        let made = File::create_new(&path).and_then(|file| file.set_len(bytes));
        made.map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Image(path))
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        fs::remove_file(&self.0).ok();
    }
}

/// Gives the calling thread its own mounts (invariant 1).
fn private_mounts() -> Result<(), String> {
    // SAFETY: unsharing the mounts and the working directory of this thread leaves file
    // descriptors, which others may rely on, as they are.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNS) }
        .map_err(|e| format!("no mount namespace: {e}"))?;
    let change = MountPropagationFlags::REC | MountPropagationFlags::PRIVATE;
    mount_change("/", change).map_err(|e| format!("no private mounts: {e}"))
}

fn new_dir() -> Result<PathBuf, String> {
    let process = std::process::id();
    for n in 0u32..1000 {
        let path = std::env::temp_dir().join(format!("nori-disk-{process}-{n}"));
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(format!("{}: {e}", path.display())),
        }
    }
    Err("no free name for a directory".to_owned())
}

fn name_of(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or("nori-disk")
}

/// What a command printed.
fn run(command: &mut Command) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|e| format!("{name}: {e}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{name}: {}", said.lines().next().unwrap_or("failed")))
}
