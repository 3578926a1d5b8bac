//! A store of counted bytes for the tests: slots with runs, flushes, and jobs done at once.

use nori_env::Rng;
use nori_scheduler::{Done, Pick, Policy, Reads, Reward, RunView, Scheduler};
use std::collections::BTreeMap;
use std::time::Duration;

pub(crate) const MIB: u64 = 1 << 20;

/// Loops take their size from here: NORI_SEEDS, or the default.
#[allow(dead_code)]
pub(crate) fn seeds(default: u64) -> u64 {
    std::env::var("NORI_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// A flush a second, with the heat of 32 flushes.
pub(crate) fn policy() -> Policy {
    Policy { half_life: Some(Duration::from_secs(32)), ..Policy::default() }
}

pub(crate) struct Store {
    pub scheduler: Scheduler,
    pub slots: BTreeMap<u64, Vec<RunView>>,
    pub flushes: u64,
    /// Every job done: the pick, and what was learned from it.
    pub jobs: Vec<(Pick, Option<Reward>)>,
}

impl Store {
    /// Slots with one bottom run each.
    pub(crate) fn new(policy: Policy, slots: u64, bottom_bytes: u64) -> Store {
        let mut scheduler = Scheduler::new(policy);
        scheduler.tick(Duration::ZERO);
        let bottom = merged(bottom_bytes);
        for slot in 0..slots {
            scheduler.insert(usize::MAX, slot, &[bottom]);
        }
        let slots = (0..slots).map(|slot| (slot, vec![bottom])).collect();
        Store { scheduler, slots, flushes: 0, jobs: Vec::new() }
    }

    /// A flush with a fragment of so many bytes in each slot (none for 0), and point reads.
    pub(crate) fn flush(&mut self, bytes: impl Fn(u64) -> u64, reads: impl Fn(u64) -> u64) {
        self.flushes += 1;
        for (&slot, runs) in &mut self.slots {
            let (points, visible) = (reads(slot), runs.len() as u64);
            let seen =
                Reads { points, scans: 0, probes: points * visible, visible: points * visible };
            self.scheduler.note_reads(slot, seen);
            let bytes = bytes(slot);
            if bytes > 0 {
                let (entries, flush_seq) = (bytes >> 10, self.flushes);
                let run =
                    RunView { bytes, entries, flush_seq, seq_max: flush_seq, ..RunView::default() };
                runs.push(run);
                self.scheduler.set_runs(slot, runs);
                self.scheduler.note_flush(slot, bytes);
            }
        }
        self.scheduler.flush_installed(Duration::from_secs(self.flushes), self.flushes);
    }

    /// Does one job. Upper bytes replace what is in the bottom run.
    pub(crate) fn step(&mut self, is_busy: &dyn Fn(u64) -> bool) -> Option<Pick> {
        let pick = self.scheduler.pick(is_busy)?;
        let runs = self.slots.get_mut(&pick.slot).expect("only known slots are picked");
        let end = pick.first + pick.count;
        assert!(pick.count > 0 && end <= runs.len(), "{pick:?} of {runs:?}");
        let read = runs[pick.first..end].iter().map(|run| run.bytes).sum();
        let bytes_written = if pick.first == 0 { runs[0].bytes.max(read / 2) } else { read };
        let sum = |of: fn(&RunView) -> u64| runs[pick.first..end].iter().map(of).sum();
        let output = RunView {
            bytes: bytes_written,
            entries: sum(|run| run.entries),
            tombstones: if pick.first == 0 { 0 } else { sum(|run| run.tombstones) },
            level: pick.level,
            seq_max: runs[pick.first..end].iter().map(|run| run.seq_max).max().unwrap_or(0),
            flush_seq: runs[end - 1].flush_seq,
        };
        runs.splice(pick.first..end, [output]);
        self.scheduler.set_runs(pick.slot, runs);
        let reward = self.scheduler.finish(&pick, Done { bytes_written, bytes_read: read });
        self.jobs.push((pick, reward));
        Some(pick)
    }

    /// Does jobs until there are none.
    pub(crate) fn settle(&mut self) -> usize {
        let before = self.jobs.len();
        while self.step(&|_| false).is_some() {
            assert!(self.jobs.len() - before < 100_000, "jobs without end: {:?}", self.jobs.last());
        }
        self.jobs.len() - before
    }

    #[allow(dead_code)]
    pub(crate) fn k(&self, slot: u64) -> usize {
        self.scheduler.state(slot).expect("a slot of the store").k
    }
}

/// A run that merges made.
pub(crate) fn merged(bytes: u64) -> RunView {
    RunView { bytes, entries: bytes >> 10, level: 1, ..RunView::default() }
}

/// A slot's part of a flush.
#[allow(dead_code)]
pub(crate) fn fragment(bytes: u64, flush_seq: u64) -> RunView {
    RunView { bytes, entries: bytes >> 10, flush_seq, seq_max: flush_seq, ..RunView::default() }
}

/// A random policy with a seed.
#[allow(dead_code)]
pub(crate) fn any_policy(rng: &mut Rng) -> Policy {
    Policy {
        k_global: 1 + rng.index(16),
        lambda: [0.0, 256.0, 2048.0, 8192.0][rng.index(4)],
        alpha: [0.2, 0.5, 1.0][rng.index(3)],
        seed: rng.next_u64(),
        ..policy()
    }
}
