//! The orders that must hold. A pattern is a file's name without its directory, with at most one
//! `*` for any characters.

use crate::sync::Arc;
use std::fmt;

/// Finds the files that a record names, by name.
pub(super) type NamesIn = Arc<dyn Fn(&[u8]) -> Vec<String> + Send + Sync>;

/// An order that must hold, for [`TraceFs`](crate::TraceFs).
#[derive(Clone)]
pub struct OrderRule {
    pub(super) kind: Kind,
}

#[derive(Clone)]
pub(super) enum Kind {
    DurableBeforeRecord { log: String, data: String, names: Option<NamesIn> },
    RecordBeforeRemoval { data: String, log: String, pointer: Option<String> },
    DurableBeforePointer { pointer: String, target: String },
    NoRemovalWhileTurning { pointer: String, kept: String },
}

impl OrderRule {
    /// Nothing is written to a `log` while a `data` file, or its name, is not durable: the record
    /// may name it. Where several are made at a time, say with [`OrderRule::naming`] which a
    /// record means.
    pub fn durable_before_record(log: &str, data: &str) -> OrderRule {
        let (log, data) = (log.to_string(), data.to_string());
        OrderRule { kind: Kind::DurableBeforeRecord { log, data, names: None } }
    }

    /// `names` gives the names of the files that the bytes written to the log mean; only those
    /// need be durable.
    pub fn naming(
        mut self,
        names: impl Fn(&[u8]) -> Vec<String> + Send + Sync + 'static,
    ) -> OrderRule {
        if let Kind::DurableBeforeRecord { names: slot, .. } = &mut self.kind {
            *slot = Some(Arc::new(names));
        }
        self
    }

    /// A `data` file is neither removed nor renamed away (to a name that is not `data`) before a
    /// record was written to a `log`, after the last write to the file, and synced: that record
    /// is what makes the file needless.
    pub fn record_before_removal(data: &str, log: &str) -> OrderRule {
        let (data, log) = (data.to_string(), log.to_string());
        OrderRule { kind: Kind::RecordBeforeRemoval { data, log, pointer: None } }
    }

    /// Only the log counts that the file `pointer`, in the directory of the removed file or above
    /// it, durably names. Without that file there is no store yet, and nothing to lose.
    pub fn through(mut self, pointer: &str) -> OrderRule {
        if let Kind::RecordBeforeRemoval { pointer: slot, .. } = &mut self.kind {
            *slot = Some(pointer.to_string());
        }
        self
    }

    /// A file is renamed to `pointer` only when its bytes are durable, and those of the `target`
    /// that they name, and the target's name.
    pub fn durable_before_pointer(pointer: &str, target: &str) -> OrderRule {
        let (pointer, target) = (pointer.to_string(), target.to_string());
        OrderRule { kind: Kind::DurableBeforePointer { pointer, target } }
    }

    /// Between a rename to `pointer` and the sync of its directory no `kept` file there or below
    /// is removed: which pointer rules after a power cut is open.
    pub fn no_removal_while_turning(pointer: &str, kept: &str) -> OrderRule {
        let (pointer, kept) = (pointer.to_string(), kept.to_string());
        OrderRule { kind: Kind::NoRemovalWhileTurning { pointer, kept } }
    }

    /// The pointer of this rule and the pattern of what it names.
    pub(super) fn pointer(&self) -> Option<(&str, &str)> {
        match &self.kind {
            Kind::RecordBeforeRemoval { pointer: Some(pointer), log, .. } => Some((pointer, log)),
            Kind::DurableBeforePointer { pointer, target } => Some((pointer, target)),
            Kind::NoRemovalWhileTurning { pointer, .. } => Some((pointer, "*")),
            Kind::RecordBeforeRemoval { pointer: None, .. } | Kind::DurableBeforeRecord { .. } => {
                None
            }
        }
    }
}

impl fmt::Debug for OrderRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::DurableBeforeRecord { log, data, .. } => {
                write!(f, "{data} is durable before a record in {log}")
            }
            Kind::RecordBeforeRemoval { data, log, .. } => {
                write!(f, "a record in {log} is synced before {data} is removed")
            }
            Kind::DurableBeforePointer { pointer, target } => {
                write!(f, "{target} is durable before {pointer} names it")
            }
            Kind::NoRemovalWhileTurning { pointer, kept } => {
                write!(f, "no {kept} is removed before {pointer} is durable")
            }
        }
    }
}
