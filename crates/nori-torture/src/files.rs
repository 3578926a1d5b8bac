//! Files beside and below a store.

use nori_env::Rng;
use nori_env::sync::atomic::{AtomicU64, Ordering};
use nori_lsm::Lsm;
use std::fs::File;
use std::path::{Path, PathBuf};

/// A new directory; removed with all in it on drop.
#[derive(Debug)]
pub struct Place(PathBuf);

impl Place {
    /// In memory where the machine has such a place and `is_fast` says so, else where temporary
    /// files go.
    ///
    /// # Errors
    /// What the system said.
    pub fn new(name: &str, is_fast: bool) -> Result<Place, String> {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("nori-{name}-{}-{number}", std::process::id());
        let path = if is_fast { fast_dir() } else { std::env::temp_dir() }.join(name);
        std::fs::create_dir(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Place(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// A directory whose files are in memory, or that of temporary files.
pub(crate) fn fast_dir() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() }
}

/// Where a child puts its copies of the store in `dir`.
pub(crate) fn checkpoint_dir(dir: &Path, number: u64) -> PathBuf {
    let name = dir.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    dir.with_file_name(format!("{name}-copy-{number}"))
}

/// The name of a keyspace that comes and goes.
pub(crate) fn keyspace_name(seed: u64, number: u64) -> String {
    format!("tmp-{seed}-{number}")
}

/// How many table files there are, and how many of them the store uses. Only without background
/// threads are the two of one moment.
///
/// # Errors
/// What the directory's listing said.
pub fn orphans(dir: &Path, store: &Lsm) -> Result<(u64, u64), String> {
    let names = std::fs::read_dir(dir.join("sst")).map_err(|e| format!("sst: {e}"))?;
    let files = names.filter(|name| name.as_ref().is_ok_and(|name| is_table(&name.path())));
    Ok((files.count() as u64, store.metrics().tables))
}

fn is_table(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "sst")
}

/// Makes something of a store durable that nobody asked for: a file, a directory, or all of the
/// file system, as the operating system may do at any time.
pub fn scribble_sync(rng: &mut Rng, dir: &Path) {
    let mut paths = vec![dir.to_path_buf()];
    for dir in [dir.to_path_buf(), dir.join("wal"), dir.join("sst")] {
        let names = std::fs::read_dir(dir).into_iter().flatten().flatten();
        paths.extend(names.map(|name| name.path()));
    }
    // What cannot be opened or synced is gone, or the disk is.
    let Ok(file) = File::open(rng.pick(&paths)) else { return };
    if rng.chance(10) {
        rustix::fs::syncfs(&file).ok();
    } else {
        file.sync_data().ok();
    }
}
