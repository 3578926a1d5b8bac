//! What a workload needs of an engine.

use crate::error::Result;
use std::path::Path;

/// How a store is opened; the same for each engine, as far as it has such a thing.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Memory for cached blocks.
    pub cache_bytes: u64,
    /// Memory for one write buffer.
    pub buffer_bytes: u64,
    /// Bits of bloom filter per key; 0: none.
    pub bloom_bits: f64,
    /// Tables are compressed with LZ4.
    pub lz4: bool,
    /// A write survives a power cut when it returns. Else the operating system has it, which is
    /// enough to survive the end of the process.
    pub synced: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            cache_bytes: 64 << 20,
            buffer_bytes: 64 << 20,
            bloom_bits: 10.0,
            lz4: true,
            synced: false,
        }
    }
}

/// One engine: its name and how a store of it is opened.
#[derive(Clone, Copy, Debug)]
pub struct EngineKind {
    /// Its name.
    pub name: &'static str,
    /// Opens the store in a directory; makes directory and store where there are none.
    pub open: fn(&Path, &Options) -> Result<Box<dyn Engine>>,
}

/// One write of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchWrite<'a> {
    /// Sets a key to a value.
    Put(&'a [u8], &'a [u8]),
    /// Deletes a key.
    Delete(&'a [u8]),
}

/// An open store of some engine. Dropping it without `close` is allowed.
pub trait Engine: Send + Sync {
    /// Sets a key, as durable as the options say.
    ///
    /// # Errors
    /// Those of the engine; so for all methods.
    fn put(&self, key: &[u8], value: &[u8]) -> Result<()>;

    /// Deletes a key, as durable as the options say.
    fn delete(&self, key: &[u8]) -> Result<()>;

    /// Does several writes at once, all or none.
    fn write(&self, batch: &[BatchWrite<'_>]) -> Result<()>;

    /// Hands over a key's value where there is one, and says whether there is.
    fn get(&self, key: &[u8], value: &mut dyn FnMut(&[u8])) -> Result<bool>;

    /// Hands over up to `entries` entries from `from` on, or from the first on; in reverse from
    /// the last key that is not above `from`, or from the last one, downwards. Says how many.
    fn scan(
        &self,
        from: Option<&[u8]>,
        reverse: bool,
        entries: u64,
        entry: &mut dyn FnMut(&[u8], &[u8]),
    ) -> Result<u64>;

    /// Makes all acknowledged writes durable.
    fn sync(&self) -> Result<()>;

    /// Waits until nothing is left to flush or merge.
    fn wait_idle(&self) -> Result<()>;

    /// Merges everything; nothing where the engine has no such thing.
    fn compact(&self) -> Result<()>;

    /// What the engine knows of itself.
    fn facts(&self) -> Facts;

    /// Closes the store.
    fn close(self: Box<Self>) -> Result<()>;
}

/// What an engine knows of itself, counted since it was opened; `None`: it does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Bytes written to the log.
    pub log_bytes: Option<u64>,
    /// Bytes that flushes wrote to tables.
    pub flush_bytes: Option<u64>,
    /// Bytes that merges wrote to tables.
    pub merge_bytes: Option<u64>,
    /// Writers that waited for background work.
    pub stalls: Option<u64>,
    /// Blocks found in the cache.
    pub cache_hits: Option<u64>,
    /// Blocks not found there.
    pub cache_misses: Option<u64>,
    /// Reads of one key.
    pub point_reads: Option<u64>,
    /// Sorted runs that these looked into.
    pub runs_probed: Option<u64>,
}

impl Facts {
    /// What came since `before`.
    pub(crate) fn since(&self, before: &Facts) -> Facts {
        let new = |now: Option<u64>, then: Option<u64>| {
            now.zip(then).map(|(now, then)| now.saturating_sub(then))
        };
        Facts {
            log_bytes: new(self.log_bytes, before.log_bytes),
            flush_bytes: new(self.flush_bytes, before.flush_bytes),
            merge_bytes: new(self.merge_bytes, before.merge_bytes),
            stalls: new(self.stalls, before.stalls),
            cache_hits: new(self.cache_hits, before.cache_hits),
            cache_misses: new(self.cache_misses, before.cache_misses),
            point_reads: new(self.point_reads, before.point_reads),
            runs_probed: new(self.runs_probed, before.runs_probed),
        }
    }
}
