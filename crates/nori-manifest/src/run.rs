//! Runs: what one flush or one merge left in a slot.
//!
//! Invariants:
//! 1. The clips of a run's references are not empty, ascend and do not overlap.
//! 2. A clip is fixed when the reference is made, ends somewhere, and only ever narrows. If it
//!    widened, entries that a merge had dropped would come back.
//! 3. Two references to one file stay two, also when their clips touch.

use crate::TableFile;
use bytes::Bytes;
use nori_env::sync::Arc;
use nori_types::{KeyRange, SeqNo, TableMeta};

/// A table as one slot sees it.
#[derive(Clone, Debug)]
pub struct TableRef {
    /// The file, shared with all other references to it.
    pub file: Arc<TableFile>,
    /// The clip: entries outside are not there. `hi` is always `Some`.
    pub range: KeyRange,
    /// About how many of the file's bytes lie inside the clip.
    pub bytes: u64,
}

impl TableRef {
    /// The part of the reference inside `range`, with `bytes` still those of the whole; `None`
    /// if none is.
    pub(crate) fn narrowed(&self, range: &KeyRange) -> Option<TableRef> {
        let range = self.range.intersection(range);
        (!range.is_empty()).then(|| TableRef { range, ..self.clone() })
    }

    /// Whether the clips have a key in common.
    pub fn overlaps(&self, range: &KeyRange) -> bool {
        self.range.overlaps(range)
    }

    /// Whether the clip leaves nothing of the table out.
    pub fn is_whole(&self) -> bool {
        let meta = &self.file.meta;
        self.range.lo <= meta.smallest && self.range.is_below_end(&meta.largest)
    }

    /// `count` of the file's, in proportion to the bytes inside the clip.
    fn share(&self, count: u64) -> u64 {
        let all = self.file.meta.bytes.max(1);
        let share = u128::from(count) * u128::from(self.bytes.min(all)) / u128::from(all);
        u64::try_from(share).unwrap_or(u64::MAX)
    }
}

impl PartialEq for TableRef {
    fn eq(&self, other: &TableRef) -> bool {
        self.file.meta == other.file.meta && self.range == other.range
    }
}

impl Eq for TableRef {}

/// A sorted run: tables side by side, each key's versions of one age.
#[derive(Clone, Debug)]
pub struct Run {
    /// By key, disjoint.
    pub tables: Vec<TableRef>,
    /// The flush sequence of the newest flush in the run; of a fragment, the newest that is there
    /// as a fragment.
    pub flush_seq: u64,
    /// 0: a fragment, which is what a flush left here and no merge has touched ("L0"). Else the
    /// level that its merge was given; the crate gives it no further meaning.
    pub level: u8,
    /// About how many bytes lie in the clips.
    pub bytes: u64,
    /// About how many entries.
    pub entries: u64,
    /// About how many of them are tombstones.
    pub tombstones: u64,
    /// No entry is younger.
    pub seq_max: SeqNo,
}

impl PartialEq for Run {
    fn eq(&self, other: &Run) -> bool {
        self.tables == other.tables
            && self.flush_seq == other.flush_seq
            && self.level == other.level
    }
}

impl Eq for Run {}

impl Run {
    /// A run of references that ascend and are disjoint.
    pub(crate) fn new(tables: Vec<TableRef>, flush_seq: u64, level: u8) -> Run {
        let (bytes, entries, tombstones, seq_max) = Run::sums(&tables);
        Run { tables, flush_seq, level, bytes, entries, tombstones, seq_max }
    }

    /// Bytes, entries, tombstones and the youngest entry of references.
    pub(crate) fn sums(tables: &[TableRef]) -> (u64, u64, u64, SeqNo) {
        let sum = |count: &dyn Fn(&TableRef) -> u64| -> u64 {
            tables.iter().map(count).fold(0, u64::saturating_add)
        };
        let bytes = sum(&|t| t.bytes);
        let entries = sum(&|t| t.share(t.file.meta.entries));
        let tombstones = sum(&|t| t.share(t.file.meta.tombstones));
        let seq_max = tables.iter().map(|t| t.file.meta.seq_max).max().unwrap_or_default();
        (bytes, entries, tombstones, seq_max)
    }

    /// Whether the run is what a flush left here: level 0.
    pub fn is_fragment(&self) -> bool {
        self.level == 0
    }

    /// The one reference whose clip holds `key`.
    pub fn find(&self, key: &[u8]) -> Option<&TableRef> {
        let at = self.tables.partition_point(|t| !t.range.is_below_end(key));
        self.tables.get(at).filter(|t| t.range.contains(key))
    }

    /// The references that reach into `range`, by key.
    pub fn tables_in(&self, range: &KeyRange) -> &[TableRef] {
        let from = self.tables.partition_point(|t| !t.range.is_below_end(&range.lo));
        let rest = self.tables.get(from..).unwrap_or_default();
        let to = rest.partition_point(|t| range.is_below_end(&t.range.lo));
        &rest[..to]
    }

    /// From the first clip's start to the last one's end; `None` if there is no table.
    pub fn range(&self) -> Option<KeyRange> {
        let (first, last) = (self.tables.first()?, self.tables.last()?);
        Some(KeyRange { lo: first.range.lo.clone(), hi: last.range.hi.clone() })
    }

    /// Whether some clip of the one and some clip of the other have a key in common.
    pub(crate) fn overlaps(&self, other: &Run) -> bool {
        self.tables.iter().any(|t| !other.tables_in(&t.range).is_empty())
    }

    /// The first keys of the clips, for messages.
    pub(crate) fn first_key(&self) -> Bytes {
        self.tables.first().map(|t| t.range.lo.clone()).unwrap_or_default()
    }
}

/// The keys from a table's first to its last.
pub(crate) fn table_range(meta: &TableMeta) -> KeyRange {
    KeyRange { lo: meta.smallest.clone(), hi: Some(meta.end()) }
}
