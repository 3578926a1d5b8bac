//! Frames as they come, for whoever shows them.
//!
//! 1. Clones are the same feed. Whoever fills it and whoever reads it hold its lock only while they
//!    move pointers; lines are made outside of it.

use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::history::{History, Limits};
use crate::record::{Decoder, Encoder, Header};
use nori_env::sync::{Arc, Mutex};
use std::io::BufRead;

/// The frames of one watch, one recording or one endpoint: the last ones, within limits.
#[derive(Clone, Debug)]
pub struct Feed {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug)]
struct Shared {
    header: Header,
    limits: Limits,
    history: History,
}

impl Feed {
    pub(crate) fn new(header: Header, limits: Limits) -> Feed {
        let shared = Shared { header, limits, history: History::new(limits) };
        Feed { shared: Arc::new(Mutex::new(shared)) }
    }

    /// Reads a recording. Where it is damaged or was cut, which the end of a process does, the feed
    /// has what stands before, and the error says where that is.
    ///
    /// # Errors
    /// Those of the header: `NotARecording`, `TooNew`, `Read`.
    pub fn of_recording(input: impl BufRead, limits: Limits) -> Result<(Feed, Option<Error>)> {
        let mut decoder = Decoder::new(input)?;
        let header = decoder.header().clone();
        let feed = Feed::new(Header { ended: true, ..header }, limits);
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => feed.push(frame),
                Ok(None) => return Ok((feed, None)),
                Err(error) => return Ok((feed, Some(error))),
            }
        }
    }

    /// What is watched, and whether it goes on.
    pub fn header(&self) -> Header {
        let shared = self.shared.lock();
        let forgotten = shared.header.forgotten + shared.history.forgotten();
        Header { forgotten, ..shared.header.clone() }
    }

    /// The frames that are remembered, oldest first.
    pub fn frames(&self) -> Vec<Arc<Frame>> {
        self.shared.lock().history.frames().cloned().collect()
    }

    /// The newest frame.
    pub fn last(&self) -> Option<Arc<Frame>> {
        self.shared.lock().history.last().cloned()
    }

    /// The header and the frames, as lines. With `known`, the number of a frame that the reader
    /// has, only those behind it; if it is not remembered any more, all.
    pub fn lines(&self, known: Option<u64>) -> String {
        let mut text = self.header().line();
        let frames = self.frames();
        let known = known.and_then(|n| frames.iter().position(|frame| frame.n == n));
        let (mut encoder, from) = match known {
            Some(at) => (Encoder::after(Arc::clone(&frames[at])), at + 1),
            None => (Encoder::new(), 0),
        };
        frames[from..].iter().for_each(|frame| text.push_str(&encoder.line(frame)));
        text
    }

    pub(crate) fn push(&self, frame: Arc<Frame>) {
        self.shared.lock().history.push(frame);
    }

    /// No frame will follow.
    pub(crate) fn end(&self) {
        self.shared.lock().header.ended = true;
    }

    /// What an endpoint says; frames of another watch are forgotten.
    pub(crate) fn follow(&self, header: Header) {
        let mut shared = self.shared.lock();
        if shared.header.began != header.began {
            shared.history = History::new(shared.limits);
        }
        shared.header = header;
    }
}
