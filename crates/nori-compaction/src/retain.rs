//! Which versions survive a flush or a merge.
//!
//! Readers stand at sequence numbers: the live snapshots, and the visible number V, at or above
//! which every later snapshot will be registered. These cut the sequence numbers into *stripes*;
//! of the versions of one key in one stripe every reader sees either the newest or none.
//!
//! ```text
//!   versions of one key     9       7  6     4        2  1
//!   stripes (snapshots, V)       8              3            V = 8, one snapshot at 3
//!   kept                    9       7           3 sees 2:  2
//! ```
//!
//! The caller pins its input first and reads snapshots and V second. The other order loses data:
//! a snapshot registered in between would see versions that this job takes for shadowed.
//!
//! 1. The newest version of each stripe is kept, and every version above the last stripe.
//! 2. A tombstone goes only from a merge that holds the oldest run of its slot (`bottom`), and
//!    only at or below the oldest stripe: nothing older is left for it to hide, and nobody is
//!    left who would see what it hid.
//! 3. A value's sequence number becomes zero only under the same two conditions.
//! 4. The entries of a keyspace dropped at D go only if no reader is older: D <= oldest stripe.

use crate::plant::{Plant, Planted};
use nori_types::{InternalKey, SeqNo, ValueKind};

/// What becomes of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It stays, under this sequence number.
    Keep(SeqNo),
    /// A newer version in its stripe hides it from every reader.
    Shadowed,
    /// A tombstone with nothing left to hide.
    Spent,
    /// Its keyspace was dropped, and no reader is old enough to see it.
    Purged,
}

/// Decides, version by version over a sorted stream, what survives.
#[derive(Debug)]
pub struct Retain<F> {
    /// Ascending; the last is V, unless a snapshot is above it.
    stripes: Vec<SeqNo>,
    bottom: bool,
    dropped_at: F,
    last_key: Option<Vec<u8>>,
    last_stripe: usize,
    purged: bool,
    pub(crate) planted: Planted,
}

impl<F: Fn(&[u8]) -> Option<SeqNo>> Retain<F> {
    /// `stripes`: the sequence numbers of the live snapshots and V, in any order; without any,
    /// every version is kept. `bottom`: the merge holds its slot's oldest run. `dropped_at`: when
    /// the keyspace of a stored key was dropped, `None` for a live one; asked once per key.
    pub fn new(mut stripes: Vec<SeqNo>, bottom: bool, dropped_at: F) -> Retain<F> {
        stripes.sort_unstable();
        stripes.dedup();
        let planted = Planted::default();
        let (last_key, last_stripe, purged) = (None, 0, false);
        Retain { stripes, bottom, dropped_at, last_key, last_stripe, purged, planted }
    }

    /// The fate of the next version. Versions come in the order of internal keys; of equal ones
    /// the newest source's first.
    pub fn verdict(&mut self, key: InternalKey<'_>) -> Verdict {
        let stripe = self.stripe(key.seq);
        let is_new_key = self.last_key.as_deref() != Some(key.user_key);
        if is_new_key {
            self.enter(key.user_key);
        }
        if self.purged {
            return Verdict::Purged;
        }
        let is_shadowed = !is_new_key && stripe == self.last_stripe;
        self.last_stripe = stripe;
        if is_shadowed && stripe < self.stripes.len() {
            return Verdict::Shadowed;
        }
        match key.kind {
            ValueKind::Tombstone if self.is_free(key.seq, TOMBSTONE) => Verdict::Spent,
            ValueKind::Value if self.is_free(key.seq, ZEROING) => Verdict::Keep(SeqNo::ZERO),
            ValueKind::Tombstone | ValueKind::Value => Verdict::Keep(key.seq),
        }
    }

    /// Whether some reader sees a version of this number; always true without stripes.
    pub(crate) fn is_seen(&self, seq: SeqNo) -> bool {
        self.stripes.last().is_none_or(|newest| seq <= *newest)
    }

    /// The first stripe that sees `seq`; one past the last for versions above all.
    fn stripe(&self, seq: SeqNo) -> usize {
        if self.planted.has(Plant::IgnoreV) && self.stripes.last() < Some(&seq) {
            return self.stripes.len().saturating_sub(1);
        }
        if self.planted.has(Plant::StripeOffByOne) {
            return self.stripes.partition_point(|s| *s <= seq);
        }
        self.stripes.partition_point(|s| *s < seq)
    }

    fn enter(&mut self, user_key: &[u8]) {
        let last_key = self.last_key.get_or_insert_default();
        last_key.clear();
        last_key.extend_from_slice(user_key);
        let oldest = self.stripes.first();
        let dropped_at = (self.dropped_at)(user_key);
        self.purged = dropped_at.is_some_and(|dropped| {
            self.planted.has(Plant::PurgeUnderSnapshot) || oldest.is_some_and(|s| dropped <= *s)
        });
    }

    /// Whether no older data lies below and no reader stands below `seq`.
    fn is_free(&self, seq: SeqNo, [high, young]: [Plant; 2]) -> bool {
        (self.bottom || self.planted.has(high))
            && (self.stripes.first().is_some_and(|s| seq <= *s) || self.planted.has(young))
    }
}

/// What tests plant against invariants 2 and 3: their first and their second condition.
const TOMBSTONE: [Plant; 2] = [Plant::TombstoneDroppedHigh, Plant::TombstoneDroppedYoung];
const ZEROING: [Plant; 2] = [Plant::ZeroHigh, Plant::ZeroYoung];

#[cfg(test)]
mod tests;
