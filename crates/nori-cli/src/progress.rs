//! Progress on stderr, for a person who waits. Hidden when JSON is asked for, and where stderr is
//! no terminal.

use crate::out::Out;
use crate::units;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::fmt::{Display, Write};
use std::time::Duration;

/// A bar, a spinner, or nothing to see.
#[derive(Clone)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

// The bar takes what the rest leaves of the line.
const BYTES: &str =
    "{prefix} [{wide_bar}] {bytes}/{total_bytes}  {bytes_per_sec}  ETA {eta}  {msg}";
const THINGS: &str =
    "{prefix} [{wide_bar}] {human_pos}/{human_len}  {whole_per_sec}  ETA {eta}  {msg}";
const SPINNER: &str = "{spinner} {prefix}  {elapsed}  {msg}";

impl Progress {
    fn new(hidden: bool, what: &str, total: Option<u64>, template: &str) -> Progress {
        let target = if hidden {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr_with_hz(10)
        };
        let bar = ProgressBar::with_draw_target(total, target);
        // A style that does not parse is a plain bar; a test parses all three.
        let style = ProgressStyle::with_template(template);
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style.with_key("whole_per_sec", whole_per_sec).progress_chars("=> "));
        bar.set_prefix(what.to_string());
        Progress { bar }
    }

    /// So many bytes are to be done.
    pub(crate) fn bytes(out: &Out, what: &str, total: u64) -> Progress {
        Progress::new(out.json(), what, Some(total), BYTES)
    }

    /// So many things are to be done.
    pub(crate) fn things(out: &Out, what: &str, total: u64) -> Progress {
        Progress::new(out.json(), what, Some(total), THINGS)
    }

    /// Nobody knows how much there is to do.
    pub(crate) fn spinner(out: &Out, what: &str) -> Progress {
        Progress::some_or_many(out.json(), what, None)
    }

    /// So many things are to be done, or nobody knows how many.
    pub(crate) fn some_or_many(hidden: bool, what: &str, total: Option<u64>) -> Progress {
        if total.is_some() {
            return Progress::new(hidden, what, total, THINGS);
        }
        let progress = Progress::new(hidden, what, None, SPINNER);
        progress.bar.enable_steady_tick(Duration::from_millis(120));
        progress
    }

    pub(crate) fn add(&self, n: u64) {
        self.bar.inc(n);
    }

    /// So much is done, of so much in all.
    pub(crate) fn set(&self, done: u64, total: u64) {
        self.bar.set_length(total);
        self.bar.set_position(done);
    }

    /// What is being worked on.
    pub(crate) fn note(&self, note: impl Display) {
        if !self.bar.is_hidden() {
            self.bar.set_message(note.to_string());
        }
    }
}

fn whole_per_sec(state: &ProgressState, text: &mut dyn Write) {
    // A bar that cannot be drawn has nobody to tell.
    let _ = write!(text, "{}/s", units::count(state.per_sec() as u64));
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_styles_parse() {
        for template in [BYTES, THINGS, SPINNER] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
