//! Opening a store.
//!
//! 1. Nothing that an earlier process wrote is appended to, cut or trusted to be durable: the
//!    directories are synced, what the log held is written to tables, and a fresh segment and a
//!    whole new manifest are made. CURRENT turning to that manifest is the moment of recovery.
//! 2. Nothing is deleted before CURRENT is durable. Tables that a cut manifest does not name are
//!    moved aside before.
//! 3. When open returns, all it shows is durable.

use crate::budget::Budget;
use crate::config::{Background, Config};
use crate::error::{Error, Result};
use crate::events::Events;
use crate::health::HealthBook;
use crate::keyspace::KeyspaceState;
use crate::metrics::{Counters, RecoveryReport, Timers};
use crate::plant::{Plant, planted};
use crate::store::brain::Brain;
use crate::store::callers::Callers;
use crate::store::commit_queue::CommitQueue;
use crate::store::edits::EDITS_PER_GROUP;
use crate::store::feed::Watchers;
use crate::store::jobs::Jobs;
use crate::store::learned;
use crate::store::merging::Merging;
use crate::store::options::{table_options, wal_options};
use crate::store::places::Superseded;
use crate::store::pressure::Gauge;
use crate::store::recover::{Found, check_finished, find, list};
use crate::store::signal::Signal;
use crate::store::state::{Handle, Paths, Store, Writer};
use crate::store::threads;
use crate::super_version::{Mem, Shared, SuperVersion};
use nori_env::FileSystem;
use nori_env::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use nori_env::sync::{Arc, Mutex};
use nori_manifest::{Manifest, ManifestOptions, Published, Reaper, Snapshots, Version};
use nori_memtable::Visible;
use nori_scheduler::Scheduler;
use nori_types::{FileName, FileNumber, SeqNo};
use nori_wal::{Position, Wal};
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// No file of ours has a greater number.
const FILE_NUMBER_MAX: u64 = 1 << 56;

/// How often a store is read anew that changed while it was being opened to read.
const READ_ONLY_TRIES: usize = 20;

/// Groups grow up to about this many bytes.
const GROUP_BYTES_MAX: usize = 1 << 20;

/// Opens a store for reading and writing.
pub(crate) fn open_store(path: &Path, config: Config) -> Result<Arc<Handle>> {
    config.validate()?;
    let config = config.fitted();
    let start = config.clock.now();
    let fs = Arc::clone(&config.file_system);
    // The process may go to another directory while the store is open.
    let paths = Paths::new(&fs.absolute(path)?);
    check_wanted(&*fs, &paths, &config)?;
    for dir in [&paths.root, &paths.wal, &paths.sst] {
        fs.create_dir_all(dir)?;
    }
    let lock = fs.lock(&paths.lock())?.ok_or_else(|| Error::Locked { path: paths.lock() })?;
    // A killed process may have left names that only this machine's memory knows.
    for dir in [&paths.root, &paths.wal, &paths.sst] {
        if !planted(Plant::OpenTrustsEntries) {
            fs.sync_dir(dir)?;
        }
    }
    let found = find(&config, &paths)?;
    if found.as_ref().is_some_and(|found| found.read_only) {
        let what = format!("{}: a feature of the manifest", paths.current().display());
        return Err(Error::FormatTooNew { what, found: 1, supported: 0 });
    }
    let created = found.is_none();
    let found = match found {
        Some(found) => found,
        None => new_store(&config, &paths)?,
    };
    let recovered = recover(&config, &paths, found)?;
    let Recovered { wal, manifest, version, mut report, last } = recovered;
    let writer = Writer { wal, manifest: Mutex::new(manifest), lock: Mutex::new(Some(lock)) };
    report.created = created;
    report.elapsed = config.clock.now().saturating_sub(start);
    let active = Arc::new(Mem::new(version.wal_floor, config.memtable_bytes));
    let parts = Parts { active, sealed: Vec::new(), version, last, report };
    let store = Arc::new(build(config, paths, Some(writer), parts));
    sweep(&store)?;
    let started = match store.config.background {
        Background::Threads(workers) => threads::start(&store, workers),
        Background::Manual => Vec::new(),
    };
    Ok(Arc::new(Handle { store, threads: Mutex::new(started) }))
}

/// Opens a store to read: takes no lock and writes nothing.
pub(crate) fn open_read_only(path: &Path, config: Config) -> Result<Arc<Handle>> {
    config.validate()?;
    let config = config.fitted();
    let start = config.clock.now();
    let paths = Paths::new(&config.file_system.absolute(path)?);
    let Some(mut found) = find_beside_a_writer(&config, &paths)? else {
        return Err(Error::invalid(format!("{}: there is no store", path.display())));
    };
    found.report.elapsed = config.clock.now().saturating_sub(start);
    let last = found.last_seq();
    let mut memtables = found.memtables;
    let active = memtables.pop().unwrap_or_else(|| Arc::new(Mem::new(0, config.memtable_bytes)));
    memtables.reverse();
    let version = Arc::new(found.version);
    let parts = Parts { active, sealed: memtables, version, last, report: found.report };
    let store = Arc::new(build(config, paths, None, parts));
    Ok(Arc::new(Handle { store, threads: Mutex::new(Vec::new()) }))
}

/// Reads a store that another process may be writing to: what looks like damage may be a file that
/// was replaced between two looks. Damage is still there when one looks again.
fn find_beside_a_writer(config: &Config, paths: &Paths) -> Result<Option<Found>> {
    let mut found = find(config, paths);
    for _ in 1..READ_ONLY_TRIES {
        match &found {
            Err(Error::Io { .. } | Error::Corruption { .. }) => found = find(config, paths),
            _ => break,
        }
    }
    found
}

fn check_wanted(fs: &dyn FileSystem, paths: &Paths, config: &Config) -> Result<()> {
    check_finished(config, paths)?;
    let exists = fs.exists(&paths.current())?;
    let root = paths.root.display();
    if exists && config.error_if_exists {
        return Err(Error::invalid(format!("{root}: a store exists already")));
    }
    if !exists && !config.create_if_missing {
        // An unreadable or damaged store is told apart from a missing one.
        if find(config, paths)?.is_none() {
            return Err(Error::invalid(format!("{root}: there is no store")));
        }
    }
    Ok(())
}

fn new_store(config: &Config, paths: &Paths) -> Result<Found> {
    let mut version = Version::new();
    let state = KeyspaceState::new(0, nori_manifest::DEFAULT_KEYSPACE, 0);
    let guards: Vec<_> = config.initial_guards.iter().map(|key| state.stored(key)).collect();
    if !guards.is_empty() {
        version = version.apply(&version.edit_split(&guards, true)?)?;
    }
    // An unfinished creation may have left a segment without records.
    let names = list(&*config.file_system, &paths.wal)?;
    let segments = names.iter().filter_map(|name| match name {
        FileName::Segment(number) => Some(number.0),
        _ => None,
    });
    Ok(Found {
        version,
        memtables: Vec::new(),
        log_end: Position::default(),
        highest_segment: segments.max().unwrap_or(0),
        manifest_cut: false,
        read_only: false,
        report: RecoveryReport::default(),
    })
}

struct Recovered {
    wal: Wal,
    manifest: Manifest,
    version: Arc<Version>,
    report: RecoveryReport,
    last: SeqNo,
}

/// Makes what was found durable under a new manifest.
fn recover(config: &Config, paths: &Paths, found: Found) -> Result<Recovered> {
    let fs = &config.file_system;
    let last = found.last_seq();
    let Found { mut version, memtables, log_end, highest_segment, .. } = found;
    let Found { manifest_cut, mut report, .. } = found;
    let seen = match planted(Plant::FileNumbersReused) {
        true => 0,
        false => highest_file(&**fs, paths)?,
    };
    let next_file = AtomicU64::new(version.next_file.max(seen.saturating_add(1)));
    if manifest_cut && !planted(Plant::UnknownTablesSwept) {
        report.tables_lost = move_unknown_aside(&**fs, paths, &version)?;
    }
    let keeps = config.wal_retention_bytes > 0;
    nori_wal::keep_history(&**fs, &paths.wal, version.wal_floor, log_end, keeps)?;
    let floor = highest_segment.max(version.wal_floor.saturating_sub(1)).saturating_add(1);
    let numbers = || FileNumber(next_file.fetch_add(1, Ordering::Relaxed));
    for mem in memtables.iter().filter(|m| !m.table.is_empty()) {
        let table = table_options(config);
        let to = nori_compaction::Destination::new(
            &**fs,
            &paths.sst,
            &numbers,
            &table,
            config.table_bytes,
        );
        let catalog = Arc::clone(&version.catalog);
        let dropped = |key: &[u8]| catalog.dropped(key);
        let output = nori_compaction::flush(&mut mem.table.iter(), vec![last], dropped, &to)?;
        report.tables_written += output.tables.len() as u64;
        let holds = |range: &nori_types::KeyRange| mem.table.has_key_in(range);
        let durable = version.durable;
        let edit = version
            .edit_flush(&output.tables, &holds, floor, mem.table.last_seq(), durable)
            .with_next_file(next_file.load(Ordering::Relaxed));
        version = version.apply(&edit)?;
    }
    if planted(Plant::SweptBeforeCurrent) {
        for name in list(&**fs, &paths.wal)? {
            fs.remove(&paths.wal.join(name.to_string()))?;
        }
    }
    // Its header promises nothing: until CURRENT is durable the old manifest rules.
    let wal = Wal::create(Arc::clone(fs), &paths.wal, floor, wal_options(config))?;
    let positions = version
        .edit_positions(floor, last, wal.durable())
        .with_next_file(next_file.load(Ordering::Relaxed));
    let version = version.apply(&positions)?;
    let manifest =
        Manifest::create(Arc::clone(fs), &paths.root, &version, ManifestOptions::default())?;
    Ok(Recovered { wal, manifest, version: Arc::new(version), report, last })
}

/// The highest number in the name of any file but segments, which count for themselves. A number
/// that leaves nothing to count on did not come from us.
fn highest_file(fs: &dyn FileSystem, paths: &Paths) -> Result<u64> {
    let mut highest = 0;
    for dir in [&paths.root, &paths.sst, &paths.lost] {
        let numbers = list(fs, dir)?;
        let numbers = numbers.iter().filter_map(FileName::number).map(|n| n.0);
        let numbers = numbers.filter(|n| *n <= FILE_NUMBER_MAX);
        highest = numbers.fold(highest, u64::max);
    }
    Ok(highest)
}

/// Tables that the manifest does not name go to `lost/`: its unreadable end may have named them.
fn move_unknown_aside(
    fs: &dyn FileSystem,
    paths: &Paths,
    version: &Version,
) -> Result<Vec<PathBuf>> {
    let known: BTreeSet<u64> = version.tables().map(|file| file.number().0).collect();
    let mut moved = Vec::new();
    for name in list(fs, &paths.sst)? {
        let FileName::Table(number) = name else { continue };
        if known.contains(&number.0) {
            continue;
        }
        if moved.is_empty() {
            fs.create_dir_all(&paths.lost)?;
        }
        let target = paths.lost.join(name.to_string());
        if !fs.exists(&target)? {
            fs.hard_link(&paths.table(number), &target)?;
        }
        moved.push(target);
    }
    if moved.is_empty() {
        return Ok(moved);
    }
    // The second name is durable before the first one goes.
    fs.sync_dir(&paths.lost)?;
    for target in &moved {
        if let Some(name) = target.file_name() {
            fs.remove(&paths.sst.join(name))?;
        }
    }
    fs.sync_dir(&paths.sst)?;
    Ok(moved)
}

/// Removes what no live version names, once CURRENT is durable.
fn sweep(store: &Store) -> Result<()> {
    let writer = store.writer()?;
    let manifest = FileName::Manifest(FileNumber(writer.manifest.lock().number()));
    for name in list(&*store.fs, &store.paths.root)? {
        let stale = match &name {
            FileName::Manifest(_) => name != manifest,
            FileName::Temporary(_) => true,
            _ => false,
        };
        if stale {
            store.fs.remove(&store.paths.root.join(name.to_string()))?;
        }
    }
    writer.wal.sweep()?;
    let known: BTreeSet<u64> = store.pin().version.tables().map(|f| f.number().0).collect();
    for name in list(&*store.fs, &store.paths.sst)? {
        let stale = match &name {
            FileName::Table(number) => !known.contains(&number.0),
            FileName::Temporary(_) => true,
            _ => false,
        };
        if stale {
            store.fs.remove(&store.paths.sst.join(name.to_string()))?;
        }
    }
    Ok(())
}

struct Parts {
    active: Arc<Mem>,
    sealed: Vec<Arc<Mem>>,
    version: Arc<Version>,
    last: SeqNo,
    report: RecoveryReport,
}

fn build(config: Config, paths: Paths, writer: Option<Writer>, parts: Parts) -> Store {
    let Parts { active, sealed, version, last, report } = parts;
    #[cfg(feature = "tracing")]
    crate::events::trace::opened(&paths.root, writer.is_none(), &report);
    let fs = Arc::clone(&config.file_system);
    // Never 0, which "default" of any store stands for.
    let id = fs.random() | 1;
    let (budget, tables) = Budget::open(&config, &paths.sst, writer.is_some());
    sealed.iter().for_each(|mem| mem.charge(&budget, mem.table.bytes()));
    active.charge(&budget, writer.as_ref().map_or(active.table.bytes(), |_| config.memtable_bytes));
    let keyspaces: HashMap<String, Arc<KeyspaceState>> = version
        .catalog
        .iter()
        .filter(|k| k.dropped.is_none())
        .map(|k| (k.name.clone(), Arc::new(KeyspaceState::new(k.id, &k.name, id))))
        .collect();
    let default = keyspaces.get(nori_manifest::DEFAULT_KEYSPACE).cloned();
    let default = default
        .unwrap_or_else(|| Arc::new(KeyspaceState::new(0, nori_manifest::DEFAULT_KEYSPACE, id)));
    let reaper = Reaper::new();
    let next_file = version.next_file;
    let obsolete = version.obsolete().clone();
    let shared = Shared::new(&tables, &budget, &config);
    let view = SuperVersion::new(active, sealed, version, &Arc::new(shared));
    let now = config.clock.now();
    let brain = Brain::new(Scheduler::new(config.policy()), &view, now);
    brain.remember_all(learned::load(&*fs, &paths));
    let (gauge, events) = (Gauge::default(), Events::of(&paths.root));
    brain.tell_backlog(|backlog| gauge.set_backlog(&config, backlog));
    let view = reaper.defer(view);
    Store {
        synced_at: Mutex::new(now),
        timers: Timers::new(config.seed),
        superseded: Superseded::default(),
        config,
        paths,
        fs,
        id,
        writer,
        published: Published::new(view),
        visible: Visible::new(last),
        assigned: AtomicU64::new(last.get()),
        next_file: AtomicU64::new(next_file),
        queue: CommitQueue::new(GROUP_BYTES_MAX),
        snapshots: Snapshots::new(),
        tables,
        budget,
        obsolete,
        reaper,
        flushing: Mutex::new(()),
        jobs: Jobs::default(),
        merging: Merging::default(),
        edits: CommitQueue::new(EDITS_PER_GROUP),
        brain,
        gauge,
        learned_at: Mutex::new(now),
        signal: Signal::default(),
        closing: Signal::default(),
        watchers: Watchers::default(),
        callers: Callers::default(),
        keyspaces: Mutex::new(keyspaces),
        default,
        closed: AtomicBool::new(false),
        cancelled: AtomicBool::new(false),
        orphans: Mutex::new(Vec::new()),
        events,
        counters: Counters::default(),
        health: HealthBook::default(),
        recovery: report,
    }
}
