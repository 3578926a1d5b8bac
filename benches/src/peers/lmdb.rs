//! LMDB as an engine, by way of heed. It has no cache, no write buffer, no filters and no
//! compression of its own: the system's page cache is all of it, and a transaction is one put.

// LMDB maps its file, which only a promise about the file makes sound; see the two blocks below.
#![allow(unsafe_code)]

use heed::types::Bytes;
use heed::{Database, Env, EnvFlags, EnvOpenOptions};
use nori_bench::{BatchWrite, Engine, EngineKind, Error, Facts, Options, Result};
use std::ops::Bound;
use std::path::Path;
use std::time::Duration;

/// LMDB.
pub const LMDB: EngineKind = EngineKind { name: "lmdb", open };

/// Address space, not memory: the file grows as it is filled.
const MAP_BYTES: usize = 64 << 30;
const CLOSE_TIMEOUT: Duration = Duration::from_secs(60);

struct Lmdb {
    env: Env,
    entries: Database<Bytes, Bytes>,
}

fn told<T>(done: heed::Result<T>) -> Result<T> {
    done.map_err(|error| Error::new(format!("lmdb: {error}")))
}

fn open(dir: &Path, options: &Options) -> Result<Box<dyn Engine>> {
    std::fs::create_dir_all(dir).map_err(Error::new)?;
    let mut how = EnvOpenOptions::new();
    how.map_size(MAP_BYTES);
    if !options.synced {
        // SAFETY: a power cut may damage a file that is not synced; a bench makes it anew.
        unsafe { how.flags(EnvFlags::NO_SYNC | EnvFlags::NO_META_SYNC) };
    }
    // SAFETY: the directory is the bench's own, so nobody else changes or cuts the mapped file, and
    // a bench opens it once at a time.
    let env = told(unsafe { how.open(dir) })?;
    let mut begin = told(env.write_txn())?;
    let entries = told(env.create_database(&mut begin, None))?;
    told(begin.commit())?;
    Ok(Box::new(Lmdb { env, entries }))
}

impl Engine for Lmdb {
    fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        self.write(&[BatchWrite::Put(key, value)])
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        self.write(&[BatchWrite::Delete(key)])
    }

    fn write(&self, batch: &[BatchWrite<'_>]) -> Result<()> {
        let mut all = told(self.env.write_txn())?;
        for write in batch {
            told(match write {
                BatchWrite::Put(key, value) => self.entries.put(&mut all, key, value),
                BatchWrite::Delete(key) => self.entries.delete(&mut all, key).map(drop),
            })?;
        }
        told(all.commit())
    }

    fn get(&self, key: &[u8], value: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let view = told(self.env.read_txn())?;
        let found = told(self.entries.get(&view, key))?;
        Ok(found.is_some_and(|found| {
            value(found);
            true
        }))
    }

    fn scan(
        &self,
        from: Option<&[u8]>,
        reverse: bool,
        entries: u64,
        entry: &mut dyn FnMut(&[u8], &[u8]),
    ) -> Result<u64> {
        let view = told(self.env.read_txn())?;
        let mut met = 0;
        let mut meet = |next: heed::Result<(&[u8], &[u8])>| {
            let (key, value) = told(next)?;
            entry(key, value);
            met += 1;
            Ok(())
        };
        let all: (Bound<&[u8]>, Bound<&[u8]>) = match (from, reverse) {
            (None, _) => (Bound::Unbounded, Bound::Unbounded),
            (Some(key), false) => (Bound::Included(key), Bound::Unbounded),
            (Some(key), true) => (Bound::Unbounded, Bound::Included(key)),
        };
        let limit = usize::try_from(entries).unwrap_or(usize::MAX);
        if reverse {
            told(self.entries.rev_range(&view, &all))?.take(limit).try_for_each(&mut meet)?;
        } else {
            told(self.entries.range(&view, &all))?.take(limit).try_for_each(&mut meet)?;
        }
        Ok(met)
    }

    fn sync(&self) -> Result<()> {
        told(self.env.force_sync())
    }

    /// It does nothing in the background.
    fn wait_idle(&self) -> Result<()> {
        Ok(())
    }

    fn compact(&self) -> Result<()> {
        Ok(())
    }

    fn facts(&self) -> Facts {
        Facts::default()
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.sync()?;
        // The same file may be opened again only when it is closed.
        match self.env.prepare_for_closing().wait_timeout(CLOSE_TIMEOUT) {
            true => Ok(()),
            false => Err(Error::new("lmdb: somebody still uses a store that was closed")),
        }
    }
}
