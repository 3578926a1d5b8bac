//! What of a put's time was no wait for a processor.

use nori_bench::machine::CpuWait;
use std::time::Duration;

/// How long a writer waits for a processor: the machine may have other work, which is not the
/// store's fault. Asked often enough that little else than a slow put lies between two answers.
pub(super) struct Processor {
    wait: CpuWait,
    told: Duration,
}

impl Processor {
    const EVERY: u64 = 64;
    const WORTH_ASKING: Duration = Duration::from_micros(500);

    /// Of the thread that calls.
    pub(super) fn new() -> Processor {
        Processor { wait: CpuWait::of_this_thread(), told: Duration::ZERO }
    }

    /// How much of a put's time was waiting for a processor; zero for quick ones.
    pub(super) fn waited(&mut self, put: u64, took: Duration) -> Duration {
        if took < Self::WORTH_ASKING && !put.is_multiple_of(Self::EVERY) {
            return Duration::ZERO;
        }
        let now = self.wait.so_far();
        let waited = now.saturating_sub(self.told);
        self.told = now;
        if took < Self::WORTH_ASKING { Duration::ZERO } else { waited }
    }
}
