//! Threads that do what blocks, so that the threads of the async runtime never wait for a disk.
//!
//! 1. The jobs of a worker run one after the other in the order in which they were given, also when
//!    whoever waited for one has gone: a vote never overtakes an append.
//! 2. A worker ends when nobody can give it a job any more, after the last one. A job that panics
//!    ends it at once; then every job, this one too, is an error.

use crate::error::{Error, Result};
use nori_env::sync::Arc;
use nori_env::sync::channel::{Sender, unbounded};
use nori_env::sync::thread::Builder;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// A thread and the queue in front of it. Whoever gives a job waits for it before the next, so the
/// queue is as long as there are callers.
#[derive(Clone)]
pub(crate) struct Worker {
    name: Arc<str>,
    jobs: Sender<Job>,
}

impl Worker {
    pub(crate) fn new(name: &str) -> Result<Worker> {
        let (jobs, queue) = unbounded::<Job>();
        let run = move || {
            while let Ok(job) = queue.recv() {
                job();
            }
        };
        let started = Builder::new().name(name.to_string()).spawn(run);
        let cause = |e: std::io::Error| Error::Ended { name: name.into(), cause: e.to_string() };
        // Nobody waits for it: it ends with its last handle.
        drop(started.map_err(cause)?);
        Ok(Worker { name: name.into(), jobs })
    }

    /// Puts a job behind the others; what is returned need not be waited for.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Pending<T> {
        let (done, result) = oneshot::channel();
        let job: Job = Box::new(move || {
            // Nobody may be waiting any more.
            let _ = done.send(job());
        });
        // A job that could not be sent is dropped, and its result with it.
        let _ = self.jobs.send(job);
        Pending { name: Arc::clone(&self.name), result }
    }
}

/// The result of a job, to wait for.
pub(crate) struct Pending<T> {
    name: Arc<str>,
    result: oneshot::Receiver<Result<T>>,
}

impl<T> Future for Pending<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        let result = Pin::new(&mut self.result).poll(context);
        result.map(|result| {
            let name = self.name.to_string();
            result.unwrap_or_else(|_| Err(Error::Ended { name, cause: "a job panicked".into() }))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait<T>(pending: Pending<T>) -> Result<T> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(pending)
    }

    #[test]
    fn jobs_run_in_order_also_if_nobody_waits() {
        let worker = Worker::new("test").unwrap();
        let (seen, order) = unbounded();
        for number in 0..100 {
            let seen = seen.clone();
            drop(worker.run(move || Ok(seen.send(number))));
        }
        wait(worker.run(|| Ok(()))).unwrap();
        assert!(order.try_iter().eq(0..100));
    }

    #[test]
    fn a_panic_is_an_error_from_then_on() {
        let worker = Worker::new("test").unwrap();
        let panicked = wait(worker.run(|| if true { panic!("on purpose") } else { Ok(()) }));
        assert!(matches!(panicked, Err(Error::Ended { .. })));
        assert!(matches!(wait(worker.run(|| Ok(()))), Err(Error::Ended { .. })));
    }
}
