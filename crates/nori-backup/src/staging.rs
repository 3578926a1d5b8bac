//! A checkpoint of the store to copy from, within the store's own directory, where its tables can
//! be linked.
//!
//! 1. Its name is made of the target's id, and it is made and removed under the target's lock: one
//!    that is found there is what an interrupted backup into the same target left.
//! 2. Nothing else in a store's directory has such a name, and a store passes over it.

use crate::error::{Error, Result};
use crate::generation::SmallFile;
use crate::progress::{Progress, Watch};
use nori_env::sync::Arc;
use nori_env::{File, FileSystem, OpenMode};
use nori_lsm::Lsm;
use nori_manifest::{Manifest, Version};
use nori_types::{FileName, FileNumber};
use std::path::{Path, PathBuf};

/// The checkpoint; removed when it is dropped.
pub(crate) struct Staging {
    fs: Arc<dyn FileSystem>,
    root: PathBuf,
    pub(crate) sequence: u64,
    pub(crate) version: Version,
}

impl Staging {
    /// Makes the checkpoint, and reads what it consists of.
    pub(crate) fn make(
        fs: &Arc<dyn FileSystem>,
        store: &Lsm,
        id: u64,
        watch: Watch<'_>,
    ) -> Result<Staging> {
        let root = store.path().join(format!("backup-{id:016x}"));
        remove_checkpoint(&**fs, &root)?;
        let made = Made { fs, root: &root };
        // Nothing is copied into the place yet; whoever watches may only end it.
        let info = store.checkpoint_with(&root, &mut |_| watch(&Progress::default()))?;
        let sequence = info.sequence;
        let loaded = Manifest::load(&**fs, &root)?;
        let current = root.join(FileName::Current.to_string());
        let version = loaded.ok_or_else(|| Error::missing(&current, "a checkpoint"))?.version;
        check_log(&**fs, &root, &version)?;
        std::mem::forget(made);
        Ok(Staging { fs: Arc::clone(fs), root, sequence, version })
    }

    /// A table's file.
    pub(crate) fn table(&self, number: FileNumber) -> Result<Arc<dyn File>> {
        self.open(&self.root.join("sst").join(FileName::Table(number).to_string()))
    }

    /// The files that are no tables, in the order of their names.
    pub(crate) fn files(&self) -> Result<Vec<(SmallFile, Arc<dyn File>)>> {
        let mut files = Vec::new();
        for dir in ["", "wal"] {
            let path = self.root.join(dir);
            for name in self.fs.list(&path)? {
                if let Some(file) = SmallFile::new(dir, &name) {
                    files.push((file, self.open(&path.join(&name))?));
                }
            }
        }
        Ok(files)
    }

    fn open(&self, path: &Path) -> Result<Arc<dyn File>> {
        Ok(self.fs.open(path, OpenMode::Read)?)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next backup into the same target.
        let _ = remove_checkpoint(&*self.fs, &self.root);
    }
}

/// Removes a checkpoint that was not finished.
struct Made<'a> {
    fs: &'a Arc<dyn FileSystem>,
    root: &'a Path,
}

impl Drop for Made<'_> {
    fn drop(&mut self) {
        let _ = remove_checkpoint(&**self.fs, self.root);
    }
}

/// The log must be one that opening accepts.
fn check_log(fs: &dyn FileSystem, root: &Path, version: &Version) -> Result<()> {
    let (mode, floor) = (nori_wal::RecoveryMode::CutTornTail, version.wal_floor);
    let seen = &mut |_: nori_wal::Position, _: &[u8]| Ok(());
    nori_wal::replay::<nori_wal::Error>(fs, &root.join("wal"), floor, version.durable, mode, seen)?;
    Ok(())
}

/// Removes the files of a checkpoint and its directories.
fn remove_checkpoint(fs: &dyn FileSystem, root: &Path) -> Result<()> {
    if !fs.exists(root)? {
        return Ok(());
    }
    let dirs = ["sst", "wal"];
    for dir in dirs {
        let path = root.join(dir);
        if !fs.exists(&path)? {
            continue;
        }
        for name in fs.list(&path)? {
            fs.remove(&path.join(name))?;
        }
        fs.remove_dir(&path)?;
    }
    for name in fs.list(root)? {
        fs.remove(&root.join(name))?;
    }
    Ok(fs.remove_dir(root)?)
}
