//! Recordings: a line of JSON for the header, then a line for each frame.
//!
//! ```text
//! {"format":"nori-viz","version":1,"store":"/data/s","source":"process","began":1795851234567,...}
//! {"n":0,"t":0,"totals":{...},...,"slots":[{"id":1,...},...]}       all slots
//! {"n":1,"t":500,...,"changed":[{"id":1,...}]}                     those that differ from before
//! {"n":2,"t":1000,...,"changed":[{"id":9,...}],"order":[1,9,2]}   and all in order, if it changed
//! ```
//!
//! The endpoint answers in the same form, so what it says can be kept as a file.
//!
//! 1. The first frame has all slots; later ones those that changed since the line before, and the
//!    order of all, by key, where slots came or went. Events and choices stand in the frame in
//!    whose time they fell.
//! 2. A decoder accepts or refuses any bytes with an error that names the line; it never panics and
//!    keeps no more than one line and one frame.
//! 3. What is added to version 1 later is passed over by its readers; what would mislead them is
//!    version 2.

use crate::error::{Error, Result};
use crate::frame::{Amplification, Choice, Event, Frame, Merge, Pressure, Rates, Slot, Totals};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{BufRead, Read};
use std::sync::Arc;

/// The version of recordings that this crate writes, and the newest that it reads.
pub const RECORDING_VERSION: u64 = 1;

const FORMAT: &str = "nori-viz";

/// No line of a recording is longer: about 100,000 slots.
const LINE_BYTES_MAX: u64 = 64 << 20;

/// What was watched, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Header {
    /// `nori-viz`.
    pub format: String,
    /// The version of the form.
    pub version: u64,
    /// The store's directory.
    pub store: String,
    /// `process`: seen from within; `directory`: opened read-only now and then, so without rates,
    /// events and merges that run.
    pub source: String,
    /// When the watch began, in milliseconds since 1970.
    pub began: u64,
    /// Milliseconds between frames.
    pub interval_ms: u64,
    /// The store is closed, or the recording was read to its end: no frame will follow.
    pub ended: bool,
    /// Frames before the first that are not remembered.
    pub forgotten: u64,
}

impl Header {
    /// A header of this version.
    pub(crate) fn new(store: String, source: &str, began: u64, interval_ms: u64) -> Header {
        Header {
            format: FORMAT.into(),
            version: RECORDING_VERSION,
            store,
            source: source.into(),
            began,
            interval_ms,
            ended: false,
            forgotten: 0,
        }
    }

    /// Its line, with the end of the line.
    pub fn line(&self) -> String {
        line_of(self)
    }
}

/// A frame as a line has it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Line<'a> {
    n: u64,
    t: u64,
    totals: Totals,
    rates: Option<Rates>,
    amplification: Amplification,
    pressure: Cow<'a, Pressure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slots: Option<Vec<Cow<'a, Slot>>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    changed: Vec<Cow<'a, Slot>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<Vec<u64>>,
    #[serde(skip_serializing_if = "<[Merge]>::is_empty")]
    merges: Cow<'a, [Merge]>,
    #[serde(skip_serializing_if = "<[Event]>::is_empty")]
    events: Cow<'a, [Event]>,
    #[serde(skip_serializing_if = "<[Choice]>::is_empty")]
    choices: Cow<'a, [Choice]>,
    dropped: u64,
    counted: u64,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    unwell: Cow<'a, [String]>,
}

/// Makes lines of frames that follow each other.
#[derive(Debug, Default)]
pub struct Encoder {
    before: Option<Arc<Frame>>,
}

impl Encoder {
    /// The first frame will have all slots.
    pub fn new() -> Encoder {
        Encoder::default()
    }

    /// The reader knows this frame already.
    pub fn after(frame: Arc<Frame>) -> Encoder {
        Encoder { before: Some(frame) }
    }

    /// The line of a frame, with the end of the line.
    pub fn line(&mut self, frame: &Arc<Frame>) -> String {
        let mut line = Line {
            n: frame.n,
            t: frame.t,
            totals: frame.totals,
            rates: frame.rates,
            amplification: frame.amplification,
            pressure: Cow::Borrowed(&frame.pressure),
            merges: Cow::Borrowed(&frame.merges),
            events: Cow::Borrowed(&frame.events),
            choices: Cow::Borrowed(&frame.choices),
            dropped: frame.dropped,
            counted: frame.counted,
            unwell: Cow::Borrowed(&frame.unwell),
            ..Line::default()
        };
        match &self.before {
            None => line.slots = Some(frame.slots.iter().map(|s| Cow::Borrowed(&**s)).collect()),
            Some(before) => {
                let known: HashMap<u64, &Arc<Slot>> =
                    before.slots.iter().map(|s| (s.id, s)).collect();
                let is_same = |s: &&Arc<Slot>| known.get(&s.id).is_some_and(|old| *old == *s);
                let changed = frame.slots.iter().filter(|s| !is_same(s));
                line.changed = changed.map(|s| Cow::Borrowed(&**s)).collect();
                let ids = |f: &Frame| f.slots.iter().map(|s| s.id).collect::<Vec<_>>();
                line.order = Some(ids(frame)).filter(|order| *order != ids(before));
            }
        }
        let text = line_of(&line);
        self.before = Some(Arc::clone(frame));
        text
    }
}

fn line_of(value: &impl Serialize) -> String {
    // Keys are strings and numbers are finite or `null`: there is nothing that JSON cannot say.
    let mut text = serde_json::to_string(value).unwrap_or_default();
    text.push('\n');
    text
}

/// Reads a recording, or the answer of an endpoint, line by line.
#[derive(Debug)]
pub struct Decoder<R> {
    input: R,
    line: u64,
    header: Header,
    before: Option<Arc<Frame>>,
}

impl<R: BufRead> Decoder<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// `NotARecording`, `TooNew`, `Read`.
    pub fn new(input: R) -> Result<Decoder<R>> {
        let mut decoder = Decoder { input, line: 0, header: Header::default(), before: None };
        let Some(text) = decoder.next_line()? else {
            return Err(Error::NotARecording { found: "nothing".into() });
        };
        let is_not = |found: String| Error::NotARecording { found };
        let header: Header = serde_json::from_slice(&text).map_err(|e| is_not(e.to_string()))?;
        if header.format != FORMAT {
            return Err(is_not(format!("format {:?}", short(&header.format))));
        }
        match header.version {
            0 => return Err(is_not("no version".into())),
            1..=RECORDING_VERSION => {}
            found => return Err(Error::TooNew { found, known: RECORDING_VERSION }),
        }
        decoder.header = header;
        Ok(decoder)
    }

    /// The frame before the first line is known: the answer of an endpoint goes on from there.
    #[must_use]
    pub fn going_on(mut self, before: Option<Arc<Frame>>) -> Decoder<R> {
        self.before = before;
        self
    }

    /// What was watched.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The next frame; `None` at the end.
    ///
    /// # Errors
    /// `Line` for a line that is no frame, `Read`. What was read before is good.
    pub fn next_frame(&mut self) -> Result<Option<Arc<Frame>>> {
        let Some(text) = self.next_line()? else { return Ok(None) };
        let line: Line<'_> =
            serde_json::from_slice(&text).map_err(|e| self.wrong(e.to_string()))?;
        let slots = self.slots(&line)?;
        let frame = Arc::new(Frame {
            n: line.n,
            t: line.t,
            totals: line.totals,
            rates: line.rates,
            amplification: line.amplification,
            pressure: line.pressure.into_owned(),
            slots,
            merges: line.merges.into_owned(),
            events: line.events.into_owned(),
            choices: line.choices.into_owned(),
            dropped: line.dropped,
            counted: line.counted,
            unwell: line.unwell.into_owned(),
        });
        self.before = Some(Arc::clone(&frame));
        Ok(Some(frame))
    }

    /// All slots after a line.
    fn slots(&self, line: &Line<'_>) -> Result<Vec<Arc<Slot>>> {
        let own = |slot: &Cow<'_, Slot>| Arc::new(slot.clone().into_owned());
        if let Some(all) = &line.slots {
            return Ok(all.iter().map(own).collect());
        }
        let Some(before) = &self.before else {
            return Err(self.wrong("the first frame does not have all slots".into()));
        };
        let mut known: HashMap<u64, Arc<Slot>> =
            before.slots.iter().map(|slot| (slot.id, Arc::clone(slot))).collect();
        known.extend(line.changed.iter().map(|slot| (slot.id, own(slot))));
        let same_order: Vec<u64>;
        let order = match &line.order {
            Some(order) => order,
            None => {
                same_order = before.slots.iter().map(|slot| slot.id).collect();
                &same_order
            }
        };
        let find = |id: &u64| {
            let slot = known.get(id).map(Arc::clone);
            slot.ok_or_else(|| self.wrong(format!("slot {id} was never told")))
        };
        order.iter().map(find).collect()
    }

    /// The next line that is not empty, without its end.
    fn next_line(&mut self) -> Result<Option<Vec<u8>>> {
        loop {
            let mut text = Vec::new();
            let mut limited = (&mut self.input).take(LINE_BYTES_MAX + 1);
            self.line += 1;
            let line = self.line;
            let read = limited
                .read_until(b'\n', &mut text)
                .map_err(|source| Error::Read { line, source })?;
            if read == 0 {
                return Ok(None);
            }
            if read as u64 > LINE_BYTES_MAX {
                return Err(self.wrong(format!("is longer than {LINE_BYTES_MAX} bytes")));
            }
            if text.last() == Some(&b'\n') {
                text.pop();
            }
            if !text.is_empty() {
                return Ok(Some(text));
            }
        }
    }

    fn wrong(&self, what: String) -> Error {
        if self.line <= 1 {
            return Error::NotARecording { found: what };
        }
        Error::Line { line: self.line, what }
    }
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests;
