//! From a stream into a store.

use super::frames::{FrameDecoder, MAGIC};
use super::lines::LineDecoder;
use super::{Decoder, Item, StreamTally, damaged, failed};
use crate::error::{Error, Result};
use nori_lsm::{Keyspace, Lsm, WriteBatch};
use std::collections::BTreeSet;
use std::io::BufRead;
use std::ops::ControlFlow;
use std::path::Path;

/// A batch is written when it has so many bytes, or so many entries.
const BATCH_BYTES: u64 = 1 << 20;
const BATCH_ENTRIES: u64 = 4096;

/// Reads a stream of either form and puts what is in it into a store, with the store's durability.
/// Keyspaces are made where they are missing; keys that the stream does not have stay. `path` names
/// the input in messages. `watch` is told after each batch how much is in the store, and may end it
/// with `Break`.
///
/// # Errors
/// `Corruption` for a stream that is damaged, cut, or no export, with the place in it;
/// `FormatTooNew`; `Io` of reading the input; those of writing; `Cancelled`. What `watch` was told
/// is in the store then; importing the whole stream again is right.
pub fn import(
    store: &Lsm,
    input: &mut dyn BufRead,
    path: &Path,
    watch: &mut dyn FnMut(&StreamTally) -> ControlFlow<()>,
) -> Result<StreamTally> {
    let first = input.fill_buf().map_err(|error| failed("read", path, error))?.first().copied();
    let mut reading = Reading {
        store,
        keyspace: None,
        names: BTreeSet::new(),
        batch: WriteBatch::new(),
        pending: StreamTally::default(),
        written: StreamTally::default(),
    };
    match first {
        Some(byte) if byte == MAGIC[0] => {
            let mut decoder = FrameDecoder::new(&mut *input, path)?;
            reading.read(&mut decoder, path, watch)
        }
        Some(b'{' | b'\n' | b'\r' | b' ' | b'\t') => {
            reading.read(&mut LineDecoder::new(input, path), path, watch)
        }
        Some(byte) => {
            let (expected, found) = ("\"nori-exp\" or a line of JSON", format!("{byte:#04x}"));
            Err(damaged(path, 0, "an export", expected, found))
        }
        None => Err(damaged(path, 0, "an export", "a first byte", "the end of the input")),
    }
}

/// A stream on its way in.
struct Reading<'a> {
    store: &'a Lsm,
    keyspace: Option<Keyspace>,
    names: BTreeSet<String>,
    batch: WriteBatch,
    /// What the batch will make of what was written.
    pending: StreamTally,
    written: StreamTally,
}

impl Reading<'_> {
    fn read(
        &mut self,
        decoder: &mut dyn Decoder,
        path: &Path,
        watch: &mut dyn FnMut(&StreamTally) -> ControlFlow<()>,
    ) -> Result<StreamTally> {
        let mut items = Vec::new();
        while decoder.next(&mut items)? {
            for item in items.drain(..) {
                self.take(item, path)?;
                let (done, next) = (&self.written, &self.pending);
                let is_enough = next.bytes - done.bytes >= BATCH_BYTES
                    || next.entries - done.entries >= BATCH_ENTRIES;
                if is_enough {
                    self.write(watch)?;
                }
            }
        }
        self.write(watch)?;
        Ok(self.written)
    }

    fn take(&mut self, item: Item, path: &Path) -> Result<()> {
        match item {
            Item::Keyspace(name) => {
                self.keyspace = Some(self.store.keyspace(&name)?);
                self.names.insert(name);
                self.pending.keyspaces = self.names.len() as u64;
                Ok(())
            }
            Item::Entry(key, value) => {
                let Some(keyspace) = &self.keyspace else {
                    let (expected, found) = ("a keyspace before the first entry", "an entry");
                    return Err(damaged(path, 0, "an export", expected, found));
                };
                self.pending.entries += 1;
                self.pending.bytes += (key.len() + value.len()) as u64;
                self.batch.put_in(keyspace, key, value);
                Ok(())
            }
            Item::End(told) if told == self.pending => Ok(()),
            Item::End(told) => {
                let (expected, found) = (format!("{told:?}"), format!("{:?}", self.pending));
                Err(damaged(path, 0, "what the end of an export says of it", expected, found))
            }
        }
    }

    fn write(&mut self, watch: &mut dyn FnMut(&StreamTally) -> ControlFlow<()>) -> Result<()> {
        self.store.write(std::mem::take(&mut self.batch))?;
        self.written = self.pending;
        match watch(&self.written) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Cancelled),
        }
    }
}
