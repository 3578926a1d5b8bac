//! A new store from what is left of a damaged one.
//!
//! 1. Nothing of the damaged store is written, renamed or removed; no file is made in it either.
//! 2. Only bytes whose checksums fit are believed, so nothing appears that was not written. A
//!    batch of the log is there whole or not at all.
//! 3. Where a manifest can be read, its newest readable state says which tables live, in which
//!    part of the keys, and from where on the log counts: leftovers of finished work stay out.
//!    Without one everything is read, and the newest sequence number wins.
//! 4. Tables are read block by block and written through the ordinary write path; the log is held
//!    in memory, as opening holds it.
//! 5. What is made is known for unfinished until it is whole, durable and read back.

mod copy;
mod evidence;
mod log;
mod manifests;
mod newest;
mod report;
mod spaces;
mod tables;
mod target;

pub(crate) use manifests::counters;
pub use report::{LostKey, LostPart, RepairReport};

use crate::config::Config;
use crate::error::{Error, Result};
use crate::lsm::Lsm;
use crate::store::{Paths, lock_to_read};
use evidence::Evidence;
use nori_env::FileSystem;
use nori_types::FileName;
use std::path::Path;
use target::Target;

impl Lsm {
    /// Makes a new store at `into` from what can be read of the damaged one at `path`, which is
    /// not changed in any way. Works without CURRENT, without a manifest, with tables and
    /// segments of the log that are missing or damaged in any place; what could not be read is in
    /// the report. The new store has no history: snapshots, learned heat and slots begin anew.
    ///
    /// Every entry is read back from the new store before it counts as one; until then `into` holds
    /// the file REPAIRING and does not open.
    ///
    /// # Errors
    /// `Locked` if the store is open, `InvalidArgument` if there is no store at `path` or `into`
    /// is not empty or lies in `path`, `UnfinishedRepair` if it holds what another repair left,
    /// `FormatTooNew`; those of writing; `Corruption` if the new store does not read back as it was
    /// written. After an error there is no store at `into` that opens.
    pub fn repair(path: impl AsRef<Path>, into: impl AsRef<Path>) -> Result<RepairReport> {
        Lsm::repair_with(path, into, Config::default())
    }

    /// As [`Lsm::repair`], on the file system and with the options of `config`.
    ///
    /// # Errors
    /// As [`Lsm::repair`].
    pub fn repair_with(
        path: impl AsRef<Path>,
        into: impl AsRef<Path>,
        config: Config,
    ) -> Result<RepairReport> {
        repair(path.as_ref(), into.as_ref(), config)
    }
}

/// Makes a store at `into` from what can be read of the one at `path`.
fn repair(path: &Path, into: &Path, config: Config) -> Result<RepairReport> {
    config.validate()?;
    let start = config.clock.now();
    let fs = &*config.file_system;
    let (from, into) = (fs.absolute(path)?, fs.absolute(into)?);
    check_places(fs, &from, &into)?;
    let paths = Paths::new(&from);
    let mut report = RepairReport::default();
    let _lock = lock_to_read(fs, &paths, |e| {
        report.warnings.push(format!(
            "{}: cannot be locked ({}), so nothing shows whether the store is open elsewhere; a \
             store that changed meanwhile is not copied as a whole",
            e.path.display(),
            e.source
        ));
    })?;
    if fs.exists(&paths.repairing())? {
        let what = "it is itself what an unfinished repair left, which was never a whole store";
        report.warnings.push(format!("{}: {what}", from.display()));
    }
    let mut evidence = Evidence::gather(fs, &paths, &mut report)?;
    if evidence.is_nothing() {
        return Err(Error::invalid(format!("{}: there is no store", from.display())));
    }
    evidence.log = log::read(&config, &paths, &evidence, &mut report)?;
    evidence.choose(&paths, &mut report);
    let target = Target::begin(&into, &config)?;
    fill(&target, &config, &evidence, &mut report).map_err(|error| target.give_up(error))?;
    report.elapsed = config.clock.now().saturating_sub(start);
    Ok(report)
}

/// Makes the new store and reads it back.
fn fill(
    target: &Target,
    config: &Config,
    evidence: &Evidence,
    report: &mut RepairReport,
) -> Result<()> {
    let store = target.make_store()?;
    let copied = copy::copy(&store, config, evidence, report);
    // Closed after an error too, so that its lock is free and the directory can be cleared.
    let closed = store.close();
    let written = copied?;
    closed?;
    target.finish(&written, report)
}

/// The damaged store must not be written to, and what is made must not mix with anything.
fn check_places(fs: &dyn FileSystem, from: &Path, into: &Path) -> Result<()> {
    if !fs.exists(from)? {
        return Err(Error::invalid(format!("{}: there is no store", from.display())));
    }
    if into.starts_with(from) {
        let (from, into) = (from.display(), into.display());
        return Err(Error::invalid(format!("{into} lies in {from}, which must not change")));
    }
    if fs.exists(&Paths::new(into).repairing())? {
        return Err(Error::UnfinishedRepair { path: into.to_path_buf() });
    }
    if fs.exists(into)? && !fs.list(into)?.is_empty() {
        return Err(Error::invalid(format!("{}: is there and not empty", into.display())));
    }
    Ok(())
}

/// The numbers of files of one kind in a directory, ascending.
fn numbers(
    fs: &dyn FileSystem,
    dir: &Path,
    wanted: impl Fn(&FileName) -> bool,
) -> Result<Vec<u64>> {
    let names = crate::store::list(fs, dir)?;
    let numbers = names.iter().filter(|name| wanted(name)).filter_map(FileName::number);
    let mut numbers: Vec<u64> = numbers.map(|n| n.0).collect();
    numbers.sort_unstable();
    Ok(numbers)
}
