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

mod copy;
mod evidence;
mod log;
mod newest;
mod report;

pub use report::{LostKey, LostPart, RepairReport};

use crate::config::Config;
use crate::error::{Error, Result};
use crate::lsm::Lsm;
use crate::store::Paths;
use evidence::Evidence;
use nori_env::FileSystem;
use nori_types::FileName;
use std::path::Path;

impl Lsm {
    /// Makes a new store at `into` from what can be read of the damaged one at `path`, which is
    /// not changed in any way. Works without CURRENT, without a manifest, with tables and
    /// segments of the log that are missing or damaged in any place; what could not be read is in
    /// the report. The new store has no history: snapshots, learned heat and slots begin anew.
    ///
    /// # Errors
    /// `Locked` if the store is open, `InvalidArgument` if there is no store at `path` or `into`
    /// is not empty or lies in `path`, `FormatTooNew`; those of writing. After an error there is
    /// no store at `into`.
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
    let _lock = match fs.exists(&paths.lock())? {
        // Without the file nobody holds it, and taking it would make it.
        false => None,
        true => Some(fs.lock(&paths.lock())?.ok_or_else(|| Error::Locked { path: paths.lock() })?),
    };
    let mut report = RepairReport::default();
    let mut evidence = Evidence::gather(fs, &paths, &mut report)?;
    if evidence.is_nothing() {
        return Err(Error::invalid(format!("{}: there is no store", from.display())));
    }
    evidence.log = log::read(&config, &paths, &evidence, &mut report)?;
    let new = config.clone().create_if_missing(true).error_if_exists(true);
    let store = Lsm::open_with(&into, new)?;
    let copied = copy::copy(&store, fs, &evidence, &mut report);
    let closed = copied.and_then(|()| store.clone().close());
    if let Err(error) = closed {
        drop(store);
        // What is there is no whole copy: whoever finds it must not take it for one.
        return Lsm::destroy_with(&into, &config).and(Err(error));
    }
    report.elapsed = config.clock.now().saturating_sub(start);
    Ok(report)
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
