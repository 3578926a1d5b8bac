//! Copying a store while it goes on.
//!
//! 1. The moment of a checkpoint is one turn of the commit queue: no group and no change of
//!    keyspaces is on its way then. Only positions are taken there; writers go on while files are
//!    linked and copied.
//! 2. Segments are pinned before the version is read: all that its floor needs stay as they are.
//! 3. What is held are files and references, not names: a table that leaves the store meanwhile
//!    keeps its name until the copy is done.
//! 4. Tables, segments and their directories are durable before the manifest that names them; its
//!    durable position is the end of the log's copy, so that nothing of it can get lost unnoticed.
//! 5. What was copied is read back before there is a manifest: a disk that gives other bytes than
//!    it was given makes an error now, not a copy that does not open later.
//! 6. A copy that failed or was cancelled has no CURRENT, and its files are removed.

use crate::checkpoint::{CheckpointInfo, CheckpointProgress};
use crate::error::{Error, Result};
use crate::plant::{Plant, Point, meanwhile, planted};
use crate::store::options::table_options;
use crate::store::recover::list;
use crate::store::state::{Paths, Store};
use crate::super_version::Pinned;
use nori_env::sync::Arc;
use nori_env::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use nori_env::{File, FileSystem, OpenMode};
use nori_manifest::{Manifest, ManifestOptions, Version};
use nori_sstable::{BlockCache, TableCache};
use nori_types::{FileName, FileNumber, SeqNo};
use nori_wal::{Position, SegmentPin, Wal, WalOptions};
use std::ops::ControlFlow;
use std::path::Path;

/// Files are copied in pieces of this length.
const PIECE_BYTES: usize = 1 << 20;

/// Whom a checkpoint tells how far it is, and who may end it.
pub(crate) type Watcher<'a> = &'a mut dyn FnMut(CheckpointProgress) -> ControlFlow<()>;

/// One moment of a store, held.
struct Moment {
    view: Pinned,
    last: SeqNo,
    /// The log, and where it ends; a store that is only read has none.
    log: Option<(SegmentPin, Position)>,
}

impl Store {
    /// Copies the store as it is now into an empty directory.
    pub(crate) fn checkpoint(&self, dir: &Path, watcher: Watcher<'_>) -> Result<CheckpointInfo> {
        self.check_open()?;
        let _caller = self.callers.enter()?;
        let target = Paths::new(&self.fs.absolute(dir)?);
        if self.fs.exists(dir)? && !self.fs.list(dir)?.is_empty() {
            return Err(Error::invalid(format!("{}: is not empty", dir.display())));
        }
        let moment = match &self.writer {
            Some(_) => self.exclusively(|| self.moment())?,
            None => Moment { view: self.pin(), last: self.visible.load(), log: None },
        };
        let mut copy = Copy::new(self, &target, watcher);
        let copied = copy.all(self, moment);
        if copied.is_err() {
            remove_copy(&*self.fs, &target);
        }
        copied
    }

    /// The store at this moment. Only for a leader.
    fn moment(&self) -> Result<Moment> {
        let writer = self.check_writable()?;
        // First, so that no segment that the version needs is retired meanwhile.
        let pin = writer.wal.pin(0);
        let (view, last, end) = (self.pin(), self.visible.load(), writer.wal.end());
        Ok(Moment { view, last, log: Some((pin, end)) })
    }
}

/// A copy on its way.
struct Copy<'a> {
    fs: &'a Arc<dyn FileSystem>,
    source: &'a Paths,
    target: &'a Paths,
    /// To read copies of tables back.
    tables: TableCache,
    progress: CheckpointProgress,
    watcher: Watcher<'a>,
    /// The store is being closed, which waits for this copy.
    closing: &'a AtomicBool,
}

impl<'a> Copy<'a> {
    fn new(store: &'a Store, target: &'a Paths, watcher: Watcher<'a>) -> Copy<'a> {
        let fs = &store.fs;
        let tables = TableCache::new(Arc::clone(fs), &target.sst, BlockCache::new(0), 1);
        let progress = CheckpointProgress::default();
        let closing = &store.cancelled;
        Copy { fs, source: &store.paths, target, tables, progress, watcher, closing }
    }

    fn all(&mut self, store: &Store, moment: Moment) -> Result<CheckpointInfo> {
        let Moment { view, last, log } = moment;
        if let Some((_, end)) = &log {
            store.writer()?.wal.sync_to(*end)?;
        }
        for dir in [&self.target.root, &self.target.wal, &self.target.sst] {
            self.fs.create_dir_all(dir)?;
        }
        let files: Vec<_> = view.version.tables().collect();
        self.progress.files = files.len() as u64;
        self.progress.bytes = files.iter().map(|file| file.meta.bytes).sum();
        let tables = self.progress.files;
        let bytes = self.progress.bytes;
        self.tell(0, 0)?;
        for file in files {
            self.table(file)?;
        }
        meanwhile(Point::Checkpointing);
        let view = if planted(Plant::CheckpointNotPinned) { store.pin() } else { view };
        let (version, log_bytes) = match log {
            Some((pin, end)) => self.log(&view.version, &pin, end)?,
            None => (self.memtables(store, &view, last)?, 0),
        };
        if !planted(Plant::CheckpointNotSynced) {
            self.fs.sync_dir(&self.target.sst)?;
        }
        let options = ManifestOptions::default();
        Manifest::create(Arc::clone(self.fs), &self.target.root, &version, options)?;
        Ok(CheckpointInfo { sequence: last.get(), tables, bytes, log_bytes })
    }

    fn tell(&mut self, files: u64, bytes: u64) -> Result<()> {
        self.progress.files_done += files;
        self.progress.bytes_done += bytes;
        if self.closing.load(Ordering::Acquire) {
            return Err(Error::Closed);
        }
        match (self.watcher)(self.progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Cancelled),
        }
    }

    /// A table, linked where that can be.
    fn table(&mut self, file: &nori_manifest::TableFile) -> Result<()> {
        let (from, to) = (self.source.table(file.number()), self.target.table(file.number()));
        if self.fs.hard_link(&from, &to).is_ok() {
            return self.tell(1, file.meta.bytes);
        }
        let source = self.fs.open(&from, OpenMode::Read)?;
        self.file(&*source, &to, file.meta.bytes)?;
        // A link is the table itself; a copy may have gone wrong on its way.
        self.tables.open(&file.meta)?.verify(&mut |_| ())?;
        self.tell(1, 0)
    }

    /// The first `bytes` of a file; durable but for its name.
    fn file(&mut self, source: &dyn File, to: &Path, bytes: u64) -> Result<()> {
        let target = self.fs.open(to, OpenMode::CreateNew)?;
        let mut buffer = vec![0; PIECE_BYTES.min(usize::try_from(bytes).unwrap_or(PIECE_BYTES))];
        let mut at = 0;
        while at < bytes {
            let wanted = buffer.len().min(usize::try_from(bytes - at).unwrap_or(usize::MAX));
            let read = source.read_at(&mut buffer[..wanted], at)?;
            if read == 0 {
                let what = "a file to copy";
                let (expected, found) = (format!("{bytes} bytes"), format!("{at}"));
                return Err(nori_types::Corruption::new(to, at, what, expected, found).into());
            }
            target.write_at(&buffer[..read], at)?;
            at += read as u64;
            self.tell(0, read as u64)?;
        }
        Ok(target.sync_all()?)
    }

    /// The log from the version's floor up to `end`; what a manifest says of it, and its bytes.
    fn log(
        &mut self,
        version: &Version,
        pin: &SegmentPin,
        end: Position,
    ) -> Result<(Version, u64)> {
        if planted(Plant::CheckpointWithoutLog) {
            let floor = end.segment + 1;
            return Ok((self.without_log(version, floor, version.last_seq)?, 0));
        }
        let needed = pin.segments().iter().filter(|s| s.number >= version.wal_floor);
        let needed: Vec<_> = needed.collect();
        let bytes = needed.iter().map(|segment| segment.end).sum();
        self.progress.files += needed.len() as u64;
        self.progress.bytes += bytes;
        for segment in needed {
            let name = FileName::Segment(FileNumber(segment.number)).to_string();
            self.file(&*segment.file, &self.target.wal.join(name), segment.end)?;
            self.tell(1, 0)?;
        }
        self.fs.sync_dir(&self.target.wal)?;
        self.read_back(version.wal_floor, end)?;
        let edit = version.edit_positions(version.wal_floor, version.last_seq, end);
        Ok((version.apply(&edit)?, bytes))
    }

    /// Reads the log's copy as opening will: every record up to `end` must be there.
    fn read_back(&self, floor: u64, end: Position) -> Result<()> {
        let mode = nori_wal::RecoveryMode::CutTornTail;
        let on_record = &mut |_: Position, _: &[u8]| Ok::<_, Error>(());
        nori_wal::replay(&**self.fs, &self.target.wal, floor, end, mode, on_record).map(drop)
    }

    /// What a reader has replayed, as tables.
    fn memtables(&mut self, store: &Store, view: &Pinned, last: SeqNo) -> Result<Version> {
        let next_file = AtomicU64::new(view.version.next_file);
        let numbers = || FileNumber(next_file.fetch_add(1, Ordering::Relaxed));
        let options = table_options(&store.config);
        let to = nori_compaction::Destination::new(
            &**self.fs,
            &self.target.sst,
            &numbers,
            &options,
            store.config.table_bytes,
        );
        let floor = view.version.wal_floor;
        let durable = view.version.durable;
        let catalog = Arc::clone(&view.version.catalog);
        let dropped = |key: &[u8]| catalog.dropped(key);
        let mut version: Option<Version> = None;
        // Oldest first.
        let memtables: Vec<_> = view.memtables().filter(|m| !m.table.is_empty()).collect();
        for mem in memtables.into_iter().rev() {
            let output = nori_compaction::flush(&mut mem.table.iter(), vec![last], dropped, &to)?;
            let holds = |range: &nori_types::KeyRange| mem.table.has_key_in(range);
            let before = version.as_ref().unwrap_or(&view.version);
            let edit = before
                .edit_flush(&output.tables, &holds, floor, mem.table.last_seq(), durable)
                .with_next_file(next_file.load(Ordering::Relaxed));
            version = Some(before.apply(&edit)?);
        }
        // Above every segment that the manifest promises anything of.
        let above = floor.max(durable.segment) + 1;
        self.without_log(version.as_ref().unwrap_or(&view.version), above, last)
    }

    /// A version whose data is all in tables, with an empty log from `floor` on.
    fn without_log(&self, version: &Version, floor: u64, last: SeqNo) -> Result<Version> {
        let options = WalOptions::default();
        let wal = Wal::create(Arc::clone(self.fs), &self.target.wal, floor, options)?;
        Ok(version.apply(&version.edit_positions(floor, last, wal.durable()))?)
    }
}

/// Removes what a copy has made; the directory it was given stays. What cannot be removed is left
/// to whoever sees the error: without CURRENT it is no store.
fn remove_copy(fs: &dyn FileSystem, target: &Paths) {
    for dir in [&target.root, &target.sst, &target.wal] {
        for name in list(fs, dir).unwrap_or_default() {
            let _ = fs.remove(&dir.join(name.to_string()));
        }
    }
    let _ = fs.remove_dir(&target.sst);
    let _ = fs.remove_dir(&target.wal);
}
