//! The directory of snapshots.

use crate::error::Result;
use nori_env::sync::Arc;
use nori_env::sync::atomic::{AtomicU64, Ordering};
use nori_env::{File, FileSystem, OpenMode};
use std::path::{Path, PathBuf};

const FINISHED: &str = "snap";
const TEMPORARY: &str = "tmp";

/// The directory of snapshots.
#[derive(Debug)]
pub(crate) struct SnapshotDir {
    pub(crate) fs: Arc<dyn FileSystem>,
    dir: PathBuf,
    next: AtomicU64,
}

impl SnapshotDir {
    /// Makes the directory where it is missing, and removes all snapshots but `current`.
    pub(crate) fn open(
        fs: &Arc<dyn FileSystem>,
        dir: &Path,
        current: Option<u64>,
    ) -> Result<SnapshotDir> {
        fs.create_dir_all(dir)?;
        let kept = current.map(|number| file_name(number, FINISHED));
        let (mut highest, mut is_changed) = (current.unwrap_or(0), false);
        for name in fs.list(dir)? {
            if let Some(number) = number_of(&name) {
                highest = highest.max(number);
                if kept.as_ref() != Some(&name) {
                    fs.remove(&dir.join(name))?;
                    is_changed = true;
                }
            }
        }
        if is_changed {
            fs.sync_dir(dir)?;
        }
        let next = AtomicU64::new(highest + 1);
        Ok(SnapshotDir { fs: Arc::clone(fs), dir: dir.to_path_buf(), next })
    }

    /// An empty file, to become a snapshot.
    pub(crate) fn create(self: &Arc<SnapshotDir>) -> Result<(Temporary, Arc<dyn File>)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let path = self.dir.join(file_name(number, TEMPORARY));
        let file = self.fs.open(&path, OpenMode::CreateNew)?;
        Ok((Temporary { dir: Arc::clone(self), number, path: Some(path) }, file))
    }

    pub(crate) fn path(&self, number: u64) -> PathBuf {
        self.dir.join(file_name(number, FINISHED))
    }

    /// Removes a snapshot that nothing names any more. One that cannot be removed costs space
    /// until the store is opened again, which removes it, and nothing else.
    pub(crate) fn remove(&self, number: u64) {
        let _ = self.fs.remove(&self.path(number));
    }
}

/// A file that is removed unless it is published. One that cannot be removed is removed when the
/// store is opened again.
#[derive(Debug)]
pub(crate) struct Temporary {
    dir: Arc<SnapshotDir>,
    number: u64,
    /// Until it is published.
    path: Option<PathBuf>,
}

impl Temporary {
    pub(crate) fn is_in(&self, dir: &Arc<SnapshotDir>) -> bool {
        Arc::ptr_eq(&self.dir, dir)
    }

    /// Makes a file that is written a snapshot, durably. It is nobody's until `raft-meta` names it.
    pub(crate) fn publish(mut self, file: &dyn File) -> Result<u64> {
        file.sync_all()?;
        let (fs, path) = (&self.dir.fs, self.dir.path(self.number));
        if let Some(temporary) = &self.path {
            fs.rename(temporary, &path)?;
        }
        self.path = None;
        // Sync the directory too: a rename is durable only with it.
        fs.sync_dir(&self.dir.dir)?;
        Ok(self.number)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = self.path.take() {
            let _ = self.dir.fs.remove(&path);
        }
    }
}

fn file_name(number: u64, ending: &str) -> String {
    format!("{number:06}.{ending}")
}

fn number_of(name: &str) -> Option<u64> {
    let (number, ending) = name.split_once('.')?;
    let number = number.parse().ok()?;
    let is_ours = [FINISHED, TEMPORARY].contains(&ending) && file_name(number, ending) == name;
    is_ours.then_some(number)
}
