//! The visible sequence number: what readers may see of the memtables.
//!
//! 1. It only grows, in the order of the sequence: a group moves it from the number before its
//!    first to its last, by one compare-and-swap, after all of its entries are in.
//! 2. Who loads S finds every entry with a number up to S: moving on is a release, loading an
//!    acquire, and each move is a read-modify-write that carries the earlier ones along.

use crate::plant::{Plant, planted};
use nori_env::sync::atomic::{AtomicU64, Ordering};
use nori_types::SeqNo;

/// The number up to which writes are visible.
#[derive(Debug)]
pub struct Visible(AtomicU64);

impl Visible {
    /// Everything up to `seq` is visible.
    pub fn new(seq: SeqNo) -> Visible {
        Visible(AtomicU64::new(seq.get()))
    }

    /// The newest sequence number that a reader may see. Load the memtables before this.
    pub fn load(&self) -> SeqNo {
        SeqNo::new(self.0.load(Ordering::Acquire))
    }

    /// Makes a group visible that starts right behind `before` and ends with `last`; false, and
    /// nothing changed, while an earlier group is not visible yet.
    ///
    /// Call it when all of the group's entries are inserted and before the group leaves its
    /// memtable's gate, so that a sealed memtable without writers is all visible.
    #[must_use = "a group whose turn has not come is not visible"]
    pub fn publish(&self, before: SeqNo, last: SeqNo) -> bool {
        let order =
            if planted(Plant::PublishRelaxed) { Ordering::Relaxed } else { Ordering::Release };
        self.0.compare_exchange(before.get(), last.get(), order, Ordering::Relaxed).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_become_visible_in_order_only() {
        let at = SeqNo::new;
        let visible = Visible::new(at(7));
        assert!(!visible.publish(at(9), at(12)), "the group 8..=9 is still missing");
        assert_eq!(visible.load(), at(7));
        assert!(visible.publish(at(7), at(9)) && visible.publish(at(9), at(12)));
        assert!(!visible.publish(at(7), at(9)), "a group was published twice");
        assert_eq!(visible.load(), at(12));
    }
}
