//! The one way to change the version: derive an edit, make it durable, install what it makes.

use crate::error::Result;
use crate::plant::{Plant, Point, meanwhile, planted};
use crate::store::state::{Store, Writer};
use crate::super_version::SuperVersion;
use nori_env::sync::Arc;
use nori_env::sync::atomic::Ordering;
use nori_manifest::{Manifest, Version, VersionEdit};

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

    /// Makes an edit of the current version durable, then current.
    pub(crate) fn log_edit(
        &self,
        writer: &Writer,
        edit: impl FnOnce(&Version) -> Result<VersionEdit>,
    ) -> Result<()> {
        self.log_edit_with(writer, |view| edit(&view.version), SuperVersion::with_version)
    }

    /// As [`Store::log_edit`]; `derive` makes the new super-version of the newest one, which may
    /// have rotated its memtables since the edit was made, and the new version.
    pub(crate) fn log_edit_with(
        &self,
        writer: &Writer,
        edit: impl FnOnce(&SuperVersion) -> Result<VersionEdit>,
        derive: impl Fn(&SuperVersion, Arc<Version>) -> SuperVersion,
    ) -> Result<()> {
        let mut manifest = writer.manifest.lock();
        // The version cannot change while `manifest` is held.
        let view = self.pin();
        let next_file = self.next_file.load(Ordering::Relaxed);
        let edit = edit(&view)?.with_next_file(next_file);
        let logged = manifest.log(&view.version, edit);
        self.note_manifest(writer, &manifest);
        let version = logged?;
        meanwhile(Point::Logged);
        let stale = planted(Plant::StaleInstall);
        self.install(|old| derive(if stale { &view } else { old }, Arc::clone(&version)));
        debug_assert_eq!(version.check(), Ok(()));
        Ok(())
    }
}
