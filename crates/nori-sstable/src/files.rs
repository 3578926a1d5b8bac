//! Open files of tables, at most so many at a time.
//!
//! A table keeps its path and opens its file when it reads. When more than the limit are open,
//! the ones that were not read since the last look are closed (a clock); reading them again opens
//! them again. So no number of tables fails for want of file handles.
//!
//! 1. `open` holds exactly the slots whose file is open, or is about to be closed by the thread
//!    that took them out.
//! 2. A slot's lock and the lock of `open` are never held together.
//! 3. A file that is being read stays open until the read is over, even if its slot was emptied:
//!    the limit may be passed by as many files as there are threads reading.

use nori_env::sync::atomic::{AtomicBool, Ordering};
use nori_env::sync::{Arc, Mutex};
use nori_env::{File, FileSystem, FsResult, OpenMode};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};

/// The files open at a time.
#[derive(Debug)]
pub(crate) struct OpenFiles {
    fs: Arc<dyn FileSystem>,
    files_max: usize,
    open: Mutex<VecDeque<Arc<FileSlot>>>,
}

/// One table's file, open or not.
#[derive(Debug)]
pub(crate) struct FileSlot {
    path: PathBuf,
    file: Mutex<Option<Arc<dyn File>>>,
    /// Read since the clock's hand passed.
    was_used: AtomicBool,
}

/// Where a table's bytes come from.
#[derive(Debug)]
pub(crate) enum Source {
    /// A file that stays open as long as the table.
    Held(Arc<dyn File>),
    /// A file that is opened when it is read.
    Limited(Arc<OpenFiles>, Arc<FileSlot>),
}

impl Source {
    pub(crate) fn limited(files: &Arc<OpenFiles>, path: PathBuf) -> Source {
        let (file, was_used) = (Mutex::new(None), AtomicBool::new(false));
        let slot = FileSlot { path, file, was_used };
        Source::Limited(Arc::clone(files), Arc::new(slot))
    }

    pub(crate) fn path(&self) -> &Path {
        match self {
            Source::Held(file) => file.path(),
            Source::Limited(_, slot) => &slot.path,
        }
    }

    /// The file, opened if it is not.
    pub(crate) fn file(&self) -> FsResult<Arc<dyn File>> {
        match self {
            Source::Held(file) => Ok(Arc::clone(file)),
            Source::Limited(files, slot) => files.file(slot),
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        if let Source::Limited(files, slot) = self {
            files.open.lock().retain(|open| !Arc::ptr_eq(open, slot));
        }
    }
}

impl OpenFiles {
    pub(crate) fn new(fs: Arc<dyn FileSystem>, files_max: usize) -> Arc<OpenFiles> {
        let open = Mutex::new(VecDeque::new());
        Arc::new(OpenFiles { fs, files_max: files_max.max(1), open })
    }

    /// How many files are open.
    pub(crate) fn len(&self) -> usize {
        self.open.lock().len()
    }

    fn file(&self, slot: &Arc<FileSlot>) -> FsResult<Arc<dyn File>> {
        // A hint for the clock; it orders nothing.
        slot.was_used.store(true, Ordering::Relaxed);
        let file = {
            let mut held = slot.file.lock();
            if let Some(file) = &*held {
                return Ok(Arc::clone(file));
            }
            let file = self.fs.open(&slot.path, OpenMode::Read)?;
            *held = Some(Arc::clone(&file));
            file
        };
        for evicted in self.make_room(slot) {
            *evicted.file.lock() = None;
        }
        Ok(file)
    }

    /// Puts a slot whose file was just opened among the open ones; takes out those beyond the
    /// limit.
    fn make_room(&self, opened: &Arc<FileSlot>) -> Vec<Arc<FileSlot>> {
        let mut evicted = Vec::new();
        let mut open = self.open.lock();
        let mut chances = open.len();
        while open.len() >= self.files_max {
            let Some(slot) = open.pop_front() else { break };
            if chances > 0 && slot.was_used.swap(false, Ordering::Relaxed) {
                chances -= 1;
                open.push_back(slot);
            } else {
                evicted.push(slot);
            }
        }
        open.push_back(Arc::clone(opened));
        evicted
    }
}
