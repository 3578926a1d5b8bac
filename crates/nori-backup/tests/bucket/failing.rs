//! An object store that refuses calls, loses answers, or is gone from some call on.

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Trouble {
    /// It is refused.
    Refused,
    /// It is done, and the answer is lost.
    AnswerLost,
    /// It and all after it are refused.
    Gone,
}

/// Objects in memory, and the trouble with one of the calls.
#[derive(Clone, Debug, Default)]
pub(crate) struct Failing {
    pub(crate) objects: Arc<InMemory>,
    calls: Arc<AtomicU64>,
    planned: Arc<Mutex<Option<(u64, Trouble)>>>,
    hits: Arc<AtomicU64>,
}

impl fmt::Display for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bucket")
    }
}

impl Failing {
    /// The call of this number, counted from now and from 1, has trouble.
    pub(crate) fn plan(&self, nth: u64, trouble: Trouble) {
        self.calls.store(0, Ordering::SeqCst);
        self.hits.store(0, Ordering::SeqCst);
        *self.planned.lock().unwrap() = Some((nth, trouble));
    }

    /// All is well again. Tells how many calls had trouble.
    pub(crate) fn clear(&self) -> u64 {
        *self.planned.lock().unwrap() = None;
        self.hits.load(Ordering::SeqCst)
    }

    fn next(&self) -> Option<Trouble> {
        let number = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        let planned = *self.planned.lock().unwrap();
        let trouble = planned.and_then(|(nth, trouble)| {
            let is_hit = number == nth || (number > nth && trouble == Trouble::Gone);
            is_hit.then_some(trouble)
        });
        self.hits.fetch_add(u64::from(trouble.is_some()), Ordering::SeqCst);
        trouble
    }

    async fn call<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        match self.next() {
            None => work.await,
            Some(Trouble::AnswerLost) => {
                work.await?;
                Err(refusal())
            }
            Some(_) => Err(refusal()),
        }
    }
}

fn refusal() -> Error {
    Error::Generic { store: "bucket", source: "out of order".into() }
}

#[async_trait]
impl ObjectStore for Failing {
    async fn put_opts(&self, at: &Path, what: PutPayload, how: PutOptions) -> Result<PutResult> {
        self.call(self.objects.put_opts(at, what, how)).await
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        how: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.call(self.objects.put_multipart_opts(at, how)).await
    }

    async fn get_opts(&self, at: &Path, how: GetOptions) -> Result<GetResult> {
        self.call(self.objects.get_opts(at, how)).await
    }

    fn delete_stream(
        &self,
        all: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        match self.next() {
            None => self.objects.delete_stream(all),
            Some(Trouble::AnswerLost) => {
                self.objects.delete_stream(all).map(|_| Err(refusal())).boxed()
            }
            Some(_) => all.map(|_| Err(refusal())).boxed(),
        }
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.objects.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.call(self.objects.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, how: CopyOptions) -> Result<()> {
        self.call(self.objects.copy_opts(from, to, how)).await
    }
}
