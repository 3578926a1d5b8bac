//! A leaf: up to 64 entries whose keys are neighbours, in an order that is partly that of keys.
//!
//! ```text
//! plan     64   how many slots are sorted, and the prefix that heads leave out
//! heads  8 * n  eight bytes of each key behind the prefix; 0 where not known yet
//! slots  8 * n  the entries; the first ones sorted, then as they came, then empty
//! ```
//!
//! A search reads heads, which lie together, and visits an entry where heads are equal.
//!
//! 1. Slots are filled from front to back, each by one compare-and-swap from empty, and never
//!    change again. Who fills a slot has compared its entry with all before it, so no two entries
//!    are equal. A full leaf is frozen: whoever reads it reads the same.
//! 2. A head is a function of the plan and the slot's entry, written after the slot by the one who
//!    filled it. Who reads a head that is not 0 finds the slot filled; who reads 0 looks there.
//! 3. Heads keep the order of keys: where two differ, the keys differ in the same direction.
//!    A key without the leaf's prefix has the lowest or the highest head.

#![allow(unsafe_code)] // Entries behind pointers.

use crate::arena::Arena;
use crate::entry::{Entry, Head, Target, word};
use crate::plant::{Plant, planted};
use crate::prefetch::prefetch;
use nori_env::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use nori_env::sync::cell::UnsafeCell;
use std::{array, cmp, ptr};

/// How many entries fit.
pub(crate) const SLOTS: usize = if cfg!(nori_loom) { 3 } else { 64 };

/// The longest prefix that a leaf leaves out, in bytes.
const PREFIX_MAX: usize = 56;
/// How much of what the entries share the heads keep, in bytes: later keys may share less.
const PREFIX_SPARE: usize = 3;

const UNKNOWN: u64 = 0;
const LOWEST: u64 = 1;

/// Entries that are neighbours.
#[repr(C, align(64))]
pub(crate) struct Leaf {
    /// The cell is for loom: it sees a leaf that is reached before it is written.
    plan: UnsafeCell<Plan>,
    heads: [AtomicU64; SLOTS],
    slots: [AtomicPtr<Head>; SLOTS],
}

/// What is fixed when a leaf is made.
#[derive(Clone, Copy)]
struct Plan {
    prefix: [u8; PREFIX_MAX],
    prefix_len: u32,
    sorted: u32,
}

/// What became of an insert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placed {
    /// The entry is in.
    New,
    /// An equal one was there.
    There,
    /// No room. An equal one is not here.
    Full,
}

impl Leaf {
    /// A leaf that begins with sorted entries, at most [`SLOTS`]; `lo` and `hi` are keys between
    /// which most of the later ones will lie.
    pub(crate) fn place<'a>(
        arena: &'a Arena,
        entries: &[(u64, Entry<'a>)],
        lo: &[u8],
        hi: &[u8],
    ) -> &'a Leaf {
        let shared = lo.iter().zip(hi).take(PREFIX_MAX).take_while(|(a, b)| a == b).count();
        let shared = shared.saturating_sub(PREFIX_SPARE);
        let mut prefix = [0; PREFIX_MAX];
        prefix[..shared].copy_from_slice(&lo[..shared]);
        let plan = Plan { prefix, prefix_len: shared as u32, sorted: entries.len() as u32 };
        let entry = |i: usize| entries.get(i).map(|(_, entry)| *entry);
        let head = |i: usize| entry(i).map_or(UNKNOWN, |entry| plan.head(entry.user_key()));
        let slot = |i: usize| entry(i).map_or(ptr::null_mut(), Entry::as_ptr);
        arena.place(Leaf {
            plan: UnsafeCell::new(plan),
            heads: array::from_fn(|i| AtomicU64::new(head(i))),
            slots: array::from_fn(|i| AtomicPtr::new(slot(i))),
        })
    }

    /// Adds the entry that `make` makes at `target`, if there is room and no equal one. Calls
    /// `make` at most once, and only then.
    pub(crate) fn insert<'a>(
        &'a self,
        target: &Target<'_>,
        made: &mut Option<Entry<'a>>,
        make: impl Fn() -> Entry<'a>,
    ) -> Placed {
        let plan = self.plan();
        let head = plan.head(target.key);
        let is_equal = |entry: Entry<'_>| target.order_of(entry).is_eq();
        let at = self.sorted_before(plan, head, target);
        if at < plan.sorted() && self.entry(at).is_some_and(is_equal) {
            return Placed::There;
        }
        for i in plan.sorted()..SLOTS {
            if let known @ LOWEST.. = self.heads[i].load(Ordering::Acquire)
                && known != head
            {
                continue;
            }
            let taken = match self.entry(i) {
                Some(entry) => entry,
                None => match self.fill(i, *made.get_or_insert_with(&make)) {
                    Ok(()) => {
                        self.heads[i].store(head, Ordering::Release);
                        return Placed::New;
                    }
                    Err(winner) => winner,
                },
            };
            if is_equal(taken) {
                return Placed::There;
            }
        }
        Placed::Full
    }

    /// Fills an empty slot, or says what it was filled with.
    fn fill<'a>(&'a self, i: usize, entry: Entry<'a>) -> Result<(), Entry<'a>> {
        let (slot, new) = (&self.slots[i], entry.as_ptr());
        if planted(Plant::SlotInTwoSteps) {
            slot.store(new, Ordering::Release);
            return Ok(());
        }
        let order = if planted(Plant::SlotRelaxed) { Ordering::Relaxed } else { Ordering::Release };
        match slot.compare_exchange(ptr::null_mut(), new, order, Ordering::Acquire) {
            Ok(_) => Ok(()),
            // SAFETY: slots hold entries of the leaf's arena.
            Err(winner) => unsafe { Entry::from_ptr(winner) }.map_or(Ok(()), Err),
        }
    }

    /// The newest version of the target's key at or below its sequence number.
    pub(crate) fn newest(&self, target: &Target<'_>) -> Option<Entry<'_>> {
        let plan = self.plan();
        let head = plan.head(target.key);
        let at = self.sorted_before(plan, head, target);
        let sorted = if at < plan.sorted() { self.entry(at) } else { None };
        let mut found = sorted.filter(|entry| entry.user_key() == target.key);
        for i in plan.sorted()..SLOTS {
            let known = self.heads[i].load(Ordering::Acquire);
            if known != UNKNOWN && known != head {
                continue;
            }
            let Some(entry) = self.entry(i) else { break };
            let newer = |other: Entry<'_>| entry.trailer() > other.trailer();
            if entry.trailer() <= target.trailer
                && found.is_none_or(newer)
                && entry.user_key() == target.key
            {
                found = Some(entry);
            }
        }
        found
    }

    /// The head that a key would have here.
    pub(crate) fn head_of(&self, target: &Target<'_>) -> u64 {
        self.plan().head(target.key)
    }

    /// Replaces `out` by the entries in order, each with its head.
    pub(crate) fn read<'a>(&'a self, out: &mut Vec<(u64, Entry<'a>)>) {
        let plan = self.plan();
        out.clear();
        for i in 0..SLOTS {
            let Some(entry) = self.entry(i) else { break };
            let known = self.heads[i].load(Ordering::Relaxed);
            let head = if known == UNKNOWN { plan.head(entry.user_key()) } else { known };
            out.push((head, entry));
        }
        let order =
            |a: &(u64, Entry<'_>), b: &(u64, Entry<'_>)| a.0.cmp(&b.0).then_with(|| a.1.cmp(b.1));
        if out.len() > plan.sorted() {
            out.sort_by(order);
        }
    }

    /// Where a full leaf whose entries in order are `sorted` is cut in two.
    ///
    /// In the middle; but keys that came in ascending or descending order go on coming so, and
    /// leave one full leaf behind. The same for all who read the same full leaf.
    pub(crate) fn cut(&self, sorted: &[(u64, Entry<'_>)]) -> usize {
        let came = || self.slots.iter().map(|slot| slot.load(Ordering::Acquire));
        let sorted = || sorted.iter().map(|(_, entry)| entry.as_ptr());
        if came().eq(sorted()) {
            SLOTS - 1
        } else if came().eq(sorted().rev()) {
            1
        } else {
            SLOTS / 2
        }
    }

    /// How many of the sorted slots lie before the target.
    #[inline]
    fn sorted_before(&self, plan: &Plan, head: u64, target: &Target<'_>) -> usize {
        let (mut lo, mut hi) = (0, plan.sorted());
        while lo < hi {
            let mid = (lo + hi) / 2;
            // Known from the start, and read after the leaf was reached.
            let order = self.heads[mid].load(Ordering::Relaxed).cmp(&head);
            let entry = || self.entry(mid);
            let order =
                order.then_with(|| entry().map_or(cmp::Ordering::Less, |e| target.order_of(e)));
            if order.is_lt() { lo = mid + 1 } else { hi = mid }
        }
        lo
    }

    #[inline]
    fn entry(&self, i: usize) -> Option<Entry<'_>> {
        // SAFETY: slots hold entries of the leaf's arena.
        unsafe { Entry::from_ptr(self.slots[i].load(Ordering::Acquire)) }
    }

    /// Asks for the plan and the heads, which a search reads next.
    #[inline]
    pub(crate) fn prefetch(&self) {
        prefetch(&self.plan);
        prefetch(&self.heads);
    }

    fn plan(&self) -> &Plan {
        // SAFETY: written before the leaf is published, never again.
        self.plan.with(|plan| unsafe { &*plan })
    }
}

impl Plan {
    fn sorted(&self) -> usize {
        self.sorted as usize
    }

    /// The head of a key (invariant 3). Never [`UNKNOWN`].
    #[inline]
    fn head(&self, key: &[u8]) -> u64 {
        let prefix = &self.prefix[..self.prefix_len as usize];
        if key.starts_with(prefix) {
            return word(key, prefix.len()).max(LOWEST);
        }
        if key < prefix { LOWEST } else { u64::MAX }
    }
}

// SAFETY: leaves are shared between threads by design: the plan is not written once others can
// reach the leaf, heads and slots are atomic.
unsafe impl Send for Leaf {}
// SAFETY: as above.
unsafe impl Sync for Leaf {}

#[cfg(all(test, not(nori_loom)))]
mod tests;
