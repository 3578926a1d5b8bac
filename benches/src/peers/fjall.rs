//! fjall as an engine: one keyspace, levels, filters on each of them, as it comes otherwise.

use fjall::config::{BloomConstructionPolicy, CompressionPolicy, FilterPolicy, FilterPolicyEntry};
use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use nori_bench::{BatchWrite, Engine, EngineKind, Error, Facts, Options, Result};
use std::ops::Bound;
use std::path::Path;
use std::time::Duration;

/// fjall.
pub const FJALL: EngineKind = EngineKind { name: "fjall", open };

/// Nothing is left to do when so many looks, one after the other, saw nothing under way.
const QUIET_LOOKS: u32 = 10;
const LOOK_EVERY: Duration = Duration::from_millis(1);

struct Fjall {
    database: Database,
    keyspace: Keyspace,
    synced: bool,
}

fn told<T>(done: fjall::Result<T>) -> Result<T> {
    done.map_err(|error| Error::new(format!("fjall: {error}")))
}

fn open(dir: &Path, options: &Options) -> Result<Box<dyn Engine>> {
    let database = told(Database::builder(dir).cache_size(options.cache_bytes).open())?;
    let filter = match options.bloom_bits {
        bits if bits > 0.0 => FilterPolicy::all(FilterPolicyEntry::Bloom(
            BloomConstructionPolicy::BitsPerKey(bits as f32),
        )),
        _ => FilterPolicy::disabled(),
    };
    let compression = if options.lz4 { CompressionType::Lz4 } else { CompressionType::None };
    let create = || {
        KeyspaceCreateOptions::default()
            .max_memtable_size(options.buffer_bytes)
            .filter_policy(filter.clone())
            .data_block_compression_policy(CompressionPolicy::all(compression))
    };
    let keyspace = told(database.keyspace("default", create))?;
    Ok(Box::new(Fjall { database, keyspace, synced: options.synced }))
}

impl Fjall {
    fn sync_if_owed(&self) -> Result<()> {
        if self.synced { self.sync() } else { Ok(()) }
    }
}

impl Engine for Fjall {
    fn put(&self, key: &[u8], value: &[u8]) -> Result<()> {
        told(self.keyspace.insert(key, value))?;
        self.sync_if_owed()
    }

    fn delete(&self, key: &[u8]) -> Result<()> {
        told(self.keyspace.remove(key))?;
        self.sync_if_owed()
    }

    fn write(&self, batch: &[BatchWrite<'_>]) -> Result<()> {
        let mut all = self.database.batch();
        for write in batch {
            match write {
                BatchWrite::Put(key, value) => all.insert(&self.keyspace, *key, *value),
                BatchWrite::Delete(key) => all.remove(&self.keyspace, *key),
            }
        }
        told(all.commit())?;
        self.sync_if_owed()
    }

    fn get(&self, key: &[u8], value: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let found = told(self.keyspace.get(key))?;
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
        let mut range = match (from, reverse) {
            (None, _) => self.keyspace.iter(),
            (Some(key), false) => {
                self.keyspace.range::<&[u8], _>((Bound::Included(key), Bound::Unbounded))
            }
            (Some(key), true) => {
                self.keyspace.range::<&[u8], _>((Bound::Unbounded, Bound::Included(key)))
            }
        };
        let mut met = 0;
        while met < entries {
            let Some(next) = (if reverse { range.next_back() } else { range.next() }) else {
                break;
            };
            let (key, value) = told(next.into_inner())?;
            entry(&key, &value);
            met += 1;
        }
        Ok(met)
    }

    fn sync(&self) -> Result<()> {
        told(self.database.persist(PersistMode::SyncData))
    }

    /// It has no call for this: looks again and again.
    fn wait_idle(&self) -> Result<()> {
        let (mut quiet, mut merges) = (0, self.database.compactions_completed());
        while quiet < QUIET_LOOKS {
            std::thread::sleep(LOOK_EVERY);
            let now = self.database.compactions_completed();
            let busy = self.database.outstanding_flushes() > 0
                || self.database.active_compactions() > 0
                || self.keyspace.sealed_memtable_count() > 0
                || now != merges;
            merges = now;
            quiet = if busy { 0 } else { quiet + 1 };
        }
        Ok(())
    }

    fn compact(&self) -> Result<()> {
        told(self.keyspace.rotate_memtable_and_wait())?;
        told(self.keyspace.major_compact())
    }

    fn facts(&self) -> Facts {
        Facts::default()
    }

    fn close(self: Box<Self>) -> Result<()> {
        // What its own documentation asks for before the end.
        told(self.database.persist(PersistMode::SyncAll))
    }
}
