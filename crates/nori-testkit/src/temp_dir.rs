//! Directories for tests that need the real disk.

// Tests of the real file system need a place that is not behind it.
#![allow(clippy::disallowed_methods)]

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A new directory below the system's temporary one; removed with all in it on drop.
#[derive(Debug)]
pub struct TempDir {
    path: PathBuf,
}

impl TempDir {
    /// Makes `nori-<name>-<process>-<n>` for the first free n. Panics, with the path, where that
    /// cannot be made: a test without its directory has nothing to say.
    pub fn new(name: &str) -> TempDir {
        let parent = std::env::temp_dir();
        let process = std::process::id();
        for n in 0u32.. {
            let path = parent.join(format!("nori-{name}-{process}-{n}"));
            match std::fs::create_dir(&path) {
                Ok(()) => return TempDir { path },
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                Err(e) => panic!("create {}: {e}", path.display()),
            }
        }
        unreachable!("a process has fewer than 2^32 directories");
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        // What cannot be removed is left to the system's own sweep.
        std::fs::remove_dir_all(&self.path).ok();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn directories_differ_and_go_with_what_is_in_them() {
        let (a, b) = (TempDir::new("kit"), TempDir::new("kit"));
        assert_ne!(a.path(), b.path());
        std::fs::write(a.path().join("file"), b"x").unwrap();
        let gone = a.path().to_path_buf();
        drop(a);
        assert!(!gone.exists() && b.path().is_dir());
    }
}
