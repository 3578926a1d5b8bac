//! A place where calls of a file system are made to wait.

use crate::hook::{Hook, Hooked};
use nori_env::sync::{Arc, Condvar, Mutex};
use nori_env::{FileSystem, FsOp, MemFs};
use std::path::Path;
use std::time::Duration;

/// Stops who comes to it, once it is shut, until it is opened.
#[derive(Clone, Default)]
pub(crate) struct Barrier {
    state: Arc<(Mutex<BarrierState>, Condvar)>,
}

#[derive(Default)]
struct BarrierState {
    shut: bool,
    stopped: usize,
}

impl Barrier {
    pub(crate) fn shut(&self) {
        self.state.0.lock().shut = true;
    }

    pub(crate) fn open(&self) {
        self.state.0.lock().shut = false;
        self.state.1.notify_all();
    }

    /// Waits here while the barrier is shut.
    pub(crate) fn pass(&self) {
        let (state, changed) = &*self.state;
        let mut held = state.lock();
        if held.shut {
            held.stopped += 1;
            changed.notify_all();
        }
        while held.shut {
            held = changed.wait(held);
        }
    }

    /// Waits until somebody was stopped.
    pub(crate) fn wait_for_somebody(&self) {
        let (state, changed) = &*self.state;
        let mut held = state.lock();
        while held.stopped == 0 {
            let (again, timed_out) = changed.wait_timeout(held, Duration::from_secs(20));
            held = again;
            assert!(!timed_out, "nobody came to the barrier");
        }
    }
}

/// A disk that stops calls of one kind, on paths that contain some characters, at a barrier.
pub(crate) fn stopping(
    disk: &MemFs,
    op: FsOp,
    part: &'static str,
) -> (Arc<dyn FileSystem>, Barrier) {
    let barrier = Barrier::default();
    let at = barrier.clone();
    let hook: Hook = Arc::new(move |called, path: &Path| {
        if called == op && path.to_string_lossy().contains(part) {
            at.pass();
        }
    });
    (Hooked::over(Arc::new(disk.clone()), hook), barrier)
}
