//! Several sorted sources walked as one.
//!
//! The positioned sources stand in a list in the order of their entries; the first is under the
//! cursor. A step moves that source and puts it back where it belongs: one comparison while one
//! source goes on leading, a binary search otherwise. Stores merge a dozen sources, so moving
//! their four-byte numbers costs less than one comparison of keys.
//!
//! One thread at a time uses an iterator; it does no I/O of its own.
//!
//! 1. Sources are given newest first. Two entries with the same user key and sequence number are
//!    one version held twice (or two versions so old that their numbers became zero): the newest
//!    source's is shown, the other skipped, in both directions.
//! 2. Going forward, each source but the first stands on its first entry at or behind the
//!    cursor's, or behind its end. Going backward, on its last entry at or before it.
//! 3. An error of any source is returned, and the iterator is then not positioned. It is never
//!    read as that source's end.

use bytes::Bytes;
use nori_types::{InternalIterator, InternalKey, SeqNo, ValueKind};
use std::cmp::Ordering;

/// A merge of sorted sources, newest source first.
#[derive(Debug)]
pub struct MergeIter<I> {
    sources: Vec<I>,
    /// Numbers of the positioned sources, in the order of their entries.
    order: Vec<u32>,
    backward: bool,
    /// The cursor's user key while the direction changes.
    turning_key: Vec<u8>,
}

impl<I: InternalIterator> MergeIter<I> {
    /// Over `sources`, the newest first. Not positioned. At most 2^32 of them.
    pub fn new(sources: Vec<I>) -> MergeIter<I> {
        let order = Vec::with_capacity(sources.len());
        MergeIter { sources, order, backward: false, turning_key: Vec::new() }
    }

    /// The source that the cursor's entry comes from, counted from the newest. Panics when not
    /// positioned.
    pub fn source_index(&self) -> usize {
        *self.order.first().expect("a positioned iterator (rule 2 of InternalIterator)") as usize
    }

    #[inline]
    fn current(&self) -> &I {
        &self.sources[self.source_index()]
    }

    /// Moves every source with `place`, then sorts them.
    fn place_all(
        &mut self,
        backward: bool,
        mut place: impl FnMut(usize, &mut I) -> Result<(), I::Error>,
    ) -> Result<(), I::Error> {
        // Not positioned while the sources move: an error leaves it so.
        self.order.clear();
        self.backward = backward;
        for (i, source) in self.sources.iter_mut().enumerate() {
            place(i, source)?;
        }
        let positioned = (0u32..).zip(&self.sources).filter(|(_, source)| source.is_valid());
        self.order.extend(positioned.map(|(i, _)| i));
        let sources = &self.sources;
        self.order.sort_unstable_by(|a, b| {
            let (left, right) = (sources[*a as usize].key(), sources[*b as usize].key());
            compare(left, right, backward).then(a.cmp(b))
        });
        Ok(())
    }

    /// Moves the sources so that they stand behind the cursor's version in the new direction.
    fn turn(&mut self, backward: bool) -> Result<(), I::Error> {
        let mut turning_key = std::mem::take(&mut self.turning_key);
        turning_key.clear();
        let (leader, InternalKey { user_key, seq, .. }) =
            (self.source_index(), self.current().key());
        turning_key.extend_from_slice(user_key);
        let outcome = self.place_all(backward, |i, source| {
            if i == leader {
                step(source, backward)?;
            } else if backward {
                let kind = ValueKind::Tombstone;
                source.seek_for_prev(InternalKey::new(&turning_key, seq, kind))?;
            } else {
                source.seek(InternalKey::seek(&turning_key, seq))?;
            }
            while source.is_valid() && is_version(source.key(), &turning_key, seq) {
                step(source, backward)?;
            }
            Ok(())
        });
        self.turning_key = turning_key;
        outcome
    }

    /// Moves past the cursor's version in the direction that the sources already have.
    fn go_on(&mut self) -> Result<(), I::Error> {
        let twins = self.twins();
        for at in (0..=twins).rev() {
            self.advance(at)?;
        }
        Ok(())
    }

    /// How many sources behind the first hold the cursor's version too (invariant 1).
    fn twins(&self) -> usize {
        let Some((first, rest)) = self.order.split_first() else { return 0 };
        if rest.is_empty() {
            return 0;
        }
        let InternalKey { user_key, seq, .. } = self.sources[*first as usize].key();
        let is_twin = |i: &&u32| is_version(self.sources[**i as usize].key(), user_key, seq);
        rest.iter().take_while(is_twin).count()
    }

    /// Moves the source at a place in the order by one entry and puts it where it then belongs.
    fn advance(&mut self, at: usize) -> Result<(), I::Error> {
        let moved = self.order[at];
        let source = &mut self.sources[moved as usize];
        if let Err(error) = step(source, self.backward) {
            self.order.clear();
            return Err(error);
        }
        if !source.is_valid() {
            self.order.remove(at);
            return Ok(());
        }
        let key = self.sources[moved as usize].key();
        let before = |other: &u32| {
            let other_key = self.sources[*other as usize].key();
            compare(other_key, key, self.backward).then(other.cmp(&moved)) == Ordering::Less
        };
        let Some((next, rest)) = self.order[at + 1..].split_first() else { return Ok(()) };
        if before(next) {
            let end = at + 1 + rest.partition_point(before);
            self.order.copy_within(at + 1..=end, at);
            self.order[end] = moved;
        }
        Ok(())
    }
}

impl<I: InternalIterator> InternalIterator for MergeIter<I> {
    type Error = I::Error;

    #[inline]
    fn is_valid(&self) -> bool {
        !self.order.is_empty()
    }

    #[inline]
    fn key(&self) -> InternalKey<'_> {
        self.current().key()
    }

    #[inline]
    fn value(&self) -> &[u8] {
        self.current().value()
    }

    fn value_bytes(&self) -> Bytes {
        self.current().value_bytes()
    }

    fn seek_first(&mut self) -> Result<(), I::Error> {
        self.place_all(false, |_, source| source.seek_first())
    }

    fn seek_last(&mut self) -> Result<(), I::Error> {
        self.place_all(true, |_, source| source.seek_last())
    }

    fn seek(&mut self, target: InternalKey<'_>) -> Result<(), I::Error> {
        self.place_all(false, |_, source| source.seek(target))
    }

    fn seek_for_prev(&mut self, target: InternalKey<'_>) -> Result<(), I::Error> {
        self.place_all(true, |_, source| source.seek_for_prev(target))
    }

    #[inline]
    fn next(&mut self) -> Result<(), I::Error> {
        if self.backward { self.turn(false) } else { self.go_on() }
    }

    #[inline]
    fn prev(&mut self) -> Result<(), I::Error> {
        if self.backward { self.go_on() } else { self.turn(true) }
    }
}

fn step<I: InternalIterator>(source: &mut I, backward: bool) -> Result<(), I::Error> {
    if backward { source.prev() } else { source.next() }
}

fn is_version(key: InternalKey<'_>, user_key: &[u8], seq: SeqNo) -> bool {
    // Numbers first: they nearly always differ, and are cheap to compare.
    key.seq == seq && key.user_key == user_key
}

/// The order of two sources' entries in a direction. Of equal versions the newest source's comes
/// first in both directions, whatever their kinds say, so callers compare the sources next.
#[inline]
fn compare(left: InternalKey<'_>, right: InternalKey<'_>, backward: bool) -> Ordering {
    let forward = left.user_key.cmp(right.user_key).then_with(|| right.seq.cmp(&left.seq));
    if backward { forward.reverse() } else { forward }
}

#[cfg(test)]
mod tests;
