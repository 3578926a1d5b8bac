//! Sorted entries become table files.
//!
//! One thread runs a job. The durable order is: a table is written, its file synced (on the way
//! too, if the caller wants that), then the next; at the end the directory is synced, and only then
//! are the tables reported. Whoever installs them writes the manifest after that.
//!
//! 1. A table is never cut between two versions of one user key.
//! 2. A file whose write or sync failed is given up, never tried again: after a failed sync
//!    nothing is known of its bytes.
//! 3. A job that does not finish, whatever the reason, removes what it made. That is only tidy:
//!    a crash leaves files too, and the next open sweeps them.

use crate::plant::{Plant, Planted};
use crate::{Error, Result, Retain, Verdict};
use bytes::Bytes;
use nori_env::sync::Arc;
use nori_env::sync::atomic::{AtomicBool, Ordering};
use nori_env::{File, FileSystem, OpenMode};
use nori_manifest::TableRef;
use nori_sstable::{TableBuilder, TableOptions};
use nori_types::{
    FileName, FileNumber, InternalIterator, InternalKey, KeyRange, SeqNo, TableMeta, ValueKind,
    successor,
};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// How many bytes of entries are read between two looks at the flag that cancels.
const PULSE_BYTES: u64 = 256 << 10;

/// What an entry counts for besides its key and value, so that a job over empty entries looks
/// up too.
const ENTRY_BYTES: u64 = 8;

/// Where a job's tables go.
#[derive(Clone, Copy)]
pub struct Destination<'a> {
    /// The file system.
    pub fs: &'a dyn FileSystem,
    /// The directory of the tables.
    pub dir: &'a Path,
    /// Gives a number that was never given before.
    pub new_number: &'a dyn Fn() -> FileNumber,
    /// How tables are built.
    pub table: &'a TableOptions,
    /// A table is ended at the first new user key once it has this many bytes.
    pub table_bytes: u64,
    /// Keys at which a table is ended too, ascending; empty for none.
    pub guards: &'a [Bytes],
    /// What is merged into these tables; empty for a flush.
    pub inputs: &'a [TableRef],
    /// Set by another thread to end the job with [`Error::Cancelled`].
    pub cancelled: Option<&'a AtomicBool>,
    /// Told, every 256 KiB or so, how many bytes of entries were read since it was last told.
    /// May wait, to slow the job down.
    pub progress: Option<&'a dyn Fn(u64)>,
    /// A file is synced each time it has grown by this many bytes, not only at its end. For disks
    /// whose file system makes everybody's sync wait for the unwritten bytes of a large table.
    pub writeback_bytes: Option<u64>,
}

impl<'a> Destination<'a> {
    /// Tables of `table_bytes` in `dir`, without guards, each synced once, not to be cancelled.
    pub fn new(
        fs: &'a dyn FileSystem,
        dir: &'a Path,
        new_number: &'a dyn Fn() -> FileNumber,
        table: &'a TableOptions,
        table_bytes: u64,
    ) -> Destination<'a> {
        Destination {
            fs,
            dir,
            new_number,
            table,
            table_bytes,
            guards: &[],
            inputs: &[],
            cancelled: None,
            progress: None,
            writeback_bytes: None,
        }
    }

    fn path(&self, number: FileNumber) -> PathBuf {
        self.dir.join(FileName::Table(number).to_string())
    }

    /// The inputs that are merged with all the keys they have in a range. Of others a part that is
    /// not merged here may hold newer versions.
    fn merged_within(&self, span: &KeyRange) -> Vec<FileNumber> {
        let all_of = |table: &&TableRef| {
            let meta = &table.file.meta;
            let wanted = span.intersection(&KeyRange::new(meta.smallest.clone(), Some(meta.end())));
            !wanted.is_empty() && table.range.intersection(&wanted) == wanted
        };
        let numbers = self.inputs.iter().filter(all_of).map(|table| table.file.number());
        numbers.collect::<BTreeSet<FileNumber>>().into_iter().collect()
    }

    fn pulse(&self, bytes: u64) -> Result<()> {
        // Relaxed: the flag carries no data.
        if self.cancelled.is_some_and(|flag| flag.load(Ordering::Relaxed)) {
            return Err(Error::Cancelled);
        }
        if let Some(progress) = self.progress {
            progress(bytes);
        }
        Ok(())
    }
}

/// What a job made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// The tables, by key. Durable, their names too. Empty when nothing survived.
    pub tables: Vec<TableMeta>,
    /// What it took.
    pub stats: Stats,
}

/// Counts of one job.
///
/// All are exact but for `input_bytes`: the part of a table that a clip shows is as large as the
/// manifest says, which is exact for whole tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Bytes of the files that the job read, as far as clips show them; none for a flush.
    pub input_bytes: u64,
    /// Key and value bytes of the entries read.
    pub bytes_read: u64,
    /// Lengths of the files written.
    pub bytes_written: u64,
    /// Entries read.
    pub entries_in: u64,
    /// Entries written.
    pub entries_out: u64,
    /// Entries read and not written, tombstones among them.
    pub entries_dropped: u64,
    /// Tombstones read.
    pub tombstones_in: u64,
    /// Tombstones written.
    pub tombstones_out: u64,
    /// Tombstones read and not written.
    pub tombstones_dropped: u64,
}

/// Writes the entries of `source` that `retain` keeps, from its first to its last, as tables
/// side by side.
///
/// Errors: reading the source, writing, syncing, [`Error::Cancelled`]. Then no table is left.
pub fn write_tables<I, F>(
    source: &mut I,
    mut retain: Retain<F>,
    to: &Destination<'_>,
) -> Result<Output>
where
    I: InternalIterator,
    Error: From<I::Error>,
    F: Fn(&[u8]) -> Option<SeqNo>,
{
    let mut writer = Writer::new(to);
    writer.planted = retain.planted;
    let mut stats = Stats::default();
    let mut since_pulse = 0;
    to.pulse(0)?;
    source.seek_first()?;
    while source.is_valid() {
        let (key, value) = (source.key(), source.value());
        let entry_bytes = (key.user_key.len() + value.len()) as u64;
        let tombstones = u64::from(key.kind == ValueKind::Tombstone);
        stats.entries_in += 1;
        stats.tombstones_in += tombstones;
        stats.bytes_read += entry_bytes;
        match retain.verdict(key) {
            Verdict::Keep(seq) => writer.add(InternalKey { seq, ..key }, value)?,
            Verdict::Shadowed | Verdict::Spent | Verdict::Purged => {
                stats.entries_dropped += 1;
                stats.tombstones_dropped += tombstones;
            }
        }
        source.next()?;
        since_pulse += entry_bytes + ENTRY_BYTES;
        if since_pulse >= PULSE_BYTES {
            to.pulse(since_pulse)?;
            since_pulse = 0;
        }
    }
    let tables = writer.finish()?;
    stats.entries_out = stats.entries_in - stats.entries_dropped;
    stats.tombstones_out = stats.tombstones_in - stats.tombstones_dropped;
    stats.bytes_written = tables.iter().map(|t| t.bytes).sum();
    Ok(Output { tables, stats })
}

/// A table that is being written.
struct OpenTable {
    file: Arc<dyn File>,
    builder: TableBuilder,
    first_key: Bytes,
    /// How long the table was when its file was last synced, about.
    synced_bytes: u64,
}

/// The tables of one job. Dropped unfinished, it removes them.
struct Writer<'a> {
    to: &'a Destination<'a>,
    open: Option<OpenTable>,
    /// How many guards lie at or before the last key.
    guards_passed: usize,
    tables: Vec<TableMeta>,
    /// Every file made, finished or not.
    made: Vec<FileNumber>,
    planted: Planted,
}

impl<'a> Writer<'a> {
    fn new(to: &'a Destination<'a>) -> Writer<'a> {
        let (tables, made, planted) = (Vec::new(), Vec::new(), Planted::default());
        Writer { to, open: None, guards_passed: 0, tables, made, planted }
    }

    fn add(&mut self, key: InternalKey<'_>, value: &[u8]) -> Result<()> {
        let passes_guard = self.pass_guards(key.user_key);
        if let Some(OpenTable { builder, .. }) = &self.open
            && (passes_guard || builder.estimated_bytes() >= self.to.table_bytes)
            && (builder.last_user_key() != Some(key.user_key)
                || self.planted.has(Plant::KeySplitByCut))
        {
            self.cut()?;
        }
        let open = match &mut self.open {
            Some(open) => open,
            None => {
                let open = self.open.insert(Self::create(self.to, &mut self.made)?);
                open.first_key = Bytes::copy_from_slice(key.user_key);
                open
            }
        };
        open.builder.add(key, value)?;
        match self.to.writeback_bytes {
            Some(bytes) => open.write_back(bytes),
            None => Ok(()),
        }
    }

    /// Whether a guard lies between the last key and this one, or at it.
    fn pass_guards(&mut self, user_key: &[u8]) -> bool {
        let ahead = self.to.guards.get(self.guards_passed..).unwrap_or_default();
        let passed = ahead.iter().take_while(|guard| &guard[..] <= user_key).count();
        self.guards_passed += passed;
        passed > 0
    }

    fn create(to: &Destination<'_>, made: &mut Vec<FileNumber>) -> Result<OpenTable> {
        let number = (to.new_number)();
        let file = to.fs.open(&to.path(number), OpenMode::CreateNew)?;
        made.push(number);
        let id = to.fs.random();
        let builder = TableBuilder::new(Arc::clone(&file), number, id, *to.table);
        Ok(OpenTable { file, builder, first_key: Bytes::new(), synced_bytes: 0 })
    }

    /// Ends the open table.
    fn cut(&mut self) -> Result<()> {
        if let Some(OpenTable { file, builder, first_key, .. }) = self.open.take() {
            let span = KeyRange::new(first_key, builder.last_user_key().map(successor));
            let meta = builder.merged_from(&self.to.merged_within(&span)).finish()?;
            file.sync_data()?;
            self.tables.push(meta);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<TableMeta>> {
        self.cut()?;
        if !self.made.is_empty() {
            self.to.fs.sync_dir(self.to.dir)?;
        }
        self.made.clear();
        Ok(std::mem::take(&mut self.tables))
    }
}

impl OpenTable {
    /// Syncs the file if the table has grown by `bytes` since the last time. What the builder
    /// still gathers is in no file yet and comes with the next sync.
    fn write_back(&mut self, bytes: u64) -> Result<()> {
        let now = self.builder.estimated_bytes();
        if now.saturating_sub(self.synced_bytes) >= bytes {
            self.file.sync_data()?;
            self.synced_bytes = now;
        }
        Ok(())
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        self.open = None;
        // A file system that panicked is not called again while that unwinds: a second panic would
        // end the process.
        if std::thread::panicking() {
            return;
        }
        for number in self.made.drain(..) {
            // What cannot be removed now is swept at the next open.
            self.to.fs.remove(&self.to.path(number)).ok();
        }
    }
}

#[cfg(test)]
mod tests;
