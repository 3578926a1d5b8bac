//! A directory for backups.
//!
//! Each file is written under a temporary name, synced, checked by reading it back, and renamed;
//! its directory is synced by `settle`. What has a `.tmp` name is nobody's and is removed by the
//! next run.

use super::{GENERATIONS, MARK, PIECE_BYTES, Sink, TABLES, Target};
use crate::error::{Error, Result};
use crate::sum::{Sum, Summing};
use nori_env::sync::Arc;
use nori_env::{File, FileLock, FileSystem, OpenMode};
use nori_sstable::{BlockCache, Table};
use nori_types::TableMeta;
use std::path::{Path, PathBuf};

/// A directory of a file system.
#[derive(Debug)]
pub(crate) struct DirTarget {
    pub(crate) fs: Arc<dyn FileSystem>,
    pub(crate) root: PathBuf,
}

impl DirTarget {
    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Writes a file under a temporary name and syncs it.
    fn write(&self, name: &str, source: &dyn File, sink: Sink<'_>) -> Result<(PathBuf, Sum)> {
        let temporary = self.path(&format!("{name}.tmp"));
        remove_if_there(&*self.fs, &temporary)?;
        let file = self.fs.open(&temporary, OpenMode::CreateNew)?;
        let (mut at, mut summing) = (0, Summing::default());
        read_pieces(source, &mut |piece| {
            file.write_at(piece, at)?;
            at += piece.len() as u64;
            summing.add(piece);
            sink(piece)
        })?;
        file.sync_all()?;
        Ok((temporary, summing.finish()))
    }
}

impl Target for DirTarget {
    fn place(&self, name: &str) -> PathBuf {
        self.path(name)
    }

    fn list(&self, dir: &str) -> Result<Vec<String>> {
        match self.fs.list(&self.path(dir)) {
            Ok(names) => Ok(names),
            Err(e) if e.is_not_found() => Ok(Vec::new()),
            Err(e) => Err(e.into()),
        }
    }

    fn refuse_foreign(&self) -> Result<()> {
        let temporary = format!("{MARK}.tmp");
        let known = [MARK, &temporary, "LOCK", TABLES, GENERATIONS];
        let names = self.list("")?;
        match names.iter().find(|name| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some(foreign) => Err(Error::invalid(format!(
                "{} holds other files ({foreign}) and no backup; name a new or empty directory",
                self.root.display()
            ))),
        }
    }

    fn begin(&self, mark: &[u8]) -> Result<()> {
        let _lock = self.lock(0)?;
        if self.length(MARK)?.is_some() {
            return Ok(());
        }
        self.make_dir(TABLES)?;
        self.make_dir(GENERATIONS)?;
        self.publish(MARK, mark)?;
        self.settle("")
    }

    fn length(&self, name: &str) -> Result<Option<u64>> {
        match self.fs.open(&self.path(name), OpenMode::Read) {
            Ok(file) => Ok(Some(file.len()?)),
            Err(e) if e.is_not_found() => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    fn read(&self, name: &str, sink: Sink<'_>) -> Result<bool> {
        match self.fs.open(&self.path(name), OpenMode::Read) {
            Ok(file) => read_pieces(&*file, sink).map(|()| true),
            Err(e) if e.is_not_found() => Ok(false),
            Err(e) => Err(e.into()),
        }
    }

    fn put_file(&self, name: &str, source: &Arc<dyn File>, sink: Sink<'_>) -> Result<Sum> {
        let (temporary, sum) = self.write(name, &**source, sink)?;
        for (path, found) in [
            (&*temporary, sum_of(&*self.fs.open(&temporary, OpenMode::Read)?)?),
            (source.path(), sum_of(&**source)?),
        ] {
            if found != sum {
                return Err(Error::corrupt(path, 0, "a file that was read again", sum, found));
            }
        }
        self.fs.rename(&temporary, &self.path(name))?;
        Ok(sum)
    }

    fn put_table(
        &self,
        name: &str,
        source: &Arc<dyn File>,
        meta: &TableMeta,
        sink: Sink<'_>,
    ) -> Result<Sum> {
        let (temporary, sum) = self.write(name, &**source, sink)?;
        let copy = self.fs.open(&temporary, OpenMode::Read)?;
        if let Err(error) = verify_table(&copy, meta) {
            // Which of the two is damaged?
            verify_table(source, meta)?;
            return Err(error);
        }
        self.fs.rename(&temporary, &self.path(name))?;
        Ok(sum)
    }

    /// It was synced before it got its name.
    fn adopt_table(&self, name: &str, _: &Arc<dyn File>, meta: &TableMeta) -> Result<Option<Sum>> {
        let path = self.path(name);
        let file = match self.fs.open(&path, OpenMode::Read) {
            Ok(file) => file,
            Err(e) if e.is_not_found() => return Ok(None),
            Err(e) => return Err(e.into()),
        };
        let sum = sum_of(&*file)?;
        let is_good = verify_table(&file, meta).is_ok() && sum_of(&*file)? == sum;
        Ok(is_good.then_some(sum))
    }

    fn publish(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let (path, temporary) = (self.path(name), self.path(&format!("{name}.tmp")));
        if self.fs.exists(&path)? {
            return Err(Error::invalid(format!("{} exists already", path.display())));
        }
        remove_if_there(&*self.fs, &temporary)?;
        let file = self.fs.open(&temporary, OpenMode::CreateNew)?;
        file.write_at(bytes, 0)?;
        file.sync_all()?;
        Ok(self.fs.rename(&temporary, &path)?)
    }

    fn make_dir(&self, dir: &str) -> Result<()> {
        Ok(self.fs.create_dir_all(&self.path(dir))?)
    }

    fn settle(&self, dir: &str) -> Result<()> {
        Ok(self.fs.sync_dir(&self.path(dir))?)
    }

    fn remove(&self, name: &str) -> Result<()> {
        Ok(remove_if_there(&*self.fs, &self.path(name))?)
    }

    fn remove_dir(&self, dir: &str) -> Result<()> {
        match self.fs.remove_dir(&self.path(dir)) {
            Err(e) if !e.is_not_found() => Err(e.into()),
            _ => Ok(()),
        }
    }

    fn lock(&self, _: u64) -> Result<Box<dyn FileLock>> {
        let path = self.path("LOCK");
        self.fs.lock(&path)?.ok_or(Error::Locked { path })
    }

    /// The operating system does, when the process ends.
    fn unlock(&self) -> Result<()> {
        Ok(())
    }
}

/// Removes a file that may be missing.
pub(crate) fn remove_if_there(fs: &dyn FileSystem, path: &Path) -> nori_env::FsResult<()> {
    match fs.remove(path) {
        Err(e) if !e.is_not_found() => Err(e),
        _ => Ok(()),
    }
}

/// Hands over a file piece by piece.
pub(crate) fn read_pieces(file: &dyn File, sink: Sink<'_>) -> Result<()> {
    let mut buffer = vec![0; PIECE_BYTES];
    let mut at = 0;
    loop {
        let read = file.read_at(&mut buffer, at)?;
        if read == 0 {
            return Ok(());
        }
        sink(&buffer[..read])?;
        at += read as u64;
    }
}

/// Length and digest of a file.
pub(crate) fn sum_of(file: &dyn File) -> Result<Sum> {
    let mut summing = Summing::default();
    read_pieces(file, &mut |piece| {
        summing.add(piece);
        Ok(())
    })?;
    Ok(summing.finish())
}

/// Reads every block of a table and compares it with what is known of it.
pub(crate) fn verify_table(file: &Arc<dyn File>, meta: &TableMeta) -> Result<()> {
    let read = || {
        let table = Table::open(Arc::clone(file), meta.number, BlockCache::new(0))?;
        table.verify(&mut |_| ())?;
        Ok(table)
    };
    let table = read().map_err(|error: nori_sstable::Error| nori_lsm::Error::from(error))?;
    if table.meta() != meta {
        let (expected, found) = (format!("{meta:?}"), format!("{:?}", table.meta()));
        let what = "what the manifest says of the table";
        return Err(Error::corrupt(file.path(), 0, what, expected, found));
    }
    Ok(())
}
