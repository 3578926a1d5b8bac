//! Threads.
//!
//! Functions of our own around the backend's, so that clippy can tell a thread that a checker sees
//! from one started behind its back.

use super::backend_thread as backend;
use std::io;
use std::time::Duration;

pub use backend::{JoinHandle, Thread, current, yield_now};

/// Starts a thread.
///
/// # Panics
/// If the system has no room for another; [`Builder::spawn`] says so instead.
pub fn spawn<T, F>(run: F) -> JoinHandle<T>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    backend::spawn(run)
}

/// Waits until somebody unparks this thread; wakes without that at times.
pub fn park() {
    backend::park();
}

/// As [`park`], at most for `limit`. Under loom only a turn for the others.
pub fn park_timeout(limit: Duration) {
    #[cfg(nori_loom)]
    let _ = (limit, yield_now());
    #[cfg(not(nori_loom))]
    backend::park_timeout(limit);
}

/// Lets time pass. Under the checkers only a turn for the others.
pub fn sleep(time: Duration) {
    #[cfg(nori_loom)]
    let _ = (time, yield_now());
    #[cfg(not(nori_loom))]
    backend::sleep(time);
}

/// A thread to be started, with a name.
#[derive(Debug)]
pub struct Builder(backend::Builder);

impl Default for Builder {
    fn default() -> Builder {
        Builder::new()
    }
}

impl Builder {
    /// Without a name.
    pub fn new() -> Builder {
        Builder(backend::Builder::new())
    }

    /// Names it, for debuggers and messages of panics.
    pub fn name(self, name: String) -> Builder {
        Builder(self.0.name(name))
    }

    /// Starts it; fails if the system has no room for another.
    pub fn spawn<T, F>(self, run: F) -> io::Result<JoinHandle<T>>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        self.0.spawn(run)
    }
}
