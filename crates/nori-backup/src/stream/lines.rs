//! A stream of lines, each a JSON object. Pure but for reading its input.
//!
//! ```text
//! {"nori_export":1}
//! {"keyspace":"default"}
//! {"keyspace":"default","key":"user:1","value":"Ada"}
//! {"keyspace":"default","key_hex":"ff00","value_hex":"80"}
//! {"end":{"keyspaces":1,"entries":2,"bytes":12}}
//! ```
//!
//! 1. Bytes that are UTF-8 stand under "key" and "value", others as hex digits under "key_hex" and
//!    "value_hex"; a reader takes both for both.
//! 2. A line with neither key nor value makes the keyspace. Without "keyspace" it is "default".
//! 3. A stream that begins with "nori_export" must end with "end". Lines that another program
//!    wrote need neither; then nobody notices where they were cut.
//! 4. Other names are an error, and so is anything behind "end". Empty lines are passed over.

use super::{Decoder, Item, StreamTally, damaged, failed};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::io::{BufRead, Read};
use std::path::Path;

const VERSION: u64 = 1;
/// The longest value in hex digits, the longest key, names, and room.
const LINE_BYTES_MAX: u64 = (1 << 31) + (1 << 20);

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Line {
    #[serde(skip_serializing_if = "Option::is_none")]
    nori_export: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keyspace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_hex: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_hex: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<StreamTally>,
}

/// Makes lines.
pub(super) struct LineEncoder {
    keyspace: String,
}

impl LineEncoder {
    pub(super) fn new(out: &mut Vec<u8>) -> LineEncoder {
        put(&Line { nori_export: Some(VERSION), ..Line::default() }, out);
        LineEncoder { keyspace: String::new() }
    }

    pub(super) fn keyspace(&mut self, name: &str, out: &mut Vec<u8>) {
        self.keyspace = name.to_string();
        put(&Line { keyspace: Some(name.to_string()), ..Line::default() }, out);
    }

    pub(super) fn entry(&self, key: &[u8], value: &[u8], out: &mut Vec<u8>) {
        let mut line = Line { keyspace: Some(self.keyspace.clone()), ..Line::default() };
        match std::str::from_utf8(key) {
            Ok(text) => line.key = Some(text.to_string()),
            Err(_) => line.key_hex = Some(hex(key)),
        }
        match std::str::from_utf8(value) {
            Ok(text) => line.value = Some(text.to_string()),
            Err(_) => line.value_hex = Some(hex(value)),
        }
        put(&line, out);
    }

    pub(super) fn end(&self, tally: &StreamTally, out: &mut Vec<u8>) {
        put(&Line { end: Some(*tally), ..Line::default() }, out);
    }
}

fn put(line: &Line, out: &mut Vec<u8>) {
    let text = serde_json::to_vec(line).expect("texts and numbers are always JSON");
    out.extend_from_slice(&text);
    out.push(b'\n');
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => u8::try_from(digit(high)? << 4 | digit(low)?).ok(),
        _ => None,
    });
    pairs.collect()
}

/// Reads lines.
pub(super) struct LineDecoder<'a> {
    input: &'a mut dyn BufRead,
    path: &'a Path,
    offset: u64,
    line: Vec<u8>,
    /// The line that is being read, from 1.
    number: u64,
    keyspace: Option<String>,
    needs_end: bool,
    is_ended: bool,
}

impl<'a> LineDecoder<'a> {
    pub(super) fn new(input: &'a mut dyn BufRead, path: &'a Path) -> LineDecoder<'a> {
        LineDecoder {
            input,
            path,
            offset: 0,
            line: Vec::new(),
            number: 0,
            keyspace: None,
            needs_end: false,
            is_ended: false,
        }
    }

    fn wrong(&self, expected: &str, found: impl ToString) -> Error {
        damaged(self.path, self.offset, &format!("line {}", self.number), expected, found)
    }

    /// Reads the next line that is not empty; false at the end of the input.
    fn read(&mut self) -> Result<bool> {
        loop {
            self.offset += self.line.len() as u64;
            self.number += 1;
            self.line.clear();
            let mut limited = (&mut self.input).take(LINE_BYTES_MAX);
            let read = limited.read_until(b'\n', &mut self.line);
            read.map_err(|error| failed("read", self.path, error))?;
            if self.line.len() as u64 == LINE_BYTES_MAX {
                return Err(self.wrong("a line", "one that is too long"));
            }
            if self.line.is_empty() || !self.line.trim_ascii().is_empty() {
                return Ok(!self.line.is_empty());
            }
        }
    }

    fn items(&mut self, line: Line, items: &mut Vec<Item>) -> Result<()> {
        if let Some(version) = line.nori_export {
            return self.begin(version, &line);
        }
        if let Some(tally) = line.end {
            self.is_ended = true;
            items.push(Item::End(tally));
            return Ok(());
        }
        let name = line.keyspace.unwrap_or_else(|| "default".to_string());
        if self.keyspace.as_deref() != Some(&name) {
            items.push(Item::Keyspace(name.clone()));
            self.keyspace = Some(name);
        }
        let bytes = |text: Option<String>, hex: Option<String>| match (text, hex) {
            (Some(text), None) => Some(Some(text.into_bytes())),
            (None, Some(hex)) => from_hex(&hex).map(Some),
            (None, None) => Some(None),
            (Some(_), Some(_)) => None,
        };
        match (bytes(line.key, line.key_hex), bytes(line.value, line.value_hex)) {
            (Some(Some(key)), Some(Some(value))) => items.push(Item::Entry(key, value)),
            (Some(None), Some(None)) => {}
            _ => return Err(self.wrong("one key and one value, text or hex", "others")),
        }
        Ok(())
    }

    fn begin(&mut self, version: u64, line: &Line) -> Result<()> {
        if version > VERSION {
            return Err(Error::FormatTooNew {
                path: self.path.to_path_buf(),
                what: "the format of an export".to_string(),
                found: version,
                supported: VERSION,
            });
        }
        let is_alone = line.keyspace.is_none() && line.end.is_none() && line.key.is_none();
        if version == 0 || self.keyspace.is_some() || self.needs_end || !is_alone {
            return Err(self.wrong("\"nori_export\" in the first line, alone", "another place"));
        }
        self.needs_end = true;
        Ok(())
    }
}

impl Decoder for LineDecoder<'_> {
    fn next(&mut self, items: &mut Vec<Item>) -> Result<bool> {
        if !self.read()? {
            if self.needs_end && !self.is_ended {
                return Err(self.wrong("a line with \"end\"", "the end of the input"));
            }
            return Ok(false);
        }
        if self.is_ended {
            return Err(self.wrong("nothing behind \"end\"", "another line"));
        }
        // An array would do for serde as well.
        if !self.line.trim_ascii_start().starts_with(b"{") {
            return Err(self.wrong("a JSON object", "something else"));
        }
        let line = serde_json::from_slice(&self.line)
            .map_err(|error| self.wrong("a JSON object as exports have it", error))?;
        self.items(line, items)?;
        Ok(true)
    }
}
