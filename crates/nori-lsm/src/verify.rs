//! Every byte of a store, read and checked.
//!
//! 1. A store that does not open is verified all the same: nothing is opened, nothing is written.
//! 2. What opening accepts is no problem, the end that a power cut leaves included; what it
//!    refuses is one, and is listed with all that is wrong beside it.
//! 3. Where the manifest can be read it says which tables live, and each is held against what the
//!    manifest says of it. Without one every table and every segment is read.

mod log;
mod manifest;
mod report;
mod tables;

pub use report::{FilesRead, Finding, VerifyReport};
pub(crate) use tables::verify_table;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::lsm::Lsm;
use crate::store::{
    Paths, Store, check_finished, check_unfinished, heat_is_good, list, lock_to_read,
};
use manifest::{State, length, verify_manifest};
use nori_env::FileSystem;
use nori_types::{FileName, FileNumber};
use std::collections::BTreeSet;
use std::path::Path;

impl Lsm {
    /// Reads every byte of the store at `path`, which must not be open, and checks it: CURRENT,
    /// the manifest, each table against what the manifest says of it, each record of the log from
    /// where it counts, HEAT. Works where the store does not open; writes nothing. All problems
    /// are listed, and none is returned as an error. `progress` is told how many bytes were read
    /// since it was last told.
    ///
    /// Of the end of the log, and of the manifest's last edit, bytes that nothing promises cannot
    /// be told from those of a write that a power cut ended: they are a note, as opening cuts
    /// them off.
    ///
    /// # Errors
    /// `Locked` if the store is open, `InvalidArgument` if there is no store at `path`,
    /// `UnfinishedRepair`; `Io` for a directory that cannot be read.
    pub fn verify_at(
        path: impl AsRef<Path>,
        config: &Config,
        progress: &mut dyn FnMut(u64),
    ) -> Result<VerifyReport> {
        let paths = Paths::new(&config.file_system.absolute(path.as_ref())?);
        verify(config, &paths, progress)
    }
}

fn verify(config: &Config, paths: &Paths, progress: &mut dyn FnMut(u64)) -> Result<VerifyReport> {
    let fs = &*config.file_system;
    let mut report = VerifyReport::default();
    let _lock = lock_to_read(fs, paths, |e| {
        report.note(&e.path, format!("cannot be taken: {}", e.source));
    })?;
    check_finished(config, paths)?;
    let has_current = fs.exists(&paths.current())?;
    if !has_current && is_unfinished(fs, paths, &mut report)? {
        leftovers(fs, paths, None, &mut report)?;
        return Ok(report);
    }
    let state = verify_manifest(fs, paths, &mut report, progress)?;
    verify_tables(fs, paths, &state, &mut report, progress)?;
    log::verify_log(config, paths, &state, &mut report, progress)?;
    verify_heat(fs, paths, &mut report, progress)?;
    leftovers(fs, paths, Some(&state), &mut report)?;
    Ok(report)
}

/// Whether a store without CURRENT is one that was being made; if not, that is a problem.
fn is_unfinished(fs: &dyn FileSystem, paths: &Paths, report: &mut VerifyReport) -> Result<bool> {
    let (current, root) = (paths.current(), &paths.root);
    match check_unfinished(fs, paths) {
        Ok(()) => {
            let dirs = [root, &paths.wal, &paths.sst, &paths.lost];
            let files = dirs.into_iter().map(|dir| Ok(list(fs, dir)?.len()));
            if files.sum::<Result<usize>>()? == 0 {
                return Err(Error::invalid(format!("{}: there is no store", root.display())));
            }
            report.note(root, "the making of this store did not finish; there is nothing in it");
            Ok(true)
        }
        Err(Error::Corruption { .. }) => {
            report.problem(&current, "the file is missing");
            Ok(false)
        }
        Err(error) => {
            report.failed(&current, error);
            Ok(false)
        }
    }
}

/// Reads the tables that live. Where that is not known, all there are.
fn verify_tables(
    fs: &dyn FileSystem,
    paths: &Paths,
    state: &State,
    report: &mut VerifyReport,
    progress: &mut dyn FnMut(u64),
) -> Result<()> {
    let version = state.version.as_ref();
    let live = || version.into_iter().flat_map(|version| version.tables());
    if state.is_whole {
        for file in live() {
            let (number, known) = (file.number(), Some(&file.meta));
            verify_table(fs, &paths.table(number), number, known, report, progress);
        }
        return Ok(());
    }
    for dir in [&paths.sst, &paths.lost] {
        for name in list(fs, dir)? {
            let FileName::Table(number) = name else { continue };
            let path = dir.join(name.to_string());
            verify_table(fs, &path, number, state.known.get(&number), report, progress);
        }
    }
    for file in live() {
        let path = paths.table(file.number());
        if !fs.exists(&path)? {
            report.note(&path, "the file is missing, which the last readable state names");
        }
    }
    Ok(())
}

fn verify_heat(
    fs: &dyn FileSystem,
    paths: &Paths,
    report: &mut VerifyReport,
    progress: &mut dyn FnMut(u64),
) -> Result<()> {
    let path = paths.heat();
    if !fs.exists(&path)? {
        return Ok(());
    }
    if let Some(bytes) = length(fs, &path) {
        report.heat.add(bytes);
        report.bytes += bytes;
        progress(bytes);
    }
    if !heat_is_good(fs, paths) {
        report.note(&path, "cannot be read: what compaction has learned is learned anew");
    }
    Ok(())
}

/// Counts the files that are no part of the store; without a state none is.
fn leftovers(
    fs: &dyn FileSystem,
    paths: &Paths,
    state: Option<&State>,
    report: &mut VerifyReport,
) -> Result<()> {
    let is_part = state.map(|state| parts(paths, state));
    for dir in [&paths.root, &paths.wal, &paths.sst, &paths.lost] {
        for name in list(fs, dir)? {
            if is_part.as_ref().is_some_and(|is_part| is_part(dir, &name)) {
                continue;
            }
            let path = dir.join(name.to_string());
            if name == FileName::Lock {
                continue;
            }
            let Some(bytes) = length(fs, &path) else { continue };
            report.unused.add(bytes);
            let what = match name {
                FileName::Spare(_) | FileName::Repairing => continue,
                FileName::Table(_) if *dir == paths.lost => {
                    "a table that recovery set aside; remove it when your data is all there"
                }
                _ => "no part of the store; opening it removes the file",
            };
            report.note(&path, what);
        }
    }
    Ok(())
}

/// Whether a file of a directory was read as a part of the store.
fn parts<'a>(paths: &'a Paths, state: &'a State) -> impl Fn(&Path, &FileName) -> bool + 'a {
    let version = state.version.as_ref();
    let floor = version.map_or(0, |version| version.wal_floor);
    let live: BTreeSet<FileNumber> =
        version.into_iter().flat_map(|version| version.tables()).map(|t| t.number()).collect();
    move |dir, name| match name {
        FileName::Current | FileName::Heat => dir == paths.root,
        FileName::Manifest(number) => dir == paths.root && state.manifest == Some(number.0),
        FileName::Segment(number) => dir == paths.wal && number.0 >= floor,
        FileName::Table(number) if state.is_whole => dir == paths.sst && live.contains(number),
        FileName::Table(_) => dir == paths.sst || dir == paths.lost,
        FileName::Lock | FileName::Repairing | FileName::Spare(_) | FileName::Temporary(_) => false,
    }
}

impl Store {
    /// Reads what can be read while the store is open.
    pub(crate) fn verify(&self, progress: &mut dyn FnMut(u64)) -> Result<VerifyReport> {
        self.check_open()?;
        let view = self.pin();
        let mut report = VerifyReport::default();
        if let Some(writer) = &self.writer {
            // Nothing is appended meanwhile, and CURRENT stays.
            let held = writer.manifest.lock();
            verify_manifest(&*self.fs, &self.paths, &mut report, &mut |_| ())?;
            drop(held);
            progress(report.bytes);
        }
        if let Err(broken) = view.version.check() {
            report.problem(&self.paths.current(), format!("the version in memory: {broken}"));
        }
        for file in view.version.tables() {
            self.check_open()?;
            let (path, number) = (self.paths.table(file.number()), file.number());
            verify_table(&*self.fs, &path, number, Some(&file.meta), &mut report, progress);
        }
        // Behind a close the files may be another's, and what was found says nothing of this store.
        self.check_open()?;
        report.problems.iter().for_each(|problem| self.met(&problem.as_damage()));
        Ok(report)
    }
}
