//! What a store's directory holds, read without changing anything.
//!
//! The manifest is read, then the log replayed on top of it into memtables. Only what the log
//! holds above the manifest's last sequence number counts: the rest is in tables already.

use crate::batch::{BadPayload, Operations};
use crate::config::{Config, RecoveryMode};
use crate::error::{Error, Result};
use crate::metrics::RecoveryReport;
use crate::plant::{Plant, planted};
use crate::store::state::Paths;
use crate::super_version::Mem;
use nori_env::sync::Arc;
use nori_env::{FileLock, FileSystem, FsError};
use nori_manifest::{Catalog, Manifest, Version, split_prefix};
use nori_types::{Corruption, FileName, FormatTooNew, SeqNo, ValueKind};
use nori_wal::{Position, Replayed};
use std::collections::BTreeSet;
use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
use std::path::{Path, PathBuf};

/// A store as its files tell it.
pub(crate) struct Found {
    pub(crate) version: Version,
    /// What the log holds above the manifest, oldest first; the last may be empty.
    pub(crate) memtables: Vec<Arc<Mem>>,
    /// Where the last replayed record ends.
    pub(crate) log_end: Position,
    /// The highest segment number in the directory.
    pub(crate) highest_segment: u64,
    /// Whether the manifest's end could not be read.
    pub(crate) manifest_cut: bool,
    /// A later nori wrote the manifest and allows this one to read it, but not to write.
    pub(crate) read_only: bool,
    pub(crate) report: RecoveryReport,
}

impl Found {
    /// The last sequence number that the store shows.
    pub(crate) fn last_seq(&self) -> SeqNo {
        let replayed = self.memtables.iter().map(|m| m.table.last_seq()).max();
        let (known, replayed) = (self.version.last_known(), replayed.unwrap_or_default());
        match () {
            () if planted(Plant::SeqIgnoresManifest) => replayed,
            () if planted(Plant::SeqIgnoresReplay) => known,
            () => known.max(replayed),
        }
    }
}

/// Reads a store. `Ok(None)`: there is none, at most an unfinished creation.
pub(crate) fn find(config: &Config, paths: &Paths) -> Result<Option<Found>> {
    let fs = &*config.file_system;
    check_finished(config, paths)?;
    let Some(loaded) = Manifest::load(fs, &paths.root)? else {
        check_unfinished(fs, paths)?;
        return Ok(None);
    };
    let version = loaded.version;
    version.check().map_err(|what| {
        let current = paths.current();
        Corruption::new(current, 0, "the manifest's version", "all invariants", what)
    })?;
    check_tables_exist(fs, paths, &version)?;
    let mut replay = Replay::new(config, paths, &version);
    let mode = match config.wal_recovery {
        RecoveryMode::CutTornTail => nori_wal::RecoveryMode::CutTornTail,
        RecoveryMode::Strict => nori_wal::RecoveryMode::Strict,
        RecoveryMode::Salvage => nori_wal::RecoveryMode::Salvage,
    };
    let (floor, durable) = (version.wal_floor, version.durable);
    let is_read = |name: &&FileName| matches!(name, FileName::Segment(n) if n.0 >= floor);
    let segments = list(fs, &paths.wal)?.iter().filter(is_read).count() as u64;
    let mut on_record = |at: Position, payload: &[u8]| replay.record(at, payload);
    let replayed = nori_wal::replay(fs, &paths.wal, floor, durable, mode, &mut on_record)?;
    let memtables = replay.memtables;
    let mut report = replay.report;
    note(&mut report, &replayed);
    report.manifest_cut = loaded.cut;
    report.segments = segments;
    let mut found = Found {
        version,
        memtables,
        log_end: replayed.end,
        highest_segment: replayed.highest_segment,
        manifest_cut: loaded.cut,
        read_only: loaded.read_only,
        report,
    };
    found.report.last_sequence = found.last_seq().get();
    Ok(Some(found))
}

/// The lock of a store that is not opened, only read, and changed in no way. `refused` is told of a
/// medium that takes no lock: whoever has a store open can write to it, so mostly nobody has.
pub(crate) fn lock_to_read(
    fs: &dyn FileSystem,
    paths: &Paths,
    refused: impl FnOnce(FsError),
) -> Result<Option<Box<dyn FileLock>>> {
    let path = paths.lock();
    // Without the file nobody holds it, and taking it would make it.
    if !fs.exists(&path)? {
        return Ok(None);
    }
    match fs.lock(&path) {
        Ok(Some(lock)) => Ok(Some(lock)),
        Ok(None) => Err(Error::Locked { path }),
        Err(e) if matches!(e.source.kind(), PermissionDenied | ReadOnlyFilesystem) => {
            refused(e);
            Ok(None)
        }
        Err(e) => Err(e.into()),
    }
}

/// What a repair has not finished looks like a store and is not all of it.
pub(crate) fn check_finished(config: &Config, paths: &Paths) -> Result<()> {
    if !config.in_repair && config.file_system.exists(&paths.repairing())? {
        return Err(Error::UnfinishedRepair { path: paths.root.clone() });
    }
    Ok(())
}

fn note(report: &mut RecoveryReport, replayed: &Replayed) {
    report.torn_tail = replayed.torn.as_ref().map(|t| (t.path.clone(), t.offset, t.bytes));
    report.segments_discarded = replayed.discarded_segments.clone();
    let lost = replayed.lost.iter();
    report.salvage_lost =
        lost.map(|l| format!("{}: from {}: {}", l.path.display(), l.from, l.what)).collect();
}

/// Without CURRENT there is no store, unless its data says otherwise.
pub(crate) fn check_unfinished(fs: &dyn FileSystem, paths: &Paths) -> Result<()> {
    let tables = list(fs, &paths.sst)?.iter().any(|n| matches!(n, FileName::Table(_)));
    if tables || nori_wal::has_records(fs, &paths.wal)? {
        let what = "the store's directory";
        let found = "tables or log records without it";
        return Err(Corruption::new(paths.current(), 0, what, "CURRENT", found).into());
    }
    Ok(())
}

/// nori's files in a directory; none where there is no directory.
pub(crate) fn list(fs: &dyn FileSystem, dir: &Path) -> Result<Vec<FileName>> {
    match fs.list(dir) {
        Ok(names) => Ok(names.iter().filter_map(|name| FileName::parse(name)).collect()),
        Err(e) if e.is_not_found() => Ok(Vec::new()),
        Err(e) => Err(e.into()),
    }
}

fn check_tables_exist(fs: &dyn FileSystem, paths: &Paths, version: &Version) -> Result<()> {
    let names = list(fs, &paths.sst)?;
    let present: BTreeSet<u64> = names
        .iter()
        .filter_map(|name| match name {
            FileName::Table(number) => Some(number.0),
            _ => None,
        })
        .collect();
    match version.tables().find(|file| !present.contains(&file.number().0)) {
        Some(file) => {
            let path = paths.table(file.number());
            Err(Corruption::new(path, 0, "a table", "the file", "none").into())
        }
        None => Ok(()),
    }
}

/// Reads the log as opening does and keeps nothing; `on_bytes` is told of each record's bytes.
///
/// # Errors
/// What opening would say.
pub(crate) fn check_log(
    config: &Config,
    paths: &Paths,
    version: &Version,
    on_bytes: &mut dyn FnMut(u64),
) -> Result<Replayed> {
    let config = config.clone().wal_recovery(RecoveryMode::CutTornTail);
    let mut replay = Replay { keeps: false, ..Replay::new(&config, paths, version) };
    let mut on_record = |at: Position, payload: &[u8]| {
        on_bytes(nori_wal::RECORD_HEADER_BYTES + payload.len() as u64);
        replay.record(at, payload)
    };
    let (fs, mode) = (&*config.file_system, nori_wal::RecoveryMode::CutTornTail);
    nori_wal::replay(fs, &paths.wal, version.wal_floor, version.durable, mode, &mut on_record)
}

/// Replays records into memtables of about the configured size.
struct Replay<'a> {
    paths: &'a Paths,
    memtable_bytes: usize,
    /// What is read goes into the memtables.
    keeps: bool,
    flushed: SeqNo,
    /// The last sequence number seen; `None` where records may be skipped.
    last: Option<SeqNo>,
    catalog: Arc<Catalog>,
    memtables: Vec<Arc<Mem>>,
    report: RecoveryReport,
}

impl<'a> Replay<'a> {
    fn new(config: &Config, paths: &'a Paths, version: &Version) -> Replay<'a> {
        Replay {
            paths,
            memtable_bytes: config.memtable_bytes,
            keeps: true,
            flushed: match planted(Plant::FlushedRecordsReplayed) {
                true => SeqNo::ZERO,
                false => version.last_seq,
            },
            last: (config.wal_recovery != RecoveryMode::Salvage).then_some(version.last_seq),
            catalog: Arc::clone(&version.catalog),
            memtables: vec![Arc::new(Mem::new(version.wal_floor, config.memtable_bytes))],
            report: RecoveryReport::default(),
        }
    }

    fn record(&mut self, at: Position, payload: &[u8]) -> Result<()> {
        let mut operations = Operations::new(payload).map_err(|bad| self.bad(at, bad))?;
        self.check_follows(at, &operations)?;
        self.report.records += 1;
        self.report.bytes += payload.len() as u64;
        if operations.last_seq() <= self.flushed {
            // In tables already. Still read to its end: damage is never passed over.
            return operations.try_for_each(|op| op.map(|_| ())).map_err(|bad| self.bad(at, bad));
        }
        let full = self.memtables.last().is_none_or(|m| m.table.bytes() >= self.memtable_bytes);
        if full {
            self.memtables.push(Arc::new(Mem::new(at.segment, self.memtable_bytes)));
        }
        let Some(mem) = self.memtables.last().cloned() else { return Ok(()) };
        let Some(gate) = mem.table.enter() else { return Ok(()) };
        for operation in operations {
            let op = operation.map_err(|bad| self.bad(at, bad))?;
            if op.seq <= self.flushed {
                continue;
            }
            let (key, value) = op.parts(payload);
            // A keyspace is in the manifest before the first batch may name it.
            let keyspace = split_prefix(key).map(|(id, _)| id);
            if keyspace.is_none_or(|id| self.catalog.get(id).is_none()) {
                let what = "a key of a keyspace that does not exist";
                return Err(self.bad(at, BadPayload::Malformed(what)));
            }
            if self.keeps {
                gate.insert(key, value, op.seq, op.kind);
            }
            self.report.operations += 1;
        }
        Ok(())
    }

    /// Every sequence number is a write's or that of a change of keyspaces, which is durable before
    /// the next write begins: one that neither has is a change that the manifest has lost.
    fn check_follows(&mut self, at: Position, record: &Operations<'_>) -> Result<()> {
        let Some(last) = self.last else { return Ok(()) };
        let (first, expected) = (record.next_seq(), last.plus(1));
        let changes = self.catalog.iter().flat_map(|k| [Some(k.created), k.dropped]).flatten();
        let between = changes.filter(|seq| (expected..first).contains(seq)).count() as u64;
        if first.get().saturating_sub(expected.get()) > between {
            let what = "a record's first sequence number";
            let known = format!("{expected}, or changes of keyspaces in the manifest from it on");
            return Err(Corruption::new(self.path(at), at.offset, what, known, first).into());
        }
        self.last = Some(last.max(record.last_seq()));
        Ok(())
    }

    fn path(&self, at: Position) -> PathBuf {
        self.paths.wal.join(FileName::Segment(nori_types::FileNumber(at.segment)).to_string())
    }

    fn bad(&self, at: Position, bad: BadPayload) -> Error {
        let path = self.path(at);
        match bad {
            BadPayload::Malformed(found) => {
                Corruption::new(path, at.offset, "a record's batch", "operations", found).into()
            }
            BadPayload::UnknownKind(kind) => FormatTooNew {
                path,
                what: "a value kind".to_string(),
                found: u64::from(kind),
                supported: ValueKind::MAX as u64,
            }
            .into(),
        }
    }
}
