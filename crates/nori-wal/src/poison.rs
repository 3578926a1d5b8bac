//! The mark of a log whose tail is unknown.
//!
//! 1. Once set it stays, and the first cause is kept: after a failed sync the page cache may
//!    show bytes that the disk never got, so trying again proves nothing.

use crate::error::{Error, Result};
use nori_env::sync::atomic::{AtomicBool, Ordering};
use nori_env::sync::{Arc, Mutex};

#[derive(Debug, Default)]
pub(crate) struct Poison {
    /// Set after `cause`, so that the usual answer costs one load.
    is_set: AtomicBool,
    cause: Mutex<Option<Arc<str>>>,
}

impl Poison {
    pub(crate) fn set(&self, cause: &str) {
        let mut kept = self.cause.lock();
        if kept.is_none() {
            *kept = Some(cause.into());
        }
        self.is_set.store(true, Ordering::Release);
    }

    pub(crate) fn cause(&self) -> Option<Arc<str>> {
        if !self.is_set.load(Ordering::Acquire) {
            return None;
        }
        self.cause.lock().clone()
    }

    pub(crate) fn check(&self) -> Result<()> {
        match self.cause() {
            Some(cause) => Err(Error::Poisoned { cause }),
            None => Ok(()),
        }
    }
}
