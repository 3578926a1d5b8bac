//! Walks a block's entries both ways.
//!
//! Forward, each entry's key is made from the one before. Backward there is none before, so the
//! entries from the nearest restart point on are decoded once into a window, with their whole
//! keys, and a step back only looks at another entry of it.
//!
//! 1. When valid: `at..next` is the entry, `key`, `mark`, `kind` and `value` are its parts.
//! 2. The window, when not empty, ends with the entry at `at`, and has no gaps.
//! 3. The keys of a window take at most [`WINDOW_BYTES_MAX`], however much they share; where there
//!    are more, it holds the last ones, and those before are decoded again when it is used up.

use super::{Block, Place, RawEntry};
use crate::error::Bad;
use crate::format::{Mark, order};
use bytes::Bytes;
use nori_types::{InternalKey, ValueKind};
use std::cmp::Ordering;
use std::ops::Range;

/// A position in a block.
#[derive(Clone, Debug)]
pub(crate) struct Cursor {
    block: Block,
    is_valid: bool,
    at: Place,
    next: Place,
    /// The current key ends them; before it lie those of the window.
    pub(super) keys: Vec<u8>,
    /// Where among `keys` the current one lies.
    key: Range<usize>,
    mark: Mark,
    kind: ValueKind,
    value: Range<usize>,
    window: Vec<Step>,
}

/// Key bytes that a window holds, unless a single key is longer.
pub(super) const WINDOW_BYTES_MAX: usize = 64 << 10;

/// An entry of the window.
#[derive(Clone, Debug)]
struct Step {
    at: Place,
    next: Place,
    mark: Mark,
    value: Range<usize>,
    key: Range<usize>,
}

impl Cursor {
    /// Not positioned.
    pub(crate) fn new(block: Block) -> Cursor {
        Cursor {
            block,
            is_valid: false,
            at: Place::default(),
            next: Place::default(),
            keys: Vec::new(),
            key: 0..0,
            mark: Mark::BEHIND,
            kind: ValueKind::Tombstone,
            value: 0..0,
            window: Vec::new(),
        }
    }

    /// Moves to another block, not positioned there; keeps the memory.
    pub(crate) fn reset(&mut self, block: Block) {
        self.block = block;
        self.invalidate();
    }

    /// The block it walks.
    pub(crate) fn block(&self) -> &Block {
        &self.block
    }

    pub(crate) fn is_valid(&self) -> bool {
        self.is_valid
    }

    pub(crate) fn key(&self) -> InternalKey<'_> {
        InternalKey::new(self.user_key(), self.mark.seq(), self.kind)
    }

    #[inline]
    pub(crate) fn user_key(&self) -> &[u8] {
        &self.keys[self.key.clone()]
    }

    pub(crate) fn mark(&self) -> Mark {
        self.mark
    }

    pub(crate) fn value(&self) -> &[u8] {
        self.block.content.get(self.value.clone()).unwrap_or_default()
    }

    /// The value: shared with the block if it is a good part of it, copied if it is small (a
    /// kept small value must not keep a whole block in memory).
    pub(crate) fn value_bytes(&self) -> Bytes {
        share_or_copy(&self.block, self.value.clone())
    }

    pub(crate) fn seek_first(&mut self) -> Result<(), Bad> {
        self.enter(self.block.restart(0))?;
        self.step()
    }

    pub(crate) fn seek_last(&mut self) -> Result<(), Bad> {
        self.invalidate();
        self.fill_window(self.block.end())?;
        self.take_window_end()
    }

    /// To the first entry at or behind `target`; not positioned if there is none.
    pub(crate) fn seek(&mut self, target: (&[u8], Mark)) -> Result<(), Bad> {
        let restart = self.block.restart_before(target)?;
        self.enter(restart)?;
        loop {
            self.step()?;
            if !self.is_valid || order((self.user_key(), self.mark), target) != Ordering::Less {
                return Ok(());
            }
        }
    }

    /// To the last entry at or before `target`; not positioned if there is none.
    pub(crate) fn seek_for_prev(&mut self, target: (&[u8], Mark)) -> Result<(), Bad> {
        self.seek(target)?;
        if !self.is_valid {
            return self.seek_last();
        }
        if order((self.user_key(), self.mark), target) == Ordering::Greater {
            return self.prev();
        }
        Ok(())
    }

    /// One entry forward; not positioned behind the last.
    pub(crate) fn next(&mut self) -> Result<(), Bad> {
        self.window.clear();
        self.step()
    }

    /// One entry back; not positioned before the first.
    pub(crate) fn prev(&mut self) -> Result<(), Bad> {
        let at = self.at;
        self.window.pop();
        if at.key == 0 {
            self.invalidate();
            return Ok(());
        }
        if self.window.is_empty() {
            self.fill_window(at)?;
        }
        self.take_window_end()
    }

    fn invalidate(&mut self) {
        self.is_valid = false;
        self.window.clear();
    }

    /// Stands before the entry at a restart point.
    fn enter(&mut self, restart: Place) -> Result<(), Bad> {
        self.invalidate();
        self.clear_keys();
        self.next = restart;
        self.block.decode_restart(restart).map(|_| ())
    }

    fn clear_keys(&mut self) {
        self.keys.clear();
        self.key = 0..0;
    }

    /// Decodes the entry at `next`, whose predecessor's key is the current one.
    #[inline]
    fn step(&mut self) -> Result<(), Bad> {
        self.is_valid = false;
        if self.next.key >= self.block.keys_end {
            return Ok(());
        }
        let entry = self.block.decode(self.next)?;
        if entry.shared > self.key.len() {
            return Err(Bad::Damaged("shared key bytes of an entry"));
        }
        self.keys.truncate(self.key.start + entry.shared);
        self.keys.extend_from_slice(&self.block.content[entry.rest.clone()]);
        self.key.end = self.keys.len();
        self.at = self.next;
        self.next = entry.next();
        self.accept(entry.mark, entry.value)
    }

    fn accept(&mut self, mark: Mark, value: Range<usize>) -> Result<(), Bad> {
        self.mark = mark;
        self.kind = mark.kind()?;
        if self.kind == ValueKind::Tombstone && !value.is_empty() {
            return Err(Bad::Damaged("tombstone with a value"));
        }
        self.value = value;
        self.is_valid = true;
        Ok(())
    }

    /// Decodes the entries from the restart point before `end` up to `end`; the key becomes that
    /// of the last of them.
    fn fill_window(&mut self, end: Place) -> Result<(), Bad> {
        self.invalidate();
        self.clear_keys();
        let mut at = self.restart_below(end);
        while at.key < end.key {
            let entry = self.block.decode(at)?;
            let next = entry.next();
            let RawEntry { shared, rest, mark, value } = entry;
            if shared > self.key.len() {
                return Err(Bad::Damaged("shared key bytes of an entry"));
            }
            if self.keys.len() + shared + rest.len() > WINDOW_BYTES_MAX {
                self.window.clear();
                self.keys.drain(..self.key.start);
                self.key = 0..self.keys.len();
            }
            let start = self.keys.len();
            self.keys.extend_from_within(self.key.start..self.key.start + shared);
            self.keys.extend_from_slice(&self.block.content[rest]);
            self.key = start..self.keys.len();
            self.window.push(Step { at, next, mark, value, key: self.key.clone() });
            at = next;
        }
        // A restart point in the middle of an entry would lead past it.
        if at == end {
            return Ok(());
        }
        self.window.clear();
        Err(Bad::Damaged("restart points of a block"))
    }

    /// The last restart point below an offset.
    fn restart_below(&self, end: Place) -> Place {
        let (mut low, mut high) = (0, self.block.restart_count());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.block.restart(middle).key < end.key {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        self.block.restart(low.saturating_sub(1))
    }

    /// Stands on the last entry of the window.
    fn take_window_end(&mut self) -> Result<(), Bad> {
        self.is_valid = false;
        let Some(step) = self.window.last() else { return Ok(()) };
        let (mark, value) = (step.mark, step.value.clone());
        (self.at, self.next, self.key) = (step.at, step.next, step.key.clone());
        self.accept(mark, value)
    }
}

/// A value as bytes of its own.
pub(crate) fn share_or_copy(block: &Block, value: Range<usize>) -> Bytes {
    const SHARED_PART: usize = 4;
    let content = block.content();
    let is_large = value.len() >= content.len() / SHARED_PART;
    if is_large && value.end <= content.len() && !block.is_mapped {
        return content.slice(value);
    }
    Bytes::copy_from_slice(content.get(value).unwrap_or_default())
}
