//! Where backups are kept: what a directory and an object store have in common.
//!
//! ```text
//! BACKUP                                    what this place is
//! LOCK                                      held by whoever changes it
//! tables/0123456789abcdef-000012.sst        each table once, for all generations
//! generations/000007/CURRENT ...            the other files of generation 7
//! generations/000007.gen                    its list: the generation exists if this does
//! ```
//!
//! 1. What a `put` or `publish` that returned Ok wrote is durable, under its name, in whole, once
//!    `settle` on its directory returned Ok too; before, it is there in whole or not at all.
//! 2. Names are made by this crate from parsed parts; a target never takes one from a list as a
//!    path.

use crate::error::{Error, Result};
use crate::generation::{SmallFile, TableKey};
use crate::sum::Sum;
use nori_env::sync::Arc;
use nori_env::{File, FileLock};
use nori_types::TableMeta;
use std::fmt::Debug;
use std::path::PathBuf;

#[cfg(feature = "object-store")]
pub(crate) mod bucket;
pub(crate) mod dir;

/// Files are read and written in pieces of this length.
pub(crate) const PIECE_BYTES: usize = 1 << 20;

/// The directories of a target.
pub(crate) const TABLES: &str = "tables";
pub(crate) const GENERATIONS: &str = "generations";
/// What says that a place is a target.
pub(crate) const MARK: &str = "BACKUP";

/// Takes a file piece by piece.
pub(crate) type Sink<'a> = &'a mut dyn FnMut(&[u8]) -> Result<()>;

/// A place for backups. Names have '/' between directories.
pub(crate) trait Target: Debug + Send + Sync {
    /// A name as people know it.
    fn place(&self, name: &str) -> PathBuf;
    /// The names in a directory, without it; none where there is no directory.
    fn list(&self, dir: &str) -> Result<Vec<String>>;
    /// Fails if the place holds what no backup has.
    fn refuse_foreign(&self) -> Result<()>;
    /// Makes a place with this MARK, unless somebody else has made it meanwhile.
    fn begin(&self, mark: &[u8]) -> Result<()>;
    /// The length of a file; `None` if there is none.
    fn length(&self, name: &str) -> Result<Option<u64>>;
    /// Reads a file to its end; false if there is none.
    fn read(&self, name: &str, sink: Sink<'_>) -> Result<bool>;
    /// Copies a file that is no table, and checks what was copied.
    fn put_file(&self, name: &str, source: &Arc<dyn File>, sink: Sink<'_>) -> Result<Sum>;
    /// Copies a table, and checks every block and what is known of it.
    fn put_table(
        &self,
        name: &str,
        source: &Arc<dyn File>,
        meta: &TableMeta,
        sink: Sink<'_>,
    ) -> Result<Sum>;
    /// The sum of a table that an earlier run left without a list, if it is as good as the source.
    fn adopt_table(
        &self,
        name: &str,
        source: &Arc<dyn File>,
        meta: &TableMeta,
    ) -> Result<Option<Sum>>;
    /// Writes a small file; one of that name is an error.
    fn publish(&self, name: &str, bytes: &[u8]) -> Result<()>;
    /// Makes a directory.
    fn make_dir(&self, dir: &str) -> Result<()>;
    /// Makes the names in a directory durable.
    fn settle(&self, dir: &str) -> Result<()>;
    /// Removes a file.
    fn remove(&self, name: &str) -> Result<()>;
    /// Removes an empty directory.
    fn remove_dir(&self, dir: &str) -> Result<()>;
    /// Takes the place for oneself. `token` is of this call alone.
    fn lock(&self, token: u64) -> Result<Box<dyn FileLock>>;
    /// Takes away a lock that a process left when it died.
    fn unlock(&self) -> Result<()>;
}

/// Where a table lies.
pub(crate) fn table_name(key: &TableKey) -> String {
    format!("{TABLES}/{key}.sst")
}

/// Where the list of a generation lies.
pub(crate) fn list_name(generation: u64) -> String {
    format!("{GENERATIONS}/{generation:06}.gen")
}

/// Where the other files of a generation lie.
pub(crate) fn generation_dir(generation: u64) -> String {
    format!("{GENERATIONS}/{generation:06}")
}

/// Where a file of a generation lies.
pub(crate) fn file_name(generation: u64, file: &SmallFile) -> String {
    format!("{}/{}", generation_dir(generation), file.flat())
}

/// The generation that a name in GENERATIONS speaks of: its list, or its directory.
pub(crate) fn parse_generation(name: &str, ending: &str) -> Option<u64> {
    let number: u64 = name.strip_suffix(ending)?.parse().ok()?;
    (format!("{number:06}{ending}") == name).then_some(number)
}

/// Reads a whole small file; `None` if there is none.
pub(crate) fn read_all(target: &dyn Target, name: &str) -> Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let found = target.read(name, &mut |piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    })?;
    Ok(found.then_some(bytes))
}

/// Reads a file, which must be as its list says, before anybody believes its end.
pub(crate) fn read_checked(
    target: &dyn Target,
    name: &str,
    known: &Sum,
    sink: Sink<'_>,
) -> Result<()> {
    let mut summing = crate::sum::Summing::default();
    let found = target.read(name, &mut |piece| {
        summing.add(piece);
        sink(piece)
    })?;
    let path = target.place(name);
    if !found {
        return Err(Error::missing(&path, "a file of a backup"));
    }
    let sum = summing.finish();
    if sum.bytes != known.bytes {
        let at = sum.bytes.min(known.bytes);
        return Err(Error::corrupt(&path, at, "the length of the file", known.bytes, sum.bytes));
    }
    if sum != *known {
        let hex = |sum: &Sum| format!("{:032x}", sum.digest);
        return Err(Error::corrupt(&path, 0, "the digest of the file", hex(known), hex(&sum)));
    }
    Ok(())
}
