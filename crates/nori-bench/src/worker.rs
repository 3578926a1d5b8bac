//! One thread of a workload, and what it counts.
//!
//! 1. A thread counts for itself; what all did is added up when they have ended.
//! 2. What is counted of a second is put aside when the first operation of a later second ends.

use crate::error::Result;
use crate::histogram::Histogram;
use crate::watch::Live;
use std::collections::BTreeMap;
use std::time::Instant;

/// Operations between two words to whoever watches.
const TOLD_EVERY: u64 = 1024;

/// One thread of a workload.
pub(crate) struct Worker<'a> {
    pub(crate) thread: u64,
    pub(crate) threads: u64,
    pub(crate) tally: Tally,
    live: &'a dyn Live,
    started: Instant,
    second: u64,
    /// What is not put aside yet.
    new_ops: u64,
    new: Histogram,
    told: u64,
    all: Histogram,
    seconds: BTreeMap<u64, Second>,
}

/// What operations count.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) ops: u64,
    pub(crate) found: u64,
    /// A sum, so that the order does not matter.
    pub(crate) checksum: u64,
    pub(crate) user_bytes: u64,
}

/// What one thread did, or all of them.
#[derive(Default)]
pub(crate) struct Done {
    pub(crate) tally: Tally,
    pub(crate) latency: Histogram,
    /// By their number.
    pub(crate) seconds: BTreeMap<u64, Second>,
}

/// One second of one thread, or of all of them.
#[derive(Default)]
pub(crate) struct Second {
    pub(crate) ops: u64,
    pub(crate) latency: Vec<(u32, u32)>,
}

impl Tally {
    /// Counts a value that was found.
    pub(crate) fn value(&mut self, value: &[u8]) {
        self.found += 1;
        self.checksum = self.checksum.wrapping_add(hash(value));
    }

    /// Counts an entry that a scan met.
    pub(crate) fn entry(&mut self, key: &[u8], value: &[u8]) {
        self.found += 1;
        self.checksum = self.checksum.wrapping_add(hash(key).rotate_left(1) ^ hash(value));
    }

    /// Counts bytes handed over.
    pub(crate) fn wrote(&mut self, key: &[u8], value: &[u8]) {
        self.user_bytes += (key.len() + value.len()) as u64;
    }
}

impl<'a> Worker<'a> {
    pub(crate) fn new(thread: u64, threads: u64, live: &'a dyn Live, started: Instant) -> Self {
        Worker {
            thread,
            threads,
            tally: Tally::default(),
            live,
            started,
            second: 0,
            new_ops: 0,
            new: Histogram::new(),
            told: 0,
            all: Histogram::new(),
            seconds: BTreeMap::new(),
        }
    }

    /// The thread's part of 0..n; all parts together have no gaps.
    pub(crate) fn part(&self, n: u64) -> std::ops::Range<u64> {
        let at =
            |thread| (u128::from(n) * u128::from(thread) / u128::from(self.threads.max(1))) as u64;
        at(self.thread)..at(self.thread + 1)
    }

    /// Does and times an operation for each number. The clock is read once for each: the end of
    /// one is the start of the next, so making the key is part of it.
    pub(crate) fn each(
        &mut self,
        numbers: impl IntoIterator<Item = u64>,
        mut operation: impl FnMut(u64, &mut Tally) -> Result<()>,
    ) -> Result<()> {
        let mut before = Instant::now();
        for number in numbers {
            operation(number, &mut self.tally)?;
            let now = Instant::now();
            self.did(Some(now - before), now);
            before = now;
        }
        Ok(())
    }

    /// As [`Worker::each`], once and then while `goes_on` says so.
    pub(crate) fn while_true(
        &mut self,
        goes_on: impl Fn() -> bool,
        operation: impl FnMut(u64, &mut Tally) -> Result<()>,
    ) -> Result<()> {
        self.each((0..).take_while(|number| *number == 0 || goes_on()), operation)
    }

    /// Counts an entry of a long scan. The clock is read now and then only: entries are cheap.
    pub(crate) fn scanned(&mut self, key: &[u8], value: &[u8]) {
        self.tally.entry(key, value);
        self.tally.ops += 1;
        self.new_ops += 1;
        if self.new_ops.is_multiple_of(64) {
            self.roll(Instant::now());
        }
        self.tell();
    }

    fn did(&mut self, took: Option<std::time::Duration>, now: Instant) {
        self.roll(now);
        self.tally.ops += 1;
        self.new_ops += 1;
        if let Some(took) = took {
            self.new.record(took.as_nanos() as u64);
        }
        self.tell();
    }

    fn tell(&mut self) {
        if self.tally.ops - self.told >= TOLD_EVERY {
            self.live.did(self.tally.ops - self.told);
            self.told = self.tally.ops;
        }
    }

    /// Puts a second aside if it is over.
    fn roll(&mut self, now: Instant) {
        let second = (now - self.started).as_secs();
        if second != self.second {
            self.put_aside();
            self.second = second;
        }
    }

    fn put_aside(&mut self) {
        if self.new_ops > 0 {
            let latency = self.new.sparse();
            self.seconds.insert(self.second, Second { ops: self.new_ops, latency });
            self.all.merge(&self.new);
            self.new.clear();
            self.new_ops = 0;
        }
    }

    /// What it did.
    pub(crate) fn done(mut self) -> Done {
        self.put_aside();
        self.live.did(self.tally.ops - self.told);
        Done { tally: self.tally, latency: self.all, seconds: self.seconds }
    }
}

impl Done {
    /// Adds what another thread did.
    pub(crate) fn add(&mut self, other: Done) {
        self.tally.ops += other.tally.ops;
        self.tally.found += other.tally.found;
        self.tally.checksum = self.tally.checksum.wrapping_add(other.tally.checksum);
        self.tally.user_bytes += other.tally.user_bytes;
        self.latency.merge(&other.latency);
        for (at, second) in other.seconds {
            let mine = self.seconds.entry(at).or_default();
            mine.ops += second.ops;
            mine.latency.extend(second.latency);
        }
    }
}

/// A number for some bytes, another one for nearly all others. Four sums go on side by side, so
/// that a long value costs little beside reading it.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut lanes = [1u64, 2, 3, bytes.len() as u64 + 4];
    let (words, rest) = bytes.as_chunks::<8>();
    let (fours, last) = words.as_chunks::<4>();
    let step = |lane: &mut u64, word: [u8; 8]| {
        *lane = (*lane ^ u64::from_le_bytes(word)).wrapping_mul(ODD).rotate_left(29);
    };
    for four in fours {
        for (lane, word) in lanes.iter_mut().zip(four) {
            step(lane, *word);
        }
    }
    for (lane, word) in lanes.iter_mut().zip(last) {
        step(lane, *word);
    }
    let mut end = [0; 8];
    end[..rest.len()].copy_from_slice(rest);
    step(&mut lanes[3], end);
    let mut all = 0u64;
    for lane in lanes {
        all = (all ^ lane).wrapping_mul(ODD);
        all ^= all >> 32;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::Quiet;
    use std::collections::BTreeSet;
    use std::time::Duration;

    #[test]
    fn a_hash_tells_bytes_apart() {
        let mut seen = BTreeSet::new();
        for len in 0..100usize {
            let plain = vec![7u8; len];
            assert_eq!(hash(&plain), hash(&plain.clone()));
            assert!(seen.insert(hash(&plain)), "{len}");
            for at in 0..len {
                let mut other = plain.clone();
                other[at] = 8;
                assert!(seen.insert(hash(&other)), "{len} {at}");
            }
        }
    }

    #[test]
    fn parts_cover_all_numbers_once() {
        for (n, threads) in [(0, 1), (1, 3), (10, 3), (1000, 7)] {
            let parts =
                (0..threads).map(|t| Worker::new(t, threads, &Quiet, Instant::now()).part(n));
            assert!(parts.flatten().eq(0..n), "{n} {threads}");
        }
    }

    /// Each operation stands in the second in which it ended, however many are between.
    #[test]
    fn seconds_hold_what_ended_in_them() {
        let started = Instant::now();
        let mut worker = Worker::new(0, 1, &Quiet, started);
        for (ms, took) in [(100, 10), (900, 20), (1_100, 30), (5_000, 40)] {
            worker.did(Some(Duration::from_nanos(took)), started + Duration::from_millis(ms));
        }
        let mut done = Done::default();
        done.add(worker.done());
        let seconds: Vec<(u64, u64)> = done.seconds.iter().map(|(at, s)| (*at, s.ops)).collect();
        assert_eq!(seconds, [(0, 2), (1, 1), (5, 1)]);
        assert_eq!((done.latency.total(), done.tally.ops), (4, 4));
        assert_eq!(done.seconds[&0].latency, [(10, 1), (20, 1)]);
    }
}
