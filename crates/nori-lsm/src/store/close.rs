//! Closing, copying and removing a store.

use crate::config::Config;
use crate::error::{Error, Result};
use crate::metrics::CheckpointInfo;
use crate::plant::{Plant, Point, meanwhile, planted};
use crate::store::recover::list;
use crate::store::state::{Handle, Paths, Store};
use nori_env::FileSystem;
use nori_env::sync::Arc;
use nori_env::sync::atomic::Ordering;
use nori_manifest::{Manifest, ManifestOptions};
use nori_sstable::{BlockCache, TableCache};
use nori_types::FileName;
use nori_wal::{Wal, WalOptions};
use std::path::Path;

/// What REPAIRING starts with.
pub(crate) const REPAIRING_WORD: &[u8; 11] = b"nori-repair";

/// What the CURRENT of a store starts with.
const CURRENT_WORD: &[u8; 12] = b"nori-current";

impl Handle {
    /// Closes the store for all handles; the second time it only waits for the first.
    pub(crate) fn close(&self) -> Result<()> {
        // Held to the end: whoever is told that the store is closed may open it.
        let mut threads = self.threads.lock();
        if self.writer.is_none() {
            self.closed.store(true, Ordering::Release);
            self.events.end();
            return Ok(());
        }
        // Behind every commit under way; later ones find the store closed.
        let first = self.exclusively(|| Ok(!self.closed.swap(true, Ordering::AcqRel)))?;
        if !first {
            return Ok(());
        }
        self.cancelled.store(true, Ordering::Release);
        self.signal.wake();
        self.closing.wake();
        self.jobs.wake();
        for thread in threads.drain(..) {
            // A thread that panicked has said so; the store is closed all the same.
            let _ = thread.join();
        }
        self.callers.close();
        let _last = LetGo(self);
        self.last_writes()
    }
}

/// Ends events and lets go of the lock file, also when the last writes panic.
struct LetGo<'a>(&'a Store);

impl Drop for LetGo<'_> {
    fn drop(&mut self) {
        self.0.events.end();
        if let Some(writer) = &self.0.writer {
            drop(writer.lock.lock().take());
        }
    }
}

impl Store {
    /// What is in memory goes to tables; what is in the log is synced.
    fn last_writes(&self) -> Result<()> {
        let writer = self.writer()?;
        let poisoned = writer.wal.poisoned();
        let synced = match &poisoned {
            Some(_) => Ok(()),
            None => writer.wal.sync().map(|_| ()).map_err(Error::from),
        };
        let flushed = self.flush_last(writer);
        self.save_learned();
        let cleaned = self.clean(writer).map(|_| ());
        let given_back = match writer.wal.poisoned() {
            Some(_) => Ok(()),
            None => writer.wal.give_back().map_err(Error::from),
        };
        synced.and(flushed).and(cleaned).and(given_back)
    }

    fn flush_last(&self, writer: &crate::store::state::Writer) -> Result<()> {
        while self.flush_one()? {}
        if !self.pin().active.table.is_empty() {
            self.rotate(writer)?;
        }
        while self.flush_one()? {}
        Ok(())
    }

    /// Copies the store as it is now into an empty directory. Writers wait meanwhile, so that
    /// tables and catalog are of one moment.
    pub(crate) fn checkpoint(&self, dir: &Path) -> Result<CheckpointInfo> {
        self.check_open()?;
        let target = Paths::new(dir);
        self.writer()?;
        if self.fs.exists(dir)? && !self.fs.list(dir)?.is_empty() {
            return Err(Error::invalid(format!("{}: is not empty", dir.display())));
        }
        self.exclusively(|| {
            let writer = self.check_writable()?;
            if !planted(Plant::CheckpointWithoutFlush) {
                self.flush_last(writer)?;
            }
            self.copy_to(&target)
        })
    }

    fn copy_to(&self, target: &Paths) -> Result<CheckpointInfo> {
        let view = self.pin();
        for dir in [&target.root, &target.wal, &target.sst] {
            self.fs.create_dir_all(dir)?;
        }
        let (mut tables, mut bytes) = (0, 0);
        let copies = TableCache::new(Arc::clone(&self.fs), &target.sst, BlockCache::new(0), 1);
        for file in view.version.tables() {
            let (from, to) = (self.paths.table(file.number()), target.table(file.number()));
            if self.fs.hard_link(&from, &to).is_err() {
                copy_file(&*self.fs, &from, &to)?;
                // A link is the table itself; a copy may have gone wrong on its way.
                copies.open(&file.meta)?.verify(&mut |_| ())?;
            }
            tables += 1;
            bytes += file.meta.bytes;
        }
        if !planted(Plant::CheckpointNotSynced) {
            self.fs.sync_dir(&target.sst)?;
        }
        meanwhile(Point::Checkpointing);
        let view = if planted(Plant::CheckpointNotPinned) { self.pin() } else { view };
        let floor = view.version.wal_floor + 1;
        let wal = Wal::create(Arc::clone(&self.fs), &target.wal, floor, WalOptions::default())?;
        let last = self.visible.load();
        let edit = view.version.edit_positions(floor, last, wal.durable());
        let version = view.version.apply(&edit)?;
        Manifest::create(Arc::clone(&self.fs), &target.root, &version, ManifestOptions::default())?;
        Ok(CheckpointInfo { sequence: last.get(), tables, bytes })
    }
}

/// Copies a file piece by piece and makes it durable; its directory is the caller's to sync.
fn copy_file(fs: &dyn FileSystem, from: &Path, to: &Path) -> Result<()> {
    let source = fs.open(from, nori_env::OpenMode::Read)?;
    let target = fs.open(to, nori_env::OpenMode::CreateNew)?;
    let mut buffer = vec![0; 1 << 20];
    let mut at = 0;
    loop {
        let read = source.read_at(&mut buffer, at)?;
        if read == 0 {
            break;
        }
        target.write_at(&buffer[..read], at)?;
        at += read as u64;
    }
    Ok(target.sync_all()?)
}

/// Removes a store's files, and nothing else.
pub(crate) fn destroy(path: &Path, config: &Config) -> Result<()> {
    let (fs, paths) = (&config.file_system, Paths::new(path));
    if !is_store(&**fs, &paths)? {
        return Err(Error::invalid(format!("{}: there is no store", path.display())));
    }
    let lock = fs.lock(&paths.lock())?.ok_or_else(|| Error::Locked { path: paths.lock() })?;
    // CURRENT first: what is left after a crash is then no store any more.
    match fs.remove(&paths.current()) {
        Err(e) if !e.is_not_found() => return Err(e.into()),
        _ => {}
    }
    fs.sync_dir(&paths.root)?;
    let is_last = |name: &FileName| matches!(name, FileName::Lock | FileName::Repairing);
    for dir in [&paths.sst, &paths.lost, &paths.wal, &paths.root] {
        for name in list(&**fs, dir)?.iter().filter(|name| !is_last(name)) {
            fs.remove(&dir.join(name.to_string()))?;
        }
    }
    // As long as anything is left of an unfinished repair, it is known for one.
    if fs.exists(&paths.repairing())? {
        fs.remove(&paths.repairing())?;
    }
    // Removed before it is let go: nobody may lock a file that goes away.
    fs.remove(&paths.lock())?;
    drop(lock);
    // Directories with foreign files stay.
    for dir in [&paths.sst, &paths.lost, &paths.wal, &paths.root] {
        if fs.exists(dir)? && fs.list(dir)?.is_empty() {
            fs.remove_dir(dir)?;
        }
    }
    Ok(())
}

/// Whether a directory holds a store, or what is left of one that was not destroyed to the end.
/// Other engines have files of these names too, so the first word of CURRENT or of REPAIRING
/// counts.
fn is_store(fs: &dyn FileSystem, paths: &Paths) -> Result<bool> {
    if !fs.exists(&paths.root)? {
        return Ok(false);
    }
    for (path, word) in
        [(paths.repairing(), &REPAIRING_WORD[..]), (paths.current(), &CURRENT_WORD[..])]
    {
        if fs.exists(&path)? {
            let file = fs.open(&path, nori_env::OpenMode::Read)?;
            let mut found = vec![0; word.len()];
            return Ok(file.read_at(&mut found, 0)? == word.len() && found == word);
        }
    }
    Ok(fs.exists(&paths.lock())? && fs.exists(&paths.wal)? && fs.exists(&paths.sst)?)
}

/// A directory for the examples in the documentation, which remove it themselves.
#[doc(hidden)]
pub fn example_dir(name: &str) -> std::path::PathBuf {
    let unique = format!("nori-example-{name}-{}", std::process::id());
    let dir = std::env::temp_dir().join(unique);
    let _ = destroy(&dir, &Config::default());
    dir
}
