//! RocksDB as an engine: one column family, levels, as it comes otherwise.

use nori_bench::{BatchWrite, Engine, EngineKind, Error, Facts, Options, Result};
use rocksdb::{
    BlockBasedOptions, Cache, DB, DBCompressionType, ReadOptions, WaitForCompactOptions,
    WriteBatch, WriteOptions,
};
use std::path::Path;

/// RocksDB.
pub const ROCKSDB: EngineKind = EngineKind { name: "rocksdb", open };

/// One that is filled, one that is flushed, and one between them.
const BUFFERS: i32 = 3;
/// A flush and a merge at once.
const BACKGROUND_JOBS: i32 = 2;
const BLOCK_BYTES: usize = 4 << 10;

struct RocksDb {
    db: DB,
    read: ReadOptions,
    write: WriteOptions,
}

fn told<T>(done: std::result::Result<T, rocksdb::Error>) -> Result<T> {
    done.map_err(|error| Error::new(format!("rocksdb: {error}")))
}

fn bytes(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn open(dir: &Path, options: &Options) -> Result<Box<dyn Engine>> {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(&Cache::new_lru_cache(bytes(options.cache_bytes)));
    table.set_block_size(BLOCK_BYTES);
    if options.bloom_bits > 0.0 {
        table.set_bloom_filter(options.bloom_bits, false);
        table.set_whole_key_filtering(true);
    }
    let mut how = rocksdb::Options::default();
    how.create_if_missing(true);
    how.set_block_based_table_factory(&table);
    how.set_write_buffer_size(bytes(options.buffer_bytes));
    how.set_max_write_buffer_number(BUFFERS);
    how.set_max_background_jobs(BACKGROUND_JOBS);
    // On all levels: nothing says otherwise for some of them.
    how.set_compression_type(match options.lz4 {
        true => DBCompressionType::Lz4,
        false => DBCompressionType::None,
    });
    let mut write = WriteOptions::default();
    write.set_sync(options.synced);
    std::fs::create_dir_all(dir).map_err(Error::new)?;
    let db = told(DB::open(&how, dir))?;
    Ok(Box::new(RocksDb { db, read: ReadOptions::default(), write }))
}

impl Engine for RocksDb {
    fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        told(self.db.put_opt(key, value, &self.write))
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        told(self.db.delete_opt(key, &self.write))
    }

    fn write(&self, batch: &[BatchWrite<'_>]) -> Result<()> {
        let mut all = WriteBatch::default();
        for write in batch {
            match write {
                BatchWrite::Put(key, value) => all.put(key, value),
                BatchWrite::Delete(key) => all.delete(key),
            }
        }
        told(self.db.write_opt(all, &self.write))
    }

    /// Without a copy, and without making options anew for each.
    fn get(&self, key: &[u8], value: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let found = told(self.db.get_pinned_opt(key, &self.read))?;
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
        let mut cursor = self.db.raw_iterator();
        match (from, reverse) {
            (Some(key), false) => cursor.seek(key),
            (Some(key), true) => cursor.seek_for_prev(key),
            (None, false) => cursor.seek_to_first(),
            (None, true) => cursor.seek_to_last(),
        }
        let mut met = 0;
        while met < entries
            && let Some((key, value)) = cursor.item()
        {
            entry(key, value);
            met += 1;
            // The last entry is not left: a step more would be work that nobody asked for.
            match (met < entries, reverse) {
                (false, _) => break,
                (true, false) => cursor.next(),
                (true, true) => cursor.prev(),
            }
        }
        told(cursor.status())?;
        Ok(met)
    }

    fn sync(&self) -> Result<()> {
        told(self.db.flush_wal(true))
    }

    /// Flushes and merges that are due; what stands in the buffer that is being filled stays there,
    /// as with the others.
    fn wait_idle(&self) -> Result<()> {
        told(self.db.wait_for_compact(&WaitForCompactOptions::default()))
    }

    fn compact(&self) -> Result<()> {
        self.db.compact_range(None::<&[u8]>, None::<&[u8]>);
        Ok(())
    }

    fn facts(&self) -> Facts {
        Facts::default()
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.sync()
    }
}
