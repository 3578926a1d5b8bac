//! The threads of callers that work on the store's files: flushes, merges, steps, cuts of slots.
//!
//! Background threads are joined when the store is closed, and the commit queue refuses everybody
//! behind the closing one; these callers are counted.
//!
//! 1. Once the store is closed nobody is let in, and closing goes on only when all have left. So
//!    nobody writes, deletes or logs anything when the lock file is let go.

use crate::error::{Error, Result};
use nori_env::sync::{Condvar, Mutex};

/// Counts callers in and out.
#[derive(Debug, Default)]
pub(crate) struct Callers {
    state: Mutex<State>,
    left: Condvar,
}

#[derive(Debug, Default)]
struct State {
    inside: usize,
    closed: bool,
}

/// A caller at work; leaves when dropped.
#[derive(Debug)]
#[must_use = "dropping it means that the work is done"]
pub(crate) struct Caller<'a> {
    callers: &'a Callers,
}

impl Callers {
    /// Lets a caller in, who may be inside already; `Closed` once the store is.
    pub(crate) fn enter(&self) -> Result<Caller<'_>> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(Error::Closed);
        }
        state.inside += 1;
        Ok(Caller { callers: self })
    }

    /// Lets nobody in any more, and waits until all have left.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        while state.inside > 0 {
            state = self.left.wait(state);
        }
    }
}

impl Drop for Caller<'_> {
    fn drop(&mut self) {
        self.callers.state.lock().inside -= 1;
        self.callers.left.notify_all();
    }
}
