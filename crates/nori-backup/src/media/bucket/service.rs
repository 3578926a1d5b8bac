//! Calls of an object store, made from code that waits.
//!
//! 1. Every call runs on a thread of this runtime and the caller waits for its answer, so a verb
//!    may be called from anywhere: from a plain thread, and, though it blocks it, from a task of
//!    another runtime.
//! 2. An upload that is not finished is aborted: what it sent is never an object.

use super::Sink;
use crate::error::{Error, Result};
use bytes::Bytes;
use nori_env::sync::{Arc, channel};
use object_store::path::Path;
use object_store::{
    Error as Refusal, ObjectStore, ObjectStoreExt, PutMode, PutPayload, WriteMultipart,
};
use std::future::Future;
use std::io;
use std::path::PathBuf;
use tokio::runtime::{Builder, Runtime};

/// Objects longer than this are sent in parts of this length: at least 5 MiB for S3, all alike
/// for R2; at most 10,000 of them.
const PART_BYTES: usize = 16 << 20;
/// Parts under way at a time.
const PARTS_UNDER_WAY: usize = 4;
/// Objects are read in ranges of this length.
const RANGE_BYTES: u64 = 4 << 20;

/// An object store, a prefix of names, and the runtime that its calls run on.
#[derive(Debug)]
pub(super) struct Service {
    bucket: Arc<dyn ObjectStore>,
    prefix: Path,
    /// Taken when this is dropped.
    runtime: Option<Runtime>,
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waits for nobody: this may be a task of another runtime.
            runtime.shutdown_background();
        }
    }
}

impl Service {
    pub(super) fn new(bucket: Arc<dyn ObjectStore>, prefix: &str) -> Result<Service> {
        let prefix = Path::parse(prefix)
            .map_err(|error| Error::invalid(format!("a prefix of object names: {error}")))?;
        let threads = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("nori-backup")
            .enable_all()
            .build();
        let runtime = threads.map_err(|source| Error::Io {
            op: "start a runtime for",
            path: place(&*bucket, prefix.as_ref()),
            source: Arc::new(source),
        })?;
        Ok(Service { bucket, prefix, runtime: Some(runtime) })
    }

    /// The name of an object, as people know it.
    pub(super) fn place(&self, name: &str) -> PathBuf {
        place(&*self.bucket, self.at(name).as_ref())
    }

    fn at(&self, name: &str) -> Path {
        Path::from_iter(self.prefix.parts().chain(Path::from(name).parts()))
    }

    /// Makes a call and waits for its answer.
    fn call<T: Send + 'static>(
        &self,
        op: &'static str,
        name: &str,
        work: impl Future<Output = object_store::Result<T>> + Send + 'static,
    ) -> Result<T> {
        self.ask(work).map_err(|error| self.refused(op, name, error))
    }

    /// As [`Service::call`], for who looks at the refusal.
    fn ask<T: Send + 'static>(
        &self,
        work: impl Future<Output = object_store::Result<T>> + Send + 'static,
    ) -> object_store::Result<T> {
        let ended = |_| Refusal::Generic {
            store: "object store",
            source: "the call ended without an answer".into(),
        };
        let (sender, receiver) = channel::bounded(1);
        if let Some(runtime) = &self.runtime {
            runtime.spawn(async move {
                // Who waits is gone only if its thread is.
                let _ = sender.send(work.await);
            });
        }
        receiver.recv().map_err(ended)?
    }

    fn refused(&self, op: &'static str, name: &str, error: Refusal) -> Error {
        Error::Io { op, path: self.place(name), source: Arc::new(io::Error::from(error)) }
    }

    /// The names directly below a directory.
    pub(super) fn list(&self, dir: &str) -> Result<Vec<String>> {
        let (bucket, at) = (Arc::clone(&self.bucket), self.at(dir));
        let listed =
            self.call("list", dir, async move { bucket.list_with_delimiter(Some(&at)).await })?;
        let objects = listed.objects.iter().filter_map(|object| object.location.filename());
        let dirs = listed.common_prefixes.iter().filter_map(Path::filename);
        Ok(objects.chain(dirs).map(str::to_string).collect())
    }

    /// The length of an object; `None` if there is none.
    pub(super) fn length(&self, name: &str) -> Result<Option<u64>> {
        let (bucket, at) = (Arc::clone(&self.bucket), self.at(name));
        match self.ask(async move { bucket.head(&at).await }) {
            Ok(object) => Ok(Some(object.size)),
            Err(Refusal::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.refused("look at", name, error)),
        }
    }

    /// Reads an object to its end; false if there is none.
    pub(super) fn read(&self, name: &str, sink: Sink<'_>) -> Result<bool> {
        let Some(length) = self.length(name)? else { return Ok(false) };
        let mut from = 0;
        while from < length {
            let (bucket, at) = (Arc::clone(&self.bucket), self.at(name));
            let range = from..length.min(from + RANGE_BYTES);
            let wanted = range.end - range.start;
            let piece =
                self.call("read", name, async move { bucket.get_range(&at, range).await })?;
            if piece.len() as u64 != wanted {
                let (place, what) = (self.place(name), "the length of a range of the object");
                return Err(Error::corrupt(&place, from, what, wanted, piece.len()));
            }
            sink(&piece)?;
            from += wanted;
        }
        Ok(true)
    }

    /// Writes a small object; false if one of that name is there.
    pub(super) fn put_new(&self, name: &str, bytes: &[u8]) -> Result<bool> {
        let (bucket, at) = (Arc::clone(&self.bucket), self.at(name));
        let payload = PutPayload::from_bytes(Bytes::copy_from_slice(bytes));
        let put = async move { bucket.put_opts(&at, payload, PutMode::Create.into()).await };
        match self.ask(put) {
            Ok(_) => Ok(true),
            Err(Refusal::AlreadyExists { .. } | Refusal::Precondition { .. }) => Ok(false),
            Err(error) => Err(self.refused("write", name, error)),
        }
    }

    /// Removes an object; one that is not there is removed.
    pub(super) fn remove(&self, name: &str) -> Result<()> {
        let (bucket, at) = (Arc::clone(&self.bucket), self.at(name));
        match self.ask(async move { bucket.delete(&at).await }) {
            Ok(()) | Err(Refusal::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.refused("remove", name, error)),
        }
    }

    /// Begins an upload, which takes the place of an object of that name when it is finished.
    pub(super) fn upload<'a>(&'a self, name: &'a str) -> Upload<'a> {
        Upload { service: self, name, at: self.at(name), buffer: Vec::new(), parts: None }
    }
}

fn place(bucket: &dyn ObjectStore, name: &str) -> PathBuf {
    PathBuf::from(format!("{bucket}/{name}"))
}

/// An object on its way: one request, or one for each part.
pub(super) struct Upload<'a> {
    service: &'a Service,
    name: &'a str,
    at: Path,
    buffer: Vec<u8>,
    /// There from the first full part on.
    parts: Option<WriteMultipart>,
}

impl Upload<'_> {
    /// Adds bytes, and sends what makes a full part.
    pub(super) fn add(&mut self, mut bytes: &[u8]) -> Result<()> {
        while self.buffer.len() + bytes.len() > PART_BYTES {
            let (now, later) = bytes.split_at(PART_BYTES - self.buffer.len());
            self.buffer.extend_from_slice(now);
            self.send_part()?;
            bytes = later;
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    fn send_part(&mut self) -> Result<()> {
        let part = Bytes::from(std::mem::take(&mut self.buffer));
        let (bucket, at, parts) =
            (Arc::clone(&self.service.bucket), self.at.clone(), self.parts.take());
        let sent = async move {
            let mut parts = match parts {
                Some(parts) => parts,
                None => {
                    let upload = bucket.put_multipart(&at).await?;
                    WriteMultipart::new_with_chunk_size(upload, PART_BYTES)
                }
            };
            if let Err(error) = parts.wait_for_capacity(PARTS_UNDER_WAY).await {
                let _ = parts.abort().await;
                return Err(error);
            }
            parts.put(part);
            Ok(parts)
        };
        self.parts = Some(self.service.call("upload", self.name, sent)?);
        Ok(())
    }

    /// The object is there, in whole.
    pub(super) fn finish(mut self) -> Result<()> {
        let rest = Bytes::from(std::mem::take(&mut self.buffer));
        let (bucket, at, parts) =
            (Arc::clone(&self.service.bucket), self.at.clone(), self.parts.take());
        self.service.call("upload", self.name, async move {
            match parts {
                // Aborts by itself what it cannot finish.
                Some(mut parts) => {
                    parts.put(rest);
                    parts.finish().await.map(|_| ())
                }
                None => bucket.put(&at, PutPayload::from_bytes(rest)).await.map(|_| ()),
            }
        })
    }

    /// Nothing is to become of it.
    pub(super) fn abandon(mut self) {
        if let Some(parts) = self.parts.take() {
            // What cannot be aborted is never an object; the service forgets it by its own rules.
            let _ = self.service.ask(async move { parts.abort().await });
        }
    }
}
