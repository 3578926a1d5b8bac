//! Whether a store is well.

use crate::error::Error;
use crate::events::{Events, VizEvent};
use nori_env::sync::Mutex;
use std::collections::BTreeMap;
use std::time::Duration;

const BACKOFF_MIN: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// Background work that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Work {
    Flush,
    Compaction,
    Cleaning,
    Sync,
}

/// How a store is.
#[derive(Clone, Debug)]
pub struct Health {
    /// Whether writes ended by a failure; the store must be opened again to write.
    pub poisoned: Option<String>,
    /// Background work that failed the last time it was tried, and why. It is tried again.
    pub failing: Vec<String>,
}

impl Health {
    /// Whether nothing is wrong.
    pub fn is_ok(&self) -> bool {
        self.poisoned.is_none() && self.failing.is_empty()
    }
}

#[derive(Debug, Clone)]
struct Failure {
    error: Error,
    times: u32,
}

/// What failed last, by kind of work.
#[derive(Debug, Default)]
pub(crate) struct HealthBook {
    failures: Mutex<BTreeMap<Work, Failure>>,
}

impl HealthBook {
    /// Notes how a piece of work went.
    pub(crate) fn note(&self, work: Work, result: &Result<(), Error>, events: &Events) {
        let mut failures = self.failures.lock();
        match result {
            Ok(()) => {
                failures.remove(&work);
            }
            Err(error) => {
                let times = failures.get(&work).map_or(0, |f| f.times).saturating_add(1);
                failures.insert(work, Failure { error: error.clone(), times });
                events.emit(|| match error {
                    Error::Corruption { .. } => VizEvent::Corruption { error: error.to_string() },
                    _ => VizEvent::BackgroundError { error: format!("{work:?}: {error}") },
                });
            }
        }
    }

    /// How long to wait before this work is tried again; doubles with each failure.
    pub(crate) fn backoff(&self, work: Work) -> Option<Duration> {
        let times = self.failures.lock().get(&work)?.times;
        Some((BACKOFF_MIN * 2u32.saturating_pow(times.saturating_sub(1))).min(BACKOFF_MAX))
    }

    pub(crate) fn last_error(&self) -> Option<Error> {
        self.failures.lock().values().next().map(|f| f.error.clone())
    }

    pub(crate) fn report(&self, poisoned: Option<String>) -> Health {
        let failures = self.failures.lock();
        let failing = failures.iter().map(|(work, f)| format!("{work:?}: {}", f.error)).collect();
        Health { poisoned, failing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_limit_and_success_forgets() {
        let (book, events) = (HealthBook::default(), Events::default());
        let mut waits = Vec::new();
        for _ in 0..9 {
            book.note(Work::Flush, &Err(Error::Closed), &events);
            waits.push(book.backoff(Work::Flush).unwrap().as_millis());
        }
        assert_eq!(waits, [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert!(!book.report(None).is_ok());
        book.note(Work::Flush, &Ok(()), &events);
        assert!(book.backoff(Work::Flush).is_none() && book.report(None).is_ok());
    }
}
