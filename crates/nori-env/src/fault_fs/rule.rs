//! Rules: which calls fail, and how.

use crate::{FsOp, Rng};
use std::path::Path;
use std::time::Duration;

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails with an I/O error and does nothing. A failed sync loses the unsynced bytes.
    Eio,
    /// It fails for lack of room; a write has written its first half. A sync loses the unsynced
    /// bytes. Hits only calls that need room, unless the rule names one kind of calls.
    Enospc,
    /// A write writes its first half and fails with an I/O error.
    ShortWrite,
    /// A read succeeds with one bit flipped.
    FlipBit,
    /// It takes so much longer.
    Latency(Duration),
    /// It fails as on a disk that is mounted to be read. For rules that hit changing calls.
    ReadOnly,
    /// It does nothing, and neither does any call behind it: all fail.
    Crash,
}

#[derive(Clone, Copy, Debug)]
enum Kinds {
    Any,
    Changing,
    One(FsOp),
}

#[derive(Clone, Copy, Debug)]
enum When {
    Always,
    Nth(u64),
    OneIn(u64),
    After(u64),
}

/// Which calls a fault hits. Without more words: all of them.
#[derive(Clone, Debug)]
pub struct FaultRule {
    pub(super) fault: Fault,
    kinds: Kinds,
    path: String,
    when: When,
}

impl FaultRule {
    /// Every call, always.
    pub fn new(fault: Fault) -> FaultRule {
        FaultRule { fault, kinds: Kinds::Any, path: String::new(), when: When::Always }
    }

    /// Only calls of one kind.
    pub fn on(self, op: FsOp) -> FaultRule {
        FaultRule { kinds: Kinds::One(op), ..self }
    }

    /// Only calls that may change the disk.
    pub fn changing(self) -> FaultRule {
        FaultRule { kinds: Kinds::Changing, ..self }
    }

    /// Only calls with a path that contains these characters; of a rename or link either path.
    pub fn path(self, part: &str) -> FaultRule {
        FaultRule { path: part.to_string(), ..self }
    }

    /// Only the n-th matching call, counted from 0.
    pub fn nth(self, n: u64) -> FaultRule {
        FaultRule { when: When::Nth(n), ..self }
    }

    /// One in `k` matching calls, by chance.
    pub fn one_in(self, k: u64) -> FaultRule {
        FaultRule { when: When::OneIn(k), ..self }
    }

    /// All matching calls behind the first `n`.
    pub fn after(self, n: u64) -> FaultRule {
        FaultRule { when: When::After(n), ..self }
    }

    /// Whether the answer depends on the room that a call needs.
    pub(super) fn asks_for_room(&self) -> bool {
        self.fault == Fault::Enospc && !matches!(self.kinds, Kinds::One(_))
    }

    pub(super) fn matches(&self, op: FsOp, paths: &[&Path], needs_room: bool) -> bool {
        let kind = match self.kinds {
            Kinds::Any => true,
            Kinds::Changing => op.is_changing(),
            Kinds::One(one) => one == op,
        };
        let can_hit = match self.fault {
            Fault::ShortWrite => op == FsOp::Write,
            Fault::FlipBit => op == FsOp::Read,
            Fault::Enospc if self.asks_for_room() => grows(op) && needs_room,
            _ => true,
        };
        kind && can_hit && paths.iter().any(|p| p.to_string_lossy().contains(&self.path))
    }
}

/// Kinds of calls that may take room on the disk.
fn grows(op: FsOp) -> bool {
    matches!(
        op,
        FsOp::Create | FsOp::Write | FsOp::Link | FsOp::CreateDir | FsOp::Truncate | FsOp::Allocate
    )
}

/// A rule and how many calls it has matched.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) rule: FaultRule,
    seen: u64,
}

impl Counted {
    pub(super) fn new(rule: FaultRule) -> Counted {
        Counted { rule, seen: 0 }
    }

    /// Counts a matching call; whether the fault is due.
    pub(super) fn fires(&mut self, rng: &mut Rng) -> bool {
        let index = self.seen;
        self.seen += 1;
        match self.rule.when {
            When::Always => true,
            When::Nth(n) => index == n,
            When::OneIn(k) => k > 0 && rng.below(k) == 0,
            When::After(n) => index >= n,
        }
    }
}
