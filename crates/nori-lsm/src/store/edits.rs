//! The one way to change the version: derive an edit, make it durable, install what it makes.

use crate::error::Result;
use crate::store::state::{Store, Writer};
use crate::super_version::SuperVersion;
use nori_env::sync::Arc;
use nori_env::sync::atomic::Ordering;
use nori_manifest::{Version, VersionEdit};

impl Store {
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
        if manifest.poisoned().is_some() {
            writer.wal.poison("CURRENT could not be replaced: which manifest rules is unknown");
        }
        let version = logged?;
        // A rollover takes a number for its manifest.
        self.next_file.fetch_max(version.next_file, Ordering::Relaxed);
        self.install(|old| derive(old, Arc::clone(&version)));
        debug_assert_eq!(version.check(), Ok(()));
        Ok(())
    }
}
