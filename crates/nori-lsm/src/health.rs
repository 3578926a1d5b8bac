//! Whether a store is well: work that fails, and bytes on disk that are damaged.
//!
//! 1. Work that failed waits before it is tried again, longer each time. Work on one slot waits by
//!    itself: neither its failures nor other slots' successes change when the others are tried.
//! 2. Damage is told by an event once for each place, whoever meets it: a reader, a merge or a
//!    verification, whose problems count as damage too. It is forgotten when its file is deleted.

use crate::error::Error;
use nori_env::sync::Mutex;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

const BACKOFF_MIN: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// Damaged places that are remembered.
const DAMAGE_MAX: usize = 64;

/// Background work that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Work {
    Flush,
    /// Merging, cutting, joining or purging this slot.
    Slot(u64),
    Cleaning,
    Sync,
    /// Whatever a worker thread did that is none of the above.
    Worker,
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Work::Flush => f.write_str("flush"),
            Work::Slot(id) => write!(f, "compaction of slot {id}"),
            Work::Cleaning => f.write_str("cleaning"),
            Work::Sync => f.write_str("sync of the log"),
            Work::Worker => f.write_str("background work"),
        }
    }
}

/// How a store is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Health {
    /// Whether writes ended by a failure; the store must be opened again to write.
    pub poisoned: Option<String>,
    /// Background work that failed the last time it was tried, and why. It is tried again.
    pub failing: Vec<String>,
    /// The damage met since the store was opened, each place once, as [`Error::Corruption`] with
    /// file and offset; what [`crate::Lsm::verify`] found included, places that it could not read
    /// too. The first 64 places; those in files that are gone are left out.
    pub corruption: Vec<Error>,
}

impl Health {
    /// Whether nothing is wrong.
    pub fn is_ok(&self) -> bool {
        self.poisoned.is_none() && self.failing.is_empty() && self.corruption.is_empty()
    }
}

#[derive(Debug, Clone)]
struct Failure {
    error: Error,
    times: u32,
    /// By the store's clock.
    retry_at: Duration,
}

/// What failed last, by work, and which damage was met.
#[derive(Debug, Default)]
pub(crate) struct HealthBook {
    failures: Mutex<BTreeMap<Work, Failure>>,
    damage: Mutex<Vec<Error>>,
}

/// Where the damage is that an error tells of.
fn place(error: &Error) -> Option<(&Path, u64)> {
    match error {
        Error::Corruption { path, offset, .. } => Some((path, *offset)),
        _ => None,
    }
}

/// The wait after the n-th failure in a row.
fn backoff(times: u32) -> Duration {
    (BACKOFF_MIN * 2u32.saturating_pow(times.saturating_sub(1))).min(BACKOFF_MAX)
}

impl HealthBook {
    /// Work went well.
    pub(crate) fn succeeded(&self, work: Work) {
        self.failures.lock().remove(&work);
    }

    /// Work failed at `now`.
    pub(crate) fn failed(&self, work: Work, error: &Error, now: Duration) {
        let mut failures = self.failures.lock();
        let times = failures.get(&work).map_or(0, |f| f.times).saturating_add(1);
        let retry_at = now.saturating_add(backoff(times));
        failures.insert(work, Failure { error: error.clone(), times, retry_at });
    }

    /// Damage was met; whether its place is a new one.
    pub(crate) fn met(&self, error: &Error) -> bool {
        let Some(here) = place(error) else { return false };
        let mut damage = self.damage.lock();
        let is_known = damage.iter().any(|known| place(known) == Some(here));
        let is_new = damage.len() < DAMAGE_MAX && !is_known;
        if is_new {
            damage.push(error.clone());
        }
        is_new
    }

    /// A file is gone, and its damage with it.
    pub(crate) fn forget(&self, path: &Path) {
        self.damage.lock().retain(|known| place(known).is_none_or(|(file, _)| file != path));
    }

    /// How long work has to wait from `now` until it is tried again; `None` if it need not.
    pub(crate) fn wait(&self, work: Work, now: Duration) -> Option<Duration> {
        let retry_at = self.failures.lock().get(&work)?.retry_at;
        retry_at.checked_sub(now).filter(|left| !left.is_zero())
    }

    /// The slots that have to wait at `now`, and for how long.
    pub(crate) fn waiting_slots(&self, now: Duration) -> BTreeMap<u64, Duration> {
        let failures = self.failures.lock();
        let waiting = failures.iter().filter(|(_, failure)| failure.retry_at > now);
        let slots = waiting.filter_map(|(work, failure)| match work {
            Work::Slot(id) => Some((*id, failure.retry_at.saturating_sub(now))),
            _ => None,
        });
        slots.collect()
    }

    pub(crate) fn last_error(&self) -> Option<Error> {
        self.failures.lock().values().next().map(|f| f.error.clone())
    }

    pub(crate) fn report(&self, poisoned: Option<String>) -> Health {
        let failures = self.failures.lock();
        let failing = failures.iter().map(|(work, f)| format!("{work}: {}", f.error)).collect();
        drop(failures);
        Health { poisoned, failing, corruption: self.damage.lock().clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn damage(file: &str, offset: u64) -> Error {
        let (what, expected, found) = ("a block".into(), "a checksum".into(), "another".into());
        Error::Corruption { path: file.into(), offset, what, expected, found }
    }

    #[test]
    fn waits_double_up_to_a_limit_and_success_forgets() {
        let (book, mut now) = (HealthBook::default(), Duration::from_secs(7));
        let mut waits = Vec::new();
        for _ in 0..9 {
            book.failed(Work::Flush, &Error::Closed, now);
            let wait = book.wait(Work::Flush, now).unwrap();
            waits.push(wait.as_millis());
            now += wait;
            assert_eq!(book.wait(Work::Flush, now), None);
        }
        assert_eq!(waits, [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert!(!book.report(None).is_ok());
        book.succeeded(Work::Flush);
        assert!(book.last_error().is_none() && book.report(None).is_ok());
    }

    #[test]
    fn slots_wait_each_by_itself() {
        let (book, at) = (HealthBook::default(), Duration::from_millis);
        book.failed(Work::Slot(3), &Error::Closed, at(0));
        book.failed(Work::Slot(3), &Error::Closed, at(50));
        book.failed(Work::Slot(9), &Error::Closed, at(60));
        assert_eq!(book.wait(Work::Slot(3), at(60)), Some(at(90)));
        assert_eq!(book.wait(Work::Slot(9), at(60)), Some(at(50)));
        assert_eq!(book.waiting_slots(at(60)), [(3, at(90)), (9, at(50))].into());
        assert_eq!(book.waiting_slots(at(110)), [(3, at(40))].into());
        book.succeeded(Work::Slot(3));
        assert!(book.waiting_slots(at(60)).len() == 1 && book.waiting_slots(at(110)).is_empty());
        assert_eq!(book.report(None).failing.len(), 1);
    }

    #[test]
    fn damage_is_new_once_and_goes_with_its_file() {
        let book = HealthBook::default();
        assert!(
            book.met(&damage("a", 1)) && book.met(&damage("a", 2)) && book.met(&damage("b", 1))
        );
        assert!(!book.met(&damage("a", 1)) && !book.met(&Error::Closed));
        assert_eq!(book.report(None).corruption.len(), 3);
        book.forget(Path::new("a"));
        assert_eq!(book.report(None).corruption.len(), 1);
        assert!(book.met(&damage("a", 1)), "a new file of that name");
        assert_eq!((0..100).filter(|n| book.met(&damage("c", *n))).count(), DAMAGE_MAX - 2);
        assert_eq!(book.report(None).corruption.len(), DAMAGE_MAX);
    }
}
