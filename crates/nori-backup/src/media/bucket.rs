//! A bucket of an object store for backups.
//!
//! Objects appear in whole, under their names, when the call that wrote them returned, and stay;
//! so directories need not be made, and nothing has to be settled.
//!
//! 1. A table is uploaded only from a source that was read block by block, and the digest noted is
//!    that of the bytes handed over. What arrived is held against its length only: reading it again
//!    would cost as much as another upload. [`Backups::check`](crate::Backups::check) reads it.
//! 2. The list of a generation, the mark and the lock are written only where nothing is. A service
//!    that did what was asked and lost its answer is asked what is there before anybody is told
//!    that it was taken.
//! 3. The lock is an object: a process that dies leaves it there.

mod service;

use super::dir::{read_pieces, sum_of, verify_table};
use super::{GENERATIONS, MARK, Sink, TABLES, Target};
use crate::error::{Error, Result};
use crate::sum::{Sum, Summing};
use nori_env::sync::Arc;
use nori_env::{File, FileLock};
use nori_types::TableMeta;
use object_store::ObjectStore;
use service::Service;
use std::path::PathBuf;

/// Held by whoever changes the place.
const LOCK: &str = "LOCK";

/// Objects whose names begin alike.
#[derive(Debug)]
pub(crate) struct BucketTarget {
    service: Arc<Service>,
}

impl BucketTarget {
    pub(crate) fn new(bucket: Arc<dyn ObjectStore>, prefix: &str) -> Result<BucketTarget> {
        Ok(BucketTarget { service: Arc::new(Service::new(bucket, prefix)?) })
    }

    /// Uploads a file, and checks that all of it arrived.
    fn upload(&self, name: &str, source: &dyn File, sink: Sink<'_>) -> Result<Sum> {
        let mut upload = self.service.upload(name);
        let mut summing = Summing::default();
        let read = read_pieces(source, &mut |piece| {
            summing.add(piece);
            sink(piece)?;
            upload.add(piece)
        });
        if let Err(error) = read {
            upload.abandon();
            return Err(error);
        }
        upload.finish()?;
        let sum = summing.finish();
        let arrived = self.length(name)?.unwrap_or(0);
        if arrived != sum.bytes {
            let (place, what) = (self.place(name), "the length of what was uploaded");
            return Err(Error::corrupt(&place, 0, what, sum.bytes, arrived));
        }
        Ok(sum)
    }

    /// Whether a small object is there and holds these bytes.
    fn holds(&self, name: &str, bytes: &[u8]) -> Result<bool> {
        Ok(super::read_all(self, name)?.as_deref() == Some(bytes))
    }

    /// Writes a small object where none is; false if another one is there.
    fn claim(&self, name: &str, bytes: &[u8]) -> Result<bool> {
        Ok(self.service.put_new(name, bytes)? || self.holds(name, bytes)?)
    }
}

impl Target for BucketTarget {
    fn place(&self, name: &str) -> PathBuf {
        self.service.place(name)
    }

    fn list(&self, dir: &str) -> Result<Vec<String>> {
        self.service.list(dir)
    }

    fn refuse_foreign(&self) -> Result<()> {
        let known = [MARK, LOCK, TABLES, GENERATIONS];
        let names = self.list("")?;
        match names.iter().find(|name| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some(foreign) => Err(Error::invalid(format!(
                "{} holds other objects ({foreign}) and no backup; name another prefix",
                self.place("").display()
            ))),
        }
    }

    fn begin(&self, mark: &[u8]) -> Result<()> {
        self.service.put_new(MARK, mark).map(|_| ())
    }

    fn length(&self, name: &str) -> Result<Option<u64>> {
        self.service.length(name)
    }

    fn read(&self, name: &str, sink: Sink<'_>) -> Result<bool> {
        self.service.read(name, sink)
    }

    fn put_file(&self, name: &str, source: &Arc<dyn File>, sink: Sink<'_>) -> Result<Sum> {
        let sum = self.upload(name, &**source, sink)?;
        same_again(&**source, &sum)?;
        Ok(sum)
    }

    fn put_table(
        &self,
        name: &str,
        source: &Arc<dyn File>,
        meta: &TableMeta,
        sink: Sink<'_>,
    ) -> Result<Sum> {
        verify_table(source, meta)?;
        let sum = self.upload(name, &**source, sink)?;
        same_again(&**source, &sum)?;
        Ok(sum)
    }

    /// Reading what is there is dear, but less so than what an interrupted first backup of a large
    /// store would cost to upload again.
    fn adopt_table(
        &self,
        name: &str,
        source: &Arc<dyn File>,
        meta: &TableMeta,
    ) -> Result<Option<Sum>> {
        if self.length(name)? != Some(meta.bytes) {
            return Ok(None);
        }
        verify_table(source, meta)?;
        let mut summing = Summing::default();
        let found = self.read(name, &mut |piece| {
            summing.add(piece);
            Ok(())
        })?;
        let sum = summing.finish();
        Ok((found && sum_of(&**source)? == sum).then_some(sum))
    }

    fn publish(&self, name: &str, bytes: &[u8]) -> Result<()> {
        if self.claim(name, bytes)? {
            return Ok(());
        }
        Err(Error::invalid(format!("{} exists already", self.place(name).display())))
    }

    fn make_dir(&self, _: &str) -> Result<()> {
        Ok(())
    }

    fn settle(&self, _: &str) -> Result<()> {
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.service.remove(name)
    }

    fn remove_dir(&self, _: &str) -> Result<()> {
        Ok(())
    }

    fn lock(&self, token: u64) -> Result<Box<dyn FileLock>> {
        let mark = format!("nori-backups lock {token:016x}\n").into_bytes();
        if !self.claim(LOCK, &mark)? {
            return Err(Error::Locked { path: self.place(LOCK) });
        }
        let target = BucketTarget { service: Arc::clone(&self.service) };
        Ok(Box::new(BucketLock { target, mark }))
    }

    fn unlock(&self) -> Result<()> {
        self.remove(LOCK)
    }
}

/// The lock, as long as the object is this one.
#[derive(Debug)]
struct BucketLock {
    target: BucketTarget,
    mark: Vec<u8>,
}

impl FileLock for BucketLock {}

impl Drop for BucketLock {
    fn drop(&mut self) {
        // A lock that cannot be given back now stays, and `Backups::unlock` removes it.
        if self.target.holds(LOCK, &self.mark).is_ok_and(|is_ours| is_ours) {
            let _ = self.target.remove(LOCK);
        }
    }
}

/// A file that is read a second time must be what it was.
fn same_again(source: &dyn File, sum: &Sum) -> Result<()> {
    let found = sum_of(source)?;
    if found != *sum {
        let what = "a file that was read again";
        return Err(Error::corrupt(source.path(), 0, what, sum, found));
    }
    Ok(())
}
