//! Closing and removing a store.

use crate::config::Config;
use crate::error::{Error, Result};
use crate::store::recover::list;
use crate::store::state::{Handle, Paths, Store};
use nori_env::FileSystem;
use nori_env::sync::atomic::Ordering;
use nori_types::FileName;
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
    nori_wal::remove_history(&**fs, &paths.wal)?;
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
