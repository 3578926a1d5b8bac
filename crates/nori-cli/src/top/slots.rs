//! The slots: a line for each, and its heat over time.

use crate::top::draw::{Picture, titled};
use crate::units;
use nori_viz::{Frame, Slot};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use std::collections::HashMap;
use std::sync::Arc;

/// What stands left of the strip.
const TEXT_WIDTH: u16 = 66;

/// The strip of time shows the last so many frames at most: two minutes.
const STRIP_FRAMES: usize = 240;

/// Marks of the line of runs.
const RUNS_SHOWN: u64 = 16;

/// From cold to hot.
const SHADES: [&str; 5] = ["·", "░", "▒", "▓", "█"];

/// Draws the lines that have room, with the selected one among them.
pub(super) fn draw(frame: &mut ratatui::Frame<'_>, picture: &Picture, area: Rect) {
    if area.height == 0 {
        return;
    }
    let rows = usize::from(area.height.saturating_sub(2));
    let slots = picture.slots();
    let selected = picture.selected.and_then(|id| slots.iter().position(|slot| slot.id == id));
    let last_first = slots.len().saturating_sub(rows);
    let first = selected.map_or(0, |at| at.saturating_sub(rows / 2)).min(last_first);
    let shown = &slots[first..(first + rows).min(slots.len())];
    let strip = usize::from(area.width.saturating_sub(TEXT_WIDTH));
    let columns = columns(&picture.frames, strip);
    let mut lines = vec![names(strip, &columns)];
    for (at, slot) in shown.iter().enumerate() {
        let mut line = row(slot);
        line.extend(strip_of(slots, first + at, &columns));
        let style = match Some(first + at) == selected {
            true => Style::new().add_modifier(Modifier::REVERSED),
            false => Style::new(),
        };
        lines.push(Line::from(line).style(style));
    }
    let title = match slots.len() {
        all if all > rows && rows > 0 => {
            format!("slots {} to {} of {all}, by key", first + 1, first + shown.len())
        }
        all => format!("{}, by key", units::plural(all as u64, "slot", "slots")),
    };
    frame.render_widget(Paragraph::new(lines).block(titled(title)), area);
}

fn names(strip: usize, columns: &[&Frame]) -> Line<'static> {
    let text = format!(
        " {:>5}  {:<4} {:<18} {:>9} {:>9} {:<12}",
        "slot", "heat", "runs | budget K", "bytes", "written/s", "from"
    );
    let seconds = match (columns.first(), columns.last()) {
        (Some(first), Some(last)) => last.t.saturating_sub(first.t) / 1000,
        _ => 0,
    };
    let over = format!("heat over {seconds} s, now at the right");
    let over: String = over.chars().take(strip).collect();
    Line::from(vec![Span::from(format!("{text:<66}")), Span::from(over)]).dim()
}

fn row(slot: &Slot) -> Vec<Span<'static>> {
    let from: String = match &*slot.lo {
        "" => "(first)".into(),
        lo => lo.chars().take(12).collect(),
    };
    let busy = if slot.busy { "*" } else { " " };
    vec![
        Span::from(format!(" {:>5}{busy} ", slot.id)),
        Span::from(format!("{:<4.2} ", slot.heat)).fg(heat_colour(slot.heat)),
        Span::from(format!("{:<18} ", runs_line(slot.runs, slot.k))).fg(match slot.runs > slot.k {
            true => Color::LightRed,
            false => Color::Cyan,
        }),
        Span::from(format!("{:>9} ", units::bytes(slot.bytes))),
        Span::from(format!("{:>9} ", units::bytes(slot.writes_per_s.max(0.0) as u64))),
        Span::from(format!("{from:<12} ")).dim(),
    ]
}

/// A mark for each run, a dot for each that would be fine, and `|` where the budget ends.
pub(super) fn runs_line(runs: u64, k: u64) -> String {
    let (shown, budget) = (runs.min(RUNS_SHOWN), k.min(RUNS_SHOWN));
    let mark = |at| if at < shown { '#' } else { '.' };
    let mut line: String = (0..shown.max(budget)).map(mark).collect();
    // Each mark is one byte.
    line.insert(usize::try_from(budget).unwrap_or(0).min(line.len()), '|');
    if runs > RUNS_SHOWN {
        line.push('+');
    }
    line
}

/// The frames that the strip shows, oldest first.
fn columns(frames: &[Arc<Frame>], width: usize) -> Vec<&Frame> {
    if width == 0 {
        return Vec::new();
    }
    let frames = &frames[frames.len().saturating_sub(STRIP_FRAMES.max(width))..];
    let stride = frames.len().div_ceil(width).max(1);
    // The newest frame is always among them.
    let mut shown: Vec<&Frame> = frames.iter().rev().step_by(stride).map(|f| &**f).collect();
    shown.reverse();
    shown
}

/// The heat of a place over time. A slot that was cut out of another was a part of it before: the
/// one to the left keeps the name.
fn strip_of(slots: &[Arc<Slot>], at: usize, columns: &[&Frame]) -> Vec<Span<'static>> {
    let cell = |frame: &&Frame| {
        let known: HashMap<u64, &Arc<Slot>> = frame.slots.iter().map(|s| (s.id, s)).collect();
        let there = slots[..=at].iter().rev().find_map(|slot| known.get(&slot.id));
        match there {
            Some(slot) => Span::from(shade(slot.heat)).fg(heat_colour(slot.heat)),
            None => Span::from(" "),
        }
    };
    columns.iter().map(cell).collect()
}

fn shade(heat: f64) -> &'static str {
    let last = SHADES.len() - 1;
    SHADES[((heat.clamp(0.0, 1.0) * last as f64).round() as usize).min(last)]
}

/// From blue over yellow to red, as terminals of 256 colours have them.
pub(super) fn heat_colour(heat: f64) -> Color {
    const RAMP: [u8; 9] = [60, 66, 72, 143, 179, 215, 209, 203, 197];
    let last = RAMP.len() - 1;
    Color::Indexed(RAMP[((heat.clamp(0.0, 1.0) * last as f64).round() as usize).min(last)])
}
