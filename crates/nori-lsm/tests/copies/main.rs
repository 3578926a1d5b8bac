//! What is made of a store while it goes on: checkpoints, and the feed of its changes.

#![cfg(not(any(nori_loom, nori_shuttle)))]

mod checkpoints;
mod feed;
mod follow;

use nori_env::FileSystem;
use nori_env::sync::Arc;
use nori_lsm::{Background, Config};

/// A store without threads whose memtables are full after some tens of writes.
fn tiny(fs: Arc<dyn FileSystem>) -> Config {
    Config::default()
        .file_system(fs)
        .background(Background::Manual)
        .memtable_bytes(4 << 10)
        .block_bytes(256)
        .table_bytes(4 << 10)
        .disk_reserve_bytes(Some(0))
}

fn key(n: u32) -> Vec<u8> {
    format!("key-{n:05}").into_bytes()
}
