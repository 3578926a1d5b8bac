//! The output: stdout, buffered, as text or as JSON.

use crate::failure::Failure;
use serde::Serialize;
use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

/// Where a command prints what was asked for.
pub(crate) struct Out {
    json: bool,
    /// A person who watches sees each line at once.
    live: bool,
    stdout: BufWriter<StdoutLock<'static>>,
}

impl Out {
    pub(crate) fn new(json: bool) -> Out {
        let live = io::stdout().is_terminal();
        Out { json, live, stdout: BufWriter::with_capacity(1 << 16, io::stdout().lock()) }
    }

    /// Whether JSON was asked for.
    pub(crate) fn json(&self) -> bool {
        self.json
    }

    /// One line of text.
    pub(crate) fn line(&mut self, text: impl Display) -> Result<(), Failure> {
        writeln!(self.stdout, "{text}")?;
        if self.live { self.flush() } else { Ok(()) }
    }

    /// One line of text for people: nothing when JSON was asked for. Shown at once.
    pub(crate) fn say(&mut self, text: impl Display) -> Result<(), Failure> {
        if self.json {
            return Ok(());
        }
        writeln!(self.stdout, "{text}")?;
        self.flush()
    }

    /// Bytes as they are.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        Ok(self.stdout.write_all(bytes)?)
    }

    /// Where bytes as they are go, for who writes many.
    pub(crate) fn writer(&mut self) -> &mut dyn Write {
        &mut self.stdout
    }

    /// The one JSON document of a command.
    pub(crate) fn document(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value).map_err(Failure::failed)?;
        self.line(text)
    }

    /// One JSON document in one line, of several.
    pub(crate) fn json_line(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string(value).map_err(Failure::failed)?;
        self.line(text)
    }

    /// Hands over what is buffered.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.stdout.flush()?)
    }
}
