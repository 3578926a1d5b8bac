//! The oracle: what a store that was left by a crash must be.
//!
//! For the history `H` up to the crash and what the opened store shows, `R`:
//!
//! 1. `R` is the first `p` elements of `H` for one `p`, over all keyspaces; batches whole.
//! 2. Nothing is there that was never written (a part of 1).
//! 3. Opening succeeds: no cut damages bytes that were synced.
//! 4. Opening again gives the same `R`, whatever ends the process that opened it first.
//! 5. The next sequence number is above all that `R` shows: a later write covers it.
//! 6. Every file is named by the manifest, none that it names is missing.
//! 7. What was deleted stays deleted, also under later writes and openings (by 1 and 4).
//!
//! `p` is at least the mark of the moment: after a kill all that was acknowledged, after a power
//! cut what was durable.

use crate::history::{History, Keys, Mark, State};
use crate::seen::Seen;
use crate::setup::config;
use bytes::Bytes;
use nori_env::sync::Arc;
use nori_env::{Cut, FileSystem, ManualClock, MemFs, Rng};
use nori_lsm::Lsm;
use std::path::Path;

/// Where the store is.
pub(crate) const ROOT: &str = "/store";

/// How many of a hundred images are verified, opened to read, verified again, written to and opened
/// again.
const AGAIN_PERCENT: u64 = 8;

/// The outcome of a check: what was wrong, in words.
pub(crate) type Checked<T> = Result<T, String>;

/// A moment before one operation: the disk, what must survive it.
pub(crate) struct Moment {
    pub(crate) op: u64,
    pub(crate) image: MemFs,
    pub(crate) mark: Mark,
    /// Whether a sync may have failed since the machine started, so that what it should have
    /// covered is only in memory.
    pub(crate) failed_sync: bool,
}

impl Moment {
    /// How many elements a crash must leave.
    pub(crate) fn required(&self, cut: Cut) -> usize {
        // Pages that are not clean are not evicted.
        let kept = cut == Cut::Kill || cut == Cut::KillEvict && !self.failed_sync;
        if kept { self.mark.kill } else { self.mark.power }
    }
}

/// Opens a store with the options of a number, on a disk that is well.
pub(crate) fn open(disk: &MemFs, dir: &str, options: u64) -> Checked<Lsm> {
    disk.set_capacity(None);
    let clock = Arc::new(ManualClock::default());
    Lsm::open_with(dir, config(Arc::new(disk.clone()), clock, options))
        .map_err(|e| format!("opening {dir}: {e}"))
}

/// Everything a store shows.
pub(crate) fn state(store: &Lsm) -> nori_lsm::Result<State> {
    let read = |name: String| {
        let keys: nori_lsm::Result<Keys> = store.keyspace(&name)?.iter().collect();
        Ok((Arc::from(name), Arc::new(keys?)))
    };
    store.keyspaces().into_iter().map(read).collect::<nori_lsm::Result<_>>().map(State)
}

/// The prefix that an open store shows.
pub(crate) fn matched(store: &Lsm, history: &History) -> Checked<usize> {
    let shown = state(store).map_err(|e| format!("reading: {e}"))?;
    let last = store.metrics().last_sequence;
    let p = history.find(&shown, last).ok_or_else(|| format!("no prefix gives {shown:?}"))?;
    let given = history.last_of(p);
    if last < given {
        return Err(format!("the last sequence number is {last}, but {given} is visible"));
    }
    Ok(p)
}

/// No file that nobody names, none missing.
pub(crate) fn check_files(fs: &dyn FileSystem, store: &Lsm) -> Checked<()> {
    let list = |sub: &str| fs.list(&Path::new(ROOT).join(sub)).map_err(|e| e.to_string());
    let (root, wal, sst) = (list("")?, list("wal")?, list("sst")?);
    let metrics = store.metrics();
    let expected = ["CURRENT", "HEAT", "LOCK", "lost", "sst", "wal"];
    let known = |name: &String| name.starts_with("MANIFEST-") || expected.contains(&&name[..]);
    let known = root.iter().all(known);
    let manifests = root.iter().filter(|n| n.starts_with("MANIFEST-")).count();
    if !known || manifests != 1 || wal.len() != 1 || sst.len() as u64 != metrics.tables {
        return Err(format!("orphans: {root:?} {wal:?} {sst:?}, {} tables live", metrics.tables));
    }
    Ok(())
}

/// Opens what a crash left and compares it with what must have survived. Returns `p`.
pub(crate) fn check(
    disk: &MemFs,
    at: &Moment,
    cut: Cut,
    history: &History,
    seed: u64,
    seen: &mut Seen,
) -> Checked<usize> {
    let mut rng = Rng::new(seed);
    seen.images += 1;
    seen.spoil_heat(disk, &mut rng);
    let again = rng.chance(AGAIN_PERCENT);
    if again {
        verify(disk, seed)?;
    }
    let looked = if again { look(disk, history, seed)? } else { None };
    let store = open(disk, ROOT, seed)?;
    check_files(disk, &store)?;
    let (p, required) = (matched(&store, history)?, at.required(cut));
    if p < required {
        return Err(format!("{p} elements of {}, {required} required", history.len()));
    }
    if looked.is_some_and(|looked| looked != p) {
        return Err(format!("{p} elements, {looked:?} when opened only to read"));
    }
    if again {
        check_again(disk, store, &mut rng).map_err(|e| format!("the second time: {e}"))?;
        seen.again += 1;
    }
    Ok(p)
}

/// A crash is no damage, and a verification leaves the disk as it is.
fn verify(disk: &MemFs, options: u64) -> Checked<()> {
    let there = disk.files().iter().any(|(path, _)| path.starts_with(ROOT));
    let (before, clock) = (disk.operations(), Arc::new(ManualClock::default()));
    let config = config(Arc::new(disk.clone()), clock, options);
    let report = match Lsm::verify_at(ROOT, &config, &mut |_| ()) {
        Ok(report) => report,
        Err(_) if !there => return Ok(()),
        Err(e) => return Err(format!("verifying before opening: {e}")),
    };
    if !report.is_ok() {
        return Err(format!("verifying before opening: {:?}", report.problems));
    }
    if disk.operations() != before {
        return Err("verifying: the disk was changed".to_string());
    }
    Ok(())
}

/// Opens what a crash left to read: it shows the same, and the disk stays as it was. `None` where
/// there is no store yet.
fn look(disk: &MemFs, history: &History, options: u64) -> Checked<Option<usize>> {
    disk.set_capacity(None);
    if !disk.exists(&Path::new(ROOT).join("CURRENT")).map_err(|e| e.to_string())? {
        return Ok(None);
    }
    let (before, clock) = (disk.operations(), Arc::new(ManualClock::default()));
    let config = config(Arc::new(disk.clone()), clock, options);
    let say = |e: String| format!("opening to read: {e}");
    let store = Lsm::open_read_only_with(ROOT, config).map_err(|e| say(e.to_string()))?;
    let p = matched(&store, history).map_err(say)?;
    drop(store);
    if disk.operations() != before {
        return Err(say("the disk was changed".to_string()));
    }
    Ok(Some(p))
}

/// What an open store shows is durable, and what it writes covers it.
fn check_again(disk: &MemFs, store: Lsm, rng: &mut Rng) -> Checked<()> {
    let before = store.metrics().last_sequence;
    let report = store.verify().map_err(|e| format!("verifying: {e}"))?;
    if !report.is_ok() {
        return Err(format!("verifying: {:?}", report.problems));
    }
    let mut expected = state(&store).map_err(|e| format!("reading: {e}"))?;
    let keys = expected.0.get_mut("default").map(Arc::make_mut).ok_or("no default keyspace")?;
    // A key that has a value, or none any more.
    let key = Bytes::from(format!("k{}", rng.below(6)));
    let written = if rng.chance(50) {
        let value = Bytes::from_static(b"written over");
        keys.insert(key.clone(), value.clone());
        store.put(&key, &value)
    } else {
        keys.remove(&key);
        store.delete(&key)
    };
    written.and_then(|()| store.sync()).map_err(|e| format!("writing: {e}"))?;
    let left = disk.crash(*rng.pick(&Cut::ALL), rng.next_u64());
    drop(store);
    let store = open(&left, ROOT, rng.next_u64())?;
    check_files(&left, &store)?;
    let shown = state(&store).map_err(|e| format!("reading: {e}"))?;
    let last = store.metrics().last_sequence;
    if shown != expected || last <= before {
        return Err(format!("{shown:?} at {last}, not {expected:?} above {before}"));
    }
    Ok(())
}

/// A checkpoint that was finished opens after any crash, and holds what was there when it was
/// asked for.
pub(crate) fn check_checkpoint(
    disk: &MemFs,
    dir: &str,
    expected: &State,
    cut: Cut,
    seed: u64,
) -> Checked<()> {
    let said = |e: String| format!("{dir} after {cut:?}: {e}");
    let store = open(&disk.crash(cut, seed), dir, seed).map_err(said)?;
    let shown = state(&store).map_err(|e| said(e.to_string()))?;
    if shown != *expected {
        return Err(said(format!("{shown:?}, not {expected:?}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
