//! What happens to the store, and the tick that turns it into budgets.

use crate::heat::{HeatChange, Reads};
use crate::policy::Mode;
use crate::scheduler::Scheduler;
use std::time::Duration;

impl Scheduler {
    /// A slot got a fragment of so many bytes.
    pub fn note_flush(&mut self, slot: u64, bytes: u64) {
        let Some(index) = self.index_of(slot) else { return };
        self.slots[index].note_flush(bytes);
    }

    /// A flush is installed and every slot that got a fragment was told. Counts it and ticks.
    pub fn flush_installed(&mut self, now: Duration, flush_seq: u64) {
        self.flushed = self.flushed.max(flush_seq);
        self.decay.flush(now);
        self.tick(now);
    }

    /// Reads that touched a slot.
    pub fn note_reads(&mut self, slot: u64, reads: Reads) {
        let Some(index) = self.index_of(slot) else { return };
        self.slots[index].seen.add(reads);
    }

    /// Turns what was counted since the last tick into rates, rates into budgets, and budgets
    /// into plans. To be called on each flush and every ten seconds. The first tick only starts
    /// the clock.
    pub fn tick(&mut self, now: Duration) {
        let fold = self.decay.advance(now, &self.policy);
        if let Some(fold) = fold {
            self.slots.iter_mut().for_each(|slot| slot.fold(&fold, &self.policy));
            let reads: f64 = self.slots.iter().map(|slot| slot.reads).sum();
            self.mean_reads = reads / self.slots.len().max(1) as f64;
            self.budget();
        }
        self.refresh_all();
    }

    /// Slots whose budget changed since this was last asked, in guard order.
    pub fn take_changes(&mut self) -> Vec<HeatChange> {
        let mut changes = Vec::new();
        for slot in self.slots.iter_mut().filter(|slot| slot.k != slot.k_told) {
            changes.push(HeatChange {
                slot: slot.id,
                heat: self.policy.heat(slot.k),
                k_before: slot.k_told,
                k_after: slot.k,
                reads_per_s: slot.reads,
                writes_per_s: slot.writes,
            });
            slot.k_told = slot.k;
        }
        changes
    }

    /// Sets the budget of every slot.
    fn budget(&mut self) {
        if self.policy.fixed_k.is_some() || self.policy.mode != Mode::Atll {
            return;
        }
        let count = self.slots.len();
        let mut demands = std::mem::take(&mut self.demands);
        demands.clear();
        demands.extend(self.slots.iter().map(|slot| slot.demand(&self.policy, count)));
        self.budgets.choose(&self.policy, &mut demands);
        for (slot, demand) in self.slots.iter_mut().zip(&demands) {
            slot.k = demand.k;
        }
        self.demands = demands;
    }
}
