//! Time, as an input: what measures or waits asks a [`Clock`] that it was given.
//!
//! 1. `now` never goes back, also across clones of one clock.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// A source of time.
pub trait Clock: Debug + Send + Sync + 'static {
    /// Time since some fixed start; never goes back.
    fn now(&self) -> Duration;
    /// Milliseconds since 1970, for people to read.
    fn unix_ms(&self) -> u64;
}

/// The machine's clock.
#[derive(Clone, Debug)]
pub struct SystemClock {
    start: Instant,
}

impl Default for SystemClock {
    fn default() -> SystemClock {
        SystemClock { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn unix_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
    }
}

/// A clock that stands still until it is told to go on. Clones show the same time.
///
/// ```
/// use nori_env::{Clock, ManualClock};
/// use std::time::Duration;
///
/// let clock = ManualClock::default();
/// let other = clock.clone();
/// clock.advance(Duration::from_secs(3));
/// assert_eq!(other.now(), Duration::from_secs(3));
/// ```
#[derive(Clone, Debug, Default)]
pub struct ManualClock {
    // Nanoseconds, 584 years of them. std's atomic in every build: time is no synchronization.
    nanos: Arc<AtomicU64>,
}

impl ManualClock {
    /// Moves the time on.
    pub fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        let add = |now: u64| Some(now.saturating_add(by));
        // The closure never declines, so there is nothing to report.
        let _ = self.nanos.fetch_update(Ordering::SeqCst, Ordering::SeqCst, add);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Duration {
        Duration::from_nanos(self.nanos.load(Ordering::SeqCst))
    }

    /// Counts from 1970 on.
    fn unix_ms(&self) -> u64 {
        self.nanos.load(Ordering::SeqCst) / 1_000_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manual_time_moves_only_when_told() {
        let clock = ManualClock::default();
        assert_eq!((clock.now(), clock.unix_ms()), (Duration::ZERO, 0));
        clock.clone().advance(Duration::from_millis(1_500));
        assert_eq!(clock.unix_ms(), 1_500);
        clock.advance(Duration::MAX);
        assert_eq!(clock.now(), Duration::from_nanos(u64::MAX));
    }

    #[test]
    fn machine_time_goes_forward() {
        let clock = SystemClock::default();
        let first = clock.now();
        assert!(clock.clone().now() >= first);
        // This test was written in 2025.
        assert!(clock.unix_ms() > 1_700_000_000_000);
    }
}
