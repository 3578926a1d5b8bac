//! The ordered map in a memtable: leaves of entries, found through fences.
//!
//! ```text
//!   fences      -inf ------------> "fig" -----------> "plum"      a skip list
//!                |                   |                   |
//!   leaves    [ .. 64 .. ]      [ .. 64 .. ]       [ .. 64 .. ]   sorted in part
//! ```
//!
//! Nearly all inserts fill one slot of one leaf. A full leaf is frozen. Who finds it full when an
//! entry has to go there splits it: the upper part becomes a leaf of its own, is linked with its
//! lowest entry as the fence, and then the lower part takes the full leaf's place in its node.
//! All who split a leaf cut it at the same entry; the first one's link and swap count.
//!
//! 1. Entries are inserted, never changed, never removed; they live as long as the map.
//! 2. An entry is seen whole or not at all.
//! 3. A node answers for the entries from its fence up to the next node's. Leaf first, next node
//!    second: who loads a leaf and then finds the same next node behind it knows that the leaf
//!    held, when it was loaded, all entries of that range. For while the leaf was not full it was
//!    never split; and once a part of it is a node of its own, that node is met.
//! 4. So an insert fills a slot only of the leaf that answers for its key: a leaf with an empty
//!    slot is the one in its node, with the range that it was made for.
//! 5. A full leaf that waits to be replaced still holds the upper part. What it holds at and
//!    behind the next fence is left to the next node.
//! 6. Each leaf but the first holds its fence, so what follows the last entry of a leaf is the
//!    next node's fence.
//!
//! A leaf that was replaced may be read still. It goes with the arena; a leaf is replaced once
//! per split, so leaves take twice what those in use take, and all of it is counted.

#![allow(unsafe_code)] // Large values behind pointers.

use crate::entry::{Entry, LARGE_BYTES, Large, Target};
use crate::fences::{Fences, Node};
use crate::leaf::{Leaf, Placed, SLOTS};
use crate::plant::{Plant, planted};
use bytes::Bytes;
use nori_env::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::cmp;
use std::ptr::{self, NonNull};

/// A concurrent ordered set of entries.
pub(crate) struct Map {
    fences: Fences,
    /// The newest of the values with memory of their own; each knows the one before.
    large: AtomicPtr<Large>,
    large_bytes: AtomicUsize,
}

/// Entries of a leaf in order, each with its head.
pub(crate) type Run<'a> = Vec<(u64, Entry<'a>)>;

impl Map {
    /// An empty map.
    pub(crate) fn new() -> Map {
        let large = AtomicPtr::new(ptr::null_mut());
        Map { fences: Fences::new(), large, large_bytes: AtomicUsize::new(0) }
    }

    /// The memory taken, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.fences.bytes() + self.large_bytes.load(Ordering::Relaxed)
    }

    /// Adds an entry; false, and nothing changed, if an equal one is there. Before it can be seen,
    /// `announce` is called.
    pub(crate) fn insert(&self, target: &Target<'_>, value: &[u8], announce: impl Fn()) -> bool {
        let (mut node, mut above) = self.fences.find(target, |order| order.is_le());
        let mut made = None;
        loop {
            let leaf = if planted(Plant::WriterUnchecked) {
                node.leaf()
            } else {
                settle(&mut node, &mut above, target)
            };
            let make = || {
                announce();
                self.make(target, value)
            };
            match leaf.insert(target, &mut made, make) {
                Placed::New => return true,
                Placed::There => return false,
                Placed::Full => self.split(node, leaf),
            }
        }
    }

    fn make(&self, target: &Target<'_>, value: &[u8]) -> Entry<'_> {
        let large = (value.len() >= LARGE_BYTES).then(|| self.keep(value));
        Entry::new(self.fences.arena(), target, value, large)
    }

    /// Copies a value to memory of its own, which is freed with the map.
    fn keep(&self, value: &[u8]) -> NonNull<Large> {
        let kept = Large { value: Bytes::copy_from_slice(value), older: ptr::null_mut() };
        let kept = NonNull::from(Box::leak(Box::new(kept)));
        let mut newest = self.large.load(Ordering::Relaxed);
        loop {
            // SAFETY: nobody else knows it before it is the newest.
            unsafe { (*kept.as_ptr()).older = newest };
            // Read again only by the one who drops the map.
            let order = (Ordering::Release, Ordering::Relaxed);
            match self.large.compare_exchange(newest, kept.as_ptr(), order.0, order.1) {
                Ok(_) => break,
                Err(now) => newest = now,
            }
        }
        self.large_bytes.fetch_add(value.len() + size_of::<Large>(), Ordering::Relaxed);
        kept
    }

    /// Splits the full leaf of a node, unless somebody else did.
    fn split(&self, node: &Node, leaf: &Leaf) {
        if !ptr::eq(node.leaf(), leaf) {
            return;
        }
        let mut entries = Vec::with_capacity(SLOTS);
        leaf.read(&mut entries);
        let (lo, hi) = entries.split_at(leaf.cut(&entries));
        let [Some((_, first)), Some((_, fence)), Some((_, last))] =
            [entries.first(), hi.first(), entries.last()]
        else {
            return;
        };
        let ends = (first.user_key(), last.user_key());
        let arena = self.fences.arena();
        let left = || node.replace(leaf, Leaf::place(arena, lo, ends.0, ends.1));
        if planted(Plant::SwapBeforeLink) {
            left();
        }
        let right = Leaf::place(arena, hi, ends.0, ends.1);
        self.fences.insert(*fence, right);
        if !planted(Plant::SwapBeforeLink) {
            left();
        }
    }

    /// The newest version of the target's key at or below its sequence number.
    pub(crate) fn newest(&self, target: &Target<'_>) -> Option<Entry<'_>> {
        let (mut node, mut above) = self.fences.find(target, |order| order.is_le());
        let leaf = if planted(Plant::ReaderUnchecked) {
            node.leaf()
        } else {
            settle(&mut node, &mut above, target)
        };
        // Else it may be the first of the next leaf (invariant 6).
        let next = || above.and_then(Node::fence).filter(|entry| entry.user_key() == target.key);
        leaf.newest(target).or_else(next)
    }

    /// The first entry not below the target.
    pub(crate) fn at_or_after(&self, target: &Target<'_>) -> Option<Entry<'_>> {
        let mut run = Run::new();
        let place = self.read_at(target, &mut run);
        let at = place.count(&run, target, |order| order.is_lt());
        // Else the first of the next leaf (invariant 6).
        let inside = run.get(at).map(|(_, entry)| *entry);
        inside.or_else(|| place.next.and_then(Node::fence))
    }

    /// Reads the first leaf into `run`; its node, and the next one.
    pub(crate) fn read_first<'a>(&'a self, run: &mut Run<'a>) -> Place<'a> {
        Place::read(self.fences.first(), run)
    }

    /// Reads the last leaf.
    pub(crate) fn read_last<'a>(&'a self, run: &mut Run<'a>) -> Place<'a> {
        let mut place = Place::read(self.fences.last(), run);
        while let Some(next) = place.next {
            place = Place::read(next, run);
        }
        place
    }

    /// Reads the leaf that answers for `target`.
    pub(crate) fn read_at<'a>(&'a self, target: &Target<'_>, run: &mut Run<'a>) -> Place<'a> {
        let (node, above) = self.fences.find(target, |order| order.is_le());
        let mut place = Place::read(node, run);
        while let Some(next) = place.next.filter(|next| is_at_or_below(next, above, target)) {
            place = Place::read(next, run);
        }
        place
    }

    /// Reads the leaf before a node's.
    pub(crate) fn read_before<'a>(&'a self, node: &Node, run: &mut Run<'a>) -> Option<Place<'a>> {
        let target = Target::new(node.fence()?.key());
        let (before, _) = self.fences.find(&target, |order| order.is_lt());
        let mut place = Place::read(before, run);
        while let Some(next) = place.next.filter(|next| !ptr::eq(*next, node)) {
            place = Place::read(next, run);
        }
        Some(place)
    }
}

/// Where a run was read, and the node that the next one is read at.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) node: &'a Node,
    pub(crate) next: Option<&'a Node>,
    leaf: &'a Leaf,
}

impl<'a> Place<'a> {
    /// Reads what a node answers for.
    pub(crate) fn read(node: &'a Node, run: &mut Run<'a>) -> Place<'a> {
        let leaf = node.leaf();
        let next = node.next();
        leaf.read(run);
        // Only a full leaf may reach beyond the next fence (invariant 5).
        if run.len() == SLOTS
            && let Some(fence) = next.and_then(Node::fence)
            && !planted(Plant::UpperPartShown)
        {
            run.truncate(run.partition_point(|(_, entry)| entry.cmp(fence).is_lt()));
        }
        Place { node, next, leaf }
    }

    /// How many entries of the run that was read here compare to the target as `is_before` says.
    /// Visits few of them: the run has their heads.
    pub(crate) fn count(
        &self,
        run: &Run<'_>,
        target: &Target<'_>,
        is_before: impl Fn(cmp::Ordering) -> bool,
    ) -> usize {
        let head = self.leaf.head_of(target);
        run.partition_point(|(other, entry)| {
            is_before(other.cmp(&head).then_with(|| target.order_of(*entry)))
        })
    }
}

/// Loads the leaf that answers for `target`; moves `node` to its node, and `above` to the next.
/// `above`, if given, is a node behind the target.
fn settle<'a>(node: &mut &'a Node, above: &mut Option<&'a Node>, target: &Target<'_>) -> &'a Leaf {
    loop {
        let leaf = node.leaf();
        leaf.prefetch();
        match node.next() {
            Some(next) if is_at_or_below(next, *above, target) => *node = next,
            next => {
                *above = next;
                return leaf;
            }
        }
    }
}

/// Whether a node answers for the target, or one behind it does.
#[inline]
fn is_at_or_below(node: &Node, above: Option<&Node>, target: &Target<'_>) -> bool {
    !above.is_some_and(|above| ptr::eq(node, above)) && node.order_to(target).is_le()
}

impl Drop for Map {
    fn drop(&mut self) {
        let mut next = self.large.load(Ordering::Acquire);
        while !next.is_null() {
            // SAFETY: nobody else holds the map, and each value is met once. Who shares its bytes
            // holds the buffer, not this.
            next = unsafe { Box::from_raw(next) }.older;
        }
    }
}

#[cfg(all(test, not(nori_loom)))]
mod tests;
