//! A sorted source in memory that fails when told to.

use crate::Entry;
use nori_types::{InternalIterator, InternalKey};
use std::collections::BTreeSet;
use std::fmt;

/// The error of a [`VecIter`] that was told to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Injected;

impl fmt::Display for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("injected error")
    }
}

impl std::error::Error for Injected {}

/// An [`InternalIterator`] over a sorted list.
#[derive(Clone, Debug, Default)]
pub struct VecIter {
    entries: Vec<Entry>,
    at: Option<usize>,
    moves: u64,
    failing_moves: BTreeSet<u64>,
    damaged: BTreeSet<usize>,
}

impl VecIter {
    /// Over entries in the order of their internal keys. Panics when they are not.
    pub fn new(entries: Vec<Entry>) -> VecIter {
        assert!(entries.is_sorted_by(|a, b| a.internal_key() <= b.internal_key()), "not sorted");
        VecIter { entries, ..VecIter::default() }
    }

    /// The move with this number fails: a passing fault. Each call of a method that moves counts
    /// as one, the first is 1.
    pub fn fail_move(mut self, number: u64) -> VecIter {
        self.failing_moves.insert(number);
        self
    }

    /// Each move that would end on the entry with this index fails: a damaged block.
    pub fn damage(mut self, index: usize) -> VecIter {
        self.damaged.insert(index);
        self
    }

    /// How many moves were made or tried.
    pub fn moves(&self) -> u64 {
        self.moves
    }

    fn go(&mut self, to: Option<usize>) -> Result<(), Injected> {
        self.moves += 1;
        self.at = to.filter(|at| *at < self.entries.len());
        let damaged = self.at.is_some_and(|at| self.damaged.contains(&at));
        if damaged || self.failing_moves.contains(&self.moves) {
            self.at = None;
            return Err(Injected);
        }
        Ok(())
    }

    fn here(&self) -> usize {
        self.at.expect("a positioned iterator (rule 2 of InternalIterator)")
    }
}

impl InternalIterator for VecIter {
    type Error = Injected;

    fn is_valid(&self) -> bool {
        self.at.is_some()
    }

    fn key(&self) -> InternalKey<'_> {
        self.entries[self.here()].internal_key()
    }

    fn value(&self) -> &[u8] {
        &self.entries[self.here()].value
    }

    fn seek_first(&mut self) -> Result<(), Injected> {
        self.go(Some(0))
    }

    fn seek_last(&mut self) -> Result<(), Injected> {
        self.go(self.entries.len().checked_sub(1))
    }

    fn seek(&mut self, target: InternalKey<'_>) -> Result<(), Injected> {
        self.go(Some(self.entries.partition_point(|e| e.internal_key() < target)))
    }

    fn seek_for_prev(&mut self, target: InternalKey<'_>) -> Result<(), Injected> {
        let behind = self.entries.partition_point(|e| e.internal_key() <= target);
        self.go(behind.checked_sub(1))
    }

    fn next(&mut self) -> Result<(), Injected> {
        self.go(Some(self.here() + 1))
    }

    fn prev(&mut self) -> Result<(), Injected> {
        self.go(self.here().checked_sub(1))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::collect;
    use nori_types::SeqNo;

    fn three() -> Vec<Entry> {
        vec![Entry::put("a", 5, "x"), Entry::delete("a", 2), Entry::put("c", 1, "z")]
    }

    #[test]
    fn it_moves_as_the_rules_say() {
        let mut iter = VecIter::new(three());
        assert!(!iter.is_valid());
        assert_eq!(collect(&mut iter), Ok(three()));
        assert!(!iter.is_valid());
        iter.seek(InternalKey::seek(b"a", SeqNo::new(4))).unwrap();
        assert_eq!(Entry::at(&iter), three()[1]);
        iter.prev().unwrap();
        assert_eq!(Entry::at(&iter), three()[0]);
        iter.prev().unwrap();
        assert!(!iter.is_valid());
        iter.seek_for_prev(InternalKey::behind(b"b")).unwrap();
        assert_eq!(Entry::at(&iter), three()[1]);
        iter.seek(InternalKey::behind(b"c")).unwrap();
        assert!(!iter.is_valid());
    }

    #[test]
    fn faults_pass_and_damage_stays() {
        let mut iter = VecIter::new(three()).fail_move(2);
        assert_eq!(collect(&mut iter), Err(Injected));
        assert!(!iter.is_valid());
        assert_eq!(collect(&mut iter).map(|all| all.len()), Ok(3));
        assert_eq!(iter.moves(), 6);
        let mut iter = VecIter::new(three()).damage(1);
        assert_eq!(collect(&mut iter), Err(Injected));
        assert_eq!(collect(&mut iter), Err(Injected));
        assert_eq!(iter.seek_last(), Ok(()));
        assert_eq!(iter.prev(), Err(Injected));
    }
}
