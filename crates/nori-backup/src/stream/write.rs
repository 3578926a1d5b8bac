//! From a store to a stream.

use super::frames::Encoder;
use super::lines::LineEncoder;
use super::{StreamFormat, StreamTally, failed};
use crate::error::{Error, Result};
use nori_env::{FileSystem, OsFs};
use nori_lsm::{ErrorKind, Lsm};
use std::collections::BTreeSet;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;

/// Bytes handed over at once.
const ENOUGH_BYTES: usize = 256 << 10;

enum Form {
    Frames(Encoder),
    Lines(LineEncoder),
}

/// A stream on its way out.
struct Writing<'a> {
    form: Form,
    buffer: Vec<u8>,
    out: &'a mut dyn Write,
    path: &'a Path,
    tally: StreamTally,
}

/// Writes keyspaces of a store, as they are at one moment, to `out`; all of them if `keyspaces` is
/// `None`. `path` names the output in messages. `watch` is told now and then how far it is, and may
/// end it with `Break`.
///
/// # Errors
/// `InvalidArgument` if there is no such keyspace; `Io` of writing to `out`; `Corruption`, `Io` and
/// `Store` of reading the store; `Cancelled`. What was written is no whole stream then.
pub fn export(
    store: &Lsm,
    keyspaces: Option<&[&str]>,
    format: StreamFormat,
    out: &mut dyn Write,
    path: &Path,
    watch: &mut dyn FnMut(&StreamTally) -> ControlFlow<()>,
) -> Result<StreamTally> {
    let all = store.keyspaces();
    let wanted = keyspaces.map(|names| names.iter().map(|name| (*name).to_string()).collect());
    // Each once, in the order of their names.
    let names: BTreeSet<String> = wanted.unwrap_or_else(|| all.into_iter().collect());
    let snapshot = store.snapshot();
    let mut buffer = Vec::new();
    let form = match format {
        StreamFormat::Frames => Form::Frames(Encoder::new(OsFs.random(), &mut buffer)),
        StreamFormat::Lines => Form::Lines(LineEncoder::new(&mut buffer)),
    };
    let mut writing = Writing { form, buffer, out, path, tally: StreamTally::default() };
    for name in names {
        let view = match snapshot.keyspace(&name) {
            // Of all keyspaces, one may have been dropped meanwhile.
            Err(error) if error.kind() == ErrorKind::InvalidArgument && keyspaces.is_none() => {
                continue;
            }
            view => view?,
        };
        writing.keyspace(&name);
        for item in view.iter() {
            let (key, value) = item?;
            writing.entry(&key, &value);
            if writing.buffer.len() >= ENOUGH_BYTES {
                writing.hand_over()?;
                if watch(&writing.tally).is_break() {
                    return Err(Error::Cancelled);
                }
            }
        }
    }
    writing.end()
}

impl Writing<'_> {
    fn keyspace(&mut self, name: &str) {
        self.tally.keyspaces += 1;
        match &mut self.form {
            Form::Frames(encoder) => encoder.keyspace(name, &mut self.buffer),
            Form::Lines(encoder) => encoder.keyspace(name, &mut self.buffer),
        }
    }

    fn entry(&mut self, key: &[u8], value: &[u8]) {
        self.tally.entries += 1;
        self.tally.bytes += (key.len() + value.len()) as u64;
        match &mut self.form {
            Form::Frames(encoder) => encoder.entry(key, value, &mut self.buffer),
            Form::Lines(encoder) => encoder.entry(key, value, &mut self.buffer),
        }
    }

    fn hand_over(&mut self) -> Result<()> {
        let written = self.out.write_all(&self.buffer);
        self.buffer.clear();
        written.map_err(|error| failed("write", self.path, error))
    }

    fn end(mut self) -> Result<StreamTally> {
        match &mut self.form {
            Form::Frames(encoder) => encoder.end(&self.tally, &mut self.buffer),
            Form::Lines(encoder) => encoder.end(&self.tally, &mut self.buffer),
        }
        self.hand_over()?;
        self.out.flush().map_err(|error| failed("write", self.path, error))?;
        Ok(self.tally)
    }
}
