//! Time.

use std::fmt::Debug;
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
