//! The sorted sources of one slot, as the merge for scans sees them.

use crate::error::Error;
use crate::super_version::SuperVersion;
use bytes::Bytes;
use nori_compaction::{MergeIter, RunIter};
use nori_env::sync::Arc;
use nori_memtable::MemtableIter;
use nori_types::{InternalIterator, InternalKey};

/// All sources of a slot, newest first, as one.
pub(crate) type SlotMerge = MergeIter<Source>;

/// A memtable or a run.
pub(crate) enum Source {
    Mem(MemtableIter),
    Run(RunIter),
}

/// The sources of a slot. Memtables reach beyond it: the walker looks at the slot's ends.
pub(crate) fn merge_slot(view: &SuperVersion, slot: usize) -> SlotMerge {
    let memtables = view.memtables().filter(|m| !m.table.is_empty());
    let mut sources: Vec<Source> = memtables.map(|m| Source::Mem(m.table.iter())).collect();
    if let Some(slot) = view.version.slot(slot) {
        let newest_first = slot.runs.iter().rev();
        let runs = newest_first.map(|run| RunIter::new(Arc::clone(run), Arc::clone(view.tables())));
        sources.extend(runs.map(Source::Run));
    }
    MergeIter::new(sources)
}

macro_rules! forward {
    ($self:ident, $iter:ident => $work:expr) => {
        match $self {
            Source::Mem($iter) => $work.map_err(|never| match never {}),
            Source::Run($iter) => $work.map_err(Error::from),
        }
    };
}

impl InternalIterator for Source {
    type Error = Error;

    fn is_valid(&self) -> bool {
        match self {
            Source::Mem(iter) => iter.is_valid(),
            Source::Run(iter) => iter.is_valid(),
        }
    }

    fn key(&self) -> InternalKey<'_> {
        match self {
            Source::Mem(iter) => iter.key(),
            Source::Run(iter) => iter.key(),
        }
    }

    fn value(&self) -> &[u8] {
        match self {
            Source::Mem(iter) => iter.value(),
            Source::Run(iter) => iter.value(),
        }
    }

    fn value_bytes(&self) -> Bytes {
        match self {
            Source::Mem(iter) => iter.value_bytes(),
            Source::Run(iter) => iter.value_bytes(),
        }
    }

    fn seek_first(&mut self) -> Result<(), Error> {
        forward!(self, iter => iter.seek_first())
    }

    fn seek_last(&mut self) -> Result<(), Error> {
        forward!(self, iter => iter.seek_last())
    }

    fn seek(&mut self, target: InternalKey<'_>) -> Result<(), Error> {
        forward!(self, iter => iter.seek(target))
    }

    fn seek_for_prev(&mut self, target: InternalKey<'_>) -> Result<(), Error> {
        forward!(self, iter => iter.seek_for_prev(target))
    }

    fn next(&mut self) -> Result<(), Error> {
        forward!(self, iter => iter.next())
    }

    fn prev(&mut self) -> Result<(), Error> {
        forward!(self, iter => iter.prev())
    }
}
