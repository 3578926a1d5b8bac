//! `nori top`: a store in the terminal, as it lives.
//!
//! 1. What is drawn follows from the frames and from what is selected alone, so a picture can be
//!    tested, and printed with `--once`.
//! 2. Any size of terminal is drawn into; what has no room is left out, from the bottom up.
//! 3. The terminal is as it was when the command ends, also by a panic.

use crate::args::TopArgs;
use crate::failure::Failure;
use crate::out::Out;
use crate::watched::Source;
use draw::{Picture, draw};
use nori_viz::{Encoder, Feed};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use serde_json::json;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

mod draw;
mod parts;
mod slots;

/// How often an endpoint is asked.
const REFRESH: Duration = Duration::from_millis(500);

/// `nori top`
pub(crate) fn top(args: &TopArgs, out: &mut Out) -> Result<(), Failure> {
    let source = Source::open(&args.source)?;
    if out.json() {
        return out.document(&as_json(&source.feed())?);
    }
    if args.once {
        return print(args, &source, out);
    }
    if !std::io::stdout().is_terminal() {
        return Err(Failure::usage("stdout is no terminal; say --once for one picture as text"));
    }
    out.flush()?;
    let mut terminal = ratatui::try_init()?;
    let done = watch(&source, &mut terminal);
    // Whatever happened: the terminal comes first, then what is to be said.
    let restored = ratatui::try_restore();
    done?;
    Ok(restored?)
}

/// The newest frame with all that is known of it.
fn as_json(feed: &Feed) -> Result<serde_json::Value, Failure> {
    let frame = feed.last().ok_or_else(|| Failure::failed("there is no frame yet"))?;
    let line = Encoder::new().line(&frame);
    let frame: serde_json::Value = serde_json::from_str(&line).map_err(Failure::failed)?;
    Ok(json!({ "header": feed.header(), "frame": frame }))
}

fn print(args: &TopArgs, source: &Source, out: &mut Out) -> Result<(), Failure> {
    let picture = Picture::new(&source.feed());
    for line in as_text(&picture, args.width, args.height) {
        out.line(line)?;
    }
    Ok(())
}

/// A picture as lines of text.
fn as_text(picture: &Picture, width: u16, height: u16) -> Vec<String> {
    // Drawing into memory cannot fail, as the types say.
    let Ok(mut terminal) = Terminal::new(TestBackend::new(width, height));
    let Ok(_) = terminal.draw(|frame| draw(frame, picture));
    let cells = terminal.backend().buffer().content();
    let lines = cells.chunks(usize::from(width.max(1)));
    let text = lines.map(|line| line.iter().map(|cell| cell.symbol()).collect::<String>());
    text.map(|line| line.trim_end().to_string()).collect()
}

/// Draws and listens until it is ended.
fn watch(source: &Source, terminal: &mut ratatui::DefaultTerminal) -> Result<(), Failure> {
    let feed = source.feed();
    let mut picture = Picture::new(&feed);
    let mut asked = Instant::now();
    loop {
        terminal.draw(|frame| draw(frame, &picture))?;
        let left = REFRESH.saturating_sub(asked.elapsed());
        if event::poll(left)? {
            if !hear(&event::read()?, &mut picture) {
                return Ok(());
            }
            continue;
        }
        picture.lost = source.refresh();
        picture.take(&feed);
        asked = Instant::now();
    }
}

/// Does what a key says; false to end.
fn hear(event: &Event, picture: &mut Picture) -> bool {
    let Event::Key(key) = event else { return true };
    if key.kind == KeyEventKind::Release {
        return true;
    }
    match key.code {
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return false,
        KeyCode::Char('q') => return false,
        KeyCode::Esc => picture.select(None),
        KeyCode::Down | KeyCode::Right | KeyCode::Char('j') => picture.step(1),
        KeyCode::Up | KeyCode::Left | KeyCode::Char('k') => picture.step(-1),
        KeyCode::PageDown => picture.step(10),
        KeyCode::PageUp => picture.step(-10),
        KeyCode::Home => picture.step(isize::MIN),
        KeyCode::End => picture.step(isize::MAX),
        _ => {}
    }
    true
}

#[cfg(test)]
mod tests;
