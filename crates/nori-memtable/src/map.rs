//! What the memtable asks of the ordered map inside it.
//!
//! 1. Entries are inserted, never changed, never removed; they live as long as the map.
//! 2. An entry is seen whole or not at all: reaching it happens after it was written.
//! 3. Inserting, seeking and stepping may run in any number of threads at once. A walk meets each
//!    entry that was there when it began, in order, and any of the later ones.
//!
//! Production uses a skip list. loom cannot see inside that one, so the models run on a sorted
//! list with the same contract, linked by compare-and-swap.

#[cfg(any(test, nori_loom))]
mod list;
#[cfg(not(nori_loom))]
mod skip;

use crate::entry::Entry;

#[cfg(nori_loom)]
pub(crate) use list::List as Ordered;
#[cfg(not(nori_loom))]
pub(crate) use skip::Skip as Ordered;

/// A concurrent ordered set of entries.
pub(crate) trait Map: Sized {
    /// A place in the map.
    type Cursor<'a>: Cursor<'a>
    where
        Self: 'a;

    /// An empty map.
    fn new() -> Self;

    /// Adds an entry; false, and nothing changed, if an equal one is there.
    fn insert(&self, entry: Entry) -> bool;

    /// The first entry.
    fn first(&self) -> Option<Self::Cursor<'_>>;

    /// The last entry.
    fn last(&self) -> Option<Self::Cursor<'_>>;

    /// The first entry not below `probe`.
    fn at_or_after(&self, probe: &Entry) -> Option<Self::Cursor<'_>>;

    /// The last entry not above `probe`.
    fn at_or_before(&self, probe: &Entry) -> Option<Self::Cursor<'_>>;
}

/// Stands on an entry of a map that lives for `'a`.
pub(crate) trait Cursor<'a>: Sized {
    /// The entry.
    fn entry(&self) -> &'a Entry;

    /// The place behind this one. One pointer to follow.
    fn next(&self) -> Option<Self>;

    /// The place before this one. May search: the links go forward only.
    fn prev(&self) -> Option<Self>;
}

#[cfg(all(test, not(nori_loom)))]
mod tests;
