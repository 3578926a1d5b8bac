//! What the slots of a store are like: `slots` in numbers, `heat` as a picture, `why` in words.
//!
//! Rates, budgets, books and decisions are those that the process which last had the store open
//! wrote down when it closed it, or a few minutes ago if it still has it open.

use crate::args::{StatsArgs, WhyArgs};
use crate::failure::Failure;
use crate::out::Out;
use crate::stores;
use crate::table::Table;
use crate::{text, units};
use nori_lsm::{Decision, SlotInfo};
use serde_json::json;

/// Slots listed for a person who did not ask for all.
const SLOTS_SHOWN: usize = 60;

/// Characters of the longest bar.
const BAR_MAX: usize = 24;

fn slots_of(args: &StatsArgs) -> Result<Vec<SlotInfo>, Failure> {
    stores::read(&args.store, |store| {
        let mut slots = store.slots();
        if let Some(name) = &args.keyspace {
            stores::view(store, name)?;
            slots.retain(|slot| slot.keyspace == *name);
        }
        // The empty slot above all keyspaces is nobody's.
        slots.retain(|slot| !slot.keyspace.is_empty());
        Ok(slots)
    })
}

/// `nori slots`
pub(crate) fn slots(args: &StatsArgs, out: &mut Out) -> Result<(), Failure> {
    let slots = slots_of(args)?;
    if out.json() {
        let slots: Vec<_> = slots.iter().map(|slot| slot_json(slot, args.form.hex)).collect();
        return out.document(&json!({ "slots": slots }));
    }
    for line in slot_table(&slots, shown(args), args.form.hex).lines() {
        out.line(line)?;
    }
    say_hidden(args, slots.len(), out)?;
    let sum = |of: fn(&SlotInfo) -> u64| -> u64 { slots.iter().map(of).sum() };
    let written = sum(|s| s.lifetime.flush_bytes + s.lifetime.compaction_bytes_written);
    let user = sum(|s| s.lifetime.flushed_user_bytes);
    out.line("")?;
    out.line(format!(
        "{} in {}; {} of user data were flushed, {} written for them by flushes and merges",
        units::bytes(sum(|s| s.bytes)),
        units::plural(slots.len() as u64, "slot", "slots"),
        units::bytes(user),
        units::bytes(written)
    ))
}

fn shown(args: &StatsArgs) -> usize {
    if args.all_slots { usize::MAX } else { SLOTS_SHOWN }
}

fn say_hidden(args: &StatsArgs, count: usize, out: &mut Out) -> Result<(), Failure> {
    match count.saturating_sub(shown(args)) {
        0 => Ok(()),
        hidden => out.line(format!("... and {hidden} more; --all-slots shows all")),
    }
}

/// A slot with all that is known of it.
pub(crate) fn slot_json(slot: &SlotInfo, hex: bool) -> serde_json::Value {
    json!({
        "id": slot.id,
        "keyspace": slot.keyspace,
        "from": text::show(&slot.lo, hex),
        "to": slot.hi.as_ref().map(|hi| text::show(hi, hex)),
        "heat": slot.heat,
        "k": slot.k,
        "runs": slot.runs,
        "fragments": slot.fragments,
        "tables": slot.tables,
        "bytes": slot.bytes,
        "entries": slot.entries,
        "tombstones": slot.tombstones,
        "reads_per_s": slot.reads_per_s,
        "writes_per_s": slot.writes_per_s,
        "write_amplification": slot.lifetime.write_amplification(),
        "read_amplification": slot.lifetime.read_amplification(),
        "space_amplification": slot.space_amplification,
        "lifetime": slot.lifetime,
    })
}

/// The slots as a table.
pub(crate) fn slot_table(slots: &[SlotInfo], shown: usize, hex: bool) -> Table {
    let mut table = Table::new(&[
        "slot", "keyspace", "heat", "K", "runs", "bytes", "reads/s", "writes/s", "WA", "RA", "SA",
        "from", "to",
    ]);
    let factor = |factor: f64| if factor > 0.0 { format!("{factor:.2}") } else { "-".into() };
    for slot in slots.iter().take(shown) {
        table.row(vec![
            slot.id.to_string(),
            slot.keyspace.clone(),
            format!("{:.2}", slot.heat),
            slot.k.to_string(),
            slot.runs.to_string(),
            units::bytes(slot.bytes),
            format!("{:.1}", slot.reads_per_s),
            format!("{}/s", units::bytes(slot.writes_per_s.max(0.0) as u64)),
            factor(slot.lifetime.write_amplification()),
            factor(slot.lifetime.read_amplification()),
            factor(slot.space_amplification),
            first(slot, hex),
            slot.hi.as_ref().map_or_else(|| "(last)".into(), |hi| text::show_short(hi, hex, 24)),
        ]);
    }
    table
}

fn first(slot: &SlotInfo, hex: bool) -> String {
    if slot.lo.is_empty() { "(first)".into() } else { text::show_short(&slot.lo, hex, 24) }
}

/// `nori heat`
pub(crate) fn heat(args: &StatsArgs, out: &mut Out) -> Result<(), Failure> {
    let slots = slots_of(args)?;
    if out.json() {
        let heat = slots.iter().map(|s| json!({ "id": s.id, "heat": s.heat, "k": s.k }));
        return out.document(&json!({ "heat": heat.collect::<Vec<_>>() }));
    }
    out.line("heat: how much a slot wants few runs; # its runs, | where its budget K ends")?;
    let most_bytes = slots.iter().map(|s| s.bytes).max().unwrap_or(0).max(1);
    let most_reads = slots.iter().map(|s| s.reads_per_s).fold(0.0, f64::max).max(1e-9);
    let most_writes = slots.iter().map(|s| s.writes_per_s).fold(0.0, f64::max).max(1e-9);
    let mut table = Table::new(&["from", "heat", "", "runs", "reads", "writes", "bytes"]);
    for slot in slots.iter().take(shown(args)) {
        table.row(vec![
            first(slot, args.form.hex),
            format!("{:.2}", slot.heat),
            bar(slot.heat, BAR_MAX / 2),
            runs_bar(slot.runs, slot.k),
            bar(slot.reads_per_s / most_reads, BAR_MAX / 2),
            bar(slot.writes_per_s / most_writes, BAR_MAX / 2),
            bar(slot.bytes as f64 / most_bytes as f64, BAR_MAX / 2),
        ]);
    }
    for line in table.lines() {
        out.line(line)?;
    }
    say_hidden(args, slots.len(), out)
}

/// A bar that is `share` of `width` long.
fn bar(share: f64, width: usize) -> String {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    "=".repeat((share * width as f64).round() as usize)
}

/// One mark for each run, and one where the budget ends.
fn runs_bar(runs: usize, k: usize) -> String {
    let (runs, k) = (runs.min(BAR_MAX), k.min(BAR_MAX));
    let mut bar: String = (0..runs.max(k)).map(|at| if at < runs { '#' } else { '.' }).collect();
    bar.insert(k, '|');
    bar
}

/// `nori why`
pub(crate) fn why(args: &WhyArgs, out: &mut Out) -> Result<(), Failure> {
    let last = usize::try_from(args.last).unwrap_or(usize::MAX);
    let decisions = stores::read(&args.store, |store| Ok(store.decisions(last)))?;
    if out.json() {
        return out.document(&json!({ "decisions": decisions }));
    }
    if decisions.is_empty() {
        return out.line("no merge was decided on yet, or none was written down");
    }
    for decision in &decisions {
        out.line(in_words(decision))?;
    }
    Ok(())
}

fn in_words(d: &Decision) -> String {
    let runs = units::plural(d.runs as u64, "run", "runs");
    let how = match (d.forced, d.explored) {
        (true, _) => "had to be".to_string(),
        (_, true) => "drawn to learn".to_string(),
        _ => format!(
            "best score {:.3e} = estimate {:.3e} x (learned {:.2} + unknown {:.2}), age included",
            d.score, d.prior, d.mean, d.bonus
        ),
    };
    let came = d.ratio.map_or_else(String::new, |r| format!("; paid {r:.2} of what was expected"));
    format!(
        "slot {}: {}; {runs} of {} merged, K {} at heat {:.2}; {how}; \
         {} read, {} written in {}{came}",
        d.slot,
        d.reason,
        d.runs_before,
        d.k,
        d.heat,
        units::bytes(d.bytes_read),
        units::bytes(d.bytes_written),
        units::time(d.elapsed),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_show_runs_against_the_budget() {
        assert_eq!(runs_bar(2, 4), "##..|");
        assert_eq!(runs_bar(5, 3), "###|##");
        assert_eq!(runs_bar(0, 0), "|");
        assert_eq!((bar(0.5, 10).len(), bar(f64::NAN, 10).len(), bar(9.0, 10).len()), (5, 0, 10));
    }

    #[test]
    fn decisions_are_told_in_words() {
        let told = in_words(&Decision::default());
        assert!(told.starts_with("slot 0: ; 0 runs of 0 merged, K 0"), "{told}");
    }
}
