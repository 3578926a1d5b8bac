//! nori as an engine.

use crate::engine::{BatchWrite, Engine, EngineKind, Facts, Options};
use crate::error::{Error, Result};
use nori_lsm::{Compression, Config, Durability, Lsm, WriteBatch};
use std::path::Path;
use std::time::Duration;

/// A bench has time: a full write buffer is no failure, only a wait.
const STALL_TIMEOUT: Duration = Duration::from_secs(3600);

/// nori itself.
pub const NORI: EngineKind = EngineKind { name: "nori", open };

/// nori that reads through mappings of its tables, without compression: see `Config::mmap_reads`.
pub const NORI_MMAP: EngineKind = EngineKind { name: "nori-mmap", open: open_mapped };

fn open(dir: &Path, options: &Options) -> Result<Box<dyn Engine>> {
    open_with(dir, config(options))
}

fn open_mapped(dir: &Path, options: &Options) -> Result<Box<dyn Engine>> {
    open_with(dir, config(options).compression(Compression::None).mmap_reads(true))
}

fn open_with(dir: &Path, config: Config) -> Result<Box<dyn Engine>> {
    Ok(Box::new(Nori(told(Lsm::open_with(dir, config))?)))
}

fn config(options: &Options) -> Config {
    Config::default()
        .stall_timeout(STALL_TIMEOUT)
        .durability(if options.synced { Durability::Synced } else { Durability::Buffered })
        .block_cache_bytes(options.cache_bytes)
        .memtable_bytes(usize::try_from(options.buffer_bytes).unwrap_or(usize::MAX))
        .bloom_bits_per_key(options.bloom_bits)
        .compression(if options.lz4 { Compression::Lz4 } else { Compression::None })
}

struct Nori(Lsm);

fn told<T>(done: nori_lsm::Result<T>) -> Result<T> {
    done.map_err(Error::new)
}

impl Engine for Nori {
    fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        told(self.0.put(key, value))
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        told(self.0.delete(key))
    }

    fn write(&self, batch: &[BatchWrite<'_>]) -> Result<()> {
        let mut all = WriteBatch::new();
        for write in batch {
            match write {
                BatchWrite::Put(key, value) => all.put(key, value),
                BatchWrite::Delete(key) => all.delete(key),
            };
        }
        told(self.0.write(all))
    }

    fn get(&self, key: &[u8], value: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let found = told(self.0.get(key))?;
        Ok(found.is_some_and(|found| {
            value(&found);
            true
        }))
    }

    fn scan(
        &self,
        from: Option<&[u8]>,
        reverse: bool,
        entries: u64,
        entry: &mut dyn FnMut(&[u8], &[u8]),
    ) -> Result<u64> {
        let mut cursor = self.0.cursor();
        let mut on_key = told(match (from, reverse) {
            (Some(key), false) => cursor.seek(key),
            (Some(key), true) => cursor.seek_for_prev(key),
            (None, false) => cursor.first(),
            (None, true) => cursor.last(),
        })?;
        let mut met = 0;
        while on_key && met < entries {
            if let (Some(key), Some(value)) = (cursor.key(), cursor.value()) {
                entry(key, value);
            }
            met += 1;
            // The last entry is not left: a step more would be work that nobody asked for.
            on_key = met < entries && told(if reverse { cursor.prev() } else { cursor.next() })?;
        }
        Ok(met)
    }

    fn sync(&self) -> Result<()> {
        told(self.0.sync())
    }

    fn wait_idle(&self) -> Result<()> {
        told(self.0.wait_idle())
    }

    fn compact(&self) -> Result<()> {
        told(self.0.compact())
    }

    fn facts(&self) -> Facts {
        let metrics = self.0.metrics();
        Facts {
            // Keys, values and a few bytes for each; the log frames them in blocks besides.
            log_bytes: Some(metrics.user_bytes),
            flush_bytes: Some(metrics.flush_bytes),
            merge_bytes: Some(metrics.compaction_bytes_written),
            stalls: Some(metrics.stalls),
            cache_hits: Some(metrics.cache_hits),
            cache_misses: Some(metrics.cache_misses),
            point_reads: Some(metrics.point_reads),
            runs_probed: Some(metrics.runs_probed),
        }
    }

    fn close(self: Box<Self>) -> Result<()> {
        told(self.0.close())
    }
}
