//! A store in a directory of its own, and filling it without measuring.

use crate::data::Data;
use crate::engine::{BatchWrite, Engine, EngineKind, Options};
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::work::ycsb;
use crate::workload::Shape;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Entries of one batch of a fill that is not measured.
const BATCH: u64 = 128;

/// A store that does not come to rest in so many copies is not idle.
const COPIES_MAX: u32 = 20;
const COPY_PAUSE: Duration = Duration::from_millis(50);

/// An open store.
pub(crate) struct Store {
    pub(crate) engine: Box<dyn Engine>,
    /// What is in it; `None`: nobody knows.
    pub(crate) shape: Option<Shape>,
}

impl Store {
    /// Makes a store with this in it, where nothing is now.
    pub(crate) fn make(kind: EngineKind, plan: &Plan, shape: Shape) -> Result<Store> {
        remove(&plan.dir)?;
        let synced = shape == Shape::EmptySynced;
        let engine = (kind.open)(&plan.dir, &Options { synced, ..plan.options.clone() })?;
        match shape {
            Shape::Empty | Shape::EmptySynced => {}
            Shape::Full => fill(&*engine, &plan.data(plan.keys, plan.value_bytes), |i| i)?,
            Shape::Ycsb => {
                let keys = ycsb::Keys::new(plan);
                fill(&*engine, &ycsb::data(plan), |i| keys.key(i))?;
            }
        }
        Ok(Store { engine, shape: Some(shape) })
    }
}

/// Writes a key for each number of 0..keys, and waits until all is quiet.
fn fill(engine: &dyn Engine, data: &Data, key: impl Fn(u64) -> u64) -> Result<()> {
    let mut first = 0;
    while first < data.keys {
        let numbers = first..data.keys.min(first + BATCH);
        let keys: Vec<(u64, Vec<u8>)> = numbers
            .map(|i| {
                let (number, mut bytes) = (key(i), Vec::new());
                data.key(number, &mut bytes);
                (number, bytes)
            })
            .collect();
        let puts = keys.iter().map(|(number, key)| BatchWrite::Put(key, data.value(*number)));
        engine.write(&puts.collect::<Vec<_>>())?;
        first += BATCH;
    }
    engine.wait_idle()
}

/// Removes a directory that a bench made.
pub(crate) fn remove(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => failed("removing", dir, &e),
        _ => Ok(()),
    }
}

/// Where the copy of a store's directory stands: beside it.
pub(crate) fn copy_of(dir: &Path) -> PathBuf {
    let mut name = dir.as_os_str().to_os_string();
    name.push(".killed");
    PathBuf::from(name)
}

/// Copies a directory at a moment at which nothing in it changes: files may be removed for a while
/// after the work that made them needless is done.
pub(crate) fn copy_at_rest(from: &Path, to: &Path) -> Result<()> {
    for _ in 0..COPIES_MAX {
        remove(to)?;
        let before = listing(from);
        let copied = copy(from, to);
        // Whatever happened to a copy while files came and went, another one is made.
        if before == listing(from) {
            return copied;
        }
        std::thread::sleep(COPY_PAUSE);
    }
    Err(Error::new(format!("{} does not come to rest", from.display())))
}

/// The files of a directory with their lengths.
fn listing(dir: &Path) -> Vec<(PathBuf, u64)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            all.extend(listing(&path));
        } else {
            all.push((path, entry.metadata().map_or(0, |meta| meta.len())));
        }
    }
    all.sort_unstable();
    all
}

/// Copies a directory with all that is in it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).or_else(|e| failed("making", to, &e))?;
    let entries = fs::read_dir(from).or_else(|e| failed("listing", from, &e))?;
    for entry in entries {
        let entry = entry.or_else(|e| failed("listing", from, &e))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy(&source, &target)?;
        } else {
            fs::copy(&source, &target).map(drop).or_else(|e| failed("copying", &source, &e))?;
        }
    }
    Ok(())
}

fn failed<T>(doing: &str, path: &Path, error: &std::io::Error) -> Result<T> {
    Err(Error::new(format!("{doing} {}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// Files that come and go for a while, as in a store that tidies up.
    #[test]
    fn a_copy_is_of_one_moment() {
        let dir = std::env::temp_dir().join(format!("nori-at-rest-{}", std::process::id()));
        let (from, to) = (dir.join("from"), dir.join("to"));
        fs::create_dir_all(from.join("sst")).expect("made");
        fs::write(from.join("sst/1"), "stays").expect("written");
        let goes_on = AtomicBool::new(true);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for n in 0u64.. {
                    if !goes_on.load(Ordering::Acquire) {
                        return;
                    }
                    // A number is never used again, as with tables.
                    fs::write(from.join(format!("sst/{}", n + 3)), "goes").expect("written");
                    let _ = fs::remove_file(from.join(format!("sst/{}", n + 2)));
                }
            });
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(120));
                goes_on.store(false, Ordering::Release);
            });
            copy_at_rest(&from, &to).expect("comes to rest");
        });
        // Of one moment: one that stays, and one or two with numbers beside each other.
        let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u64>().ok();
        let mut numbers: Vec<u64> =
            listing(&to).iter().filter_map(|(path, _)| number(path)).collect();
        numbers.sort_unstable();
        assert!(numbers.len() <= 3 && numbers.first() == Some(&1), "{numbers:?}");
        if let [_, first, last] = numbers[..] {
            assert_eq!(first + 1, last, "{numbers:?}");
        }
        remove(&dir).expect("removed");
    }
}
