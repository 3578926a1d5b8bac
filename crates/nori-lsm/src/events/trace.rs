//! Events for a subscriber of the `tracing` crate, with the store's path in the field `store`.
//!
//! | level | what |
//! | --- | --- |
//! | error | damage, background work that fails, a checkpoint that failed |
//! | warn | a writer that waits, or waited in vain |
//! | info | opening, pressure zones, keyspaces, checkpoints |
//! | debug | flushes, merges, cuts and joins of slots |
//! | trace | everything else |
//!
//! 1. Nothing is told on the way of a get or a put. Without a subscriber an event costs a load.

use super::VizEvent;
use crate::metrics::RecoveryReport;
use std::path::Path;
use tracing::level_filters::LevelFilter;

/// Whether anybody wants to hear anything.
pub(super) fn is_on() -> bool {
    LevelFilter::current() != LevelFilter::OFF
}

/// A store was opened.
pub(crate) fn opened(root: &Path, read_only: bool, report: &RecoveryReport) {
    let store = root.display().to_string();
    let RecoveryReport { created, records, operations, tables_written, .. } = *report;
    let elapsed_us = super::micros(report.elapsed);
    let torn_bytes = report.torn_tail.as_ref().map_or(0, |(_, _, bytes)| *bytes);
    tracing::info!(
        target: "nori_lsm", store, read_only, created, records, operations, tables_written,
        torn_bytes, elapsed_us, "opened"
    );
    if !report.salvage_lost.is_empty() || !report.tables_lost.is_empty() {
        let (skipped, tables) = (report.salvage_lost.len(), report.tables_lost.len());
        tracing::warn!(target: "nori_lsm", store, skipped, tables, "opening left something out");
    }
}

/// Tells of an event.
pub(super) fn tell(store: &str, event: &VizEvent) {
    match event {
        VizEvent::Corruption { .. }
        | VizEvent::BackgroundError { .. }
        | VizEvent::CheckpointEnded { error: Some(_), .. } => tell_failure(store, event),
        VizEvent::StallBegan { pressure } => {
            tracing::warn!(target: "nori_lsm", store, pressure, "a writer waits");
        }
        VizEvent::StallEnded { waited_us, admitted } => {
            tracing::warn!(target: "nori_lsm", store, waited_us, admitted, "a writer waited");
        }
        VizEvent::PressureZone { before, after, pressure } => {
            tracing::info!(target: "nori_lsm", store, ?before, ?after, pressure, "pressure");
        }
        VizEvent::KeyspaceCreated { name } => {
            tracing::info!(target: "nori_lsm", store, name, "keyspace made");
        }
        VizEvent::KeyspaceDropped { name } => {
            tracing::info!(target: "nori_lsm", store, name, "keyspace dropped");
        }
        VizEvent::CheckpointStarted { dir } => {
            tracing::info!(target: "nori_lsm", store, dir, "checkpoint begins");
        }
        VizEvent::CheckpointEnded { dir, sequence, bytes, elapsed_us, .. } => {
            tracing::info!(
                target: "nori_lsm", store, dir, sequence, bytes, elapsed_us, "checkpoint done"
            );
        }
        other => tell_work(store, other),
    }
}

fn tell_failure(store: &str, event: &VizEvent) {
    match event {
        VizEvent::Corruption { error } => {
            tracing::error!(target: "nori_lsm", store, error, "damage");
        }
        VizEvent::CheckpointEnded { dir, error: Some(error), .. } => {
            tracing::error!(target: "nori_lsm", store, dir, error, "checkpoint failed");
        }
        VizEvent::BackgroundError { error } => {
            tracing::error!(target: "nori_lsm", store, error, "background work failed");
        }
        _ => {}
    }
}

fn tell_work(store: &str, event: &VizEvent) {
    match event {
        VizEvent::FlushStarted { bytes, entries } => {
            tracing::debug!(target: "nori_lsm", store, bytes, entries, "flush begins");
        }
        VizEvent::Flush { tables, entries, bytes_written, elapsed_us } => {
            let tables = tables.len();
            tracing::debug!(
                target: "nori_lsm", store, tables, entries, bytes_written, elapsed_us, "flushed"
            );
        }
        VizEvent::CompactionStarted { slot, bytes_expected, runs, runs_before, .. } => {
            tracing::debug!(
                target: "nori_lsm", store, slot, bytes_expected, runs, runs_before, "merge begins"
            );
        }
        VizEvent::Compaction {
            slot,
            bytes_read,
            bytes_written,
            runs_before,
            runs_after,
            elapsed_us,
            forced,
            ..
        } => {
            tracing::debug!(
                target: "nori_lsm", store, slot, bytes_read, bytes_written, runs_before,
                runs_after, elapsed_us, forced, "merged"
            );
        }
        VizEvent::SlotSplit { slot, guards } => {
            tracing::debug!(target: "nori_lsm", store, slot, guards, "slot cut");
        }
        VizEvent::SlotsMerged { left, right } => {
            tracing::debug!(target: "nori_lsm", store, left, right, "slots joined");
        }
        other => tracing::trace!(target: "nori_lsm", store, event = ?other, "{}", other.name()),
    }
}
