//! The block cache keeps its budget, the table cache its open files, and failing reads are errors.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::write;
use nori_bloom::hash;
use nori_env::sync::thread;
use nori_env::{File, FileSystem, FsError, FsResult, MemFs, OpenMode, Rng};
use nori_sstable::{BlockCache, Compression, Error, Table, TableCache, TableOptions};
use nori_testkit::{Entry, collect};
use nori_types::{FileNumber, InternalIterator, Lookup, SeqNo, TableMeta};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const ENTRIES: u64 = 300;

fn entries(table: u64) -> Vec<Entry> {
    (0..ENTRIES)
        .map(|i| Entry::put(format!("key {i:04}"), table * 1000 + i, format!("{table}/{i:050}")))
        .collect()
}

fn options() -> TableOptions {
    TableOptions { block_bytes: 512, compression: Compression::None, ..TableOptions::default() }
}

fn store(tables: u64) -> (Arc<MemFs>, Vec<TableMeta>) {
    let fs = Arc::new(MemFs::new(1));
    fs.create_dir_all(Path::new("sst")).unwrap();
    let metas = (1..=tables).map(|n| {
        let meta = write(&fs, &format!("sst/{n:06}.sst"), n, options(), &entries(n));
        TableMeta { number: FileNumber(n), ..meta }
    });
    let metas = metas.collect();
    (fs, metas)
}

fn check_get(table: &Table, i: u64) {
    let key = format!("key {i:04}");
    let n = table.meta().number.0;
    let got = table.get(key.as_bytes(), hash(key.as_bytes()), SeqNo::MAX).unwrap();
    let expected = Lookup::Found(format!("{n}/{i:050}").into(), SeqNo::new(n * 1000 + i));
    assert_eq!(got, expected, "table {n}");
}

#[test]
fn more_tables_than_open_files_are_used_at_once_by_several_threads() {
    let (fs, metas) = store(12);
    let cache = BlockCache::new(0);
    let tables = Arc::new(TableCache::new(fs, Path::new("sst"), cache, 3));
    let open: Vec<Arc<Table>> = metas.iter().map(|m| tables.open(m).unwrap()).collect();
    assert!(tables.open_files() <= 3 && tables.len() == 12);
    let threads = (0..3).map(|seed| {
        let (open, tables) = (open.clone(), Arc::clone(&tables));
        thread::spawn(move || {
            let mut rng = Rng::new(seed);
            for _ in 0..2000 {
                let table: &Arc<Table> = rng.pick(&open);
                check_get(table, rng.below(ENTRIES));
                assert!(tables.open_files() <= 3);
            }
        })
    });
    threads.collect::<Vec<_>>().into_iter().for_each(|t| t.join().unwrap());
    let mut iters: Vec<_> = open.iter().map(|t| t.iter()).collect();
    for (n, iter) in (1..).zip(&mut iters) {
        assert_eq!(collect(iter).unwrap(), entries(n));
    }
    assert!(tables.open_files() <= 3);
    drop((iters, open));
    assert_eq!(tables.len(), 12);
    // The next one opened makes the idle ones go.
    tables.remove(FileNumber(1));
    assert_eq!(tables.len(), 11);
    tables.open(&metas[0]).unwrap();
    assert_eq!(tables.len(), 3);
}

#[test]
fn one_number_is_one_table_and_a_file_of_another_identity_is_refused() {
    let (fs, metas) = store(2);
    let cache = BlockCache::new(1 << 20);
    let tables = TableCache::new(fs, Path::new("sst"), cache, 10);
    let first = tables.open(&metas[0]).unwrap();
    assert!(Arc::ptr_eq(&first, &tables.open(&metas[0]).unwrap()));
    let wrong = TableMeta { number: metas[0].number, ..metas[1].clone() };
    tables.remove(wrong.number);
    assert!(matches!(tables.open(&wrong), Err(Error::Corruption(_))));
    let missing = TableMeta { number: FileNumber(77), ..metas[1].clone() };
    assert!(matches!(tables.open(&missing), Err(Error::Io(e)) if e.is_not_found()));
    assert!(tables.is_empty() && tables.open_files() == 1);
}

#[test]
fn blocks_indexes_and_filters_stay_within_the_budget() {
    let (fs, metas) = store(8);
    let budget = 40_000;
    let cache = BlockCache::new(budget);
    let tables = TableCache::new(fs, Path::new("sst"), Arc::clone(&cache), 100);
    let open: Vec<Arc<Table>> = metas.iter().map(|m| tables.open(m).unwrap()).collect();
    let pinned = cache.usage();
    assert!(pinned > 8 * 300 * 10 / 8 && pinned < budget, "{pinned} bytes of frames");
    let mut rng = Rng::new(1);
    for _ in 0..5000 {
        let table: &Arc<Table> = rng.pick(&open);
        check_get(table, rng.below(ENTRIES));
        assert!(cache.usage() <= budget);
    }
    assert!(cache.usage() > budget / 2, "the budget is used: {}", cache.usage());
    let (hits, misses) = (cache.hits(), cache.misses());
    assert!(hits > 0 && misses > 0 && hits + misses == 5000);
    check_get(&open[0], 7);
    let misses = cache.misses();
    check_get(&open[0], 7);
    assert_eq!(cache.misses(), misses, "a block just read is there");
    drop(open);
    metas.iter().for_each(|m| tables.remove(m.number));
    assert_eq!(cache.usage(), 0, "nothing of removed tables stays");
}

/// Blocks go when the owner needs the bytes for something else, and come back when it does not.
#[test]
fn what_is_reserved_is_taken_from_the_blocks() {
    let (fs, metas) = store(4);
    let cache = BlockCache::new(40_000);
    let tables = TableCache::new(fs, Path::new("sst"), Arc::clone(&cache), 100);
    let read_all = || {
        for i in 0..4 * ENTRIES {
            check_get(&tables.open(&metas[(i % 4) as usize]).unwrap(), i / 4);
        }
    };
    read_all();
    assert!(cache.usage() > 20_000);
    cache.set_reserved(30_000);
    assert!(cache.usage() <= 10_000, "{} are left", cache.usage());
    read_all();
    assert!(cache.usage() <= 10_000, "{} are left", cache.usage());
    cache.set_reserved(100_000);
    assert_eq!(cache.usage(), cache.pinned(), "no block, but the open tables stay");
    cache.set_reserved(0);
    read_all();
    assert!(cache.usage() > 20_000);
}

/// A table that was closed meanwhile finds the blocks it read; those of one that goes are dropped.
#[test]
fn blocks_outlive_the_closing_of_their_table() {
    let (fs, metas) = store(3);
    let cache = BlockCache::pooled(1 << 20);
    let tables = TableCache::new(fs, Path::new("sst"), Arc::clone(&cache), 1);
    let read = |n: usize| check_get(&tables.open(&metas[n]).unwrap(), 7);
    (0..3).for_each(read);
    assert_eq!((tables.len(), cache.misses()), (1, 3));
    for _ in 0..5 {
        (0..3).for_each(read);
    }
    assert_eq!((tables.len(), cache.misses(), cache.hits()), (1, 3, 15));
    metas.iter().for_each(|m| tables.remove(m.number));
    assert_eq!(cache.usage(), 0);
}

/// One thread opens tables for all readers: they get the same tables and the same errors.
#[test]
fn tables_are_opened_by_a_thread_of_their_own() {
    let (fs, metas) = store(6);
    let tables = TableCache::new(fs, Path::new("sst"), BlockCache::pooled(1 << 20), 2);
    let tables = Arc::new(tables.opened_apart());
    let readers = (0..4).map(|seed| {
        let (tables, metas) = (Arc::clone(&tables), metas.clone());
        thread::spawn(move || {
            let mut rng = Rng::new(seed);
            for _ in 0..300 {
                check_get(&tables.open(rng.pick(&metas)).unwrap(), rng.below(ENTRIES));
            }
        })
    });
    readers.collect::<Vec<_>>().into_iter().for_each(|t| t.join().unwrap());
    let missing = TableMeta { number: FileNumber(77), ..metas[1].clone() };
    assert!(matches!(tables.open(&missing), Err(Error::Io(e)) if e.is_not_found()));
    check_get(&tables.open(&metas[0]).unwrap(), 3);
}

/// Any number of tables is read within the limit, as long as they take turns; those in use stay
/// open beyond it.
#[test]
fn idle_tables_are_closed_at_a_limit_of_bytes() {
    let (fs, metas) = store(12);
    let cache = BlockCache::new(1 << 20);
    let tables = TableCache::new(fs, Path::new("sst"), Arc::clone(&cache), 100);
    let one = tables.open(&metas[0]).map(|_| cache.pinned()).unwrap();
    let tables = tables.pinned_bytes_max(one * 4);
    let mut rng = Rng::new(1);
    let mut most = 0;
    for _ in 0..2000 {
        let table = tables.open(rng.pick(&metas)).unwrap();
        check_get(&table, rng.below(ENTRIES));
        most = most.max(cache.pinned());
        assert!(cache.pinned() <= one * 9 / 2, "{} with {one} for one", cache.pinned());
        assert!(tables.may_hold() == (cache.pinned() <= one * 2));
    }
    assert!(most > one * 3, "the limit is used: {most}");
    // The table that is asked for again and again is not the one that goes.
    let favourite = Arc::downgrade(&tables.open(&metas[3]).unwrap());
    for meta in metas.iter().cycle().take(100) {
        tables.open(meta).unwrap();
        drop(favourite.upgrade());
        tables.open(&metas[3]).unwrap();
    }
    assert!(favourite.upgrade().is_some());
    let held: Vec<_> = metas.iter().map(|meta| tables.open(meta).unwrap()).collect();
    assert_eq!(tables.len(), 12);
    drop(held);
    tables.remove(metas[0].number);
    tables.open(&metas[0]).unwrap();
    assert!(tables.len() <= 4 && cache.pinned() <= one * 9 / 2);
    metas.iter().for_each(|m| tables.remove(m.number));
    assert_eq!((cache.usage(), cache.pinned()), (0, 0), "nothing of removed tables stays");
}

#[test]
fn no_budget_keeps_nothing_and_a_tiny_one_breaks_nothing() {
    for budget in [0, 1, 600, 5000] {
        let (fs, metas) = store(2);
        let cache = BlockCache::new(budget);
        let tables = TableCache::new(fs, Path::new("sst"), Arc::clone(&cache), 1);
        for i in 0..ENTRIES {
            check_get(&tables.open(&metas[(i % 2) as usize]).unwrap(), i);
        }
        // Frames cannot be evicted; blocks take only what they leave.
        let frames = {
            let alone = BlockCache::new(0);
            let file = |n: u64| format!("sst/{n:06}.sst");
            let (fs, _) = store(2);
            let open = |n| {
                let file = fs.open(Path::new(&file(n)), OpenMode::Read).unwrap();
                Table::open(file, FileNumber(n), Arc::clone(&alone)).unwrap()
            };
            let _held = [open(1), open(2)];
            alone.usage()
        };
        assert!(cache.usage() <= budget.max(frames), "{} of {budget}", cache.usage());
    }
}

#[test]
fn merges_leave_the_cache_as_it_is() {
    let (fs, metas) = store(1);
    let cache = BlockCache::new(1 << 20);
    let tables = TableCache::new(fs, Path::new("sst"), Arc::clone(&cache), 10);
    let table = tables.open(&metas[0]).unwrap();
    let frames = cache.usage();
    assert_eq!(collect(&mut table.scan()).unwrap(), entries(1));
    assert_eq!(cache.usage(), frames);
    assert_eq!(collect(&mut table.iter()).unwrap(), entries(1));
    assert!(cache.usage() > frames + 10_000);
}

/// A file whose reads fail while `failing` counts down to them.
#[derive(Debug)]
struct FailingFile {
    file: Arc<dyn File>,
    /// Reads that still succeed; all later ones fail.
    reads_left: AtomicU64,
}

impl File for FailingFile {
    fn path(&self) -> &Path {
        self.file.path()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> FsResult<usize> {
        let left = self.reads_left.load(Ordering::Relaxed);
        if left == 0 {
            let source = std::io::Error::other("injected");
            return Err(FsError::new("read", self.path(), source));
        }
        self.reads_left.store(left - 1, Ordering::Relaxed);
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, data: &[u8], offset: u64) -> FsResult<()> {
        self.file.write_at(data, offset)
    }

    fn sync_data(&self) -> FsResult<()> {
        self.file.sync_data()
    }

    fn sync_all(&self) -> FsResult<()> {
        self.file.sync_all()
    }

    fn truncate(&self, len: u64) -> FsResult<()> {
        self.file.truncate(len)
    }

    fn allocate(&self, len: u64) -> FsResult<()> {
        self.file.allocate(len)
    }

    fn len(&self) -> FsResult<u64> {
        self.file.len()
    }
}

#[test]
fn a_read_that_fails_is_an_error_and_never_the_end() {
    let (fs, _) = store(1);
    let all = entries(1);
    let mut seen_whole = false;
    for reads in 0.. {
        let file = fs.open(Path::new("sst/000001.sst"), OpenMode::Read).unwrap();
        let file = Arc::new(FailingFile { file, reads_left: AtomicU64::new(reads) });
        let table = match Table::open(file.clone(), FileNumber(1), BlockCache::new(0)) {
            Ok(table) => table,
            Err(error) => {
                assert!(matches!(error, Error::Io(_)) && reads < 3);
                continue;
            }
        };
        let left = file.reads_left.load(Ordering::Relaxed);
        let mut iter = table.iter();
        match collect(&mut iter) {
            Ok(found) => {
                assert_eq!(found, all, "{reads} reads");
                seen_whole = true;
            }
            Err(error) => assert!(matches!(error, Error::Io(_)) && !iter.is_valid()),
        }
        file.reads_left.store(left, Ordering::Relaxed);
        let mut found = 0;
        let mut step = iter.seek_last();
        while step.is_ok() && iter.is_valid() {
            found += 1;
            step = iter.prev();
        }
        assert_eq!(step.is_ok(), found == all.len(), "{reads} reads, {found} entries backward");
        file.reads_left.store(u64::MAX, Ordering::Relaxed);
        iter.seek(all[200].internal_key()).unwrap();
        assert_eq!(Entry::at(&iter), all[200], "a seek tries again");
        file.reads_left.store(0, Ordering::Relaxed);
        let key = &all[100].key;
        assert!(matches!(table.get(key, hash(key), SeqNo::MAX), Err(Error::Io(_))));
        if seen_whole {
            return;
        }
    }
}
