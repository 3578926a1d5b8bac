//! Programs: what a step may be, and how a seed makes a list of them.
//!
//! A step never refers to another by place, so a program with steps taken out is a program:
//! handles, snapshots, iterators and cursors live in numbered places that may be empty.

use nori_env::Rng;
use nori_testkit::KeyGen;
use std::fmt;
use std::ops::Bound;

/// Places for handles; 0 is the store itself, the others hold keyspaces.
pub(crate) const HANDLES: usize = 6;
/// Places for snapshots, for views, for iterators and for cursors.
pub(crate) const PLACES: usize = 4;
/// The names that programs use for keyspaces.
pub(crate) const NAMES: [&str; 5] = ["default", "a", "ab", "\u{fc}ber \u{2603}", "\u{10ffff}"];

/// Bytes that print as text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(pub(crate) Vec<u8>);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = &self.0[..self.0.len().min(40)];
        write!(f, "\"{}\"", start.escape_ascii())?;
        if start.len() < self.0.len() { write!(f, "..({} bytes)", self.0.len()) } else { Ok(()) }
    }
}

/// A value that no other step writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Value {
    tag: u32,
    len: u32,
}

impl Value {
    pub(crate) fn new(tag: u32, len: u32) -> Value {
        Value { tag, len }
    }

    /// Another value like this one.
    pub(crate) fn behind(self, n: u32) -> Value {
        Value { tag: self.tag + n, ..self }
    }

    /// The tag, cut or filled up to the length; every second value does not compress.
    pub(crate) fn bytes(self) -> Vec<u8> {
        let len = self.len as usize;
        let mut bytes = vec![self.tag as u8; len];
        if self.tag % 2 == 1 {
            Rng::new(u64::from(self.tag)).fill(&mut bytes);
        }
        let tag = self.tag.to_be_bytes();
        let shown = tag.len().min(len);
        bytes[..shown].copy_from_slice(&tag[..shown]);
        bytes
    }
}

/// One write of a batch: where, the key, the value or a deletion.
pub(crate) type Write = (usize, Key, Option<Value>);
/// The two ends of a range.
pub(crate) type Ends = (Bound<Key>, Bound<Key>);

/// How a batch is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Plain,
    Synced,
    Buffered,
    /// Refused: an interval is a store's matter.
    Interval,
    Try,
    /// Through `dyn Storage`.
    Storage,
}

/// Who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// A handle, as of now.
    Handle(usize),
    /// A snapshot's keyspace "default".
    Moment(usize),
    /// A snapshot's keyspace by the number of its name.
    Named(usize, usize),
    /// A view that outlives its snapshot's handle.
    View(usize),
}

/// A move of a cursor.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Move {
    First,
    Last,
    Seek(Key),
    SeekForPrev(Key),
    Next,
    Prev,
}

/// How a store is left before it is opened again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leave {
    Close,
    /// The last handle, snapshot, iterator and cursor is dropped.
    Drop,
    /// The process dies; nothing is written any more.
    Kill,
}

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Op {
    Put(usize, Key, Value),
    Delete(usize, Key),
    Batch(Vec<Write>, How),
    /// An over-long key in all verbs that take one.
    TooLong(usize),
    Get(Who, Key),
    MultiGet(Who, Vec<Key>),
    /// The bits say from which end each item is taken.
    Range(Who, Ends, u64),
    Prefix(Who, Key, u64),
    Iter(Who, u64),
    Ends(Who),
    Cursor(Who, Vec<Move>),
    /// The same work on the store and on `MemStorage`, behind trait objects.
    Storage(usize, Vec<Key>, Ends),
    Snapshot(usize),
    DropSnapshot(usize),
    HoldView {
        from: usize,
        name: usize,
        to: usize,
    },
    HoldIter(Who, usize, Ends, u64),
    PullIter(usize, usize),
    HoldCursor(Who, usize),
    MoveCursor(usize, Vec<Move>),
    Flush,
    Compact,
    CompactRange(usize, Ends),
    Steps(usize),
    WaitIdle,
    Sync,
    SplitAt(usize, Vec<Key>),
    ApproximateBytes(usize, Ends),
    /// Gets or makes a keyspace and keeps its handle.
    Keyspace(usize, usize),
    DropKeyspace(usize),
    /// Metrics, slots, pins, pressure, health, events.
    Look,
    Verify,
    Checkpoint(u64),
    ReadOnly(u64),
    /// Opening, making and destroying what is open already.
    OpenAgain,
    Reopen(Leave, u64),
    /// Reads a key again and again.
    Hot(Who, Key, u32),
    /// Writes keys in order: where to, the first number, how many, the first value.
    Load(usize, u32, u32, Value),
    /// Deletes every key of a range, one by one.
    Erase(usize, Ends),
    /// Milliseconds go by.
    Wait(u64),
}

/// The program of a seed.
pub(crate) fn program(seed: u64, steps: usize) -> Vec<Op> {
    let mut rng = Rng::new(seed);
    let keys = KeyGen::new(&mut rng, 120);
    let mut maker = Maker { rng, keys, tag: 0 };
    (0..steps).map(|_| maker.op()).collect()
}

pub(crate) struct Maker {
    pub(crate) rng: Rng,
    pub(crate) keys: KeyGen,
    pub(crate) tag: u32,
}

impl Maker {
    pub(crate) fn key(&mut self) -> Key {
        Key(self.keys.next(&mut self.rng))
    }

    pub(crate) fn near(&mut self) -> Key {
        match self.rng.below(300) {
            0 => Key(vec![0xff; 70_000]),
            1 => Key(Vec::new()),
            _ => Key(self.keys.near(&mut self.rng)),
        }
    }

    pub(crate) fn value(&mut self) -> Value {
        self.tag += 1;
        let len = match self.rng.below(100) {
            0..=4 => 0,
            5..=9 => 1 + self.rng.below(4),
            10..=84 => 4 + self.rng.below(40),
            85..=97 => 100 + self.rng.below(900),
            _ => 3_000 + self.rng.below(6_000),
        };
        Value::new(self.tag, len as u32)
    }

    pub(crate) fn handle(&mut self) -> usize {
        if self.rng.chance(40) { 0 } else { self.rng.index(HANDLES) }
    }

    fn place(&mut self) -> usize {
        self.rng.index(PLACES)
    }

    pub(crate) fn who(&mut self) -> Who {
        match self.rng.below(10) {
            0..=5 => Who::Handle(self.handle()),
            6 | 7 => Who::Moment(self.place()),
            8 => Who::Named(self.place(), self.rng.index(NAMES.len())),
            _ => Who::View(self.place()),
        }
    }

    fn bound(&mut self) -> Bound<Key> {
        match self.rng.below(5) {
            0 => Bound::Unbounded,
            1 | 2 => Bound::Included(self.near()),
            _ => Bound::Excluded(self.near()),
        }
    }

    /// Mostly in order, at times inverted, at times one key twice.
    pub(crate) fn ends(&mut self) -> Ends {
        let (lo, hi) = (self.bound(), self.bound());
        if self.rng.chance(5) {
            let key = self.near();
            return (Bound::Included(key.clone()), Bound::Excluded(key));
        }
        let inverted = match (&lo, &hi) {
            (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
            (Bound::Included(a) | Bound::Excluded(a), Bound::Included(b) | Bound::Excluded(b)) => {
                a > b
            }
        };
        if inverted && self.rng.chance(80) { (hi, lo) } else { (lo, hi) }
    }

    fn pattern(&mut self) -> u64 {
        match self.rng.below(4) {
            0 => 0,
            1 => u64::MAX,
            _ => self.rng.next_u64(),
        }
    }

    fn some_keys(&mut self, most: u64) -> Vec<Key> {
        let mut keys: Vec<Key> = (0..self.rng.below(most)).map(|_| self.near()).collect();
        if self.rng.chance(30) {
            keys.extend(keys.first().cloned());
        }
        keys
    }

    fn moves(&mut self) -> Vec<Move> {
        (0..1 + self.rng.below(25))
            .map(|_| match self.rng.below(20) {
                0 => Move::First,
                1 => Move::Last,
                2..=4 => Move::Seek(self.near()),
                5..=7 => Move::SeekForPrev(self.near()),
                8..=13 => Move::Next,
                _ => Move::Prev,
            })
            .collect()
    }

    fn batch(&mut self) -> Op {
        let len = match self.rng.below(20) {
            0 => 0,
            1 => 40,
            _ => 1 + self.rng.below(8),
        };
        let one_key = self.key();
        let writes = (0..len).map(|_| {
            let key = if self.rng.chance(20) { one_key.clone() } else { self.key() };
            let value = self.rng.chance(70).then(|| self.value());
            (self.handle(), key, value)
        });
        let writes = writes.collect();
        let how = match self.rng.below(20) {
            0..=7 => How::Plain,
            8..=10 => How::Synced,
            11..=13 => How::Buffered,
            14 => How::Interval,
            15..=17 => How::Try,
            _ => How::Storage,
        };
        Op::Batch(writes, how)
    }

    pub(crate) fn op(&mut self) -> Op {
        match self.rng.below(1_000) {
            0..=249 => Op::Put(self.handle(), self.key(), self.value()),
            250..=339 => Op::Delete(self.handle(), self.key()),
            340..=439 => self.batch(),
            440..=443 => Op::TooLong(self.handle()),
            444..=699 => self.read(),
            700..=819 => self.hold(),
            820..=969 => self.work(),
            _ => self.rare(),
        }
    }

    fn read(&mut self) -> Op {
        let who = self.who();
        match self.rng.below(20) {
            0..=6 => Op::Get(who, self.near()),
            7..=9 => Op::MultiGet(who, self.some_keys(8)),
            10..=12 => Op::Range(who, self.ends(), self.pattern()),
            13 | 14 => {
                let mut prefix = self.near();
                let len = self.rng.index(prefix.0.len() + 1);
                prefix.0.truncate(len.min(12));
                Op::Prefix(who, prefix, self.pattern())
            }
            15 => Op::Iter(who, self.pattern()),
            16 => Op::Ends(who),
            17 => Op::Storage(self.handle(), self.some_keys(6), self.ends()),
            _ => Op::Cursor(who, self.moves()),
        }
    }

    fn hold(&mut self) -> Op {
        match self.rng.below(24) {
            0..=2 => Op::Snapshot(self.place()),
            3 => Op::DropSnapshot(self.place()),
            4 | 5 => {
                let name = self.rng.index(NAMES.len());
                Op::HoldView { from: self.place(), name, to: self.place() }
            }
            6..=8 => Op::HoldIter(self.who(), self.place(), self.ends(), self.pattern()),
            9..=14 => Op::PullIter(self.place(), 1 + self.rng.index(6)),
            15..=16 => Op::HoldCursor(self.who(), self.place()),
            _ => Op::MoveCursor(self.place(), self.moves()),
        }
    }

    fn work(&mut self) -> Op {
        match self.rng.below(30) {
            0..=4 => Op::Flush,
            5 => Op::Compact,
            6..=8 => Op::CompactRange(self.handle(), self.ends()),
            9..=13 => Op::Steps(1 + self.rng.index(5)),
            14 => Op::WaitIdle,
            15 | 16 => Op::Sync,
            17 => Op::SplitAt(self.handle(), self.some_keys(4)),
            18..=20 => Op::ApproximateBytes(self.handle(), self.ends()),
            21..=25 => Op::Keyspace(1 + self.rng.index(HANDLES - 1), self.rng.index(NAMES.len())),
            26 | 27 => Op::DropKeyspace(self.rng.index(NAMES.len() + 1)),
            _ => Op::Look,
        }
    }

    fn rare(&mut self) -> Op {
        let number = self.rng.next_u64() % 1_000_000;
        match self.rng.below(12) {
            0 | 1 => Op::Verify,
            2 => Op::Checkpoint(number),
            3 | 4 => Op::ReadOnly(number),
            5 | 6 => Op::OpenAgain,
            7 | 8 => Op::Reopen(Leave::Close, number),
            9 => Op::Reopen(Leave::Drop, number),
            10 => Op::Reopen(Leave::Kill, number),
            _ => Op::Look,
        }
    }
}
