//! Programs that run beside the step and end with it.

use crate::failure::Failure;
use crate::shell;
use std::io::{BufRead, BufReader, Read};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// A program that is ended when this is dropped.
pub(super) struct Child {
    child: std::process::Child,
    shown: String,
    out: Option<Receiver<String>>,
    errors: Option<Receiver<String>>,
}

/// The lines of a stream. They are read to the end: a full pipe would stop the program.
fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            // Nobody may listen any more.
            let _ = sender.send(line);
        }
    });
    receiver
}

impl Child {
    /// Starts a program; the streams that it has as pipes can be waited for.
    pub(super) fn start(command: &mut Command) -> Result<Child, Failure> {
        let shown = shell::shown(command);
        let mut child = command
            .spawn()
            .map_err(|e| Failure::new(format!("cannot start `{shown}`: {e}"), "install it"))?;
        let (out, errors) = (child.stdout.take().map(lines), child.stderr.take().map(lines));
        Ok(Child { child, shown, out, errors })
    }

    /// The first line of its output that has `part` in it.
    pub(super) fn wait_for(&mut self, part: &str, patience: Duration) -> Result<String, Failure> {
        find(self.out.as_ref(), part, patience, &self.shown)
    }

    /// The same of its errors.
    pub(super) fn wait_for_error(
        &mut self,
        part: &str,
        patience: Duration,
    ) -> Result<String, Failure> {
        find(self.errors.as_ref(), part, patience, &self.shown)
    }

    /// Waits until it ends by itself, and well.
    pub(super) fn end(&mut self) -> Result<(), Failure> {
        let status = self.child.wait()?;
        if status.success() {
            return Ok(());
        }
        let what = format!("`{}` ended with {status}", self.shown);
        Err(Failure::new(what, "run it by hand"))
    }
}

fn find(
    lines: Option<&Receiver<String>>,
    part: &str,
    patience: Duration,
    shown: &str,
) -> Result<String, Failure> {
    let (began, mut said) = (Instant::now(), Vec::new());
    while let Some(lines) = lines {
        match lines.recv_timeout(patience.saturating_sub(began.elapsed())) {
            Ok(line) if line.contains(part) => return Ok(line),
            Ok(line) => said.push(line),
            Err(_) => break,
        }
    }
    let what = format!("`{shown}` did not say {part:?}, only:\n{}", said.join("\n"));
    Err(Failure::new(what, "run it by hand"))
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
