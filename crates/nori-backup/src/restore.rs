//! A generation becomes a store.
//!
//! ```text
//! DIR/REPAIRING written, synced, directory synced       <- nobody opens what is in DIR
//! tables, log, manifest, CURRENT: copied and checked against the list, synced; directories synced
//! REPAIRING removed, directory synced                   <- a store like any
//! ```
//!
//! 1. As long as any file may be missing or unchecked, REPAIRING is there, with which no store
//!    opens; a restore that finds its own mark there begins again from nothing.

use crate::backups::Backups;
use crate::error::{Error, Result};
use crate::generation::{Generation, GenerationInfo};
use crate::media::{file_name, read_checked, table_name};
use crate::progress::{Progress, Teller, Watch};
use crate::sum::Sum;
use nori_env::{FileSystem, OpenMode};
use nori_types::FileName;
use std::ops::ControlFlow;
use std::path::Path;

/// What REPAIRING holds; its first word is what a store looks for.
const MARK: &[u8] = b"nori-repair: an unfinished restore. Remove the directory or restore again.\n";

/// What REPAIRING is called before it is whole.
const TEMPORARY: &str = "REPAIRING.tmp";

impl Backups {
    /// Makes a store of a generation, in a directory that is missing or empty, or holds what an
    /// interrupted restore left. Every byte is checked.
    ///
    /// # Errors
    /// `InvalidArgument` if there is no such generation or the directory is not empty;
    /// `Corruption` if a file of the generation is damaged or missing, which is named; `DiskFull`,
    /// `Io`. What is in the directory is no store then, and does not open.
    pub fn restore(&self, generation: u64, dir: impl AsRef<Path>) -> Result<GenerationInfo> {
        self.restore_with(generation, dir, &mut |_| ControlFlow::Continue(()))
    }

    /// As [`Backups::restore`]; `watch` is told how far it is, and may end it.
    ///
    /// # Errors
    /// As [`Backups::restore`]; `Cancelled`.
    pub fn restore_with(
        &self,
        generation: u64,
        dir: impl AsRef<Path>,
        watch: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<GenerationInfo> {
        let list = self.generation(generation)?;
        let dir = self.fs.absolute(dir.as_ref())?;
        begin(&*self.fs, &dir)?;
        self.copy(&list, &dir, watch)?;
        self.fs.remove(&mark_path(&dir))?;
        self.fs.sync_dir(&dir)?;
        Ok(list.info())
    }

    fn copy(&self, list: &Generation, dir: &Path, watch: Watch<'_>) -> Result<()> {
        let (wal, sst, info) = (dir.join("wal"), dir.join("sst"), list.info());
        let (files, bytes) = (info.tables + info.files, info.table_bytes + info.file_bytes);
        let mut teller = Teller::new(files, bytes, watch);
        self.fs.create_dir_all(&wal)?;
        self.fs.create_dir_all(&sst)?;
        for (key, sum) in &list.tables {
            let to = sst.join(FileName::Table(key.number).to_string());
            self.copy_file(&table_name(key), sum, &to, &mut teller)?;
        }
        for (file, sum) in &list.files {
            let to = dir.join(file.to_string());
            self.copy_file(&file_name(list.number, file), sum, &to, &mut teller)?;
        }
        for dir in [&sst, &wal, dir] {
            self.fs.sync_dir(dir)?;
        }
        Ok(())
    }

    fn copy_file(&self, name: &str, sum: &Sum, to: &Path, teller: &mut Teller<'_>) -> Result<()> {
        let (file, mut at) = (self.fs.open(to, OpenMode::CreateNew)?, 0);
        read_checked(&*self.target, name, sum, &mut |piece| {
            file.write_at(piece, at)?;
            at += piece.len() as u64;
            teller.bytes(piece.len() as u64)
        })?;
        file.sync_all()?;
        teller.file()
    }
}

fn mark_path(dir: &Path) -> std::path::PathBuf {
    dir.join(FileName::Repairing.to_string())
}

/// Marks an empty directory as unfinished, durably, and makes it where it is missing.
fn begin(fs: &dyn FileSystem, dir: &Path) -> Result<()> {
    fs.create_dir_all(dir)?;
    let names = fs.list(dir)?;
    if !names.is_empty() {
        if !is_ours(fs, dir, &names)? {
            let dir = dir.display();
            return Err(Error::invalid(format!("{dir}: is not empty; name a new directory")));
        }
        remove_rest(fs, dir)?;
    }
    let (mark, temporary) = (mark_path(dir), dir.join(TEMPORARY));
    if !fs.exists(&mark)? {
        let file = fs.open(&temporary, OpenMode::CreateNew)?;
        file.write_at(MARK, 0)?;
        file.sync_all()?;
        fs.rename(&temporary, &mark)?;
    }
    Ok(fs.sync_dir(dir)?)
}

/// Whether a directory holds what an interrupted restore left and nothing else.
fn is_ours(fs: &dyn FileSystem, dir: &Path, names: &[String]) -> Result<bool> {
    let is_store = |name: &String| {
        let is_dir = ["sst", "wal"].contains(&name.as_str());
        is_dir || FileName::parse(name).is_some_and(|name| name != FileName::Lock)
    };
    if names == [TEMPORARY] {
        return Ok(true);
    }
    let mark = mark_path(dir);
    if !fs.exists(&mark)? || !names.iter().all(is_store) {
        return Ok(false);
    }
    Ok(fs.open(&mark, OpenMode::Read)?.read_all()? == MARK)
}

/// Removes what an interrupted restore left, but for its mark.
fn remove_rest(fs: &dyn FileSystem, dir: &Path) -> Result<()> {
    for dir in [dir.join("sst"), dir.join("wal")] {
        if fs.exists(&dir)? {
            for name in fs.list(&dir)? {
                fs.remove(&dir.join(name))?;
            }
        }
    }
    let mark = FileName::Repairing.to_string();
    for name in fs.list(dir)? {
        if !["sst", "wal", &mark].contains(&name.as_str()) {
            fs.remove(&dir.join(name))?;
        }
    }
    Ok(())
}
