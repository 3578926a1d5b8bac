//! What a store says of itself.

use crate::budget::Use;
use crate::health::Health;
use crate::keyspace::KeyspaceState;
use crate::ledger::SlotLedger;
use crate::metrics::{MemoryInfo, MergeInfo, Metrics, PressureInfo, SlotInfo};
use crate::store::state::Store;
use crate::super_version::SuperVersion;
use nori_manifest::{Slot, Version, keyspace_range, split_prefix};
use std::collections::BTreeSet;

impl Store {
    pub(crate) fn metrics(&self) -> Metrics {
        let view = self.pin();
        let mut metrics = Metrics::default();
        self.counters.fill(&mut metrics);
        let memtables = view.memtables().map(|m| m.table.bytes() as u64);
        metrics.memtable_bytes = memtables.sum();
        metrics.memtables_sealed = view.sealed.len() as u64;
        metrics.tables = view.version.tables().count() as u64;
        metrics.table_bytes = view.version.tables().map(|t| t.meta.bytes).sum();
        let fragments =
            view.version.slots().flat_map(|s| s.runs.iter()).filter(|r| r.is_fragment());
        let l0: BTreeSet<u64> =
            fragments.flat_map(|r| r.tables.iter().map(|t| t.file.number().0)).collect();
        metrics.l0_tables = l0.len() as u64;
        metrics.slots = view.version.slot_count() as u64;
        metrics.runs_max = view.runs_max as u64;
        let reads = self.brain.total();
        metrics.point_reads = reads.point_reads;
        metrics.runs_probed = reads.runs_probed;
        metrics.runs_visible = reads.runs_visible;
        metrics.scans = reads.scans;
        let blocks = self.tables.block_cache();
        metrics.cache_bytes = blocks.usage();
        metrics.memory = self.memory_in(&view);
        metrics.cache_hits = blocks.hits();
        metrics.cache_misses = blocks.misses();
        metrics.last_sequence = self.visible.load().get();
        metrics.wal_segments = match &self.writer {
            Some(writer) => writer.wal.live_segments().len() as u64,
            None => self.recovery.segments,
        };
        metrics.pressure = self.pressure_in(&view).pressure;
        let health = self.health_report();
        metrics.poisoned = u64::from(health.poisoned.is_some());
        metrics.failing = health.failing.len() as u64;
        metrics.corruptions = health.corruption.len() as u64;
        metrics.latencies = self.timers.read();
        metrics.keyspaces = self.keyspace_infos();
        metrics
    }

    pub(crate) fn memory(&self) -> MemoryInfo {
        self.memory_in(&self.pin())
    }

    fn memory_in(&self, view: &SuperVersion) -> MemoryInfo {
        let blocks = self.tables.block_cache();
        let tables_bytes = blocks.pinned();
        let memtables = self.budget.charged(Use::Memtables);
        let mut info = MemoryInfo {
            budget_bytes: self.budget.total(),
            total_bytes: 0,
            blocks_bytes: blocks.usage().saturating_sub(tables_bytes),
            tables_bytes,
            active_bytes: view.active.table.bytes() as u64,
            // The active one is charged with all it may hold.
            sealed_bytes: memtables.saturating_sub(view.active.charged()),
            jobs_bytes: self.budget.charged(Use::Jobs),
            iterators_bytes: self.budget.charged(Use::Iterators),
        };
        info.total_bytes = info.blocks_bytes
            + info.tables_bytes
            + info.active_bytes
            + info.sealed_bytes
            + info.jobs_bytes
            + info.iterators_bytes;
        info
    }

    /// All slots, or those of one keyspace.
    pub(crate) fn slots(&self, keyspace: Option<&KeyspaceState>) -> Vec<SlotInfo> {
        let view = self.pin();
        let slots = view.version.slots();
        let wanted = slots.filter(|slot| keyspace.is_none_or(|k| slot_keyspace(slot) == k.id()));
        let busy = self.jobs.busy().clone();
        self.brain.looks(|books, scheduler| {
            let infos = wanted.map(|slot| {
                let id = slot.id.0;
                let mut info = describe(&view.version, slot);
                info.busy = busy.contains(&id);
                (info.ledger, info.lifetime) = books(id);
                if let Some(state) = scheduler.state(id) {
                    (info.k, info.heat) = (state.k, state.heat);
                    info.reads_per_s = state.reads_per_s;
                    info.writes_per_s = state.writes_per_s;
                }
                info
            });
            infos.collect()
        })
    }

    /// The merges that run now.
    pub(crate) fn running_merges(&self) -> Vec<MergeInfo> {
        self.merging.list(self.config.clock.now())
    }

    pub(crate) fn pressure(&self) -> PressureInfo {
        self.pressure_in(&self.published.load())
    }

    pub(crate) fn health_report(&self) -> Health {
        let poisoned = self.writer.as_ref().and_then(|w| w.wal.poisoned());
        self.health.report(poisoned.map(|cause| cause.to_string()))
    }
}

/// The id of the keyspace that a slot belongs to, or of the next one for the slot above all.
fn slot_keyspace(slot: &Slot) -> u32 {
    split_prefix(&slot.range.lo).map_or(0, |(id, _)| id)
}

/// All bytes against those of the oldest run, which holds about what lives.
fn space_amplification(slot: &Slot) -> f64 {
    let oldest = slot.runs.first().map_or(0, |run| run.bytes);
    if oldest == 0 { 0.0 } else { slot.bytes() as f64 / oldest as f64 }
}

fn describe(version: &Version, slot: &Slot) -> SlotInfo {
    let id = slot_keyspace(slot);
    let range = keyspace_range(id);
    let user = |key: &[u8]| split_prefix(key).map_or_else(Vec::new, |(_, user)| user.to_vec());
    let hi = slot.range.hi.as_ref().filter(|hi| Some(*hi) != range.hi.as_ref());
    SlotInfo {
        id: slot.id.0,
        keyspace: version.catalog.get(id).map_or_else(String::new, |k| k.name.clone()),
        lo: user(&slot.range.lo),
        hi: hi.map(|hi| user(hi)),
        runs: slot.runs.len(),
        fragments: slot.runs.iter().filter(|r| r.is_fragment()).count(),
        tables: slot.tables().count(),
        bytes: slot.bytes(),
        entries: slot.runs.iter().map(|r| r.entries).sum(),
        tombstones: slot.runs.iter().map(|r| r.tombstones).sum(),
        k: 0,
        heat: 0.0,
        reads_per_s: 0.0,
        writes_per_s: 0.0,
        space_amplification: space_amplification(slot),
        busy: false,
        ledger: SlotLedger::default(),
        lifetime: SlotLedger::default(),
    }
}
