//! What the benchmarks share: keys, values, and stores filled with them.
//!
//! Run them with `cargo bench -p nori-benches`, or one with `--bench memtable`. They compare nori
//! with itself, before and after a change, in one session; `nori bench` measures whole workloads.

pub mod amplification;
pub mod concept;
pub mod parts;
#[cfg(feature = "peers")]
pub mod peers;

use nori_lsm::{Background, Config, Durability, Lsm, Result, WriteBatch};
use std::path::{Path, PathBuf};

/// A directory that is removed with everything in it when this is dropped.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// An empty directory named after the benchmark.
    ///
    /// # Panics
    /// If it cannot be made.
    pub fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("nori-bench-{name}-{}", std::process::id()));
        // What an earlier run with this process number left, if anything.
        let _ = Lsm::destroy(&path);
        Scratch(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = Lsm::destroy(&self.0);
    }
}

/// The n-th key: 16 bytes, in order of n.
pub fn key(n: u64) -> [u8; 16] {
    let mut key = *b"key-000000000000";
    let mut rest = n;
    for digit in key[4..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    key
}

/// A number that depends on n and looks random, below `limit`; some come twice, some never.
pub fn shuffled(n: u64, limit: u64) -> u64 {
    n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(5) % limit.max(1)
}

/// A value of 100 bytes, half of which compress.
pub fn value(n: u64) -> [u8; 100] {
    let mut value = [b'v'; 100];
    let mut state = n | 1;
    for byte in &mut value[..50] {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        *byte = (state >> 56) as u8;
    }
    value
}

/// Options for benchmarks: buffered, an 8 MiB memtable, a cache that holds everything.
pub fn config() -> Config {
    Config::default()
        .durability(Durability::Buffered)
        .memtable_bytes(8 << 20)
        .block_cache_bytes(512 << 20)
        .background(Background::Threads(1))
}

/// A merged store with the keys `0..count`.
///
/// # Errors
/// Those of the store.
pub fn filled(dir: &Path, count: u64) -> Result<Lsm> {
    let store = Lsm::open_with(dir, config())?;
    for first in (0..count).step_by(1000) {
        let mut batch = WriteBatch::new();
        for n in first..(first + 1000).min(count) {
            batch.put(key(n), value(n));
        }
        store.write(batch)?;
    }
    store.compact()?;
    Ok(store)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_ascend_and_a_filled_store_holds_them() {
        assert!(key(9) < key(10) && key(99_999) < key(100_000));
        let scratch = Scratch::new("test");
        let store = filled(scratch.path(), 2_500).expect("fills");
        assert_eq!(store.iter().count(), 2_500);
        assert_eq!(store.get(key(77)).expect("reads").as_deref(), Some(&value(77)[..]));
    }
}
