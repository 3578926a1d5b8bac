//! The tables of a store that are open, by their number.
//!
//! 1. A table is opened once, however many ask for it at the same time they may open it twice,
//!    but all get the same one.
//! 2. At most `max_open_files` files are open (and as many more as threads are reading); a table
//!    whose file was closed opens it again.
//! 3. At most so many tables that nobody uses are kept, and with a limit of bytes none while the
//!    indexes and filters of all open tables are more; those in use are never closed.
//! 4. A table that was closed and is opened again has its number in the block cache, so the blocks
//!    it read are found again.
//! 5. With a thread that opens tables, no other thread does as long as it lives.
//! 6. A file must stay in its directory while its table is in use.

mod opener;

use crate::cache::BlockCache;
use crate::error::Result;
use crate::files::{OpenFiles, Source};
use crate::table::Table;
use nori_env::FileSystem;
use nori_env::sync::{Arc, Mutex};
use nori_types::{FileName, FileNumber, TableMeta};
use opener::{Opener, Order};
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
    /// Bytes of indexes and filters above which idle tables are closed.
    pinned_bytes_max: u64,
    opener: Option<Opener>,
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    by_number: HashMap<FileNumber, Kept>,
    /// In order of opening, oldest first; each open table once.
    order: VecDeque<FileNumber>,
    /// Those that were closed: their numbers in the block cache, and how many blocks they have.
    closed: HashMap<FileNumber, (u64, usize)>,
}

#[derive(Debug)]
struct Kept {
    table: Arc<Table>,
    /// Asked for since it was last passed over.
    was_used: bool,
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
        let (dir, maps, pinned_bytes_max) = (dir.to_path_buf(), false, u64::MAX);
        let opener = None;
        TableCache { dir, cache, files, tables_max, maps, pinned_bytes_max, opener, tables }
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

    /// Closes idle tables while the indexes and filters of the open ones are more bytes than
    /// this. Without a limit they are kept up to their number.
    #[must_use]
    pub fn pinned_bytes_max(mut self, bytes: u64) -> TableCache {
        self.pinned_bytes_max = bytes;
        self
    }

    /// Opens all tables on a thread of their own, so that an allocator that keeps memory by thread
    /// keeps one for indexes and filters, not one for each reader.
    #[must_use]
    pub fn opened_apart(mut self) -> TableCache {
        self.opener = Opener::start();
        self
    }

    /// Whether a table that was opened may be held for good by somebody who reads it again and
    /// again. As long as half of the limit is free; beyond that tables take turns, and whoever
    /// wants one asks for it here.
    pub fn may_hold(&self) -> bool {
        self.cache.pinned() <= self.pinned_bytes_max / 2
    }

    /// The table the manifest remembers as `meta`; opened if it is not. A file of another
    /// identity or length is corruption.
    pub fn open(&self, meta: &TableMeta) -> Result<Arc<Table>> {
        if let Some(kept) = self.tables.lock().by_number.get_mut(&meta.number) {
            kept.was_used = true;
            return Ok(Arc::clone(&kept.table));
        }
        // Opened outside the lock: reading an index takes milliseconds.
        let path = self.dir.join(FileName::Table(meta.number).to_string());
        let order = || Order {
            source: Source::limited(&self.files, path.clone()),
            number: meta.number,
            cache: Arc::clone(&self.cache),
            maps: self.maps,
        };
        let opened = self.opener.as_ref().and_then(|opener| opener.open(order()));
        let table = opened.unwrap_or_else(|| order().load())?;
        table.check_is(meta)?;
        let (table, idle) = self.tables.lock().insert(table, self.tables_max);
        // Freed outside the lock too.
        drop(idle);
        self.close_idle();
        Ok(table)
    }

    /// Closes idle tables as long as the open ones are too many bytes.
    fn close_idle(&self) {
        while self.cache.pinned() > self.pinned_bytes_max {
            let Some(idle) = self.tables.lock().take_idle() else { break };
            self.cache.note_turns();
            drop(idle);
        }
    }

    /// Forgets a table whose file goes away, and frees its blocks in the cache.
    pub fn remove(&self, number: FileNumber) {
        let (open, closed) = self.tables.lock().remove(number);
        if let Some(table) = open {
            table.forget_blocks();
        }
        if let Some((owner, blocks)) = closed {
            self.cache.forget(owner, blocks);
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
    fn insert(&mut self, mut table: Table, tables_max: usize) -> (Arc<Table>, Vec<Arc<Table>>) {
        let number = table.meta().number;
        if let Some(first) = self.by_number.get(&number) {
            return (Arc::clone(&first.table), vec![Arc::new(table)]);
        }
        if let Some((owner, _)) = self.closed.remove(&number) {
            table.adopt(owner);
        }
        let table = Arc::new(table);
        let mut idle = Vec::new();
        while self.by_number.len() >= tables_max {
            let Some(table) = self.take_idle() else { break };
            idle.push(table);
        }
        self.by_number.insert(number, Kept { table: Arc::clone(&table), was_used: false });
        self.order.push_back(number);
        (table, idle)
    }

    /// The oldest table that nobody uses and that was not asked for lately; if all were, then
    /// whatever is idle.
    fn take_idle(&mut self) -> Option<Arc<Table>> {
        for _ in 0..2 * self.order.len() {
            let oldest = self.order.pop_front()?;
            let Some(kept) = self.by_number.get_mut(&oldest) else { continue };
            // The map's own reference is the only one, and new ones are made under our lock.
            let is_idle = Arc::strong_count(&kept.table) == 1;
            if is_idle && !std::mem::take(&mut kept.was_used) {
                let (owner, blocks) = (kept.table.owner(), kept.table.block_count());
                self.closed.insert(oldest, (owner, blocks));
                return self.by_number.remove(&oldest).map(|kept| kept.table);
            }
            self.order.push_back(oldest);
        }
        None
    }

    fn remove(&mut self, number: FileNumber) -> (Option<Arc<Table>>, Option<(u64, usize)>) {
        self.order.retain(|&n| n != number);
        let open = self.by_number.remove(&number).map(|kept| kept.table);
        (open, self.closed.remove(&number))
    }
}
