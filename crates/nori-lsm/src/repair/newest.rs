//! The newest version of each key, over sources that may have lost some.
//!
//! 1. Of two entries with one key and one number, that of the source given first is shown.
//! 2. A source is opened when the walk comes to its first key, and let go behind its last.
//! 3. A merge of all that is old makes sequence numbers zero. Between an entry with a number and
//!    one without, from a table that was made later, numbers do not decide: the first may be newer,
//!    or be what was merged. If the later table says that it was merged from the other's, it is
//!    newer. Else the first is taken, and the key counts as doubtful. From a table made before it
//!    is older for sure. What is spent gives way.

use super::report::RepairReport;
use super::tables::{Opened, Tables};
use crate::error::{Error, Result};
use crate::super_version::Mem;
use bytes::Bytes;
use nori_memtable::MemtableIter;
use nori_sstable::TableIter;
use nori_types::{FileNumber, InternalIterator, InternalKey, KeyRange, SeqNo, ValueKind};
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// A sorted source.
enum Walk {
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
pub(super) struct Source {
    range: KeyRange,
    /// `None`: the log.
    number: Option<FileNumber>,
    standing: Standing,
    /// What it was merged from, as far as it says; known once it is open.
    merged_from: Vec<FileNumber>,
    state: State,
}

/// What is known of the age of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The state places it among the others.
    Live,
    /// No state does.
    Extra,
    /// It was merged already, and stands in for what was made of it.
    Spent,
}

enum State {
    Closed,
    Open(Walk),
    Done,
}

impl Source {
    /// A memtable that the log was read into. Segments are removed as soon as tables hold what is
    /// in them, so what is there is newer than what was merged.
    pub(super) fn of_log(mem: &Mem, range: &KeyRange) -> Source {
        let (range, state) = (range.clone(), State::Open(Walk::Mem(mem.table.iter())));
        let (standing, merged_from) = (Standing::Live, Vec::new());
        Source { range, number: None, standing, merged_from, state }
    }

    /// A table, opened when its first key is due. `range` starts where it may begin.
    pub(super) fn of_table(number: FileNumber, range: KeyRange, standing: Standing) -> Source {
        let (number, merged_from, state) = (Some(number), Vec::new(), State::Closed);
        Source { range, number, standing, merged_from, state }
    }

    fn walk(&self) -> Option<&Walk> {
        match &self.state {
            State::Open(walk) => Some(walk),
            State::Closed | State::Done => None,
        }
    }

    fn value(&self) -> Option<Bytes> {
        each!(self.walk()?, iter => match iter.key().kind {
            ValueKind::Value => Some(iter.value_bytes()),
            ValueKind::Tombstone => None,
        })
    }
}

/// Where a source stands.
#[derive(PartialEq, Eq)]
struct Head {
    key: Bytes,
    /// Above all numbers for one that is not open: it comes before every entry of its key.
    seq: Option<SeqNo>,
    source: usize,
}

impl Ord for Head {
    fn cmp(&self, other: &Head) -> Ordering {
        let by_age = match (self.seq, other.seq) {
            (Some(own), Some(other)) => other.cmp(&own),
            (own, other) => own.cmp(&other),
        };
        self.key.cmp(&other.key).then(by_age).then(self.source.cmp(&other.source))
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Head) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The newest versions, in the order of their keys.
pub(super) struct Newest {
    sources: Vec<Source>,
    heads: BinaryHeap<Reverse<Head>>,
    doubtful: u64,
}

impl Newest {
    pub(super) fn new(sources: Vec<Source>) -> Result<Newest> {
        let heads = BinaryHeap::with_capacity(sources.len());
        let mut newest = Newest { sources: Vec::new(), heads, doubtful: 0 };
        sources.into_iter().try_for_each(|source| newest.add(source))?;
        Ok(newest)
    }

    /// Keys of which two versions were met that nothing orders.
    pub(super) fn doubtful(&self) -> u64 {
        self.doubtful
    }

    fn add(&mut self, mut source: Source) -> Result<()> {
        let (at, key) = (self.sources.len(), source.range.lo.clone());
        let is_closed = matches!(source.state, State::Closed);
        if let State::Open(walk) = &mut source.state {
            walk.seek(&key)?;
        }
        self.sources.push(source);
        if is_closed {
            self.heads.push(Reverse(Head { key, seq: None, source: at }));
        } else {
            self.push(at);
        }
        Ok(())
    }

    /// The next key and its value; `None` for a deleted one.
    pub(super) fn next(
        &mut self,
        tables: &mut Tables<'_>,
        report: &mut RepairReport,
    ) -> Result<Option<(Bytes, Option<Bytes>)>> {
        let first = loop {
            match self.heads.pop() {
                None => return Ok(None),
                Some(Reverse(Head { seq: None, source, .. })) => {
                    self.open(source, tables, report)?;
                }
                Some(Reverse(Head { key, seq: Some(seq), source })) => break (key, seq, source),
            }
        };
        let (key, seq, source) = first;
        let mut group = vec![(source, seq)];
        while let Some(Reverse(older)) = self.heads.peek()
            && older.key == key
        {
            group.extend(older.seq.map(|seq| (older.source, seq)));
            self.heads.pop();
        }
        let (best, seq) = self.best(&group);
        let value = self.value(best);
        let is_doubtful = group.iter().any(|(at, zero)| {
            *zero == SeqNo::ZERO
                && seq > SeqNo::ZERO
                && self.is_undecided(*at, best)
                && self.value(*at) != value
        });
        self.doubtful += u64::from(is_doubtful);
        for (at, _) in group {
            self.move_on(at, &key)?;
        }
        Ok(Some((key, value)))
    }

    /// Which of the entries of one key counts, given by age as far as numbers tell.
    fn best(&self, group: &[(usize, SeqNo)]) -> (usize, SeqNo) {
        let first = group.first().copied().unwrap_or_default();
        let zeros = || group.iter().filter(|(_, seq)| *seq == SeqNo::ZERO);
        let is_merged = |at: usize| zeros().any(|(zero, _)| self.is_in(at, *zero));
        // What is newer than the highest number is newer than all numbers.
        let found = match first {
            (at, _) if is_merged(at) => zeros().find(|(zero, _)| !is_merged(*zero)).copied(),
            _ => None,
        };
        let found = found.unwrap_or(first);
        // What is spent may well have gone into what has no number.
        let is_live =
            |at: usize| self.sources.get(at).is_some_and(|s| s.standing != Standing::Spent);
        let live = group.iter().find(|(at, _)| is_live(*at));
        match live {
            Some(live) if !is_live(found.0) && live.1 == SeqNo::ZERO => *live,
            _ => found,
        }
    }

    /// Whether a table says that it was merged from the other. A state knows better.
    fn is_in(&self, at: usize, merged: usize) -> bool {
        let (Some(at), Some(merged)) = (self.sources.get(at), self.sources.get(merged)) else {
            return false;
        };
        at.standing != Standing::Live
            && at.number.is_some_and(|number| merged.merged_from.binary_search(&number).is_ok())
    }

    fn value(&self, at: usize) -> Option<Bytes> {
        self.sources.get(at).and_then(Source::value)
    }

    /// Whether nothing says that the entry without a number, of a table made after the other
    /// source, is older.
    fn is_undecided(&self, zero: usize, other: usize) -> bool {
        let (Some(zero), Some(other)) = (self.sources.get(zero), self.sources.get(other)) else {
            return false;
        };
        let standings = [zero.standing, other.standing];
        standings.contains(&Standing::Extra)
            && !standings.contains(&Standing::Spent)
            && other.number.is_some_and(|other| zero.number > Some(other))
    }

    fn open(
        &mut self,
        at: usize,
        tables: &mut Tables<'_>,
        report: &mut RepairReport,
    ) -> Result<()> {
        let Some(source) = self.sources.get_mut(at) else { return Ok(()) };
        let Source { range, number: Some(number), state, .. } = source else { return Ok(()) };
        match tables.open(*number, range, report)? {
            Opened::Table(iter, merged_from) => {
                source.merged_from = merged_from;
                let mut walk = Walk::Table(iter);
                walk.seek(&range.lo)?;
                *state = State::Open(walk);
                self.push(at);
            }
            Opened::Instead(others) => {
                *state = State::Done;
                for other in others {
                    self.add(other)?;
                }
            }
        }
        Ok(())
    }

    fn move_on(&mut self, at: usize, key: &[u8]) -> Result<()> {
        if let Some(Source { state: State::Open(walk), .. }) = self.sources.get_mut(at) {
            walk.leave(key)?;
        }
        self.push(at);
        Ok(())
    }

    /// Puts an open source where its entry belongs, or lets it go.
    fn push(&mut self, at: usize) {
        let Some(source) = self.sources.get_mut(at) else { return };
        let Some(walk) = source.walk() else { return };
        let head = each!(walk, iter => iter.is_valid().then(|| {
            let InternalKey { user_key, seq, .. } = iter.key();
            let is_inside = source.range.is_below_end(user_key);
            is_inside.then(|| (Bytes::copy_from_slice(user_key), seq))
        }));
        match head.flatten() {
            Some((key, seq)) => self.heads.push(Reverse(Head { key, seq: Some(seq), source: at })),
            None => source.state = State::Done,
        }
    }
}
