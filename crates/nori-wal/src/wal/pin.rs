//! Segments that someone still reads.

use nori_env::File;
use nori_env::sync::{Arc, Mutex};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Which segments are held, by an id for each pin.
#[derive(Debug, Default)]
pub(super) struct Pins(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    next: u64,
    from: BTreeMap<u64, u64>,
}

impl Pins {
    /// The lowest segment that any pin holds.
    pub(super) fn lowest(&self) -> Option<u64> {
        self.0.lock().from.values().min().copied()
    }
}

/// One held segment.
#[derive(Clone, Debug)]
pub struct SegmentFile {
    /// Its number.
    pub number: u64,
    /// Its path while the pin lives.
    pub path: PathBuf,
    /// The open file. Bytes before a position that was appended do not change.
    pub file: Arc<dyn File>,
    /// Where its records ended when the pin was taken.
    pub end: u64,
}

/// Holds segments until it is dropped. Made by [`Wal::pin`](crate::Wal::pin).
#[derive(Debug)]
pub struct SegmentPin {
    pins: Arc<Pins>,
    id: u64,
    files: Vec<SegmentFile>,
}

impl SegmentPin {
    pub(super) fn new(pins: &Arc<Pins>, from: u64, files: Vec<SegmentFile>) -> SegmentPin {
        let mut held = pins.0.lock();
        let id = held.next;
        held.next += 1;
        held.from.insert(id, from);
        drop(held);
        SegmentPin { pins: pins.clone(), id, files }
    }

    /// The held segments that existed when the pin was taken, oldest first. Later ones are held
    /// too.
    pub fn segments(&self) -> &[SegmentFile] {
        &self.files
    }
}

impl Drop for SegmentPin {
    fn drop(&mut self) {
        self.pins.0.lock().from.remove(&self.id);
    }
}
