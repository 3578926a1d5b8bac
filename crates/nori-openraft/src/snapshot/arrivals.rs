//! Snapshots on their way in, for a purge that openraft asks for before they are installed.
//!
//! openraft hands a received snapshot to the state machine and, without waiting for it, purges the
//! log up to where the snapshot goes. A crash between the two must not find the log purged and the
//! state behind it, so the purge waits until the state has come that far.

use nori_env::sync::Arc;
use tokio::sync::watch;

/// How many snapshots are being received or installed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Arriving {
    pub(crate) now: u64,
    /// Since the store was opened, installed or not.
    pub(crate) ever: u64,
}

/// Who counts them.
#[derive(Clone, Debug)]
pub(crate) struct Arrivals(Arc<watch::Sender<Arriving>>);

impl Arrivals {
    pub(crate) fn new() -> Arrivals {
        Arrivals(Arc::new(watch::Sender::new(Arriving::default())))
    }

    /// One more, until it is dropped: after it was installed, or given up.
    pub(crate) fn begin(&self) -> Arrival {
        self.0.send_modify(|arriving| {
            arriving.now += 1;
            arriving.ever += 1;
        });
        Arrival(Arc::clone(&self.0))
    }

    /// Tells each change.
    pub(crate) fn watch(&self) -> watch::Receiver<Arriving> {
        self.0.subscribe()
    }
}

/// A snapshot that is being received or installed.
#[derive(Debug)]
pub(crate) struct Arrival(Arc<watch::Sender<Arriving>>);

impl Drop for Arrival {
    fn drop(&mut self) {
        self.0.send_modify(|arriving| arriving.now -= 1);
    }
}
