//! What happens at the same time, and what fails again and again: closing against work on other
//! threads, failures that repeat, limits of names, readers beside a writer.

mod barrier;
mod closing;
mod damaged;
mod failing;
mod pressure;
mod readers;
mod stress;

#[path = "../support/hook.rs"]
mod hook;
#[path = "../support/small.rs"]
mod small;

use nori_env::FileSystem;
use nori_env::MemFs;
use nori_env::sync::Arc;
use nori_lsm::Lsm;
use small::{ROOT, check, config, fill, key, on};

fn open(fs: Arc<dyn FileSystem>) -> Lsm {
    Lsm::open_with(ROOT, config(fs)).expect("opens")
}

fn files(disk: &MemFs, ending: &str) -> usize {
    disk.files().iter().filter(|(path, _)| path.to_string_lossy().ends_with(ending)).count()
}
