//! Blocks of all tables in memory, within one budget.
//!
//! 1. Content of data blocks is held decompressed and checked; what it costs is its length and a
//!    constant.
//! 2. Indexes and filters of open tables are charged to the same budget: they cannot be evicted,
//!    so what is left for blocks shrinks while tables are open.
//! 3. A table has its own number here, never used again: no block is found under another table.
//!
//! Eviction and locking are quick_cache's (clock-pro with ghost entries, sharded locks).

use crate::block::Block;
use nori_env::sync::atomic::{AtomicU64, Ordering};
use nori_env::sync::{Arc, Mutex};
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, Weighter};
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};

/// Bytes a cached block costs besides its content.
const OVERHEAD_BYTES: u64 = 128;
/// A shard smaller than this would hold too few blocks to choose among.
const SHARD_BYTES_MIN: u64 = 1 << 20;
const SHARDS_MAX: u64 = 16;
/// Room reserved for bookkeeping up front is bounded, however large the budget.
const ITEMS_MAX: u64 = 1 << 18;

/// Decompressed blocks of any number of tables, within a budget in bytes. `Send + Sync`.
pub struct BlockCache {
    blocks: Option<Blocks>,
    bytes_max: u64,
    /// Bytes of indexes and filters of open tables.
    pinned: Mutex<u64>,
    owners: AtomicU64,
}

type Blocks = Cache<BlockKey, Block, Weight, BuildHasherDefault<BlockHasher>>;

/// A block's place: its table's number in this cache, and which block of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct BlockKey {
    owner: u64,
    block: u64,
}

#[derive(Clone, Debug)]
struct Weight;

impl Weighter<BlockKey, Block> for Weight {
    fn weight(&self, _: &BlockKey, block: &Block) -> u64 {
        block.bytes() as u64 + OVERHEAD_BYTES
    }
}

/// Both numbers are small and dense; one multiplication each spreads them.
#[derive(Default)]
struct BlockHasher(u64);

impl Hasher for BlockHasher {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&b| self.write_u64(b.into()));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(29) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl BlockCache {
    /// A cache of so many bytes; 0 keeps nothing.
    pub fn new(bytes_max: u64) -> Arc<BlockCache> {
        let shards = (bytes_max / SHARD_BYTES_MIN).clamp(1, SHARDS_MAX);
        let items = (bytes_max / 4096).clamp(16, ITEMS_MAX);
        let options = OptionsBuilder::new()
            .shards(shards as usize)
            .estimated_items_capacity(items as usize)
            .weight_capacity(bytes_max)
            .build()
            .ok()
            .filter(|_| bytes_max > 0);
        let blocks = options.map(|options| {
            let hasher = BuildHasherDefault::default();
            Cache::with_options(options, Weight, hasher, DefaultLifecycle::default())
        });
        let (pinned, owners) = (Mutex::new(0), AtomicU64::new(0));
        Arc::new(BlockCache { blocks, bytes_max, pinned, owners })
    }

    /// Bytes in use: cached blocks, and indexes and filters of open tables.
    pub fn usage(&self) -> u64 {
        self.blocks.as_ref().map_or(0, Cache::weight) + *self.pinned.lock()
    }

    /// The budget in bytes.
    pub fn capacity(&self) -> u64 {
        self.bytes_max
    }

    /// Blocks found here since the start.
    pub fn hits(&self) -> u64 {
        self.blocks.as_ref().map_or(0, Cache::hits)
    }

    /// Blocks not found here since the start.
    pub fn misses(&self) -> u64 {
        self.blocks.as_ref().map_or(0, Cache::misses)
    }

    /// A number for a table, never given before.
    pub(crate) fn next_owner(&self) -> u64 {
        // A counter that orders nothing else.
        self.owners.fetch_add(1, Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn get(&self, owner: u64, block: usize) -> Option<Block> {
        self.blocks.as_ref()?.get(&BlockKey { owner, block: block as u64 })
    }

    pub(crate) fn insert(&self, owner: u64, block: usize, content: &Block) {
        if let Some(blocks) = &self.blocks {
            blocks.insert(BlockKey { owner, block: block as u64 }, content.clone());
        }
    }

    /// Drops the blocks `0..count` of a table.
    pub(crate) fn forget(&self, owner: u64, count: usize) {
        if let Some(blocks) = &self.blocks {
            for block in 0..count as u64 {
                blocks.remove(&BlockKey { owner, block });
            }
        }
    }

    /// Takes bytes out of the blocks' share while a table is open.
    pub(crate) fn pin(&self, bytes: u64) {
        self.repin(|pinned| pinned + bytes);
    }

    /// Gives them back.
    pub(crate) fn unpin(&self, bytes: u64) {
        self.repin(|pinned| pinned.saturating_sub(bytes));
    }

    fn repin(&self, change: impl FnOnce(u64) -> u64) {
        // Under the lock also the new capacity is set, or two tables could set it out of order.
        let mut pinned = self.pinned.lock();
        *pinned = change(*pinned);
        if let Some(blocks) = &self.blocks {
            blocks.set_capacity(self.bytes_max.saturating_sub(*pinned));
        }
    }
}

impl fmt::Debug for BlockCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlockCache({} of {} bytes)", self.usage(), self.bytes_max)
    }
}
