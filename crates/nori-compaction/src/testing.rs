//! What the tests of this crate share: random walks beside a sorted list, and tables in memory.
#![allow(clippy::unwrap_used)]

use crate::{Destination, Error, Retain, write_tables};
use bytes::Bytes;
use nori_env::sync::Arc;
use nori_env::sync::atomic::{AtomicU64, Ordering};
use nori_env::{FileSystem, FsError, MemFs, Rng};
use nori_manifest::{Obsolete, Run, TableFile, TableRef};
use nori_sstable::{BlockCache, TableCache, TableOptions};
use nori_testkit::{Entry, Injected, KeyGen, VecIter};
use nori_types::{
    FileNumber, InternalIterator, InternalKey, KeyRange, SeqNo, TableMeta, ValueKind,
};
use std::path::Path;

/// The directory of the tables.
pub(crate) const DIR: &str = "store/sst";

impl From<Injected> for Error {
    fn from(_: Injected) -> Error {
        Error::Io(FsError::new("read", "memory", std::io::Error::other(Injected)))
    }
}

/// An iterator walked beside the sorted list of what it should show.
pub(crate) struct Walk<'a, I> {
    pub(crate) iter: I,
    all: &'a [Entry],
    at: Option<usize>,
}

impl<'a, I: InternalIterator> Walk<'a, I> {
    pub(crate) fn new(iter: I, all: &'a [Entry]) -> Walk<'a, I> {
        Walk { iter, all, at: None }
    }

    /// One random move of both; after it both stand on the same entry, or on none. After an
    /// error the iterator stands nowhere.
    pub(crate) fn random_move(&mut self, rng: &mut Rng, keys: &mut KeyGen) -> Result<(), I::Error> {
        let (iter, all, at) = (&mut self.iter, self.all, self.at);
        let key = keys.near(rng);
        let seq = if rng.chance(30) { SeqNo::MAX } else { SeqNo::new(rng.below(200)) };
        let kind = *rng.pick(&[ValueKind::Tombstone, ValueKind::Value]);
        let target = InternalKey::new(&key, seq, kind);
        let (result, at) = match rng.below(if at.is_some() { 20 } else { 4 }) {
            0 => (iter.seek_first(), Some(0)),
            1 => (iter.seek_last(), all.len().checked_sub(1)),
            2 => (iter.seek(target), Some(all.partition_point(|e| e.internal_key() < target))),
            3 => {
                let behind = all.partition_point(|e| e.internal_key() <= target);
                (iter.seek_for_prev(target), behind.checked_sub(1))
            }
            n if n % 2 == 0 => (iter.next(), at.map(|at| at + 1)),
            _ => (iter.prev(), at.and_then(|at| at.checked_sub(1))),
        };
        self.at = at.filter(|at| *at < all.len() && result.is_ok());
        let here = self.iter.is_valid().then(|| Entry::at(&self.iter));
        assert_eq!(here.as_ref(), self.at.map(|at| &all[at]));
        result
    }
}

/// Tables on a file system in memory.
pub(crate) struct World {
    pub(crate) fs: Arc<MemFs>,
    pub(crate) tables: Arc<TableCache>,
    numbers: AtomicU64,
}

impl World {
    /// Without a block cache, so that every read meets the disk.
    pub(crate) fn new(seed: u64) -> World {
        let fs = Arc::new(MemFs::new(seed));
        fs.create_dir_all(Path::new(DIR)).unwrap();
        let door: Arc<dyn FileSystem> = fs.clone();
        let tables = TableCache::new(door, Path::new(DIR), BlockCache::new(0), 100);
        World { fs, tables: Arc::new(tables), numbers: AtomicU64::new(1) }
    }

    pub(crate) fn new_number(&self) -> FileNumber {
        FileNumber(self.numbers.fetch_add(1, Ordering::Relaxed))
    }

    /// Small blocks, so that a few entries fill several.
    pub(crate) fn options() -> TableOptions {
        TableOptions { block_bytes: 100, ..TableOptions::default() }
    }

    /// Writes entries as they are, as tables of about `table_bytes`.
    pub(crate) fn write(&self, entries: &[Entry], table_bytes: u64) -> Vec<TableMeta> {
        let (options, number) = (World::options(), || self.new_number());
        let to = Destination::new(&*self.fs, Path::new(DIR), &number, &options, table_bytes);
        let everything = Retain::new(vec![], false, |_| None);
        write_tables(&mut VecIter::new(entries.to_vec()), everything, &to).unwrap().tables
    }

    /// The table files there are.
    pub(crate) fn files(&self) -> Vec<String> {
        self.fs.list(Path::new(DIR)).unwrap()
    }
}

/// A run of tables with their clips.
pub(crate) fn run(tables: impl IntoIterator<Item = (Arc<TableFile>, KeyRange)>) -> Arc<Run> {
    let tables: Vec<TableRef> = tables
        .into_iter()
        .map(|(file, range)| TableRef { bytes: file.meta.bytes, file, range })
        .collect();
    let sum = |count: fn(&TableMeta) -> u64| tables.iter().map(|t| count(&t.file.meta)).sum();
    Arc::new(Run {
        flush_seq: 1,
        level: 1,
        bytes: sum(|t| t.bytes),
        entries: sum(|t| t.entries),
        tombstones: sum(|t| t.tombstones),
        seq_max: tables.iter().map(|t| t.file.meta.seq_max).max().unwrap_or_default(),
        tables,
    })
}

/// The handle of a new table file.
pub(crate) fn file(meta: &TableMeta) -> Arc<TableFile> {
    TableFile::new(meta.clone(), &Obsolete::new())
}

/// Whole tables side by side.
pub(crate) fn whole_run(metas: &[TableMeta]) -> Arc<Run> {
    run(metas.iter().map(|m| (file(m), KeyRange::new(m.smallest.clone(), Some(m.end())))))
}

/// The range from one key to before another.
pub(crate) fn range(lo: &[u8], hi: &[u8]) -> KeyRange {
    KeyRange::new(Bytes::copy_from_slice(lo), Some(Bytes::copy_from_slice(hi)))
}
