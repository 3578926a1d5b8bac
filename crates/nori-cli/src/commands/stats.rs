//! What a store holds.

use crate::args::{StatsArgs, StatsCommand};
use crate::commands::slots::slot_json;
use crate::failure::Failure;
use crate::machine;
use crate::out::Out;
use crate::stores;
use crate::table::{Table, facts};
use crate::{text, units};
use nori_lsm::{Health, Lsm, MemoryInfo, Metrics, PressureInfo, RecoveryReport, SlotInfo};
use serde_json::json;

/// Slots listed for a person who did not ask for all.
const SLOTS_SHOWN: usize = 40;

struct Found {
    metrics: Metrics,
    slots: Vec<SlotInfo>,
    keyspaces: Vec<String>,
    pressure: PressureInfo,
    health: Health,
    recovery: RecoveryReport,
    disk_bytes: u64,
}

/// `nori stats`
pub(crate) fn stats(command: &StatsCommand, out: &mut Out) -> Result<(), Failure> {
    let args = &command.of;
    if command.prometheus {
        return print_prometheus(args, out);
    }
    let found = stores::read(&args.store, |store| look(args, store))?;
    if out.json() { print_json(args, &found, out) } else { print(args, &found, out) }
}

/// For the textfile collector of a node exporter, or whoever reads that format.
fn print_prometheus(args: &StatsArgs, out: &mut Out) -> Result<(), Failure> {
    let name = args.store.display().to_string();
    let labels = [("store", &*name)];
    let text = stores::read(&args.store, |store| {
        let metrics = store.metrics().to_prometheus_with(&labels);
        Ok(metrics + &store.disk()?.to_prometheus_with(&labels))
    })?;
    out.raw(text.as_bytes())
}

fn look(args: &StatsArgs, store: &Lsm) -> Result<Found, Failure> {
    let mut slots = store.slots();
    if let Some(name) = &args.keyspace {
        stores::view(store, name)?;
        slots.retain(|slot| slot.keyspace == *name);
    }
    Ok(Found {
        metrics: store.metrics(),
        slots,
        keyspaces: store.keyspaces(),
        pressure: store.pressure(),
        health: store.health(),
        recovery: store.recovery().clone(),
        disk_bytes: machine::disk_bytes(&args.store),
    })
}

fn print_json(args: &StatsArgs, found: &Found, out: &mut Out) -> Result<(), Failure> {
    let hex = args.form.hex;
    let slots: Vec<_> = found.slots.iter().map(|slot| slot_json(slot, hex)).collect();
    out.document(&json!({
        "store": args.store.display().to_string(),
        "disk_bytes": found.disk_bytes,
        "keyspaces": found.keyspaces,
        "metrics": found.metrics,
        "pressure": found.pressure,
        "healthy": found.health.is_ok(),
        "recovery": found.recovery,
        "slots": slots,
    }))
}

fn print(args: &StatsArgs, found: &Found, out: &mut Out) -> Result<(), Failure> {
    let metrics = &found.metrics;
    let count = units::count;
    out.line(args.store.display())?;
    let lines = facts(&[
        ("on disk", units::bytes(found.disk_bytes)),
        ("tables", format!("{} ({})", count(metrics.tables), units::bytes(metrics.table_bytes))),
        (
            "in the log",
            format!(
                "{}, {}",
                units::plural(found.recovery.operations, "write", "writes"),
                units::bytes(found.recovery.bytes)
            ),
        ),
        ("last sequence", count(metrics.last_sequence)),
        ("slots", format!("{}, up to {} runs", count(metrics.slots), metrics.runs_max)),
        ("pressure", format!("{:.2} of 1.00, where writers wait", found.pressure.pressure)),
        ("memory", memory(&metrics.memory)),
        ("keyspaces", found.keyspaces.join(", ")),
    ]);
    for line in lines {
        out.line(line)?;
    }
    if let Some((path, offset, bytes)) = &found.recovery.torn_tail {
        out.line(format!(
            "  the log ends in {} unreadable bytes at {}:{offset}, as a power cut leaves them",
            count(*bytes),
            path.display()
        ))?;
    }
    out.line("")?;
    for line in slot_table(args, found).lines() {
        out.line(line)?;
    }
    let hidden = found.slots.len().saturating_sub(shown(args));
    if hidden > 0 {
        out.line(format!("... and {hidden} more; --all-slots shows all"))?;
    }
    Ok(())
}

/// What this command itself holds of the store, by use; what is zero is left out.
fn memory(memory: &MemoryInfo) -> String {
    let parts = [
        ("blocks", memory.blocks_bytes),
        ("open tables", memory.tables_bytes),
        ("memtables", memory.active_bytes + memory.sealed_bytes),
        ("jobs", memory.jobs_bytes),
        ("iterators", memory.iterators_bytes),
    ];
    let parts = parts.iter().filter(|(_, bytes)| *bytes > 0);
    let parts: Vec<String> =
        parts.map(|(name, bytes)| format!("{name} {}", units::bytes(*bytes))).collect();
    let all = units::bytes(memory.total_bytes);
    if parts.is_empty() { all } else { format!("{all}: {}", parts.join(", ")) }
}

fn shown(args: &StatsArgs) -> usize {
    if args.all_slots { usize::MAX } else { SLOTS_SHOWN }
}

fn slot_table(args: &StatsArgs, found: &Found) -> Table {
    let hex = args.form.hex;
    let mut table = Table::new(&[
        "slot",
        "keyspace",
        "runs",
        "tables",
        "bytes",
        "entries",
        "tombstones",
        "from",
        "to",
    ]);
    for slot in found.slots.iter().take(shown(args)) {
        let hi = slot.hi.as_ref().map(|hi| text::show_short(hi, hex, 24));
        table.row(vec![
            slot.id.to_string(),
            if slot.keyspace.is_empty() { "(none)".into() } else { slot.keyspace.clone() },
            slot.runs.to_string(),
            slot.tables.to_string(),
            units::bytes(slot.bytes),
            units::count(slot.entries),
            units::count(slot.tombstones),
            if slot.lo.is_empty() { "(first)".into() } else { text::show_short(&slot.lo, hex, 24) },
            hi.unwrap_or_else(|| "(last)".into()),
        ]);
    }
    table
}
