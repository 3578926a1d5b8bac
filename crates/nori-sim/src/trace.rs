//! What tells two runs apart: every call of the disk with its bytes, every answer, every event.
//!
//! 1. The same program gives the same number, on every machine.
//! 2. The disk's calls also keep the order that durability needs; a break of it is a failure.

use crate::image::Checked;
use nori_env::sync::Arc;
use nori_env::{FileSystem, OrderRule, TraceFs};
use nori_lsm::{EventStream, Lsm};
use std::fmt::Debug;

/// What is written down, where somebody wants it.
#[derive(Default)]
pub(crate) struct Trace {
    is_on: bool,
    hash: u64,
    fs: Option<TraceFs>,
    events: Option<EventStream>,
    tell: Option<fn(&str)>,
}

fn order() -> Vec<OrderRule> {
    vec![
        OrderRule::durable_before_record("MANIFEST-*", "*.sst"),
        OrderRule::record_before_removal("*.wal", "MANIFEST-*").through("CURRENT"),
        OrderRule::durable_before_pointer("CURRENT", "MANIFEST-*"),
        OrderRule::no_removal_while_turning("CURRENT", "*"),
    ]
}

impl Trace {
    pub(crate) fn on(tell: fn(&str)) -> Trace {
        let hash = 0xcbf2_9ce4_8422_2325;
        Trace { is_on: true, hash, tell: Some(tell), ..Trace::default() }
    }

    /// The disk of a new life, watched if anybody wants it.
    pub(crate) fn watch(&mut self, fs: Arc<dyn FileSystem>) -> Arc<dyn FileSystem> {
        if !self.is_on {
            return fs;
        }
        let fs = TraceFs::new(fs, order());
        self.fs = Some(fs.clone());
        Arc::new(fs)
    }

    /// A store was opened: what happens in it counts from now on.
    pub(crate) fn listen(&mut self, store: &Lsm) {
        if self.is_on {
            self.events = Some(store.events());
        }
    }

    /// An answer, and the events since the last one.
    pub(crate) fn answer(&mut self, answer: &dyn Debug) {
        if !self.is_on {
            return;
        }
        self.line(&format!("{answer:?}"));
        while let Some(event) = self.events.as_mut().and_then(EventStream::try_next) {
            self.line(&format!("  {event:?}"));
        }
    }

    fn line(&mut self, text: &str) {
        self.mix(text);
        if let Some(tell) = self.tell {
            tell(text);
        }
    }

    /// A life has ended. `is_sound`: no fault can have broken the order.
    pub(crate) fn end(&mut self, is_sound: bool) -> Checked<()> {
        self.events = None;
        let Some(fs) = self.fs.take() else { return Ok(()) };
        self.mix(&fs.hash().to_string());
        match fs.violations().first().filter(|_| is_sound) {
            Some(what) => Err(format!("the order of calls: {what}")),
            None => Ok(()),
        }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    /// FNV-1a.
    fn mix(&mut self, text: &str) {
        for byte in text.bytes().chain([0]) {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
