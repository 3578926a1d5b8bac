//! The manifest: the log of version edits, and the one that CURRENT names.
//!
//! Durable order, as it happens: manifest written, synced; its directory synced; CURRENT written
//! under another name, synced, renamed; the directory synced. After that: edit appended, synced,
//! published by the caller. One thread at a time; the caller's manifest lock sees to it.
//!
//! Invariants:
//! 1. CURRENT names only manifests that are whole and durable, their directory entry included.
//! 2. A version returned by `log` is durable.
//! 3. Behind a failed append nothing is written. The next edit goes to a whole new manifest, and
//!    until CURRENT has turned to it nothing may be deleted: the failed edit may be on disk.
//! 4. A failed rename or directory sync of CURRENT ends logging: which manifest rules is unknown.
//! 5. A manifest's number is never used twice, failed attempts included.
//! 6. A panic of the file system while something is written ends logging, as in 4.

mod load;
mod salvage;
mod snapshot;
mod words;

pub use load::Loaded;
pub use salvage::Salvaged;

use crate::codec::{self, Record};
use crate::current::{Turn, manifest_path, turn};
use crate::format::FORMAT;
use crate::{Error, Result, Version, VersionEdit};
use nori_env::sync::Arc;
use nori_env::{File, FileSystem, OpenMode};
use nori_wal::{Features, LOG_HEADER_BYTES, LogHeader, Position, frame};
use std::path::{Path, PathBuf};

/// When a manifest is replaced by a fresh one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ManifestOptions {
    /// In bytes: one that has grown beyond this, and beyond four times its first snapshot, is
    /// replaced. Raise it if the log of events shows manifests being rewritten all the time;
    /// lower it if opening a store takes long. Default 4 MiB.
    pub rollover_bytes: u64,
}

impl Default for ManifestOptions {
    fn default() -> ManifestOptions {
        ManifestOptions { rollover_bytes: 4 << 20 }
    }
}

/// The live manifest of a store.
#[derive(Debug)]
pub struct Manifest {
    fs: Arc<dyn FileSystem>,
    dir: PathBuf,
    options: ManifestOptions,
    live: Live,
    /// No append has failed since CURRENT turned to the live manifest.
    settled: bool,
    poisoned: Option<Arc<str>>,
    /// Something is being written; stays set when that panics.
    writing: bool,
    /// The highest number given to a manifest, failed attempts included.
    last_number: u64,
    /// Manifests that no longer rule, or never did.
    stale: Vec<u64>,
}

/// The manifest that CURRENT names.
#[derive(Debug)]
struct Live {
    file: Arc<dyn File>,
    header: LogHeader,
    /// Where the next record goes; all before it is synced.
    end: u64,
    /// Rollover is due beyond this.
    bound: u64,
}

impl Manifest {
    /// Writes a whole new manifest of `version`, numbered `version.next_file`, and turns CURRENT
    /// to it. No older manifest is touched; when this returns they may be deleted. After an error
    /// the store must be opened again.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn create(
        fs: Arc<dyn FileSystem>,
        dir: &Path,
        version: &Version,
        options: ManifestOptions,
    ) -> Result<Manifest> {
        let number = version.next_file;
        let live = write_whole(&*fs, dir, version, number, options).map_err(|turn| match turn {
            Turn::Unchanged(error) | Turn::Unknown(error) => error,
        })?;
        Ok(Manifest {
            fs,
            dir: dir.to_path_buf(),
            options,
            live,
            settled: true,
            poisoned: None,
            writing: false,
            last_number: number,
            stale: Vec::new(),
        })
    }

    /// Makes an edit durable and returns the version that it makes of `current`. To be published
    /// before the manifest lock is let go.
    ///
    /// # Errors
    /// [`Error::Misfit`] changed nothing. After an I/O error the edit may or may not be on disk:
    /// its tables must not be deleted until [`Manifest::is_settled`] again.
    pub fn log(&mut self, current: &Arc<Version>, edit: VersionEdit) -> Result<Arc<Version>> {
        self.log_all(current, vec![edit])
    }

    /// Makes several edits durable with one append and one sync: all or none. Each is computed
    /// against the version that the one before it makes; edits of different slots that use up no
    /// slot names may be computed against the same.
    ///
    /// # Errors
    /// As [`Manifest::log`].
    pub fn log_all(
        &mut self,
        current: &Arc<Version>,
        edits: Vec<VersionEdit>,
    ) -> Result<Arc<Version>> {
        if let Some(cause) = self.poisoned() {
            return Err(Error::Poisoned { cause });
        }
        let mut versions = vec![Arc::clone(current)];
        for edit in &edits {
            let last = versions.last().unwrap_or(current);
            let mut next = last.apply(edit)?;
            next.next_file = next.next_file.max(self.last_number.saturating_add(1));
            debug_assert_eq!(next.check(), Ok(()));
            debug_assert_eq!(last.check_successor(&next), Ok(()));
            versions.push(Arc::new(next));
        }
        let newest = Arc::clone(versions.last().unwrap_or(current));
        self.writing = true;
        let written = self.write(&newest, edits.iter());
        self.writing = false;
        written?;
        for (pair, edit) in versions.windows(2).zip(&edits) {
            pair[1].retire(&pair[0], edit);
        }
        Ok(newest)
    }

    fn write<'a>(
        &mut self,
        newest: &Version,
        edits: impl Iterator<Item = &'a VersionEdit>,
    ) -> Result<()> {
        if !self.settled {
            return self.rewrite(newest);
        }
        if self.live.end > self.live.bound {
            match self.rewrite(newest) {
                // The live manifest is whole and takes appends; try again when it has doubled.
                Err(Error::Io(_)) if self.poisoned.is_none() => {
                    self.live.bound = self.live.end.saturating_mul(2);
                }
                done => return done,
            }
        }
        let mut bytes = Vec::new();
        let promise = Position::new(self.live.header.number, self.live.end);
        for edit in edits {
            let payload = codec::encode(&Record::Edit(edit.clone()))?;
            let at = self.live.end + bytes.len() as u64;
            frame(&mut bytes, &self.live.header, at, &payload, promise);
        }
        let file = &self.live.file;
        let appended = file.write_at(&bytes, self.live.end).and_then(|()| file.sync_data());
        self.settled = appended.is_ok();
        appended?;
        self.live.end += bytes.len() as u64;
        Ok(())
    }

    /// Writes a whole new manifest, turns CURRENT to it, and removes those it replaces.
    fn rewrite(&mut self, version: &Version) -> Result<()> {
        let number = version.next_file.max(self.last_number.saturating_add(1));
        self.last_number = number;
        match write_whole(&*self.fs, &self.dir, version, number, self.options) {
            Ok(live) => {
                self.stale.push(self.live.header.number);
                self.live = live;
                self.settled = true;
                for number in std::mem::take(&mut self.stale) {
                    // One that stays is swept when the store is opened.
                    let _ = self.fs.remove(&manifest_path(&self.dir, number));
                }
                Ok(())
            }
            Err(Turn::Unchanged(error)) => {
                self.stale.push(number);
                Err(error)
            }
            Err(Turn::Unknown(error)) => {
                self.settled = false;
                self.poisoned = Some(error.to_string().into());
                Err(error)
            }
        }
    }

    /// False after a failed append until CURRENT has turned to a new manifest: while it is false,
    /// no table, segment or manifest may be deleted or used again.
    pub fn is_settled(&self) -> bool {
        self.settled && !self.writing
    }

    /// Why no edit is logged any more: CURRENT could not be replaced.
    pub fn poisoned(&self) -> Option<Arc<str>> {
        let panicked = || self.writing.then(|| Arc::from("a panic while it was written"));
        self.poisoned.clone().or_else(panicked)
    }

    /// The live manifest's number. Every number up to `last_number` is taken.
    pub fn number(&self) -> u64 {
        self.live.header.number
    }

    /// The highest number that a manifest of this process had, failed attempts included.
    pub fn last_number(&self) -> u64 {
        self.last_number
    }

    /// A planted bug, for the test that must catch it: the failed append is forgotten, and the
    /// next edit goes behind what it left.
    #[doc(hidden)]
    pub fn plant_settled(&mut self) {
        self.settled = true;
        self.live.end = self.live.file.len().unwrap_or(self.live.end);
    }

    /// The live manifest's length in bytes.
    pub fn bytes(&self) -> u64 {
        self.live.end
    }
}

/// A whole manifest, made durable, and CURRENT turned to it.
fn write_whole(
    fs: &dyn FileSystem,
    dir: &Path,
    version: &Version,
    number: u64,
    options: ManifestOptions,
) -> std::result::Result<Live, Turn> {
    let header = LogHeader {
        features: Features::default(),
        number,
        salt: fs.random(),
        previous_end: 0,
        durable: Position::default(),
    };
    let mut bytes = header.encode(&FORMAT).to_vec();
    let next_file = version.next_file.max(number.saturating_add(1));
    for record in snapshot::records(version, next_file) {
        let payload = codec::encode(&record)?;
        let at = bytes.len() as u64;
        // Nothing but the header can be taken for granted before the whole is synced.
        let promise = Position::new(number, LOG_HEADER_BYTES);
        frame(&mut bytes, &header, at, &payload, promise);
    }
    let file = fs.open(&manifest_path(dir, number), OpenMode::CreateNew)?;
    file.write_at(&bytes, 0)?;
    file.sync_all()?;
    // The entry too, before CURRENT names it.
    fs.sync_dir(dir)?;
    turn(fs, dir, number)?;
    let end = bytes.len() as u64;
    let bound = options.rollover_bytes.max(end.saturating_mul(4));
    Ok(Live { file, header, end, bound })
}
