//! Small stores in memory: what the tests of races and of hostile input share.

use nori_env::sync::Arc;
use nori_env::{FileSystem, MemFs};
use nori_lsm::{Background, Config, Lsm};

pub(crate) const ROOT: &str = "/store";

pub(crate) fn config(fs: Arc<dyn FileSystem>) -> Config {
    tiny(Config::default()).file_system(fs).background(Background::Manual)
}

/// Small files of every kind after a few writes.
pub(crate) fn tiny(config: Config) -> Config {
    config
        .memtable_bytes(4096)
        .block_bytes(256)
        .table_bytes(4096)
        .k_global(2)
        .disk_reserve_bytes(Some(0))
}

pub(crate) fn on(disk: &MemFs) -> Arc<dyn FileSystem> {
    Arc::new(disk.clone())
}

pub(crate) fn key(n: usize) -> Vec<u8> {
    format!("key-{n:04}").into_bytes()
}

/// Writes `count` keys with values of the given generation.
pub(crate) fn fill(store: &Lsm, count: usize, generation: usize) {
    for n in 0..count {
        store.put(key(n), format!("{generation}-{n}")).expect("writes");
    }
}

pub(crate) fn check(store: &Lsm, count: usize, generation: usize) {
    for n in 0..count {
        let value = store.get(key(n)).expect("reads").expect("is there");
        assert_eq!(value, format!("{generation}-{n}").into_bytes());
    }
    assert_eq!(store.iter().filter(|item| item.is_ok()).count(), count);
}
