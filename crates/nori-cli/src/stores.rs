//! Opening stores, to read beside others and to write alone.

use crate::failure::Failure;
use nori_lsm::{Background, Config, Error, ErrorKind, Keyspace, KeyspaceView, Lsm};
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

/// How often a read is begun again because a running process removed a file under it.
const TRIES_MAX: u32 = 5;
/// A command has time: a full write buffer is no failure, only a wait.
const STALL_TIMEOUT: Duration = Duration::from_secs(3600);

/// A larger value gets a buffer of its own.
const SMALL_BUFFER_BYTES: usize = 1 << 20;

/// The options of commands that write much.
pub(crate) fn config() -> Config {
    Config::default().stall_timeout(STALL_TIMEOUT)
}

/// The options of commands that write one entry or none: buffers and log stay small.
fn small_config() -> Config {
    config().memtable_bytes(SMALL_BUFFER_BYTES)
}

/// Fails unless there is a store.
fn check_exists(path: &Path) -> Result<(), Failure> {
    match fs::metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Err(no_store(path, "does not exist")),
        Err(e) => Err(Failure::io("looking at", path, &e)),
        Ok(meta) if !meta.is_dir() => Err(no_store(path, "is a file, not a store's directory")),
        Ok(_) => Ok(()),
    }
}

fn no_store(path: &Path, why: &str) -> Failure {
    Failure::Failed(format!(
        "{} {why}. Name a store's directory, or make one with \"nori put\" or \"nori load-dir\".",
        path.display()
    ))
}

/// Says of a missing store how to make one.
fn explain(path: &Path, error: Error) -> Failure {
    let nothing = error.kind() == ErrorKind::InvalidArgument && !path.join("CURRENT").exists();
    if nothing { no_store(path, "holds no store") } else { error.into() }
}

/// Runs something on a store opened read-only. It may be run again from the start when a process
/// that has the store open removed a file meanwhile, so it must print only at its end.
pub(crate) fn read<T>(
    path: &Path,
    mut work: impl FnMut(&Lsm) -> Result<T, Failure>,
) -> Result<T, Failure> {
    check_exists(path)?;
    for _ in 1..TRIES_MAX {
        match open_and(path, &mut work) {
            Err(Failure::Store(error)) if is_race(&error) => {
                std::thread::sleep(Duration::from_millis(20));
            }
            done => return done,
        }
    }
    open_and(path, &mut work)
}

/// As [`read`], for work that prints as it goes: only opening is tried again.
pub(crate) fn open_read_only(path: &Path) -> Result<Lsm, Failure> {
    read(path, |store| Ok(store.clone()))
}

fn open_and<T>(
    path: &Path,
    work: &mut impl FnMut(&Lsm) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let store = Lsm::open_read_only(path).map_err(|error| explain(path, error))?;
    work(&store)
}

fn is_race(error: &Error) -> bool {
    matches!(error, Error::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
}

/// Opens a store to write much; makes it where there is none.
pub(crate) fn open_or_make(
    path: &Path,
    tune: impl FnOnce(Config) -> Config,
) -> Result<Lsm, Failure> {
    refuse_foreign(path)?;
    Ok(Lsm::open_with(path, tune(config()))?)
}

/// Opens a store to write little; makes it where there is none.
pub(crate) fn open_or_make_small(path: &Path) -> Result<Lsm, Failure> {
    refuse_foreign(path)?;
    Ok(Lsm::open_with(path, small_config())?)
}

/// Opens a store to write little; fails where there is none.
pub(crate) fn open_existing(path: &Path) -> Result<Lsm, Failure> {
    check_exists(path)?;
    let config = small_config().create_if_missing(false);
    Lsm::open_with(path, config).map_err(|error| explain(path, error))
}

/// Opens a store to work on all of it, with options; fails where there is none.
pub(crate) fn open_existing_with(
    path: &Path,
    tune: impl FnOnce(Config) -> Config,
) -> Result<Lsm, Failure> {
    check_exists(path)?;
    let config = tune(config()).create_if_missing(false);
    Lsm::open_with(path, config).map_err(|error| explain(path, error))
}

/// Runs something on a store that copies all of it: opened alone and without merging anything,
/// or, where another process has it open, to read. It may be run again as that of [`read`].
pub(crate) fn copy<T>(
    path: &Path,
    mut work: impl FnMut(&Lsm) -> Result<T, Failure>,
) -> Result<T, Failure> {
    match open_existing_with(path, |config| config.background(Background::Manual)) {
        Err(Failure::Store(error)) if error.kind() == ErrorKind::Locked => read(path, work),
        Err(failure) => Err(failure),
        Ok(store) => {
            let done = work(&store)?;
            store.close()?;
            Ok(done)
        }
    }
}

/// Reads every byte of a store that nobody has open.
pub(crate) fn verify(
    path: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<nori_lsm::VerifyReport, Failure> {
    check_exists(path)?;
    Lsm::verify_at(path, &config(), progress).map_err(|error| explain(path, error))
}

/// Makes a new store from what can be read of a damaged one.
pub(crate) fn repair(path: &Path, into: &Path) -> Result<nori_lsm::RepairReport, Failure> {
    check_exists(path)?;
    // It waits for the new store by itself, and not for a disk that fails.
    Ok(Lsm::repair(path, into)?)
}

/// Removes a store.
pub(crate) fn destroy(path: &Path) -> Result<(), Failure> {
    check_exists(path)?;
    Lsm::destroy(path).map_err(|error| explain(path, error))
}

/// A slip of the hand must not spread a store's files over a directory of something else.
fn refuse_foreign(path: &Path) -> Result<(), Failure> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(Failure::io("looking at", path, &e)),
    };
    for entry in entries {
        let entry = entry.map_err(|e| Failure::io("looking at", path, &e))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let known = ["LOCK", "CURRENT", "HEAT", "REPAIRING", "wal", "sst", "lost"]
            .contains(&&*name)
            || name.starts_with("MANIFEST-")
            || name.starts_with("backup-")
            || name.ends_with(".tmp");
        if !known {
            return Err(Failure::Usage(format!(
                "{} holds other files ({name}) and no store; name a new or empty directory",
                path.display()
            )));
        }
    }
    Ok(())
}

/// A keyspace as it is now, to read.
pub(crate) fn view(store: &Lsm, name: &str) -> Result<KeyspaceView, Failure> {
    check_keyspace(store, name)?;
    Ok(store.snapshot().keyspace(name)?)
}

/// A keyspace that exists, to write.
pub(crate) fn existing_keyspace(store: &Lsm, name: &str) -> Result<Keyspace, Failure> {
    check_keyspace(store, name)?;
    Ok(store.keyspace(name)?)
}

fn check_keyspace(store: &Lsm, name: &str) -> Result<(), Failure> {
    let names = store.keyspaces();
    if names.iter().any(|known| known == name) {
        return Ok(());
    }
    Err(Failure::Failed(format!(
        "there is no keyspace {name:?}; the store has: {}",
        names.join(", ")
    )))
}
