//! The memory of a store by its uses, within one budget.
//!
//! With a budget, the block cache has all of it but what other uses need. Two of them, memtables
//! and background jobs, have shares that stay theirs while they are not used: an allocator seldom
//! gives back what they took, and blocks in place of it would come on top.
//!
//! 1. What is charged is given back when its [`Charge`] is dropped, whatever path led there.
//! 2. Blocks have at most the budget, less the shares and what is charged above them, less the
//!    indexes and filters of open tables. What is charged is not refused: it takes from the blocks,
//!    and once they are gone, [`Budget::fill`] tells the writers.
//! 3. Readers and writers take no lock here, except where a sum leaves its step of a 128th of the
//!    budget.

use crate::config::{Background, Config, Shares};
use nori_env::sync::atomic::{AtomicU64, Ordering};
use nori_env::sync::{Arc, Mutex};
use nori_sstable::{BlockCache, TableCache};
use std::path::Path;

/// What memory is used for, besides blocks, and indexes and filters of open tables, which the
/// block cache counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// All that live: active, sealed, and flushed ones that an iterator still reads. The active one
    /// with all it may hold.
    Memtables,
    /// Buffers of flushes and merges at work.
    Jobs,
    /// Blocks that iterators and cursors stand on.
    Iterators,
}

const USES: usize = 3;

/// Up to so many bytes of memtables that are freed stay with the next ones.
const MEMTABLES_KEPT_MAX: u64 = 32 << 20;

/// What is charged in a store.
#[derive(Debug)]
pub(crate) struct Budget {
    blocks: Arc<BlockCache>,
    /// `None`: nothing is limited, only counted.
    shares: Option<Shares>,
    /// By use.
    charged: [AtomicU64; USES],
    /// The most that memtables had at once.
    memtables_most: AtomicU64,
    /// What the block cache was told to leave.
    reserved: AtomicU64,
    /// Of those who tell it.
    telling: Mutex<()>,
}

/// Bytes charged for one use, until it is dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    budget: Arc<Budget>,
    of: Use,
    bytes: AtomicU64,
}

impl Budget {
    /// With what holds blocks and open tables of a directory, for a store that writes or not.
    pub(crate) fn open(
        config: &Config,
        dir: &Path,
        writes: bool,
    ) -> (Arc<Budget>, Arc<TableCache>) {
        let shares = config.shares(writes);
        let pinned_bytes_max = shares.as_ref().map_or(u64::MAX, Shares::open_tables);
        let blocks = match &shares {
            Some(shares) => BlockCache::pooled(shares.total),
            None => BlockCache::new(config.block_cache_bytes),
        };
        let fs = Arc::clone(&config.file_system);
        let tables = TableCache::new(fs, dir, Arc::clone(&blocks), config.max_open_files);
        let mut tables = tables.mapped(config.mmap_reads).pinned_bytes_max(pinned_bytes_max);
        if shares.is_some() && config.background != Background::Manual {
            tables = tables.opened_apart();
        }
        (Budget::new(blocks, shares), Arc::new(tables))
    }

    /// Over a cache that has the budget's bytes, if there is a budget.
    fn new(blocks: Arc<BlockCache>, shares: Option<Shares>) -> Arc<Budget> {
        let budget = Budget {
            blocks,
            shares,
            charged: Default::default(),
            memtables_most: AtomicU64::new(0),
            reserved: AtomicU64::new(0),
            telling: Mutex::new(()),
        };
        budget.tell();
        Arc::new(budget)
    }

    /// Charges `bytes` for a use.
    pub(crate) fn charge(self: &Arc<Budget>, of: Use, bytes: u64) -> Charge {
        let charge = Charge { budget: Arc::clone(self), of, bytes: AtomicU64::new(0) };
        charge.set(bytes);
        charge
    }

    /// Whether anything is limited.
    pub(crate) fn is_limited(&self) -> bool {
        self.shares.is_some()
    }

    /// The budget in bytes; 0: none.
    pub(crate) fn total(&self) -> u64 {
        self.shares.as_ref().map_or(0, |shares| shares.total)
    }

    /// Bytes charged for a use now.
    pub(crate) fn charged(&self, of: Use) -> u64 {
        // Sequentially consistent, as all accesses to the sums: see `changed`.
        self.charged[of as usize].load(Ordering::SeqCst)
    }

    /// How much of what the shares leave is taken by what cannot be evicted: 1.0 leaves no room for
    /// a block. 0 without a budget.
    pub(crate) fn fill(&self) -> f64 {
        let Some(shares) = &self.shares else { return 0.0 };
        let kept = shares.kept();
        let memtables = self.charged(Use::Memtables).max(shares.memtables);
        let wanted = self.sum(shares, memtables);
        let above = wanted.saturating_sub(kept).saturating_add(self.blocks.pinned());
        above as f64 / shares.total.saturating_sub(kept).max(1) as f64
    }

    /// Whether memtables take more than twice their share: readers hold flushed ones.
    pub(crate) fn memtables_pile_up(&self) -> bool {
        let kept = self.shares.as_ref().map_or(u64::MAX, |shares| shares.memtables);
        self.charged(Use::Memtables) > kept.saturating_mul(2)
    }

    /// What the block cache has to leave.
    fn wanted(&self, shares: &Shares) -> u64 {
        let now = self.charged(Use::Memtables);
        let most = self.memtables_most.fetch_max(now, Ordering::SeqCst).max(now);
        let memtables = now.max(most.min(MEMTABLES_KEPT_MAX)).max(shares.memtables);
        self.sum(shares, memtables)
    }

    fn sum(&self, shares: &Shares, memtables: u64) -> u64 {
        let jobs = self.charged(Use::Jobs).max(shares.jobs);
        let all = [shares.fixed, memtables, jobs, self.charged(Use::Iterators)];
        all.iter().fold(0, |sum: u64, bytes| sum.saturating_add(*bytes))
    }

    /// A sum has changed. Whoever changes one and then finds the cache's number right has seen the
    /// number of everybody who computed it without that change, as all of it is sequentially
    /// consistent; so the last change is never lost.
    fn changed(&self) {
        let Some(shares) = &self.shares else { return };
        let (wanted, reserved) = (self.wanted(shares), self.reserved.load(Ordering::SeqCst));
        let step = shares.step();
        // Down by two steps only, or a sum on the edge of one would change the number each time.
        if wanted > reserved || wanted.saturating_add(2 * step) <= reserved {
            self.tell();
        }
    }

    fn tell(&self) {
        let Some(shares) = &self.shares else { return };
        let _alone = self.telling.lock();
        let wanted = self.wanted(shares);
        let reserved = wanted.checked_next_multiple_of(shares.step()).unwrap_or(wanted);
        self.reserved.store(reserved, Ordering::SeqCst);
        self.blocks.set_reserved(reserved);
    }
}

impl Charge {
    /// Charges `bytes` from now on.
    pub(crate) fn set(&self, bytes: u64) {
        let before = self.bytes.swap(bytes, Ordering::Relaxed);
        let sum = &self.budget.charged[self.of as usize];
        match bytes >= before {
            true => sum.fetch_add(bytes - before, Ordering::SeqCst),
            false => sum.fetch_sub(before - bytes, Ordering::SeqCst),
        };
        if bytes != before {
            self.budget.changed();
        }
    }

    /// Bytes charged.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests;
