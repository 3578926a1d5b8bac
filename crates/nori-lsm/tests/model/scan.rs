//! Iterators and cursors beside the ones of a `BTreeMap`, step by step.

use crate::op::{Ends, Move};
use crate::oracle::{Map, Sight, is_inside};
use bytes::Bytes;
use nori_env::sync::Arc;
use nori_lsm::{Cursor, ErrorKind, Iter, Result};
use std::collections::VecDeque;
use std::fmt::Debug;
use std::ops::Bound::{Excluded, Included, Unbounded};

/// Ok, or what differs.
pub(crate) type Check = std::result::Result<(), String>;

/// Compares an answer with the oracle's.
pub(crate) fn same<T: PartialEq + Debug>(what: &str, got: T, want: T) -> Check {
    if got == want { Ok(()) } else { Err(format!("{what}: {got:?}, the oracle says {want:?}")) }
}

/// Compares what a verb returned with the oracle's answer, or its kind of error.
pub(crate) fn agrees<T: PartialEq + Debug>(
    what: &str,
    got: Result<T>,
    want: std::result::Result<T, ErrorKind>,
) -> Check {
    match (got, want) {
        (Ok(got), Ok(want)) => same(what, got, want),
        (Err(e), Err(kind)) if e.kind() == kind => Ok(()),
        (got, want) => Err(format!("{what}: {got:?}, the oracle says {want:?}")),
    }
}

type Item = (Bytes, Bytes);

/// The items of a map that `keep` keeps.
pub(crate) fn items(map: &Map, keep: impl Fn(&[u8]) -> bool) -> VecDeque<Item> {
    map.iter().filter(|(key, _)| keep(key)).map(|(k, v)| (k.clone(), v.clone())).collect()
}

/// The items that a scan of a range must give.
pub(crate) fn items_of(
    sight: &Sight,
    ends: &Ends,
) -> std::result::Result<VecDeque<Item>, ErrorKind> {
    Ok(items(sight.as_ref().map_err(|e| *e)?, |key| is_inside(key, ends)))
}

/// An iterator and the items that it has yet to give.
pub(crate) struct Scan<I> {
    iter: I,
    want: VecDeque<Item>,
    /// The error that it must begin with.
    fails: Option<ErrorKind>,
    ended: bool,
    pattern: u64,
}

impl<I: DoubleEndedIterator<Item = Result<Item>>> Scan<I> {
    /// `pattern` says for each item from which end it is taken: lowest bit first, 1 is the back.
    pub(crate) fn new(
        iter: I,
        want: std::result::Result<VecDeque<Item>, ErrorKind>,
        pattern: u64,
    ) -> Scan<I> {
        let fails = want.as_ref().err().copied();
        Scan { iter, want: want.unwrap_or_default(), fails, ended: false, pattern }
    }

    /// Takes up to `count` items.
    pub(crate) fn pull(&mut self, count: usize) -> Check {
        for _ in 0..count {
            if self.ended {
                return self.is_fused();
            }
            let back = self.pattern & 1 == 1;
            self.pattern = self.pattern.rotate_right(1);
            let got = if back { self.iter.next_back() } else { self.iter.next() };
            let what = if back { "next_back" } else { "next" };
            if let Some(kind) = self.fails.take() {
                self.ended = true;
                return match got {
                    Some(Err(e)) if e.kind() == kind => self.is_fused(),
                    got => Err(format!("{what}: {got:?}, the oracle says {kind:?}")),
                };
            }
            let want = if back { self.want.pop_back() } else { self.want.pop_front() };
            self.ended = want.is_none();
            let got = got.transpose().map_err(|e| format!("{what}: {e}"))?;
            if got != want {
                let rest = self.want.len();
                return Err(format!("{what}: {got:?}, the oracle says {want:?} and {rest} more"));
            }
        }
        Ok(())
    }

    fn is_fused(&mut self) -> Check {
        let again = (self.iter.next(), self.iter.next_back());
        match again {
            (None, None) => Ok(()),
            again => Err(format!("an iterator that had ended goes on: {again:?}")),
        }
    }

    /// Takes an item that nobody looks at: for planted bugs.
    pub(crate) fn disturb(&mut self) -> Result<()> {
        self.iter.next().transpose().map(|_| ())
    }

    /// Takes all that is left, and looks for more behind it.
    pub(crate) fn finish(mut self) -> Check {
        self.pull(usize::MAX)
    }

    /// After the store was closed: one error, then nothing.
    pub(crate) fn closed(mut self) -> Check {
        if !self.ended {
            self.fails.get_or_insert(ErrorKind::Closed);
        }
        self.pull(1)
    }
}

/// Scans everything that a reader shows.
pub(crate) fn whole(what: &str, iter: Iter, map: &Map, pattern: u64) -> Check {
    let scan = Scan::new(iter, Ok(items(map, |_| true)), pattern);
    scan.finish().map_err(|e| format!("{what}: {e}"))
}

/// A cursor, and the key on which a cursor of the map stands.
pub(crate) struct Walker {
    cursor: Cursor,
    sight: Sight,
    at: Option<Bytes>,
}

impl Walker {
    pub(crate) fn new(cursor: Cursor, sight: Sight) -> Walker {
        Walker { cursor, sight, at: None }
    }

    pub(crate) fn walk(&mut self, moves: &[Move]) -> Check {
        moves.iter().try_for_each(|step| {
            self.step(step).map_err(|e| format!("cursor, {step:?} of {moves:?}: {e}"))
        })
    }

    fn step(&mut self, step: &Move) -> Check {
        let moved = match step {
            Move::First => self.cursor.first(),
            Move::Last => self.cursor.last(),
            Move::Seek(key) => self.cursor.seek(&key.0),
            Move::SeekForPrev(key) => self.cursor.seek_for_prev(&key.0),
            Move::Next => self.cursor.next(),
            Move::Prev => self.cursor.prev(),
        };
        let map = match &self.sight {
            Ok(map) => Arc::clone(map),
            Err(kind) => {
                agrees("moves", moved, Err(*kind))?;
                return same("valid", self.cursor.is_valid(), false);
            }
        };
        self.at = target(&map, self.at.take(), step);
        agrees("moves", moved, Ok(self.at.is_some()))?;
        same("valid", self.cursor.is_valid(), self.at.is_some())?;
        same("key", self.cursor.key(), self.at.as_deref())?;
        let value = self.at.as_ref().and_then(|key| map.get(key));
        same("value", self.cursor.value(), value.map(|v| &v[..]))?;
        same("value as bytes", self.cursor.value_bytes().as_ref(), value)
    }

    /// A move that nobody looks at: for planted bugs.
    pub(crate) fn disturb(&mut self) -> Result<()> {
        self.cursor.next().map(|_| ())
    }

    /// After the store was closed: every move fails.
    pub(crate) fn closed(mut self) -> Check {
        agrees("closed", self.cursor.next(), Err(ErrorKind::Closed))?;
        agrees("closed", self.cursor.seek("k"), Err(ErrorKind::Closed))
    }
}

/// Where the map's cursor stands after a move.
fn target(map: &Map, at: Option<Bytes>, step: &Move) -> Option<Bytes> {
    let key = match step {
        Move::First => map.keys().next(),
        Move::Last => map.keys().next_back(),
        Move::Seek(key) => {
            map.range::<[u8], _>((Included(&key.0[..]), Unbounded)).next().map(first)
        }
        Move::SeekForPrev(key) => {
            map.range::<[u8], _>((Unbounded, Included(&key.0[..]))).next_back().map(first)
        }
        Move::Next => map.range::<Bytes, _>((Excluded(&at?), Unbounded)).next().map(first),
        Move::Prev => map.range::<Bytes, _>((Unbounded, Excluded(&at?))).next_back().map(first),
    };
    key.cloned()
}

fn first<'a>(item: (&'a Bytes, &'a Bytes)) -> &'a Bytes {
    item.0
}
