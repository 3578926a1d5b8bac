//! What a store makes of its failures: it remembers them, tells of them, and waits.

use crate::error::{Error, ErrorKind, Result};
use crate::events::VizEvent;
use crate::health::Work;
use crate::store::state::Store;
use std::collections::BTreeMap;
use std::time::Duration;

impl Store {
    /// Notes how a piece of work went.
    pub(crate) fn note<T>(&self, work: Work, done: &Result<T>) {
        match done {
            Ok(_) => self.health.succeeded(work),
            Err(error) => {
                self.health.failed(work, error, self.config.clock.now());
                match error {
                    Error::Corruption { .. } => self.met(error),
                    _ => self
                        .events
                        .emit(|| VizEvent::BackgroundError { error: format!("{work}: {error}") }),
                }
            }
        }
    }

    /// Notes an error that may be damage; each damaged place is told of once.
    pub(crate) fn met(&self, error: &Error) {
        if self.health.met(error) {
            self.events.emit(|| VizEvent::Corruption { error: error.to_string() });
        }
    }

    /// What a reader is told of an error. Behind a close the store's files may be another's, who
    /// removes them: then the close is why they cannot be read.
    pub(crate) fn why(&self, error: Error) -> Error {
        let is_of_file = matches!(error.kind(), ErrorKind::Io | ErrorKind::Corruption);
        if is_of_file && self.check_open().is_err() {
            return Error::Closed;
        }
        self.met(&error);
        error
    }

    /// Whether background threads leave this work alone for now, because it failed a moment ago.
    /// A caller who does the steps himself decides himself.
    pub(crate) fn waits(&self, work: Work) -> bool {
        !self.is_manual() && self.health.wait(work, self.config.clock.now()).is_some()
    }

    /// How long a thread sleeps that just failed at `work`; `None` if that has its own time.
    pub(crate) fn wait_after(&self, work: Work) -> Option<Duration> {
        self.health.wait(work, self.config.clock.now())
    }

    /// The slots whose work failed a moment ago, and how long they wait; none for a caller who
    /// does the steps himself.
    pub(crate) fn waiting_slots(&self) -> BTreeMap<u64, Duration> {
        if self.is_manual() {
            return BTreeMap::new();
        }
        self.health.waiting_slots(self.config.clock.now())
    }
}
