//! What the store must hold: for each key, how often it was written.
//!
//! 1. One thread writes; it counts a write when it has returned.
//! 2. The count wraps from 255 to 1, so that 0 means never. No reader sleeps through 254 writes
//!    of one key between two looks, or it would take right for wrong.

use nori_bench::Data;
use nori_lsm::{Lsm, Result};
use std::sync::atomic::{AtomicU8, Ordering};

/// The model of a load.
pub(super) struct Model<'a> {
    pub(super) data: &'a Data,
    written: Vec<AtomicU8>,
}

impl Model<'_> {
    pub(super) fn new(data: &Data) -> Model<'_> {
        Model { data, written: (0..data.keys).map(|_| AtomicU8::new(0)).collect() }
    }

    /// Bytes that it takes; they are part of the process's memory.
    pub(super) fn bytes(keys: u64) -> u64 {
        keys
    }

    fn version(&self, key: u64) -> u8 {
        self.written[key as usize].load(Ordering::Acquire)
    }

    /// What a key holds; `None`: it was never written.
    pub(super) fn value(&self, key: u64) -> Option<&[u8]> {
        self.value_at(key, self.version(key))
    }

    fn value_at(&self, key: u64, version: u8) -> Option<&[u8]> {
        (version > 0).then(|| self.data.value(key << 8 | u64::from(version)))
    }

    /// The next value of a key, for the writer.
    pub(super) fn next_value(&self, key: u64) -> &[u8] {
        self.data.value(key << 8 | u64::from(next(self.version(key))))
    }

    /// Notes that a key's next value was written.
    pub(super) fn wrote(&self, key: u64) {
        self.written[key as usize].store(next(self.version(key)), Ordering::Release);
    }

    /// Reads a key while the writer goes on; false if the store gives anything that it did not
    /// hold at some time during the read.
    pub(super) fn read(&self, store: &Lsm, key: u64, bytes: &mut Vec<u8>) -> Result<bool> {
        self.data.key(key, bytes);
        let before = self.version(key);
        let found = store.get(&*bytes)?;
        // The write that follows the last one counted may be visible already.
        let last = next(self.version(key));
        let mut version = before;
        loop {
            if self.value_at(key, version) == found.as_deref() {
                return Ok(true);
            }
            if version == last {
                return Ok(false);
            }
            version = next(version);
        }
    }
}

fn next(version: u8) -> u8 {
    version.checked_add(1).unwrap_or(1)
}
