//! A frame of what a store tells of itself.

use crate::frame::{Amplification, Choice, Event, Frame, Merge, Pressure, Slot, Totals, What};
use crate::rates::{RateModel, four_digits, rounded, space_amplification};
use nori_lsm::{Decision, Error, Facts, MergeInfo, PressureInfo, PressureZone, SlotInfo, VizEvent};
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

/// How many decisions the engine remembers.
pub(crate) const DECISIONS: usize = 256;

/// Events of one frame that are kept; more are dropped and counted.
const EVENTS_MAX: usize = 512;

/// Bytes of a key that are shown.
const KEY_BYTES: usize = 48;

/// Makes frames that follow each other.
#[derive(Debug, Default)]
pub(crate) struct Taker {
    n: u64,
    rates: RateModel,
    slots: HashMap<u64, Arc<Slot>>,
    decisions: Vec<Decision>,
    choices: u64,
    events: Vec<Event>,
    /// Events of which one frame had too many.
    too_many: u64,
    counted: u64,
}

impl Taker {
    /// Takes an event at `t` milliseconds.
    pub(crate) fn event(&mut self, t: u64, event: VizEvent) {
        if !is_kept(&event) {
            self.counted += 1;
        } else if self.events.len() < EVENTS_MAX {
            self.events.push(Event { t, what: What::Known(event) });
        } else {
            self.too_many += 1;
        }
    }

    /// The frame of `t` milliseconds. `lost`: events that the engine could not hand over.
    /// `process`: the facts are those of the process that has the store open.
    pub(crate) fn frame(&mut self, t: u64, facts: &Facts, lost: u64, process: bool) -> Arc<Frame> {
        let totals = Totals::of(&facts.metrics);
        let slots = self.slots(&facts.slots);
        let (rates, mut amplification) = self.rates.look(t, &totals);
        if !process {
            amplification = lifelong(&facts.slots);
        }
        amplification.sa = space_amplification(&slots);
        let frame = Frame {
            n: self.n,
            t,
            totals,
            rates: process.then_some(rates),
            amplification,
            pressure: pressure(&facts.pressure),
            slots,
            merges: facts.merges.iter().map(|m| merge(m, &totals)).collect(),
            events: std::mem::take(&mut self.events),
            choices: self.choices(&facts.decisions),
            dropped: lost + self.too_many,
            counted: self.counted,
            unwell: unwell(facts),
        };
        self.n += 1;
        Arc::new(frame)
    }

    /// What was seen last, since nothing can be seen now.
    pub(crate) fn blind(&mut self, t: u64, last: Option<&Frame>, error: &Error) -> Arc<Frame> {
        let mut frame = last.cloned().unwrap_or_default();
        (frame.n, frame.t) = (self.n, t);
        frame.events.clear();
        frame.choices.clear();
        frame.unwell = vec![format!("what is shown is older: {error}")];
        self.n += 1;
        Arc::new(frame)
    }

    /// The slots; those that did not change are the ones of the frame before.
    fn slots(&mut self, infos: &[SlotInfo]) -> Vec<Arc<Slot>> {
        // The empty slot above all keyspaces is nobody's.
        let shown = infos.iter().filter(|info| !info.keyspace.is_empty());
        let slots: Vec<Arc<Slot>> = shown
            .map(|info| {
                let slot = slot(info);
                match self.slots.get(&slot.id) {
                    Some(old) if **old == slot => Arc::clone(old),
                    _ => Arc::new(slot),
                }
            })
            .collect();
        self.slots = slots.iter().map(|slot| (slot.id, Arc::clone(slot))).collect();
        slots
    }

    /// The decisions that were not there before.
    fn choices(&mut self, now: &[Decision]) -> Vec<Choice> {
        // What is remembered moves on: its old part is the end of what was known.
        let before = &self.decisions;
        let overlaps = |gone: &usize| now.starts_with(&before[*gone..]);
        let gone = (0..before.len()).find(overlaps).unwrap_or(before.len());
        let known = before.len() - gone;
        let first = self.choices;
        let new = now[known..].iter().zip(first..).map(|(d, n)| choice(d, n)).collect::<Vec<_>>();
        self.choices += new.len() as u64;
        if !new.is_empty() {
            self.decisions = now.to_vec();
        }
        new
    }
}

/// Kinds that come by the thousand and say little are only counted.
fn is_kept(event: &VizEvent) -> bool {
    !matches!(
        event,
        VizEvent::WalSynced { .. }
            | VizEvent::SnapshotCreated { .. }
            | VizEvent::SnapshotReleased { .. }
            | VizEvent::TableCreated { .. }
            | VizEvent::TableDeleted { .. }
            | VizEvent::WalSegmentDeleted { .. }
    )
}

fn slot(info: &SlotInfo) -> Slot {
    Slot {
        id: info.id,
        keyspace: info.keyspace.clone(),
        lo: shown(&info.lo),
        hi: info.hi.as_deref().map(shown),
        runs: info.runs as u64,
        fragments: info.fragments as u64,
        k: info.k as u64,
        tables: info.tables as u64,
        bytes: info.bytes,
        entries: info.entries,
        tombstones: info.tombstones,
        heat: rounded(info.heat),
        reads_per_s: rounded(info.reads_per_s),
        writes_per_s: rounded(info.writes_per_s),
        wa: rounded(info.lifetime.write_amplification()),
        ra: rounded(info.lifetime.read_amplification()),
        sa: rounded(info.space_amplification),
        compactions: info.ledger.compactions,
        busy: info.busy,
    }
}

/// A key as text that can be given back to the `nori` command, unless it was cut.
fn shown(key: &[u8]) -> String {
    let mut text = String::new();
    for chunk in key[..key.len().min(KEY_BYTES)].utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => text.push_str("\\\\"),
                c if c.is_control() => hex(&mut text, c.encode_utf8(&mut [0; 4]).as_bytes()),
                c => text.push(c),
            }
        }
        hex(&mut text, chunk.invalid());
    }
    if key.len() > KEY_BYTES {
        text.push('…');
    }
    text
}

fn hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(text, "\\x{byte:02x}");
    }
}

fn pressure(info: &PressureInfo) -> Pressure {
    let zone = match info.zone {
        PressureZone::Green => "green",
        PressureZone::Yellow => "yellow",
        PressureZone::Orange => "orange",
        PressureZone::Red => "red",
    };
    Pressure {
        pressure: rounded(info.pressure),
        zone: zone.into(),
        memtables: rounded(info.memtables),
        l0: rounded(info.l0),
        debt: rounded(info.debt),
        disk: rounded(info.disk),
        memory: rounded(info.memory),
        pace: info.pace_bytes_per_s.map(rounded),
    }
}

/// Entries are counted as they are, tables as they are compressed: what flushes made of user bytes
/// says about how much smaller they are.
fn merge(info: &MergeInfo, totals: &Totals) -> Merge {
    let smaller = match totals.flushed_user_bytes {
        0 => 1.0,
        user => totals.flush_bytes as f64 / user as f64,
    };
    let read = info.entry_bytes_read as f64 * smaller;
    Merge {
        slot: info.slot,
        runs: info.runs as u64,
        bytes: info.table_bytes,
        done: rounded((read / info.table_bytes.max(1) as f64).min(1.0)),
        ms: u64::try_from(info.elapsed.as_millis()).unwrap_or(u64::MAX),
    }
}

/// The amplifications that the books of the slots' whole lives give.
fn lifelong(slots: &[SlotInfo]) -> Amplification {
    let sum = |of: fn(&SlotInfo) -> u64| slots.iter().map(of).fold(0, u64::saturating_add) as f64;
    let factor = |part: f64, whole: f64| if whole > 0.0 { rounded(part / whole) } else { 0.0 };
    let reads = sum(|s| s.lifetime.point_reads);
    let written = sum(|s| s.lifetime.flush_bytes) + sum(|s| s.lifetime.compaction_bytes_written);
    Amplification {
        wa: factor(written, sum(|s| s.lifetime.flushed_user_bytes)),
        wa_now: 0.0,
        ra: factor(sum(|s| s.lifetime.runs_visible), reads),
        probed: factor(sum(|s| s.lifetime.runs_probed), reads),
        sa: 0.0,
    }
}

fn choice(d: &Decision, n: u64) -> Choice {
    let how = match (d.forced, d.explored) {
        (true, _) => "forced",
        (_, true) => "drawn",
        _ => "chosen",
    };
    Choice {
        n,
        slot: d.slot,
        how: how.into(),
        reason: d.reason.clone(),
        why: why(d),
        runs: d.runs as u64,
        runs_before: d.runs_before as u64,
        k: d.k as u64,
        heat: rounded(d.heat),
        score: four_digits(d.score),
        predicted_bytes: d.predicted_bytes,
        bytes_read: d.bytes_read,
        bytes_written: d.bytes_written,
        ratio: d.ratio.map(rounded),
        elapsed_us: u64::try_from(d.elapsed.as_micros()).unwrap_or(u64::MAX),
    }
}

fn why(d: &Decision) -> String {
    let how = match (d.forced, d.explored) {
        (true, _) => "It had to be done; no choice was made.".to_string(),
        (_, true) => "It was drawn at random among those that would pay, to learn.".to_string(),
        _ => format!(
            "It had the best score, {}: an estimate of {} saved per byte written, times {:.2} \
             learned from earlier merges of the slot and {:.2} for what is not known of it.",
            four_digits(d.score),
            four_digits(d.prior),
            d.mean,
            d.bonus
        ),
    };
    let came = match d.ratio {
        Some(ratio) => format!(" It paid {ratio:.2} of what was expected."),
        None => String::new(),
    };
    format!(
        "Slot {}: {}. {} of {} runs were merged; at heat {:.2} it may keep {}. {how}{came}",
        d.slot, d.reason, d.runs, d.runs_before, d.heat, d.k
    )
}

fn unwell(facts: &Facts) -> Vec<String> {
    let health = &facts.health;
    let ended = health.poisoned.iter().map(|why| format!("writes have ended: {why}"));
    let damage = health.corruption.iter().map(ToString::to_string);
    ended.chain(health.failing.iter().cloned()).chain(damage).collect()
}

#[cfg(test)]
mod tests;
