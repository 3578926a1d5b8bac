//! The directory that a repair fills.
//!
//! ```text
//! REPAIRING made, synced, directory synced; the store made, filled, closed; all of it read back;
//! REPAIRING removed, directory synced
//! ```
//!
//! 1. While any file of the new store may be missing, REPAIRING is there and durable, and a store
//!    beside it does not open. So a crash leaves a whole store, none, or one that tells.
//! 2. REPAIRING goes only after every entry was read back from the new files.

use super::report::RepairReport;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::lsm::Lsm;
use crate::store::{Paths, REPAIRING_WORD};
use nori_env::OpenMode;
use nori_types::{Corruption, checksum};
use std::path::Path;

/// The new store's directory, known for unfinished.
pub(super) struct Target<'a> {
    config: &'a Config,
    paths: Paths,
}

impl<'a> Target<'a> {
    /// Marks `into` as unfinished, durably, and makes it where it is missing.
    pub(super) fn begin(into: &Path, config: &'a Config) -> Result<Target<'a>> {
        let (fs, target) = (&*config.file_system, Target { config, paths: Paths::new(into) });
        fs.create_dir_all(into)?;
        // Of two repairs into one directory the second ends here.
        let mark = fs.open(&target.paths.repairing(), OpenMode::CreateNew)?;
        if let Err(error) = target.mark(&*mark) {
            // What cannot be removed is taken for an unfinished repair, which it is.
            let _ = fs.remove(&target.paths.repairing()).and_then(|()| fs.remove_dir(into));
            return Err(error);
        }
        Ok(target)
    }

    fn mark(&self, file: &dyn nori_env::File) -> Result<()> {
        let what = b": unfinished. Remove the directory and repair again.\n";
        file.write_at(&[&REPAIRING_WORD[..], what].concat(), 0)?;
        file.sync_all()?;
        Ok(self.config.file_system.sync_dir(&self.paths.root)?)
    }

    /// Makes the store in it, with the caller's options.
    pub(super) fn make_store(&self) -> Result<Lsm> {
        let new = self.config().create_if_missing(true).error_if_exists(true);
        Lsm::open_with(&self.paths.root, new)
    }

    fn config(&self) -> Config {
        Config { in_repair: true, ..self.config.clone() }
    }

    /// Reads the closed store back, which must hold what was written; then it is a store like any.
    pub(super) fn finish(&self, written: &Tally, report: &RepairReport) -> Result<()> {
        self.read_back(written, report)?;
        let fs = &*self.config.file_system;
        fs.remove(&self.paths.repairing())?;
        Ok(fs.sync_dir(&self.paths.root)?)
    }

    fn read_back(&self, written: &Tally, report: &RepairReport) -> Result<()> {
        let store = Lsm::open_read_only_with(&self.paths.root, self.config())?;
        let wrong = |what: &str, expected: String, found: String| {
            Error::from(Corruption::new(&self.paths.root, 0, what, expected, found))
        };
        let problems = store.verify()?.problems;
        if let Some(problem) = problems.first() {
            return Err(wrong("the new store", "no problem".to_string(), problem.to_string()));
        }
        let names = store.keyspaces();
        if names != report.keyspaces {
            let (expected, found) = (report.keyspaces.join(", "), names.join(", "));
            return Err(wrong("keyspaces of the new store", expected, found));
        }
        let mut found = Tally::default();
        for name in names {
            for item in store.keyspace(&name)?.iter() {
                let (key, value) = item?;
                found.add(&name, &key, &value);
            }
        }
        if found != *written {
            return Err(wrong("entries of the new store", written.told(), found.told()));
        }
        Ok(())
    }

    /// Removes what there is after an error, which it returns. What cannot be removed keeps its
    /// mark.
    pub(super) fn give_up(&self, error: Error) -> Error {
        let _ = Lsm::destroy_with(&self.paths.root, self.config);
        error
    }
}

/// Entries counted and summed up, in any order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) keys: u64,
    pub(super) bytes: u64,
    sum: u64,
}

impl Tally {
    pub(super) fn add(&mut self, keyspace: &str, key: &[u8], value: &[u8]) {
        self.keys += 1;
        self.bytes += (key.len() + value.len()) as u64;
        let name = checksum(0, keyspace.as_bytes());
        let key = checksum(u64::from(name), key);
        let both = (u64::from(key) << 32) | u64::from(name);
        self.sum = self.sum.wrapping_add(u64::from(checksum(both, value)));
    }

    fn told(&self) -> String {
        format!("{} keys, {} bytes, sum {:x}", self.keys, self.bytes, self.sum)
    }
}
