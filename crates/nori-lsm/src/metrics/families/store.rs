//! The families of a store as a whole.

use super::{Family, Kind, Sample, Value, keyspaces, seconds};
use crate::metrics::{Latencies, Latency, MemoryInfo, Metrics};

impl Metrics {
    pub(crate) fn families(&self) -> Vec<Family> {
        let mut all = self.counted();
        all.extend(self.held());
        all.extend(memory(&self.memory));
        all.extend(durations(&self.latencies));
        all.extend(keyspaces::families(&self.keyspaces));
        all
    }

    /// What is counted since the store was opened.
    pub(super) fn counted(&self) -> Vec<Family> {
        let c = Family::counter;
        vec![
            c("nori_batches_total", "Batches committed.", self.batches),
            c("nori_operations_total", "Writes in committed batches.", self.operations),
            c("nori_user_bytes_total", "Encoded bytes of committed batches.", self.user_bytes),
            c("nori_commit_groups_total", "Groups committed with one log write.", self.groups),
            c("nori_commit_groups_synced_total", "Groups that synced the log.", self.groups_synced),
            c("nori_stalls_total", "Writers that had to wait for background work.", self.stalls),
            c(
                "nori_paced_microseconds_total",
                "Time writers were held to the pace.",
                self.paced_us,
            ),
            c("nori_flushes_total", "Memtables flushed.", self.flushes),
            c("nori_flush_bytes_total", "Bytes of tables that flushes wrote.", self.flush_bytes),
            c(
                "nori_flushed_user_bytes_total",
                "Key and value bytes of flushed writes.",
                self.flushed_user_bytes,
            ),
            c("nori_compactions_total", "Merges done.", self.compactions),
            c(
                "nori_compaction_read_bytes_total",
                "Bytes of tables that merges read.",
                self.compaction_bytes_read,
            ),
            c(
                "nori_compaction_written_bytes_total",
                "Bytes of tables that merges wrote.",
                self.compaction_bytes_written,
            ),
            c("nori_slot_splits_total", "Slots cut in two or more.", self.slot_splits),
            c("nori_slot_joins_total", "Slots that joined a neighbour.", self.slot_joins),
            c("nori_trivial_moves_total", "Runs moved without a rewrite.", self.trivial_moves),
            c("nori_entries_dropped_total", "Entries that merges dropped.", self.entries_dropped),
            c(
                "nori_tombstones_dropped_total",
                "Tombstones among the dropped entries.",
                self.tombstones_dropped,
            ),
            c("nori_tables_deleted_total", "Table files removed.", self.tables_deleted),
            c("nori_cache_hits_total", "Block lookups answered from memory.", self.cache_hits),
            c("nori_cache_misses_total", "Block lookups that read the disk.", self.cache_misses),
            c("nori_point_reads_total", "Point reads that came to runs.", self.point_reads),
            c("nori_runs_probed_total", "Runs that point reads looked into.", self.runs_probed),
            c("nori_runs_visible_total", "Runs that their slots had.", self.runs_visible),
            c("nori_scans_total", "Slots that scans came through.", self.scans),
        ]
    }

    /// What there is now.
    pub(super) fn held(&self) -> Vec<Family> {
        let g = Family::gauge;
        let pressure = Value::Float(self.pressure);
        vec![
            g("nori_memtable_bytes", "Bytes in memtables.", self.memtable_bytes),
            g("nori_memtables_sealed", "Memtables that wait for a flush.", self.memtables_sealed),
            g("nori_tables", "Table files.", self.tables),
            g("nori_table_bytes", "Bytes of table files.", self.table_bytes),
            g("nori_l0_tables", "Flushed tables that serve slots as they are.", self.l0_tables),
            g("nori_slots", "Slots.", self.slots),
            g("nori_runs_max", "Runs in the slot that has most.", self.runs_max),
            g(
                "nori_compaction_largest_bytes",
                "The most bytes that one merge wrote.",
                self.compaction_bytes_max,
            ),
            g("nori_cache_bytes", "Blocks, indexes and filters in memory.", self.cache_bytes),
            g("nori_last_sequence", "The last visible sequence number.", self.last_sequence),
            g("nori_wal_segments", "Live segments of the log.", self.wal_segments),
            Family::one(
                "nori_pressure",
                Kind::Gauge,
                "Pressure of writers on background work; they wait at 1.",
                pressure,
            ),
            g("nori_poisoned", "1 if writes ended by a failure.", self.poisoned),
            g("nori_failing_work", "Kinds of background work that fail.", self.failing),
            g("nori_corruptions", "Damaged places met.", self.corruptions),
        ]
    }
}

fn memory(info: &MemoryInfo) -> [Family; 2] {
    let MemoryInfo {
        budget_bytes,
        total_bytes: _,
        blocks_bytes,
        tables_bytes,
        active_bytes,
        sealed_bytes,
        jobs_bytes,
        iterators_bytes,
    } = *info;
    let by_use = [
        ("blocks", blocks_bytes),
        ("tables", tables_bytes),
        ("active", active_bytes),
        ("sealed", sealed_bytes),
        ("jobs", jobs_bytes),
        ("iterators", iterators_bytes),
    ];
    let by_use = by_use.map(|(of, bytes)| (of, Value::Integer(bytes)));
    let help = "Memory by use; the sum is all of it.";
    [
        Family::gauge("nori_memory_budget_bytes", "memory_budget; 0: none.", budget_bytes),
        Family::by("nori_memory_bytes", Kind::Gauge, help, "use", by_use),
    ]
}

fn durations(latencies: &Latencies) -> Vec<Family> {
    let Latencies { get, write, sync, flush, compaction } = latencies;
    let histogram = |name, help, of: &Latency| {
        Family::one(name, Kind::Histogram, help, Value::Durations(of.clone()))
    };
    let all = [
        ("get", get),
        ("write", write),
        ("sync", sync),
        ("flush", flush),
        ("compaction", compaction),
    ];
    let quantiles = all.into_iter().flat_map(|(op, of)| {
        let shown = [("0.5", of.p50_ns), ("0.99", of.p99_ns), ("0.999", of.p999_ns)];
        shown.into_iter().chain([("1", of.max_ns)]).map(move |(q, ns)| Sample {
            labels: vec![("op", op.to_string()), ("quantile", q.to_string())],
            value: Value::Float(seconds(ns)),
        })
    });
    vec![
        histogram("nori_get_duration_seconds", "Lookups of one key; sampled.", get),
        histogram(
            "nori_write_duration_seconds",
            "Writes, waiting included; sampled unless they are synced.",
            write,
        ),
        histogram("nori_sync_duration_seconds", "Syncs of the log.", sync),
        histogram("nori_flush_duration_seconds", "Flushes of a memtable.", flush),
        histogram("nori_compaction_duration_seconds", "Merges.", compaction),
        Family {
            name: "nori_duration_quantile_seconds",
            kind: Kind::Gauge,
            help: "Quantiles of the durations since the store was opened.",
            samples: quantiles.collect(),
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_is_left_out() {
        let (metrics, of_store) = (Metrics::default(), "a store's numbers can be written");
        let fields = serde_json::to_value(&metrics).expect(of_store);
        let numbers = fields.as_object().expect(of_store).values().filter(|v| v.is_number());
        assert_eq!(numbers.count(), metrics.counted().len() + metrics.held().len());
    }
}
