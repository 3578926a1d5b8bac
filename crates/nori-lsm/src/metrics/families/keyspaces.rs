//! The families of keyspaces, one value for each.

use super::{Family, Kind, Value};
use crate::metrics::KeyspaceInfo;

/// What a family of keyspaces shows of one of them.
type Shown = fn(&KeyspaceInfo) -> Value;

const GAUGES: [(&str, &str, Shown); 8] = [
    ("nori_keyspace_slots", "Slots.", |k| Value::Integer(k.slots)),
    ("nori_keyspace_runs_max", "Runs in the slot that has most.", |k| Value::Integer(k.runs_max)),
    ("nori_keyspace_tables", "References of slots to tables.", |k| Value::Integer(k.tables)),
    ("nori_keyspace_table_bytes", "Bytes in tables.", |k| Value::Integer(k.bytes)),
    ("nori_keyspace_entries", "Entries in tables.", |k| Value::Integer(k.entries)),
    ("nori_keyspace_tombstones", "Tombstones in tables.", |k| Value::Integer(k.tombstones)),
    ("nori_keyspace_reads_per_second", "Weighted reads that come to tables.", |k| {
        Value::Float(k.reads_per_s)
    }),
    ("nori_keyspace_flushed_bytes_per_second", "Bytes that flushes bring.", |k| {
        Value::Float(k.writes_per_s)
    }),
];

const COUNTERS: [(&str, &str, Shown); 11] = [
    ("nori_keyspace_flushed_user_bytes_total", "Key and value bytes of flushed writes.", |k| {
        Value::Integer(k.ledger.flushed_user_bytes)
    }),
    ("nori_keyspace_flush_bytes_total", "Bytes of tables that flushes wrote.", |k| {
        Value::Integer(k.ledger.flush_bytes)
    }),
    ("nori_keyspace_compactions_total", "Merges done.", |k| Value::Integer(k.ledger.compactions)),
    ("nori_keyspace_compaction_read_bytes_total", "Bytes that merges read.", |k| {
        Value::Integer(k.ledger.compaction_bytes_read)
    }),
    ("nori_keyspace_compaction_written_bytes_total", "Bytes that merges wrote.", |k| {
        Value::Integer(k.ledger.compaction_bytes_written)
    }),
    ("nori_keyspace_entries_dropped_total", "Entries that merges dropped.", |k| {
        Value::Integer(k.ledger.entries_dropped)
    }),
    ("nori_keyspace_tombstones_dropped_total", "Tombstones among the dropped entries.", |k| {
        Value::Integer(k.ledger.tombstones_dropped)
    }),
    ("nori_keyspace_point_reads_total", "Point reads that came to runs.", |k| {
        Value::Integer(k.ledger.point_reads)
    }),
    ("nori_keyspace_runs_probed_total", "Runs that point reads looked into.", |k| {
        Value::Integer(k.ledger.runs_probed)
    }),
    ("nori_keyspace_runs_visible_total", "Runs that their slots had.", |k| {
        Value::Integer(k.ledger.runs_visible)
    }),
    ("nori_keyspace_scans_total", "Slots that scans came through.", |k| {
        Value::Integer(k.ledger.scans)
    }),
];

pub(super) fn families(all: &[KeyspaceInfo]) -> Vec<Family> {
    let family = |kind, (name, help, shown): (&'static str, &'static str, Shown)| {
        let values = all.iter().map(|keyspace| (&*keyspace.name, shown(keyspace)));
        Family::by(name, kind, help, "keyspace", values)
    };
    let gauges = GAUGES.into_iter().map(|shown| family(Kind::Gauge, shown));
    gauges.chain(COUNTERS.into_iter().map(|shown| family(Kind::Counter, shown))).collect()
}
