//! Starting other programs, with their output shown as it comes and kept for the step to read.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use crate::failure::Failure;

/// What a program printed, and whether it ended well.
pub(crate) struct Ran {
    /// Lines of both streams; the order within one stream is kept.
    pub(crate) lines: Vec<String>,
    /// Whether the exit code was 0.
    pub(crate) ok: bool,
}

/// A `cargo` command at the root of the workspace.
pub(crate) fn cargo(root: &Path) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root);
    // `cargo run` sets these for the xtask; the cargo below must not believe that it is the xtask.
    command.env_remove("CARGO_MANIFEST_DIR").env_remove("CARGO_PKG_NAME");
    command
}

/// Runs a command to its end with the terminal as its own.
pub(crate) fn run(command: &mut Command, remedy: &str) -> Result<(), Failure> {
    let shown = shown(command);
    let status = command
        .status()
        .map_err(|e| Failure::new(format!("cannot start `{shown}`: {e}"), "install it"))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("`{shown}` ended with {status}"), remedy))
}

/// Runs a command, shows what it prints, and returns it as well.
pub(crate) fn run_and_keep(command: &mut Command) -> Result<Ran, Failure> {
    let shown = shown(command);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|e| Failure::new(format!("cannot start `{shown}`: {e}"), "install it"))?;
    let errors = child.stderr.take().map(|stream| thread::spawn(move || pass_on(stream, true)));
    let mut lines = child.stdout.take().map(|stream| pass_on(stream, false)).unwrap_or_default();
    if let Some(thread) = errors {
        lines.extend(thread.join().unwrap_or_default());
    }
    let status = child.wait()?;
    Ok(Ran { lines, ok: status.success() })
}

/// Copies a stream to ours line by line and returns the lines.
fn pass_on(stream: impl Read, to_stderr: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let mut reader = BufReader::new(stream);
    let mut raw = Vec::new();
    loop {
        raw.clear();
        match reader.read_until(b'\n', &mut raw) {
            Ok(0) | Err(_) => return lines,
            Ok(_) => {}
        }
        // A closed terminal is no reason to stop reading: the child would block on its pipe.
        let _ = if to_stderr {
            std::io::stderr().write_all(&raw)
        } else {
            std::io::stdout().write_all(&raw)
        };
        lines.push(String::from_utf8_lossy(&raw).trim_end().to_owned());
    }
}

/// Whether `program --version` works on this machine.
pub(crate) fn is_installed(program: &str, args: &[&str]) -> bool {
    Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(OsStr::new("?"));
    let mut text = program.to_string_lossy().into_owned();
    for arg in command.get_args() {
        text.push(' ');
        text.push_str(&arg.to_string_lossy());
    }
    text
}
