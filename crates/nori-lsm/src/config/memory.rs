//! What follows from a memory budget.

use crate::config::{BLOCK_CACHE_BYTES, Background, Config, MEMTABLE_BYTES, TABLE_BYTES};

/// Small things that are not counted: stacks, buffers of the log, the manifest.
const FIXED_BYTES: u64 = 4 << 20;

/// What the allocator and the system take on top of what is asked for, as a part of the budget.
const SLACK_PART: u64 = 10;

/// What a table on its way to disk takes besides what grows with it: blocks gathered for one write,
/// and those being filled and compressed.
const TABLE_BUFFER_BYTES: u64 = 512 << 10;

/// Hashes of keys for the filter, and the index, as a part of the table.
const TABLE_PART: u64 = 8;

/// Memtables take memory in chunks that double up to so many bytes; the last one is used in part.
const CHUNK_BYTES: u64 = 256 << 10;

/// A merge reads so many blocks at a time, at most: one of each run, and the one before it.
const BLOCKS_READ: u64 = 32;

/// What a memtable of so many bytes takes.
pub(crate) fn memtable_memory(bytes: u64) -> u64 {
    bytes.saturating_add((bytes / 8).min(CHUNK_BYTES))
}

/// How a budget is divided, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shares {
    /// The budget.
    pub(crate) total: u64,
    /// Not counted one by one.
    pub(crate) fixed: u64,
    /// Kept for memtables, used or not.
    pub(crate) memtables: u64,
    /// Kept for jobs.
    pub(crate) jobs: u64,
}

impl Shares {
    /// What blocks, open tables and iterators never have.
    pub(crate) fn kept(&self) -> u64 {
        self.fixed.saturating_add(self.memtables).saturating_add(self.jobs)
    }

    /// Tables are closed when their indexes and filters are more bytes: three eighths of what is
    /// not kept. With the gaps between them, that is three quarters.
    pub(crate) fn open_tables(&self) -> u64 {
        self.total.saturating_sub(self.kept()) / 8 * 3
    }

    /// Sums are told to the block cache in steps of this.
    pub(crate) fn step(&self) -> u64 {
        (self.total / 128).max(1)
    }

    /// Whether enough is left for blocks and open tables: a quarter.
    fn leaves_enough(&self) -> bool {
        self.kept() <= self.total / 4 * 3
    }
}

impl Config {
    /// The options as they are with the budget: those left at their defaults are lowered to fit.
    #[must_use]
    pub(crate) fn fitted(mut self) -> Config {
        if self.memory_budget == 0 {
            return self;
        }
        if self.memtable_bytes == MEMTABLE_BYTES {
            let one = self.memory_budget / 4 / self.memtables_max();
            // So that with its last chunk it is no more.
            let one = one - (one / 8).min(CHUNK_BYTES);
            let one = usize::try_from(one).unwrap_or(usize::MAX);
            self.memtable_bytes = one.clamp(4096, MEMTABLE_BYTES);
        }
        if self.table_bytes == TABLE_BYTES {
            self.table_bytes = (self.memory_budget / 8).clamp(64 << 10, TABLE_BYTES);
        }
        self
    }

    /// How the budget of fitted options is divided; `None` without one. A store that is only read
    /// has no memtables but those it was opened with, and no jobs.
    pub(crate) fn shares(&self, writes: bool) -> Option<Shares> {
        let total = self.memory_budget;
        if total == 0 {
            return None;
        }
        let one = memtable_memory(self.memtable_bytes as u64);
        let memtables = self.memtables_max().saturating_mul(one);
        let jobs = self.jobs_max().saturating_mul(self.job_bytes(self.table_bytes));
        let (memtables, jobs) = if writes { (memtables, jobs) } else { (0, 0) };
        Some(Shares { total, fixed: FIXED_BYTES + total / SLACK_PART, memtables, jobs })
    }

    /// Memtables in memory: the active one, those that wait, and one that is flushed but not yet
    /// freed.
    fn memtables_max(&self) -> u64 {
        self.max_sealed as u64 + 2
    }

    /// Flushes and merges at a time.
    fn jobs_max(&self) -> u64 {
        match self.background {
            Background::Threads(workers) => workers as u64 + 1,
            Background::Manual => 1,
        }
    }

    /// What a job takes that writes tables of so many bytes.
    pub(crate) fn job_bytes(&self, table_bytes: u64) -> u64 {
        let blocks = BLOCKS_READ.saturating_mul(self.block_bytes as u64);
        TABLE_BUFFER_BYTES.saturating_add(blocks).saturating_add(table_bytes / TABLE_PART)
    }

    /// A sentence about a budget that cannot be kept.
    pub(crate) fn memory_rule(&self) -> Option<String> {
        if self.memory_budget == 0 {
            return None;
        }
        if self.block_cache_bytes != BLOCK_CACHE_BYTES {
            let said = "memory_budget takes the place of block_cache_bytes: set one of them.";
            return Some(said.to_string());
        }
        if self.fits(self.memory_budget) {
            return None;
        }
        // More is always enough where less was.
        let (mut low, mut high) = (0, 1u64 << 24);
        while low + 1 < high {
            let middle = low + (high - low) / 2;
            match self.fits(middle << 20) {
                true => high = middle,
                false => low = middle,
            }
        }
        Some(format!(
            "memory_budget must be at least {high} MiB for these memtables, tables and threads."
        ))
    }

    /// Whether a budget of so many bytes would be enough.
    fn fits(&self, bytes: u64) -> bool {
        let config = Config { memory_budget: bytes, ..self.clone() }.fitted();
        config.shares(true).is_some_and(|shares| shares.leaves_enough())
    }
}

#[cfg(test)]
mod tests;
