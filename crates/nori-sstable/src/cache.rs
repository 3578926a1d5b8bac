//! Blocks of all tables in memory, within one budget.
//!
//! 1. Content of data blocks is held decompressed and checked; what it costs is its length and a
//!    constant.
//! 2. Indexes and filters of open tables are charged to the same budget: they cannot be evicted,
//!    so what is left for blocks shrinks while tables are open. So it does by what the owner of
//!    the cache reserves for other uses.
//! 3. A table has its own number here, never another's: no block is found under another table.
//!
//! Eviction and locking are quick_cache's (clock-pro with ghost entries, sharded locks).

mod pool;

use crate::block::Block;
use nori_env::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use nori_env::sync::{Arc, Mutex};
use pool::{GRAIN_BYTES, Pool};
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
/// What the indexes and filters of open tables take besides is this part of them, for a pooled
/// cache. Once tables are closed to make room for others it is as much again: they differ in size,
/// and those that go leave gaps.
const GAPS_PART: u64 = 4;
/// Buffers that wait for a block are this part of a pooled cache at most.
const FREE_PART: u64 = 64;

/// Decompressed blocks of any number of tables, within a budget in bytes. `Send + Sync`.
pub struct BlockCache {
    blocks: Option<Blocks>,
    /// Where blocks are copied to that stay; `None`: they stay where they were read to.
    pool: Option<Arc<Pool>>,
    bytes_max: u64,
    shares: Mutex<Shares>,
    /// `pinned` of the shares, to be read without the lock.
    pinned: AtomicU64,
    tables_take_turns: AtomicBool,
    owners: AtomicU64,
}

/// What is not the blocks'.
#[derive(Debug, Default)]
struct Shares {
    /// Bytes of indexes and filters of open tables.
    pinned: u64,
    /// Bytes that the owner of the cache uses otherwise.
    reserved: u64,
}

type Blocks = Cache<BlockKey, Block, Weight, BuildHasherDefault<BlockHasher>>;

/// A block's place: its table's number in this cache, and which block of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct BlockKey {
    owner: u64,
    block: u64,
}

#[derive(Clone, Debug)]
struct Weight {
    /// Blocks take a multiple of this.
    grain_bytes: usize,
}

impl Weighter<BlockKey, Block> for Weight {
    fn weight(&self, _: &BlockKey, block: &Block) -> u64 {
        block.bytes().next_multiple_of(self.grain_bytes) as u64 + OVERHEAD_BYTES
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
        BlockCache::make(bytes_max, None)
    }

    /// The same, for a process that is held to its bytes: blocks lie in memory of the cache's own,
    /// which takes a copy of each, and does not grow as other threads come to read.
    pub fn pooled(bytes_max: u64) -> Arc<BlockCache> {
        BlockCache::make(bytes_max, Some(Pool::new(bytes_max / FREE_PART)))
    }

    fn make(bytes_max: u64, pool: Option<Arc<Pool>>) -> Arc<BlockCache> {
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
            let weight = Weight { grain_bytes: pool.as_ref().map_or(1, |_| GRAIN_BYTES) };
            Cache::with_options(options, weight, hasher, DefaultLifecycle::default())
        });
        let (pinned, owners) = (AtomicU64::new(0), AtomicU64::new(0));
        let shares = Mutex::new(Shares::default());
        let tables_take_turns = AtomicBool::new(false);
        Arc::new(BlockCache { blocks, pool, bytes_max, shares, pinned, tables_take_turns, owners })
    }

    /// Bytes in use: cached blocks, and indexes and filters of open tables.
    pub fn usage(&self) -> u64 {
        self.blocks.as_ref().map_or(0, Cache::weight) + self.pinned()
    }

    /// Bytes of indexes and filters of open tables, out of [`BlockCache::usage`].
    pub fn pinned(&self) -> u64 {
        // A number for decisions that may be late by a table; it orders nothing.
        self.pinned.load(Ordering::Relaxed)
    }

    /// Leaves so many bytes of the budget to uses that the cache knows nothing of; what was said
    /// before no longer holds. Blocks that then are too many go at once.
    pub fn set_reserved(&self, bytes: u64) {
        self.share(|shares| shares.reserved = bytes);
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
            let kept = match &self.pool {
                Some(pool) => content.with_content(pool.copy(content.content())),
                None => content.clone(),
            };
            blocks.insert(BlockKey { owner, block: block as u64 }, kept);
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
        self.share(|shares| shares.pinned += bytes);
    }

    /// Gives them back.
    pub(crate) fn unpin(&self, bytes: u64) {
        self.share(|shares| shares.pinned = shares.pinned.saturating_sub(bytes));
    }

    /// From now on tables are closed to make room for others.
    pub(crate) fn note_turns(&self) {
        // Seen by whoever opens or closes the next table.
        self.tables_take_turns.store(true, Ordering::Relaxed);
    }

    fn share(&self, change: impl FnOnce(&mut Shares)) {
        // Under the lock also the new capacity is set, or two tables could set it out of order.
        let mut shares = self.shares.lock();
        change(&mut shares);
        self.pinned.store(shares.pinned, Ordering::Relaxed);
        if let Some(blocks) = &self.blocks {
            let gaps = match (&self.pool, self.tables_take_turns.load(Ordering::Relaxed)) {
                (None, _) => 0,
                (Some(_), false) => shares.pinned / GAPS_PART,
                (Some(_), true) => shares.pinned,
            };
            let others = shares.pinned.saturating_add(gaps).saturating_add(shares.reserved);
            blocks.set_capacity(self.bytes_max.saturating_sub(others));
        }
    }
}

impl fmt::Debug for BlockCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlockCache({} of {} bytes)", self.usage(), self.bytes_max)
    }
}
