//! A store in a directory of its own, and filling it without measuring.

use crate::data::Data;
use crate::engine::{BatchWrite, Engine, EngineKind, Options};
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::work::ycsb;
use crate::workload::Shape;
use std::fs;
use std::path::{Path, PathBuf};

/// Entries of one batch of a fill that is not measured.
const BATCH: u64 = 128;

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

/// Copies a directory with all that is in it.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
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
