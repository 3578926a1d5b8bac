//! Builds a block's content.

use super::{RESTART_BYTES, common_prefix};
use crate::format::Mark;
use nori_types::put_varint;

/// Collects ascending entries. The caller has checked their order and sizes.
#[derive(Debug)]
pub(crate) struct BlockBuilder {
    /// The key parts; `finish` appends the rest.
    content: Vec<u8>,
    values: Vec<u8>,
    /// Offsets of key parts, and of values among the values.
    restarts: Vec<(u32, u32)>,
    interval: usize,
    /// Entries since the last restart.
    run: usize,
    last_key: Vec<u8>,
}

impl BlockBuilder {
    pub(crate) fn new(interval: usize) -> BlockBuilder {
        BlockBuilder {
            content: Vec::new(),
            values: Vec::new(),
            restarts: Vec::new(),
            interval: interval.max(1),
            run: 0,
            last_key: Vec::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.restarts.is_empty()
    }

    /// The length `finish` would give now.
    pub(crate) fn bytes(&self) -> usize {
        self.content.len() + self.values.len() + RESTART_BYTES * self.restarts.len() + 4
    }

    pub(crate) fn add(&mut self, user_key: &[u8], mark: Mark, value: &[u8]) {
        let is_restart = self.run == self.interval || self.restarts.is_empty();
        let shared = if is_restart {
            self.run = 0;
            self.restarts.push((self.content.len() as u32, self.values.len() as u32));
            0
        } else {
            common_prefix(&self.last_key, user_key)
        };
        self.run += 1;
        let rest = &user_key[shared..];
        put_varint(&mut self.content, shared as u64);
        put_varint(&mut self.content, rest.len() as u64);
        put_varint(&mut self.content, value.len() as u64);
        put_varint(&mut self.content, mark.0);
        self.content.extend_from_slice(rest);
        self.values.extend_from_slice(value);
        self.last_key.truncate(shared);
        self.last_key.extend_from_slice(rest);
    }

    /// The content of the block. Call `clear` before the next `add`.
    pub(crate) fn finish(&mut self) -> &[u8] {
        let keys_end = self.content.len() as u32;
        self.content.extend_from_slice(&self.values);
        for (key, value) in &self.restarts {
            self.content.extend_from_slice(&key.to_le_bytes());
            self.content.extend_from_slice(&(keys_end + value).to_le_bytes());
        }
        self.content.extend_from_slice(&(self.restarts.len() as u32).to_le_bytes());
        &self.content
    }

    /// Starts the next block, in the same memory.
    pub(crate) fn clear(&mut self) {
        self.content.clear();
        self.values.clear();
        self.restarts.clear();
        self.run = 0;
        self.last_key.clear();
    }
}
