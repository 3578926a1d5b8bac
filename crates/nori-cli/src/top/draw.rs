//! The picture: where its parts stand.

use crate::top::{parts, slots};
use crate::units;
use nori_viz::{Choice, Feed, Frame, Header, Slot};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph};
use std::sync::Arc;

/// Choices that are remembered for the screen.
const CHOICES_MAX: usize = 400;

/// Everything that is drawn.
pub(super) struct Picture {
    pub(super) header: Header,
    pub(super) frames: Vec<Arc<Frame>>,
    /// The newest last.
    pub(super) choices: Vec<Choice>,
    /// The name of the slot that was selected.
    pub(super) selected: Option<u64>,
    /// Why the endpoint could not be asked the last time.
    pub(super) lost: Option<String>,
}

impl Picture {
    /// What a feed has.
    pub(super) fn new(feed: &Feed) -> Picture {
        let mut picture = Picture {
            header: feed.header(),
            frames: Vec::new(),
            choices: Vec::new(),
            selected: None,
            lost: None,
        };
        picture.take(feed);
        picture
    }

    /// Takes what is new.
    pub(super) fn take(&mut self, feed: &Feed) {
        self.header = feed.header();
        self.frames = feed.frames();
        let choices = self.frames.iter().flat_map(|frame| frame.choices.iter().cloned());
        self.choices = choices.collect();
        let over = self.choices.len().saturating_sub(CHOICES_MAX);
        self.choices.drain(..over);
    }

    pub(super) fn last(&self) -> Option<&Frame> {
        self.frames.last().map(|frame| &**frame)
    }

    pub(super) fn slots(&self) -> &[Arc<Slot>] {
        self.last().map_or(&[], |frame| &frame.slots)
    }

    /// The slot that is selected, if it is still there.
    pub(super) fn slot(&self) -> Option<&Slot> {
        self.selected.and_then(|id| self.last()?.slot(id))
    }

    pub(super) fn select(&mut self, id: Option<u64>) {
        self.selected = id;
    }

    /// Selects the slot so many places further down.
    pub(super) fn step(&mut self, by: isize) {
        let slots = self.slots();
        let at = self.selected.and_then(|id| slots.iter().position(|slot| slot.id == id));
        let end = slots.len().saturating_sub(1);
        let next = at.map_or(0, |at| at.saturating_add_signed(by).min(end));
        self.selected = slots.get(next).map(|slot| slot.id);
    }
}

/// Draws the picture into whatever room there is.
pub(super) fn draw(frame: &mut ratatui::Frame<'_>, picture: &Picture) {
    let area = frame.area();
    let Some(last) = picture.last() else {
        frame.render_widget(Paragraph::new("no frame yet"), area);
        return;
    };
    let notes = notes(picture, last);
    let below = match area.height {
        0..=13 => 0,
        14..=25 => 9,
        height => height / 3,
    };
    let room = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(2),
        Constraint::Length(notes.len() as u16),
        Constraint::Min(0),
        Constraint::Length(below),
        Constraint::Length(u16::from(area.height > 8)),
    ])
    .split(area);
    frame.render_widget(head(picture, last), room[0]);
    frame.render_widget(Paragraph::new(numbers(last)), room[1]);
    frame.render_widget(Paragraph::new(notes), room[2]);
    slots::draw(frame, picture, room[3]);
    if below > 0 {
        draw_below(frame, picture, last, room[4]);
    }
    let keys = " q quit   arrows select a slot   esc all slots";
    frame.render_widget(Paragraph::new(keys).dim(), room[5]);
}

fn draw_below(frame: &mut ratatui::Frame<'_>, picture: &Picture, last: &Frame, area: Rect) {
    let narrow = area.width < 70;
    let left = if narrow { 0 } else { 34 };
    let sides = Layout::horizontal([Constraint::Length(left), Constraint::Min(0)]).split(area);
    if !narrow {
        let parts = Layout::vertical([Constraint::Length(8), Constraint::Min(0)]).split(sides[0]);
        frame.render_widget(
            Paragraph::new(parts::pressure(&last.pressure)).block(titled("pressure")),
            parts[0],
        );
        frame.render_widget(
            Paragraph::new(parts::merges(last)).block(titled("merges under way")),
            parts[1],
        );
    }
    let title = match picture.selected {
        Some(id) => format!("slot {id} and its decisions"),
        None => "last decisions".to_string(),
    };
    let lines = parts::decisions(picture, sides[1].width.saturating_sub(2));
    frame.render_widget(Paragraph::new(lines).block(titled(title)), sides[1]);
}

pub(super) fn titled<'a>(title: impl Into<Line<'a>>) -> Block<'a> {
    Block::new().borders(Borders::TOP).title(title.into().bold()).border_style(Style::new().dim())
}

/// The colour of a zone of pressure.
pub(super) fn zone_colour(zone: &str) -> Color {
    match zone {
        "yellow" => Color::Yellow,
        "orange" => Color::LightRed,
        "red" => Color::Red,
        _ => Color::Green,
    }
}

fn head<'a>(picture: &'a Picture, last: &'a Frame) -> Line<'a> {
    let state = match (&picture.lost, picture.header.ended, &*picture.header.source) {
        (Some(_), ..) => Span::from(" gone ").on_red(),
        (_, true, _) => Span::from(" ended ").on_dark_gray(),
        (_, _, "directory") => Span::from(" directory ").on_dark_gray(),
        _ => Span::from(" live ").black().on_green(),
    };
    let pressure = &last.pressure;
    let zone = format!(" {} {:.2} ", pressure.zone, pressure.pressure);
    let zone = Span::from(zone).fg(Color::Black).bg(zone_colour(&pressure.zone));
    let watched = units::time(std::time::Duration::from_secs(last.t / 1000));
    Line::from(vec![
        Span::styled(" nori ", Style::new().add_modifier(Modifier::BOLD)),
        state,
        Span::from(" "),
        zone,
        Span::from(format!(" {} ", picture.header.store)),
        Span::from(format!(" watched for {watched}")).dim(),
    ])
}

/// Two lines of numbers.
fn numbers(last: &Frame) -> Vec<Line<'static>> {
    let or = |value: f64| if value > 0.0 { format!("{value:.2}") } else { "-".into() };
    let per_s = |value: Option<f64>| match value {
        Some(value) => units::count(value.max(0.0) as u64),
        None => "-".into(),
    };
    let bytes_per_s = |value: Option<f64>| match value {
        Some(value) => units::bytes(value.max(0.0) as u64),
        None => "-".into(),
    };
    let (rates, totals, amp) = (&last.rates, &last.totals, &last.amplification);
    let first = [
        ("writes/s", per_s(rates.map(|r| r.writes))),
        ("reads/s", per_s(rates.map(|r| r.reads))),
        ("users/s", bytes_per_s(rates.map(|r| r.user_bytes))),
        ("merges/s", bytes_per_s(rates.map(|r| r.merge_written))),
        ("pace", last.pressure.pace.map_or("none".into(), |p| units::bytes(p as u64) + "/s")),
    ];
    let second = [
        ("WA", or(amp.wa)),
        ("RA", or(amp.ra)),
        ("SA", or(amp.sa)),
        ("slots", last.slots.len().to_string()),
        ("most runs", totals.runs_max.to_string()),
        ("in tables", units::bytes(totals.table_bytes)),
        ("memory", units::bytes(totals.memory_bytes)),
        ("events lost", last.dropped.to_string()),
    ];
    [facts(&first), facts(&second)].into()
}

fn facts(pairs: &[(&'static str, String)]) -> Line<'static> {
    let spans = pairs.iter().flat_map(|(name, value)| {
        [Span::from(format!(" {name} ")).dim(), Span::from(format!("{value} ")).bold()]
    });
    spans.collect::<Vec<_>>().into()
}

/// What has to be said before anything else.
fn notes(picture: &Picture, last: &Frame) -> Vec<Line<'static>> {
    let mut notes: Vec<Line<'static>> = Vec::new();
    notes.extend(picture.lost.iter().map(|why| Line::from(format!(" {why}")).red()));
    notes.extend(last.unwell.iter().take(3).map(|why| Line::from(format!(" {why}")).red()));
    if picture.header.source == "directory" {
        let why =
            " a directory: rates, merges under way and events need the process's own endpoint";
        notes.push(Line::from(why).yellow());
    }
    notes
}
