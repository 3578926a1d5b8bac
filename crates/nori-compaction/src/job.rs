//! The two jobs that make tables: a flush and a compaction. Both return what they made and
//! install nothing.
//!
//! 1. The caller pins the input first (a sealed memtable whose gate is empty, or a version), and
//!    reads the snapshots and V second. See [`Retain`].
//! 2. The output of a compaction replaces exactly the runs given, which are neighbours in age:
//!    within one slot, everything between the oldest and the newest of them.

use crate::{Destination, Error, MergeIter, Output, Result, Retain, RunIter, write_tables};
use nori_env::sync::Arc;
use nori_manifest::{Run, TableRef};
use nori_sstable::TableCache;
use nori_types::{InternalIterator, SeqNo};

/// Writes a sealed memtable as tables. Versions that no reader sees are left out, and entries of
/// keyspaces dropped before every reader; tombstones stay, since older data lies below.
///
/// `stripes` are the sequence numbers of the live snapshots and the visible number V;
/// `dropped_at` says when the keyspace of a stored key was dropped.
pub fn flush<I, F>(
    memtable: &mut I,
    stripes: Vec<SeqNo>,
    dropped_at: F,
    to: &Destination<'_>,
) -> Result<Output>
where
    I: InternalIterator,
    Error: From<I::Error>,
    F: Fn(&[u8]) -> Option<SeqNo>,
{
    write_tables(memtable, Retain::new(stripes, false, dropped_at), to)
}

/// Merges neighbouring runs of one slot, given oldest first as the slot holds them, into tables
/// of one new run. `retain` must be told that the merge is at the bottom only if the first of
/// `runs` is the slot's oldest.
pub fn compact<F>(
    runs: &[Arc<Run>],
    tables: &Arc<TableCache>,
    retain: Retain<F>,
    to: &Destination<'_>,
) -> Result<Output>
where
    F: Fn(&[u8]) -> Option<SeqNo>,
{
    // The second line of defence is that a merge keeps every version above V.
    debug_assert!(
        runs.iter().all(|run| retain.is_seen(run.seq_max)),
        "inputs were pinned before V was read, so none is above it"
    );
    let newest_first = runs.iter().rev();
    let iter = |run| RunIter::new(Arc::clone(run), Arc::clone(tables)).bypassing_cache();
    let mut merged = MergeIter::new(newest_first.map(iter).collect());
    let inputs: Vec<TableRef> = runs.iter().flat_map(|run| &run.tables).cloned().collect();
    let to = Destination { inputs: &inputs, ..*to };
    let mut output = write_tables(&mut merged, retain, &to)?;
    output.stats.input_bytes = inputs.iter().map(|table| table.bytes).fold(0, u64::saturating_add);
    Ok(output)
}

#[cfg(test)]
mod tests;
