//! The scheduler: all slots in guard order, and what is cached of each.
//!
//! 1. `slots`, `assessed`, `arms` and `eligible` have one entry a slot, in guard order; `index`
//!    finds them.
//! 2. `flushes`, `total_bytes`, `levels` and `debt` are sums over the slots, kept in step by every
//!    change of a slot's runs.
//! 3. What is cached of a slot is what `assess` says of it now: runs, zone and the oldest reader
//!    bring it up to date at once, flushes and reads at the next tick.

use crate::assess::{Around, Assessment, assess, is_oversized};
use crate::bandit::{Arm, Done, Reward, learn, ratio, reward};
use crate::cost::{Budgets, Demand};
use crate::heat::Decay;
use crate::leveled::{self, LEVELS};
use crate::pick::{Pick, Why};
use crate::policy::{Chooser, Mode, Policy, Zone};
use crate::run::{RunView, first_fragment};
use crate::slot::Slot;
use crate::tiered;
use nori_env::Rng;
use std::collections::{BTreeMap, HashMap};

/// Decides which slot to compact next and how. See the crate for what it needs to be told.
#[derive(Debug)]
pub struct Scheduler {
    pub(crate) policy: Policy,
    pub(crate) slots: Vec<Slot>,
    pub(crate) assessed: Vec<Assessment>,
    pub(crate) arms: Vec<Arm>,
    /// Whether the slot may be picked; apart from the arms so that the scan skips fast.
    pub(crate) eligible: Vec<bool>,
    pub(crate) index: HashMap<u64, usize>,
    /// How many fragments each flush still has.
    pub(crate) flushes: BTreeMap<u64, usize>,
    pub(crate) total_bytes: u128,
    /// Bytes of each level (leveled mode).
    pub(crate) levels: [u128; LEVELS + 1],
    /// Leveled mode: fragments up to this flush are due.
    pub(crate) draining: Option<u64>,
    pub(crate) debt: u128,
    pub(crate) zone: Zone,
    pub(crate) oldest_reader: u64,
    /// No slot's tombstones come free before the oldest reader gets here.
    pub(crate) pinned_until: u64,
    pub(crate) flushed: u64,
    pub(crate) mean_reads: f64,
    pub(crate) all_pulls: f64,
    pub(crate) decay: Decay,
    pub(crate) budgets: Budgets,
    /// Kept for its memory.
    pub(crate) demands: Vec<Demand>,
    pub(crate) rng: Rng,
}

impl Scheduler {
    /// A scheduler of no slots. Numbers of the policy that are out of range are brought into it.
    pub fn new(policy: Policy) -> Scheduler {
        let policy = policy.within_limits();
        Scheduler {
            budgets: Budgets::new(&policy),
            demands: Vec::new(),
            rng: Rng::new(policy.seed),
            policy,
            slots: Vec::new(),
            assessed: Vec::new(),
            arms: Vec::new(),
            eligible: Vec::new(),
            index: HashMap::new(),
            flushes: BTreeMap::new(),
            total_bytes: 0,
            levels: [0; LEVELS + 1],
            draining: None,
            debt: 0,
            zone: Zone::Green,
            oldest_reader: u64::MAX,
            pinned_until: u64::MAX,
            flushed: 0,
            mean_reads: 0.0,
            all_pulls: 0.0,
            decay: Decay::default(),
        }
    }

    /// A new slot at a place in guard order, with the widest budget and no heat. A slot that is
    /// known already only gets the runs.
    pub fn insert(&mut self, index: usize, slot: u64, runs: &[RunView]) {
        if self.index_of(slot).is_none() {
            let k = self.policy.fixed_k.unwrap_or(self.policy.k_global);
            self.place(index, Slot::new(slot, k));
        }
        self.set_runs(slot, runs);
    }

    /// The runs of a slot, oldest first, fragments of flushes last.
    pub fn set_runs(&mut self, slot: u64, runs: &[RunView]) {
        let Some(index) = self.index_of(slot) else { return };
        self.uncount(index);
        self.slots[index].set_runs(runs);
        let (known, mode) = (&mut self.slots[index], self.policy.mode);
        if mode == Mode::Leveled {
            leveled::label(&mut known.runs);
            known.levels = leveled::bytes_by_level(&known.runs);
        }
        self.count(index);
        self.update_draining();
        self.refresh(index);
    }

    /// A slot is cut: the parts stand right behind it. All of them start with what it had learned
    /// and an even share of its traffic. Their runs follow, each by [`Scheduler::set_runs`].
    pub fn split(&mut self, slot: u64, parts: &[u64]) {
        let Some(index) = self.index_of(slot) else { return };
        let mut new: Vec<u64> = Vec::with_capacity(parts.len());
        for &part in parts {
            if self.index_of(part).is_none() && !new.contains(&part) {
                new.push(part);
            }
        }
        let share = 1.0 / (new.len() + 1) as f64;
        for (behind, &part) in new.iter().enumerate() {
            let child = self.slots[index].child(part, share);
            self.place(index + 1 + behind, child);
        }
        let left = &mut self.slots[index];
        for number in [&mut left.reads, &mut left.writes, &mut left.unit, &mut left.pulls] {
            *number *= share;
        }
        for child in index..=index + new.len() {
            self.refresh(child);
        }
    }

    /// Two neighbours become one, the right one goes. The runs follow by [`Scheduler::set_runs`].
    pub fn merge(&mut self, left: u64, right: u64) {
        let (Some(_), Some(gone)) = (self.index_of(left), self.index_of(right)) else { return };
        if left == right {
            return;
        }
        let right = self.slots[gone].clone();
        self.remove(right.id);
        let Some(index) = self.index_of(left) else { return };
        self.slots[index].absorb(&right);
        self.all_pulls += right.pulls;
        self.refresh(index);
    }

    /// A slot goes.
    pub fn remove(&mut self, slot: u64) {
        let Some(index) = self.index_of(slot) else { return };
        self.uncount(index);
        self.all_pulls = (self.all_pulls - self.slots[index].pulls).max(0.0);
        self.slots.remove(index);
        self.assessed.remove(index);
        self.arms.remove(index);
        self.eligible.remove(index);
        self.index.remove(&slot);
        self.reindex(index);
    }

    /// The oldest sequence number that anyone reads at. Tombstones of runs with newer entries are
    /// not counted as garbage, since no merge could drop them.
    pub fn set_oldest_reader(&mut self, seq: u64) {
        let before = std::mem::replace(&mut self.oldest_reader, seq);
        if seq >= before && seq < self.pinned_until {
            return;
        }
        let went_back = seq < before;
        let mut next = u64::MAX;
        for index in 0..self.slots.len() {
            if went_back || self.assessed[index].pinned_until <= seq {
                self.refresh(index);
            }
            next = next.min(self.assessed[index].pinned_until);
        }
        self.pinned_until = next;
    }

    /// The pressure zone, which widens budgets.
    pub fn set_zone(&mut self, zone: Zone) {
        if zone != self.zone {
            self.zone = zone;
            self.refresh_all();
        }
    }

    /// Keeps a slot from being cut, or lets it. Such a slot is never [`Why::Oversized`].
    pub fn mark_unsplittable(&mut self, slot: u64, yes: bool) {
        let Some(index) = self.index_of(slot) else { return };
        self.slots[index].is_unsplittable = yes;
        self.refresh(index);
    }

    /// A picked job is done and installed. Returns what was learned; none from jobs that had to
    /// be done, and if the slot is gone.
    pub fn finish(&mut self, pick: &Pick, done: Done) -> Option<Reward> {
        let index = self.index_of(pick.slot)?;
        let slot = &mut self.slots[index];
        if pick.first == 0 && pick.why != Why::Oversized {
            slot.note_full_merge(done.bytes_read.saturating_sub(done.bytes_written));
        }
        if pick.why.is_forced() || self.policy.mode != Mode::Atll {
            self.refresh(index);
            return None;
        }
        let mut earned = reward(pick.gain, slot.depth, pick.removed, done);
        let mut sample = ratio(earned, pick.prior);
        if self.policy.chooser == Chooser::RawUcb {
            let hottest = self.slots.iter().map(|slot| slot.reads).fold(0.0, f64::max);
            let slot = &self.slots[index];
            let heat = if hottest > 0.0 { slot.reads / hottest } else { 0.0 };
            let mib = done.bytes_written.max(1) as f64 / (1u64 << 20) as f64;
            earned = heat * slot.depth * pick.removed as f64 / mib;
            sample = earned;
        }
        let slot = &mut self.slots[index];
        slot.mean = learn(slot.mean, slot.pulls, sample);
        slot.pulls += 1.0;
        self.all_pulls += 1.0;
        let (mean, pulls) = (slot.mean, slot.pulls);
        self.refresh(index);
        Some(Reward { reward: earned, ratio: sample, mean, pulls })
    }

    /// Whether a slot is so large that it should be cut without waiting for a merge.
    pub fn needs_split(&self, slot: u64) -> bool {
        let target = self.slot_target();
        self.index_of(slot).is_some_and(|index| is_oversized(&self.slots[index], target))
    }

    pub(crate) fn index_of(&self, slot: u64) -> Option<usize> {
        self.index.get(&slot).copied()
    }

    pub(crate) fn refresh_all(&mut self) {
        (0..self.slots.len()).for_each(|index| self.refresh(index));
    }

    /// Brings what is cached of a slot up to date.
    pub(crate) fn refresh(&mut self, index: usize) {
        let found = match self.policy.mode {
            Mode::Atll => assess(&self.slots[index], &self.around()),
            Mode::Tiered => tiered::assess(&self.slots[index], &self.around()),
            Mode::Leveled => leveled::assess(&self.slots[index], &self.around()),
        };
        self.debt =
            self.debt - self.debt_of(index) + debt(&self.slots[index], &found, &self.policy);
        self.pinned_until = self.pinned_until.min(found.pinned_until);
        self.assessed[index] = found;
        let slot = &self.slots[index];
        let fragment = first_fragment(&slot.runs);
        self.eligible[index] = found.own.is_some_and(|plan| plan.why.is_some());
        self.arms[index] = Arm {
            prior: found.prior,
            mean: slot.mean,
            doubt: 1.0 / (1.0 + slot.pulls).sqrt(),
            oldest_fragment: fragment.map_or(u64::MAX, |first| slot.runs[first].flush_seq),
        };
    }

    pub(crate) fn around(&self) -> Around<'_> {
        Around {
            policy: &self.policy,
            zone: self.zone,
            oldest_reader: self.oldest_reader,
            slot_target: self.slot_target(),
            mean_reads: self.mean_reads,
            slots: self.slots.len(),
        }
    }

    /// Puts an empty slot at a place.
    fn place(&mut self, index: usize, slot: Slot) {
        let index = index.min(self.slots.len());
        let none = Arm { prior: 0.0, mean: slot.mean, doubt: 1.0, oldest_fragment: u64::MAX };
        self.slots.insert(index, slot);
        self.assessed.insert(index, Assessment::default());
        self.arms.insert(index, none);
        self.eligible.insert(index, false);
        self.reindex(index);
    }

    fn reindex(&mut self, from: usize) {
        for (index, slot) in self.slots.iter().enumerate().skip(from) {
            self.index.insert(slot.id, index);
        }
    }

    /// Adds a slot's runs to the sums.
    fn count(&mut self, index: usize) {
        let slot = &self.slots[index];
        self.total_bytes += u128::from(slot.bytes);
        for (sum, bytes) in self.levels.iter_mut().zip(slot.levels) {
            *sum += u128::from(bytes);
        }
        for run in slot.runs.iter().filter(|run| run.is_fragment()) {
            *self.flushes.entry(run.flush_seq).or_default() += 1;
        }
    }

    /// Takes a slot's runs, and its debt, out of the sums.
    fn uncount(&mut self, index: usize) {
        self.debt -= self.debt_of(index);
        self.assessed[index] = Assessment::default();
        let slot = &self.slots[index];
        self.total_bytes -= u128::from(slot.bytes);
        for (sum, bytes) in self.levels.iter_mut().zip(slot.levels) {
            *sum -= u128::from(bytes);
        }
        for run in slot.runs.iter().filter(|run| run.is_fragment()) {
            if let Some(count) = self.flushes.get_mut(&run.flush_seq) {
                *count -= 1;
                if *count == 0 {
                    self.flushes.remove(&run.flush_seq);
                }
            }
        }
    }

    fn debt_of(&self, index: usize) -> u128 {
        debt(&self.slots[index], &self.assessed[index], &self.policy)
    }
}

/// Bytes that must be merged before a slot is within the global limit. Only the adaptive mode
/// merges for that limit: in the others writers would wait for work that nobody ever does.
fn debt(slot: &Slot, assessed: &Assessment, policy: &Policy) -> u128 {
    let is_due = policy.mode == Mode::Atll && slot.runs.len() > policy.k_global;
    let plan = assessed.wide.filter(|_| is_due);
    plan.map_or(0, |plan| u128::from(plan.est_bytes))
}
