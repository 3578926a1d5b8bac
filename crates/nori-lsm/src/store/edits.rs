//! The one way to change the version: derive an edit, make it durable, install what it makes.
//!
//! 1. Edits are made one after the other, each against the version that the one before it makes.
//! 2. Those that arrive while another group is being logged wait for each other: one append, one
//!    sync and one install serve them all. One that does not fit fails alone.
//! 3. After the install, before the next group, the scheduler is told of the new version.

use crate::error::{Error, Result};
use crate::plant::{Plant, Point, meanwhile, misplaced, planted};
use crate::store::commit_queue::Request;
use crate::store::state::{Store, Writer};
use crate::super_version::SuperVersion;
use nori_env::sync::Arc;
use nori_env::sync::atomic::Ordering;
use nori_manifest::{Manifest, Version, VersionEdit};

/// Groups of edits end at this many.
pub(crate) const EDITS_PER_GROUP: usize = 32;

type Make = Box<dyn FnOnce(&Store, &Version) -> Result<VersionEdit> + Send>;
type Derive = Box<dyn Fn(&SuperVersion, Arc<Version>) -> SuperVersion + Send>;

/// Somebody's edit on its way.
pub(crate) struct Change {
    make: Option<Make>,
    derive: Derive,
    outcome: Option<Result<()>>,
}

impl Request for Change {
    fn weight(&self) -> usize {
        1
    }

    fn is_exclusive(&self) -> bool {
        false
    }

    fn waits_for_disk(&self) -> bool {
        true
    }
}

impl std::fmt::Debug for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Change").field("outcome", &self.outcome).finish_non_exhaustive()
    }
}

impl Store {
    /// Writes a new manifest if the last append failed. Work that makes tables does it first: as
    /// long as the manifest is not settled nothing may be deleted, and the tables of attempt after
    /// attempt would fill the disk.
    pub(crate) fn settle(&self, writer: &Writer) -> Result<()> {
        let mut manifest = writer.manifest.lock();
        if manifest.is_settled() {
            return Ok(());
        }
        let settled = manifest.log_all(&self.pin().version, Vec::new());
        self.note_manifest(writer, &manifest);
        settled?;
        Ok(())
    }

    /// What the rest of the store has to know after the manifest was written to.
    fn note_manifest(&self, writer: &Writer, manifest: &Manifest) {
        if manifest.poisoned().is_some() {
            writer.wal.poison("CURRENT could not be replaced: which manifest rules is unknown");
            self.signal.wake();
        }
        // A new manifest has taken a number.
        let above = manifest.last_number().saturating_add(1);
        self.next_file.fetch_max(above, Ordering::Relaxed);
    }

    /// Makes an edit of the newest version durable, then current.
    pub(crate) fn log_edit(
        &self,
        writer: &Writer,
        make: impl FnOnce(&Store, &Version) -> Result<VersionEdit> + Send + 'static,
    ) -> Result<()> {
        self.log_edit_with(writer, make, SuperVersion::with_version)
    }

    /// As [`Store::log_edit`]; `derive` makes the new super-version of the newest one, which may
    /// have rotated its memtables since the edit was made, and the new version.
    pub(crate) fn log_edit_with(
        &self,
        writer: &Writer,
        make: impl FnOnce(&Store, &Version) -> Result<VersionEdit> + Send + 'static,
        derive: impl Fn(&SuperVersion, Arc<Version>) -> SuperVersion + Send + 'static,
    ) -> Result<()> {
        let (make, derive): (Make, Derive) = (Box::new(make), Box::new(derive));
        let change = Change { make: Some(make), derive, outcome: None };
        let done = self.edits.submit(change, |own, others| {
            let group: Vec<&mut Change> = std::iter::once(own).chain(others).collect();
            self.or_poison("a change of the version", || self.log_group(writer, group));
        });
        done.outcome.unwrap_or_else(|| Err(self.unanswered()))
    }

    fn log_group(&self, writer: &Writer, mut group: Vec<&mut Change>) {
        let mut manifest = writer.manifest.lock();
        // The version cannot change while `manifest` is held.
        let view = self.pin();
        let edits = self.make_edits(&view, &mut group);
        // Those that have an outcome now did not fit.
        group.retain(|change| change.outcome.is_none());
        if group.is_empty() {
            return;
        }
        let logged = manifest.log_all(&view.version, edits);
        self.note_manifest(writer, &manifest);
        match logged {
            Ok(version) => {
                let version = match planted(Plant::OverlappingMoved) {
                    true => misplaced(version),
                    false => version,
                };
                meanwhile(Point::Logged);
                let stale = planted(Plant::StaleInstall);
                self.install(|old| {
                    let first = if stale { &view } else { old };
                    let mut derived = (group[0].derive)(first, Arc::clone(&version));
                    for change in &group[1..] {
                        derived = (change.derive)(&derived, Arc::clone(&version));
                    }
                    derived
                });
                // The manifest checks what it makes; a planted fault has changed it since.
                debug_assert!(!cfg!(nori_plant) || version.check().is_ok());
                self.brain.learn(&self.pin());
                self.tell_backlog();
                // Those whom the install woke may have looked too early.
                self.signal.wake();
                group.iter_mut().for_each(|change| change.outcome = Some(Ok(())));
            }
            Err(error) => {
                let error = Error::from(error);
                group.iter_mut().for_each(|c| c.outcome = Some(Err(error.clone())));
            }
        }
    }

    /// The edits of a group, each made for the version that the one before it makes.
    fn make_edits(&self, view: &SuperVersion, group: &mut [&mut Change]) -> Vec<VersionEdit> {
        let next_file = self.next_file.load(Ordering::Relaxed);
        let mut version = Arc::clone(&view.version);
        let mut after = Arc::clone(&version);
        let mut edits = Vec::new();
        let alone = group.len() == 1;
        for change in group {
            let Some(make) = change.make.take() else { continue };
            let made = make(self, &version).and_then(|edit| {
                let edit = edit.with_next_file(next_file);
                // What an edit alone makes, the manifest works out.
                let next = if alone { None } else { Some(after.apply(&edit)?) };
                Ok((edit, next))
            });
            match made {
                Ok((edit, next)) => {
                    edits.push(edit);
                    after = next.map_or(after, Arc::new);
                    if !planted(Plant::GroupOfOneVersion) {
                        version = Arc::clone(&after);
                    }
                }
                Err(e) => change.outcome = Some(Err(e)),
            }
        }
        edits
    }
}
