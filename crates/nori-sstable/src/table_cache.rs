//! The tables of a store that are open, by their number.
//!
//! 1. A table is opened once, however many ask for it at the same time they may open it twice,
//!    but all get the same one.
//! 2. At most `max_open_files` files are open (and as many more as threads are reading); a table
//!    whose file was closed opens it again.
//! 3. At most so many tables that nobody uses are kept; those in use are never closed.
//! 4. A file must stay in its directory while its table is in use.

use crate::cache::BlockCache;
use crate::error::Result;
use crate::files::{OpenFiles, Source};
use crate::table::Table;
use nori_env::FileSystem;
use nori_env::sync::{Arc, Mutex};
use nori_types::{FileName, FileNumber, TableMeta};
use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};

/// Open tables of one directory. `Send + Sync`.
#[derive(Debug)]
pub struct TableCache {
    dir: PathBuf,
    cache: Arc<BlockCache>,
    files: Arc<OpenFiles>,
    tables_max: usize,
    maps: bool,
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    by_number: HashMap<FileNumber, Arc<Table>>,
    /// In order of opening, oldest first; each open table once.
    order: VecDeque<FileNumber>,
}

impl TableCache {
    /// For the tables in `dir`, with at most so many files open (at least one).
    pub fn new(
        fs: Arc<dyn FileSystem>,
        dir: &Path,
        cache: Arc<BlockCache>,
        max_open_files: usize,
    ) -> TableCache {
        let files = OpenFiles::new(fs, max_open_files);
        let (tables_max, tables) = (max_open_files.max(1), Mutex::new(Tables::default()));
        TableCache { dir: dir.to_path_buf(), cache, files, tables_max, maps: false, tables }
    }

    /// As it is, with the files of tables mapped into memory where the system can. Reads of blocks
    /// that are not compressed then copy nothing and use no cache; but a page that the disk cannot
    /// give ends the process, where a read would be an [`Error::Io`](crate::Error::Io). Merges and
    /// checks go on reading the files.
    #[must_use]
    pub fn mapped(mut self, maps: bool) -> TableCache {
        self.maps = maps;
        self
    }

    /// The table the manifest remembers as `meta`; opened if it is not. A file of another
    /// identity or length is corruption.
    pub fn open(&self, meta: &TableMeta) -> Result<Arc<Table>> {
        if let Some(table) = self.tables.lock().by_number.get(&meta.number) {
            return Ok(Arc::clone(table));
        }
        // Opened outside the lock: reading an index takes milliseconds.
        let path = self.dir.join(FileName::Table(meta.number).to_string());
        let source = Source::limited(&self.files, path);
        let table = Arc::new(Table::load(source, meta.number, Arc::clone(&self.cache), self.maps)?);
        table.check_is(meta)?;
        let (table, idle) = self.tables.lock().insert(table, self.tables_max);
        // Freed outside the lock too.
        drop(idle);
        Ok(table)
    }

    /// Forgets a table whose file goes away, and frees its blocks in the cache.
    pub fn remove(&self, number: FileNumber) {
        let removed = self.tables.lock().remove(number);
        if let Some(table) = removed {
            table.forget_blocks();
        }
    }

    /// How many tables are held open.
    pub fn len(&self) -> usize {
        self.tables.lock().by_number.len()
    }

    /// Whether no table is held open.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many files are open.
    pub fn open_files(&self) -> usize {
        self.files.len()
    }

    /// The blocks of all its tables.
    pub fn block_cache(&self) -> &Arc<BlockCache> {
        &self.cache
    }
}

impl Tables {
    /// Keeps a table, or gives the one that came first; and takes out idle ones beyond the limit.
    fn insert(&mut self, table: Arc<Table>, tables_max: usize) -> (Arc<Table>, Vec<Arc<Table>>) {
        let number = table.meta().number;
        if let Some(first) = self.by_number.get(&number) {
            return (Arc::clone(first), vec![table]);
        }
        let mut idle = Vec::new();
        for _ in 0..self.order.len() {
            if self.by_number.len() < tables_max {
                break;
            }
            let Some(oldest) = self.order.pop_front() else { break };
            // The map's own reference is the only one, and new ones are made under our lock.
            let is_idle = self.by_number.get(&oldest).is_some_and(|t| Arc::strong_count(t) == 1);
            match is_idle {
                true => idle.extend(self.by_number.remove(&oldest)),
                false => self.order.push_back(oldest),
            }
        }
        self.by_number.insert(number, Arc::clone(&table));
        self.order.push_back(number);
        (table, idle)
    }

    fn remove(&mut self, number: FileNumber) -> Option<Arc<Table>> {
        self.order.retain(|&n| n != number);
        self.by_number.remove(&number)
    }
}
