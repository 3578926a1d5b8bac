//! Programs as data: a list of steps, each of which means something wherever it stands.
//!
//! 1. A step never refers to another: keyspaces and keys have numbers, what is held is a queue. So
//!    a program with steps taken out is a program, and a failing one can be made short.
//! 2. No two values with eight bytes or more are equal, so an answer tells which write it is of.
//! 3. A program says everything about its run: options, time, faults, crashes and dice.

use bytes::Bytes;
use nori_env::{Cut, Fault, FaultRule, FsOp, Rng};

/// How many keyspaces programs name; 0 is "default".
pub(crate) const SPACES: u8 = 4;

/// The name of a keyspace by its number.
pub(crate) fn space_name(space: u8) -> &'static str {
    ["default", "s0", "s1", "s2"][usize::from(space % SPACES)]
}

/// The key of a number.
pub(crate) fn key_bytes(key: u16) -> Bytes {
    Bytes::from(format!("k{key}"))
}

/// A value: a number that no other has, and a length in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value {
    /// The number.
    pub tag: u32,
    /// The length in bytes.
    pub len: u32,
}

impl Value {
    /// The number, cut or filled up to the length; every second value does not compress.
    pub(crate) fn bytes(self) -> Bytes {
        let tag = u64::from(self.tag);
        let mut bytes = tag.to_be_bytes().to_vec();
        bytes.resize(self.len as usize, self.tag as u8);
        if tag.is_multiple_of(2) {
            Rng::new(tag).fill(bytes.get_mut(8..).unwrap_or_default());
        }
        Bytes::from(bytes)
    }
}

/// One write of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Write {
    /// The keyspace.
    pub space: u8,
    /// The key.
    pub key: u16,
    /// The value, or a deletion.
    pub value: Option<Value>,
}

/// How a batch is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// As the store was opened to.
    Plain,
    /// Durable when it returns.
    Synced,
    /// In the log when it returns.
    Buffered,
    /// As the store was opened to; refused rather than kept waiting.
    Try,
}

/// What the disk does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// An I/O error.
    Eio,
    /// No room.
    Full,
    /// Half a write, then an I/O error.
    Short,
    /// A read with one bit wrong. Only while a store is open: what opening cannot read may be the
    /// end of a log, which nobody can tell from one that a crash has torn.
    Flip,
}

/// Which of the calls that match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The n-th only, from 0.
    Once(u32),
    /// That one and all behind it.
    From(u32),
    /// One in so many, by chance.
    OneIn(u32),
}

/// A fault of the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What happens.
    pub wrong: Wrong,
    /// Which calls match, by number: 0 any, 1 syncs, and some where it hurts.
    pub place: u8,
    /// Which of those.
    pub when: When,
}

/// Where rules look: a name, a kind of call, a part of the path.
pub(crate) const PLACES: [(&str, Option<FsOp>, &str); 9] = [
    ("any", None, ""),
    ("sync", Some(FsOp::Sync), ""),
    ("sync-dir", Some(FsOp::SyncDir), ""),
    ("read", Some(FsOp::Read), ""),
    ("rename", Some(FsOp::Rename), ""),
    ("manifest", None, "MANIFEST"),
    ("manifest-sync", Some(FsOp::Sync), "MANIFEST"),
    ("log-sync", Some(FsOp::Sync), "/wal/"),
    ("tables", None, "/sst/"),
];

impl Rule {
    /// The rule as the disk takes it.
    pub(crate) fn armed(self) -> FaultRule {
        let rule = FaultRule::new(match self.wrong {
            Wrong::Eio => Fault::Eio,
            Wrong::Full => Fault::Enospc,
            Wrong::Short => Fault::ShortWrite,
            Wrong::Flip => Fault::FlipBit,
        });
        let (_, kind, path) = PLACES[usize::from(self.place) % PLACES.len()];
        let rule = match kind {
            Some(kind) => rule.on(kind),
            // Reads that fail are looked for by a place of their own.
            None if !path.is_empty() => rule.changing(),
            None => rule,
        };
        let rule = rule.path(path);
        match self.when {
            When::Once(n) => rule.nth(u64::from(n)),
            When::From(n) => rule.after(u64::from(n)),
            When::OneIn(n) => rule.one_in(u64::from(n)),
        }
    }
}

/// The end of a process or a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blow {
    /// Before which changing call of the disk, from 0.
    pub at: u32,
    /// What ends, and what it leaves.
    pub cut: Cut,
    /// The dice of that.
    pub seed: u32,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// A batch. Parts in keyspaces that are not there are left out.
    Write(Vec<Write>, Mode),
    /// A write through the handle of a dropped keyspace, which must be refused.
    WriteDropped,
    /// One key.
    Get(u8, u16),
    /// Several keys at one moment.
    MultiGet(u8, Vec<u16>),
    /// The keys from one to another; the bits say from which end each is taken.
    Scan(u8, u16, u16, u32),
    /// A cursor goes to a key and moves on; the bits say where to.
    Walk(u8, u16, u32),
    /// One key again and again, so that its slot is hot.
    Heat(u16, u16),
    /// A snapshot, and an iterator over a keyspace, are held from now on.
    Hold(u8),
    /// What is held is compared; the bits move the iterators.
    Look(u32),
    /// What is held is let go of.
    Release,
    /// `Lsm::sync`.
    Sync,
    /// `Lsm::flush`.
    Flush,
    /// `Lsm::compact`.
    Compact,
    /// `Lsm::compact_range`, of a keyspace from a key on.
    CompactRange(u8, u16),
    /// `Lsm::split_at`.
    SplitAt(u8, u16),
    /// So many background steps, if so many are due.
    Steps(u8),
    /// A keyspace is made if it is not there.
    Create(u8),
    /// A keyspace is dropped if it is there.
    Drop(u8),
    /// A copy of the store, opened and compared later.
    Checkpoint,
    /// So many seconds go by.
    Wait(u32),
    /// A periodic sync becomes due and is done.
    Tick,
    /// From now on the disk fails so; also in stores that are opened later.
    Fault(Rule),
    /// So many bytes fit on the disk yet.
    Room(u32),
    /// The disk works, and has room.
    Mend,
    /// The process ends in the calls that follow, and the ones that come after it in their turn
    /// while they open the store. An earlier one that was not met is met now.
    Crash(Vec<Blow>),
    /// The store is closed, or only let go of, and opened again with other options.
    Reopen(bool),
    /// Options of the openings that follow, by number: each has the ones behind the last one's.
    Options(u32),
}

/// A program and what surrounds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Where the disk's dice and those of images come from.
    pub seed: u64,
    /// How many crashes are tried before each call that changes the disk, beside the program's.
    pub images: u32,
    /// Which crashes those are; any if `None`.
    pub cut: Option<Cut>,
    /// The steps.
    pub ops: Vec<Op>,
}
