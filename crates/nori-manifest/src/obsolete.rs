//! Table files as versions hold them, and the queue of those that nobody holds any more.
//!
//! Invariants:
//! 1. All references to one file, in all versions, share one [`TableFile`].
//! 2. A file's number enters the queue at most once, when its last holder lets go, and only if
//!    it had left the newest version before: closing a store queues nothing.
//! 3. A file that left the newest version never comes back.

use nori_env::sync::Arc;
use nori_env::sync::Mutex;
use nori_env::sync::atomic::{AtomicBool, Ordering};
use nori_types::{FileNumber, TableMeta};

/// The numbers of table files that may be deleted. A clone is the same queue.
#[derive(Clone, Debug, Default)]
pub struct Obsolete {
    numbers: Arc<Mutex<Vec<FileNumber>>>,
}

impl Obsolete {
    /// An empty queue.
    pub fn new() -> Obsolete {
        Obsolete { numbers: Arc::new(Mutex::new(Vec::new())) }
    }

    /// Takes all numbers out. The caller deletes the files; while the manifest is not settled it
    /// must not (see `Manifest::is_settled`), so ask that first.
    pub fn take(&self) -> Vec<FileNumber> {
        std::mem::take(&mut *self.numbers.lock())
    }

    /// Adds a file that no version ever held: an output of work that was given up.
    pub fn add(&self, number: FileNumber) {
        self.numbers.lock().push(number);
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.numbers.lock().is_empty()
    }
}

/// A table file that versions hold.
#[derive(Debug)]
pub struct TableFile {
    /// What the builder reported of the table.
    pub meta: TableMeta,
    /// The newest version does not hold it any more.
    left: AtomicBool,
    queue: Obsolete,
}

impl TableFile {
    /// The one handle of a new file.
    pub fn new(meta: TableMeta, queue: &Obsolete) -> Arc<TableFile> {
        Arc::new(TableFile::unshared(meta, queue))
    }

    /// The handle before it is shared; for models that watch who shares it.
    #[doc(hidden)]
    pub fn unshared(meta: TableMeta, queue: &Obsolete) -> TableFile {
        TableFile { meta, left: AtomicBool::new(false), queue: queue.clone() }
    }

    /// The newest version has let go of the file; whoever holds it last queues its number.
    pub fn leave(&self) {
        // Relaxed is enough: the caller still holds a reference, and dropping that one orders
        // this store before the last holder's drop.
        self.left.store(true, Ordering::Relaxed);
    }

    /// The file's number.
    pub fn number(&self) -> FileNumber {
        self.meta.number
    }
}

impl Drop for TableFile {
    fn drop(&mut self) {
        if self.left.load(Ordering::Relaxed) {
            self.queue.add(self.meta.number);
        }
    }
}
