//! The newest version of each key, over sources that may have lost some.
//!
//! Of two entries with one key and one number, that of the source given first is shown.

use crate::error::{Error, Result};
use bytes::Bytes;
use nori_memtable::MemtableIter;
use nori_sstable::TableIter;
use nori_types::{InternalIterator, InternalKey, KeyRange, SeqNo, ValueKind};
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// A sorted source.
pub(super) enum Walk {
    Mem(MemtableIter),
    Table(TableIter),
}

macro_rules! each {
    ($walk:expr, $iter:ident => $work:expr) => {
        match $walk {
            Walk::Mem($iter) => $work,
            Walk::Table($iter) => $work,
        }
    };
}

impl Walk {
    fn seek(&mut self, key: &[u8]) -> Result<()> {
        let target = InternalKey::seek(key, SeqNo::MAX);
        match self {
            Walk::Mem(iter) => iter.seek(target).map_err(|never| match never {}),
            Walk::Table(iter) => iter.seek(target).map_err(Error::from),
        }
    }

    /// To the first entry of another key than `key`.
    fn leave(&mut self, key: &[u8]) -> Result<()> {
        while each!(self, iter => iter.is_valid() && iter.key().user_key == key) {
            match self {
                Walk::Mem(iter) => {
                    let Ok(()) = iter.next();
                }
                Walk::Table(iter) => iter.next().map_err(Error::from)?,
            }
        }
        Ok(())
    }
}

/// A source with the part of the keys in which it counts.
pub(super) struct Clipped {
    pub(super) walk: Walk,
    pub(super) range: KeyRange,
}

/// Where a source stands.
#[derive(PartialEq, Eq)]
struct Head {
    key: Bytes,
    seq: SeqNo,
    source: usize,
}

impl Ord for Head {
    fn cmp(&self, other: &Head) -> Ordering {
        let newer = other.seq.cmp(&self.seq);
        self.key.cmp(&other.key).then(newer).then(self.source.cmp(&other.source))
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Head) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The newest versions, in the order of their keys.
pub(super) struct Newest {
    sources: Vec<Clipped>,
    heads: BinaryHeap<Reverse<Head>>,
}

impl Newest {
    pub(super) fn new(mut sources: Vec<Clipped>) -> Result<Newest> {
        for source in &mut sources {
            source.walk.seek(&source.range.lo)?;
        }
        let mut newest = Newest { heads: BinaryHeap::with_capacity(sources.len()), sources };
        (0..newest.sources.len()).for_each(|at| newest.push(at));
        Ok(newest)
    }

    /// The next key and its value; `None` for a deleted one.
    pub(super) fn next(&mut self) -> Result<Option<(Bytes, Option<Bytes>)>> {
        let Some(Reverse(first)) = self.heads.pop() else { return Ok(None) };
        let Some(source) = self.sources.get(first.source) else { return Ok(None) };
        let value = each!(&source.walk, iter => match iter.key().kind {
            ValueKind::Value => Some(iter.value_bytes()),
            ValueKind::Tombstone => None,
        });
        self.move_on(first.source, &first.key)?;
        while let Some(Reverse(older)) = self.heads.peek()
            && older.key == first.key
        {
            let at = older.source;
            self.heads.pop();
            self.move_on(at, &first.key)?;
        }
        Ok(Some((first.key, value)))
    }

    fn move_on(&mut self, at: usize, key: &[u8]) -> Result<()> {
        if let Some(source) = self.sources.get_mut(at) {
            source.walk.leave(key)?;
        }
        self.push(at);
        Ok(())
    }

    fn push(&mut self, at: usize) {
        let Some(Clipped { walk, range }) = self.sources.get(at) else { return };
        let head = each!(walk, iter => iter.is_valid().then(|| {
            let InternalKey { user_key, seq, .. } = iter.key();
            range.is_below_end(user_key).then(|| (Bytes::copy_from_slice(user_key), seq))
        }));
        if let Some((key, seq)) = head.flatten() {
            self.heads.push(Reverse(Head { key, seq, source: at }));
        }
    }
}
