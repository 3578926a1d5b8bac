//! What happens at the same time, and what fails again and again: closing against work on other
//! threads, failures that repeat, limits of names, readers beside a writer.

mod closing;
mod damaged;
mod failing;
mod hooked;
mod pressure;
mod readers;
mod stress;

use nori_env::sync::Arc;
use nori_env::{FileSystem, MemFs};
use nori_lsm::{Background, Config, Lsm};

const ROOT: &str = "/store";

fn config(fs: Arc<dyn FileSystem>) -> Config {
    Config::default()
        .file_system(fs)
        .background(Background::Manual)
        .memtable_bytes(4096)
        .block_bytes(256)
        .table_bytes(4096)
        .k_global(2)
        .disk_reserve_bytes(Some(0))
}

fn open(fs: Arc<dyn FileSystem>) -> Lsm {
    Lsm::open_with(ROOT, config(fs)).expect("opens")
}

fn on(disk: &MemFs) -> Arc<dyn FileSystem> {
    Arc::new(disk.clone())
}

fn key(n: usize) -> Vec<u8> {
    format!("key-{n:04}").into_bytes()
}

/// Writes `count` keys with values of the given generation.
fn fill(store: &Lsm, count: usize, generation: usize) {
    for n in 0..count {
        store.put(key(n), format!("{generation}-{n}")).expect("writes");
    }
}

fn check(store: &Lsm, count: usize, generation: usize) {
    for n in 0..count {
        let value = store.get(key(n)).expect("reads").expect("is there");
        assert_eq!(value, format!("{generation}-{n}").into_bytes());
    }
    assert_eq!(store.iter().count(), count);
}

fn files(disk: &MemFs, ending: &str) -> usize {
    disk.files().iter().filter(|(path, _)| path.to_string_lossy().ends_with(ending)).count()
}
