//! Flushing memtables and merging runs on the real disk.

use super::{Result, memtable};
use nori_compaction::{Destination, Output, Retain, compact, flush};
use nori_env::sync::Arc;
use nori_env::sync::atomic::{AtomicU64, Ordering};
use nori_env::{FileSystem, OpenMode, OsFs};
use nori_manifest::{Obsolete, Run, TableFile, TableRef};
use nori_memtable::Memtable;
use nori_sstable::{BlockCache, Compression, Table, TableCache, TableOptions};
use nori_testkit::TempDir;
use nori_types::{FileName, FileNumber, KeyRange, SeqNo, TableMeta};
use std::path::PathBuf;

/// User bytes of an entry.
pub const ENTRY_BYTES: u64 = 116;
/// Entries of one memtable while runs are made: 58 MB, so memory does not grow with the run.
const FLUSHED: u64 = 500_000;
const TABLE_BYTES: u64 = 64 << 20;

/// A directory of tables, removed with all in it at the end.
#[derive(Debug)]
pub struct Tables {
    fs: Arc<dyn FileSystem>,
    dir: TempDir,
    cache: Arc<TableCache>,
    options: TableOptions,
    number: AtomicU64,
}

/// What a flush or a merge made.
#[derive(Clone, Debug)]
pub struct Merged {
    /// The run that it wrote.
    pub run: Arc<Run>,
    /// Bytes of keys and values that it read.
    pub user_bytes: u64,
    /// Bytes of the files that it wrote.
    pub file_bytes: u64,
}

impl Tables {
    /// None yet; filters of ten bits, blocks of 4 KiB.
    pub fn new(name: &str, compression: Compression) -> Tables {
        let fs: Arc<dyn FileSystem> = Arc::new(OsFs);
        let dir = TempDir::new(name);
        let cache = TableCache::new(fs.clone(), dir.path(), BlockCache::new(512 << 20), 1000);
        let options = TableOptions { compression, ..TableOptions::default() };
        Tables { fs, dir, cache: Arc::new(cache), options, number: AtomicU64::new(1) }
    }

    /// Writes a memtable to tables and syncs them.
    ///
    /// # Errors
    /// Those of the disk; so for all methods.
    pub fn flush(&self, memtable: &Arc<Memtable>) -> Result<Merged> {
        let visible = vec![SeqNo::MAX];
        self.merged(|to| flush(&mut memtable.iter(), visible, |_| None, to))
    }

    /// Merges runs to one, as into the bottom, and syncs it.
    pub fn merge(&self, runs: &[Arc<Run>]) -> Result<Merged> {
        let retain = Retain::new(vec![SeqNo::MAX], true, |_| None);
        self.merged(|to| compact(runs, &self.cache, retain, to))
    }

    /// Runs of together so many entries whose keys interleave.
    pub fn runs(&self, runs: u64, entries: u64) -> Result<Vec<Arc<Run>>> {
        (0..runs).map(|at| self.run(at, runs, entries)).collect()
    }

    fn run(&self, at: u64, runs: u64, entries: u64) -> Result<Arc<Run>> {
        let mut metas = Vec::new();
        for first in (at..entries).step_by((FLUSHED * runs) as usize) {
            let end = entries.min(first + FLUSHED * runs);
            let flushed = self.flush(&memtable(first..end, runs, first))?;
            metas.extend(flushed.run.tables.iter().map(|table| table.file.meta.clone()));
        }
        Ok(run(metas))
    }

    /// Removes the tables of a run that is no longer needed.
    pub fn remove(&self, run: &Run) -> Result<()> {
        for table in &run.tables {
            self.cache.remove(table.file.number());
            self.fs.remove(&self.path(table.file.number()))?;
        }
        Ok(())
    }

    /// Opens the first table of a run with a cache that holds all of it.
    pub fn open(&self, run: &Run) -> Result<Arc<Table>> {
        let first = run.tables.first().ok_or("a run without a table")?;
        let file = self.fs.open(&self.path(first.file.number()), OpenMode::Read)?;
        Ok(Table::open(file, first.file.number(), BlockCache::new(512 << 20))?)
    }

    fn path(&self, number: FileNumber) -> PathBuf {
        self.dir.path().join(FileName::Table(number).to_string())
    }

    fn merged(
        &self,
        job: impl FnOnce(&Destination<'_>) -> nori_compaction::Result<Output>,
    ) -> Result<Merged> {
        let new = || FileNumber(self.number.fetch_add(1, Ordering::Relaxed));
        let dir = self.dir.path();
        let to = Destination::new(&*self.fs, dir, &new, &self.options, TABLE_BYTES);
        let output = job(&to)?;
        let user_bytes = output.stats.bytes_read;
        let file_bytes = output.tables.iter().map(|table| table.bytes).sum();
        Ok(Merged { run: run(output.tables), user_bytes, file_bytes })
    }
}

fn run(metas: Vec<TableMeta>) -> Arc<Run> {
    let seq_max = metas.iter().map(|meta| meta.seq_max).max().unwrap_or_default();
    let sum = |count: fn(&TableMeta) -> u64| metas.iter().map(count).sum();
    let (bytes, entries) = (sum(|meta| meta.bytes), sum(|meta| meta.entries));
    let tombstones = sum(|meta| meta.tombstones);
    let queue = Obsolete::new();
    let tables = metas.into_iter().map(|meta| {
        let range = KeyRange::new(meta.smallest.clone(), Some(meta.end()));
        TableRef { bytes: meta.bytes, file: TableFile::new(meta, &queue), range }
    });
    let (tables, flush_seq, level) = (tables.collect(), 1, 1);
    Arc::new(Run { tables, flush_seq, level, bytes, entries, tombstones, seq_max })
}
