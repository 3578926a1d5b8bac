//! Pressure, merges, decisions and details, as lines.

use crate::top::draw::{Picture, zone_colour};
use crate::top::slots::{heat_colour, runs_line};
use crate::units;
use nori_viz::{Choice, Frame, Pressure, Slot};
use ratatui::style::{Color, Stylize};
use ratatui::text::{Line, Span};
use std::time::Duration;

const BAR: usize = 14;

/// The parts of the pressure; where writers begin to wait is the end of a bar.
pub(super) fn pressure(p: &Pressure) -> Vec<Line<'static>> {
    let part = |name: &'static str, value: f64| {
        let zone = match value {
            v if v >= 0.9 => "red",
            v if v >= 0.75 => "orange",
            v if v >= 0.5 => "yellow",
            _ => "green",
        };
        Line::from(vec![
            Span::from(format!(" {name:<10}")),
            Span::from(bar(value)).fg(zone_colour(zone)),
            Span::from(format!(" {value:.2}")),
        ])
    };
    let pace = match p.pace {
        Some(pace) => format!(" writers held to {}/s", units::bytes(pace.max(0.0) as u64)),
        None => " writers are not held back".to_string(),
    };
    vec![
        part("memtables", p.memtables),
        part("fragments", p.l0),
        part("owed", p.debt),
        part("disk", p.disk),
        part("memory", p.memory),
        Line::from(pace).dim(),
    ]
}

fn bar(share: f64) -> String {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    let full = (share * BAR as f64).round() as usize;
    format!("{}{}", "█".repeat(full), "·".repeat(BAR.saturating_sub(full)))
}

/// The merges that run, and how far they are.
pub(super) fn merges(last: &Frame) -> Vec<Line<'static>> {
    if last.merges.is_empty() {
        return vec![Line::from(" none").dim()];
    }
    let line = |merge: &nori_viz::Merge| {
        vec![
            Line::from(format!(
                " slot {}: {} of {}",
                merge.slot,
                units::plural(merge.runs, "run", "runs"),
                units::bytes(merge.bytes)
            )),
            Line::from(vec![
                Span::from(format!(" {} ", bar(merge.done))).fg(Color::Cyan),
                Span::from(format!("{:.0} %  ", merge.done * 100.0)),
                Span::from(units::time(Duration::from_millis(merge.ms))).dim(),
            ]),
        ]
    };
    last.merges.iter().flat_map(line).collect()
}

/// The newest decisions in words, of the selected slot under its details.
pub(super) fn decisions(picture: &Picture, width: u16) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    if let Some(id) = picture.selected {
        match picture.slot() {
            Some(slot) => lines.extend(details(slot)),
            None => lines.push(Line::from(" it joined a neighbour").dim()),
        }
        let of_slot = picture.choices.iter().rev().filter(|choice| choice.slot == id);
        lines.extend(of_slot.flat_map(|choice| in_words(choice, width)));
    } else {
        lines.extend(picture.choices.iter().rev().flat_map(|choice| in_words(choice, width)));
    }
    if lines.is_empty() {
        lines.push(Line::from(" no merge was decided on yet").dim());
    }
    lines
}

fn details(slot: &Slot) -> Vec<Line<'static>> {
    let to = slot.hi.as_deref().unwrap_or("the end");
    let from = if slot.lo.is_empty() { "the first key" } else { &slot.lo };
    let budget = format!("{} of at most {}", slot.runs, slot.k);
    vec![
        Line::from(format!(" {}: {from} to {to}", slot.keyspace)),
        Line::from(vec![
            Span::from(" heat ").dim(),
            Span::from(format!("{:.2}", slot.heat)).fg(heat_colour(slot.heat)),
            Span::from("  runs ").dim(),
            Span::from(format!("{} {budget}", runs_line(slot.runs, slot.k))),
            Span::from(format!(", {} fragments", slot.fragments)).dim(),
        ]),
        Line::from(format!(
            " {} in {}, {} entries, {} deletes; {:.0} reads/s, {}/s written",
            units::bytes(slot.bytes),
            units::plural(slot.tables, "table", "tables"),
            units::count(slot.entries),
            units::count(slot.tombstones),
            slot.reads_per_s,
            units::bytes(slot.writes_per_s.max(0.0) as u64)
        )),
        Line::from(format!(
            " of its life: WA {:.2}, RA {:.2}; SA {:.2}; {} merges since opening",
            slot.wa, slot.ra, slot.sa, slot.compactions
        )),
        Line::from(""),
    ]
}

fn in_words(choice: &Choice, width: u16) -> Vec<Line<'static>> {
    let colour = match &*choice.how {
        "forced" => Color::LightRed,
        "drawn" => Color::Magenta,
        _ => Color::Blue,
    };
    let paid = choice.ratio.map_or_else(String::new, |ratio| format!(", paid {ratio:.2}"));
    let head = Line::from(vec![
        Span::from(format!(" slot {} ", choice.slot)).bold(),
        Span::from(format!("{} ", choice.how)).fg(colour),
        Span::from(format!(
            "{}: {} of {} runs, {} read, {} written in {}{paid}",
            choice.reason,
            choice.runs,
            choice.runs_before,
            units::bytes(choice.bytes_read),
            units::bytes(choice.bytes_written),
            units::time(Duration::from_micros(choice.elapsed_us)),
        )),
    ]);
    // The reason stands in the head already.
    let why = choice.why.split_once(". ").map_or(&*choice.why, |(_, rest)| rest);
    let mut lines = vec![head];
    lines
        .extend(wrapped(why, width.saturating_sub(3)).map(|l| Line::from(format!("   {l}")).dim()));
    lines
}

/// Words in lines of a width; a word that is longer has a line of its own.
fn wrapped(text: &str, width: u16) -> impl Iterator<Item = String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < usize::from(width) => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_string()),
        }
    }
    lines.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_wrapped_at_any_width() {
        let lines = |width| wrapped("one two three four", width).collect::<Vec<_>>();
        assert_eq!(lines(9), ["one two", "three", "four"]);
        assert_eq!(lines(0), ["one", "two", "three", "four"]);
        assert_eq!((bar(0.5).chars().count(), bar(f64::NAN), bar(7.0)), (BAR, bar(0.0), bar(1.0)));
    }
}
