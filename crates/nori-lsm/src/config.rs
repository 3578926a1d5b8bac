//! How a store is set up. Every option may change between opens.

use crate::error::{Error, Result};
use nori_env::sync::Arc;
use nori_env::{Clock, FileSystem, OsFs, SystemClock};
use nori_scheduler::{Mode, Policy};
use serde::{Deserialize, Serialize};
use std::time::Duration;

mod memory;

pub(crate) use memory::{Shares, memtable_memory};

/// How data blocks are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Compression {
    /// As they are.
    None,
    /// LZ4: fast, moderate.
    #[default]
    Lz4,
}

/// When an acknowledged write is durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Durability {
    /// When the write returns: it survives a power cut.
    #[default]
    Synced,
    /// Handed to the operating system when the write returns: it survives a crash of the process,
    /// but not a power cut. `sync`, `flush` and `close` make it durable.
    Buffered,
    /// As `Buffered`, with a sync in the background at least this often. For a whole store only.
    Interval(Duration),
}

/// What opening does about a write-ahead log whose end cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecoveryMode {
    /// An unreadable tail that nothing promised to be durable is what a power cut leaves; it is
    /// cut. Damage before a durable promise is an error.
    #[default]
    CutTornTail,
    /// Any unreadable tail is an error.
    Strict,
    /// Damage is skipped, and what was lost is reported.
    Salvage,
}

/// The shape that merges give a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CompactionMode {
    /// Adaptive: each slot keeps as many runs as its measured reads and writes make cheapest,
    /// and background work goes where it pays most.
    #[default]
    Atll,
    /// Levels, each ten times the one above, merged slot by slot: fewer runs everywhere, more
    /// bytes rewritten. For comparison, and for those who want a fixed shape.
    Leveled,
    /// Four runs of a size become one of the next: few bytes rewritten, many runs, up to three
    /// times the space.
    Tiered,
}

/// Who does flushes and merges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Background {
    /// One thread for flushes and this many (at least one) for everything else.
    Threads(usize),
    /// Nobody by itself: `step`, `flush`, `compact`, `wait_idle`, and writers that would wait.
    /// For simulations and tests, where a seed must explain everything.
    Manual,
}

macro_rules! options {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $default:expr;)*) => {
        /// Options of a store: `Config::default()` and a builder method for each.
        ///
        /// ```
        /// let config = nori_lsm::Config::default().memtable_bytes(8 << 20).max_sealed(3);
        /// assert!(config.validate().is_ok());
        /// ```
        #[derive(Clone, Debug, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Config {
            $($(#[$doc])* pub(crate) $name: $type,)*
            #[serde(skip, default = "default_file_system")]
            pub(crate) file_system: Arc<dyn FileSystem>,
            #[serde(skip, default = "default_clock")]
            pub(crate) clock: Arc<dyn Clock>,
            /// The store is a repair's own, which it has not finished.
            #[serde(skip)]
            pub(crate) in_repair: bool,
        }

        impl Default for Config {
            fn default() -> Config {
                Config {
                    $($name: $default,)*
                    file_system: default_file_system(),
                    clock: default_clock(),
                    in_repair: false,
                }
            }
        }

        impl Config {
            $($(#[$doc])* #[must_use]
            pub fn $name(mut self, $name: $type) -> Config {
                self.$name = $name;
                self
            })*
        }
    };
}

options! {
    /// All memory of the store, in bytes: cached blocks, indexes and filters of open tables,
    /// memtables, iterators and the buffers of background work share it. Default 0: each has a
    /// limit of its own. With a budget, blocks have what the others leave, and `memtable_bytes` and
    /// `table_bytes` are lowered to fit where they are left at their defaults: all memtables to a
    /// quarter of the budget, a table to an eighth. Set it where the memory of the process is
    /// limited, to a twentieth of the data or more.
    memory_budget: u64 = 0;
    /// Bytes in memory before a memtable is sealed and written to a table. Default 64 MiB. Turn
    /// it up for fewer, larger flushes; down to save memory.
    memtable_bytes: usize = MEMTABLE_BYTES;
    /// Sealed memtables that may wait for their flush before writers wait, at least 1. Default 2.
    max_sealed: usize = 2;
    /// Target size of a data block before compression, in bytes. Default 4096. Larger blocks
    /// compress better and cost more per point read.
    block_bytes: usize = 4096;
    /// Size at which a merge starts its next table, in bytes. Default 64 MiB.
    table_bytes: u64 = TABLE_BYTES;
    /// Memory for cached blocks, and the indexes and filters of open tables, in bytes. Default
    /// 256 MiB; 0: no blocks are cached. Not to be set with a `memory_budget`, which takes its
    /// place.
    block_cache_bytes: u64 = BLOCK_CACHE_BYTES;
    /// Table files kept open at once. Default 1024. Turn it down where the process may open few.
    max_open_files: usize = 1024;
    /// Whether reads go through a mapping of the table files instead of reads of the file. Default
    /// false. For stores that fit into memory, best without compression: reads copy nothing then.
    /// The price: if the disk cannot give a page, or somebody shortens a table's file, the system
    /// ends the process, where a read would be an error.
    mmap_reads: bool = false;
    /// Bits of bloom filter per key. Default 10, at which at most one lookup in a hundred reads a
    /// table in vain; 0: no filters.
    bloom_bits_per_key: f64 = 10.0;
    /// How new tables are compressed. Default LZ4.
    compression: Compression = Compression::Lz4;
    /// The shape that merges give the store. Default: adaptive.
    compaction: CompactionMode = CompactionMode::Atll;
    /// Sorted runs that a slot may have at most, parts of flushed tables included, 1 to 16.
    /// Default 12. Fewer: faster reads of cold data, more bytes rewritten.
    k_global: usize = 12;
    /// Written bytes that looking into one run less is worth to a read. Default 2048. Turn it
    /// down (256) if writes cost too much, up (8192) for scans or stores without filters.
    lambda: f64 = 2048.0;
    /// What a scan of a slot counts for against a point read. Default 2: filters spare point
    /// reads from runs, never scans.
    scan_weight: f64 = 2.0;
    /// The write amplification, predicted for the whole store, above which reads no longer make
    /// slots keep fewer runs. Default 16.
    wa_max: f64 = 16.0;
    /// Bytes of the newer runs of a slot for each byte of its oldest, above which all are merged.
    /// Default 0.5: about a third of the space may be garbage. Lower: less space, more rewritten.
    alpha: f64 = 0.5;
    /// Bytes that a slot should hold. Default `None`: grows with the square root of the data,
    /// from one memtable to 32. Smaller: smaller merges, more files.
    slot_target_bytes: Option<u64> = None;
    /// Flushes that still serve slots as they are, above which the oldest is merged away before
    /// anything else, and writers are slowed down. Default `None`: `k_global` + 4.
    l0_soft: Option<usize> = None;
    /// The same, at which writers wait. Default `None`: twice `k_global`, at least `l0_soft` + 4.
    l0_hard: Option<usize> = None;
    /// Time in which a slot forgets half of the reads and writes it saw. Default `None`: 32
    /// flushes, at least a minute. Shorter: follows a moving hot spot faster.
    half_life: Option<Duration> = None;
    /// How often a merge is chosen at random among those that would pay, 0 to 1. Default 0.05.
    bandit_epsilon: f64 = 0.05;
    /// How much a slot is preferred of whose merges little is known. Default 0.5; 0: not at all.
    bandit_ucb_c: f64 = 0.5;
    /// Where the random choices of the scheduler start.
    seed: u64 = 0x006e_6f72_6921;
    /// When a write is durable. Default: when it returns.
    durability: Durability = Durability::Synced;
    /// What opening does about an unreadable end of the log. Default: cut it if nothing promised
    /// it.
    wal_recovery: RecoveryMode = RecoveryMode::CutTornTail;
    /// Bytes of the log that are kept after they were flushed, for `Lsm::changes`. Default 0. Set
    /// it to what is written while a follower may be away; the disk holds that much more.
    wal_retention_bytes: u64 = 0;
    /// Who does the background work. Default: one thread for flushes, one for the rest.
    background: Background = Background::Threads(1);
    /// How long a writer waits for background work before it gets `Stalled`. Default 10 s.
    stall_timeout: Duration = Duration::from_secs(10);
    /// Free disk space below which writes get `DiskFull` while flushes go on, in bytes. Default
    /// `None`: room for all memtables and a manifest.
    disk_reserve_bytes: Option<u64> = None;
    /// Whether to make a store where there is none. Default true.
    create_if_missing: bool = true;
    /// Whether an existing store is an error. Default false.
    error_if_exists: bool = false;
    /// Keys at which the keyspace "default" of a new store is cut into slots. Default none.
    initial_guards: Vec<Vec<u8>> = Vec::new();
}

const MEMTABLE_BYTES: usize = 64 << 20;
const TABLE_BYTES: u64 = 64 << 20;
const BLOCK_CACHE_BYTES: u64 = 256 << 20;

fn default_file_system() -> Arc<dyn FileSystem> {
    Arc::new(OsFs)
}

fn default_clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::default())
}

impl Config {
    /// Where files live. Default: the operating system's.
    #[must_use]
    pub fn file_system(mut self, file_system: Arc<dyn FileSystem>) -> Config {
        self.file_system = file_system;
        self
    }

    /// What time it is. Default: the machine's clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Config {
        self.clock = clock;
        self
    }

    /// Checks the options against their limits.
    ///
    /// # Errors
    /// `InvalidArgument` with one sentence for each broken rule.
    pub fn validate(&self) -> Result<()> {
        let longest = self.initial_guards.iter().map(Vec::len).max().unwrap_or(0);
        let (soft, hard) = (self.l0_soft_limit(), self.l0_hard_limit());
        let positive = |x: f64| x.is_finite() && x > 0.0;
        let half_life_ok = self.half_life.is_none_or(|h| !h.is_zero());
        let interval_ok = !matches!(self.durability, Durability::Interval(d) if d.is_zero());
        let rules = [
            (self.memtable_bytes >= 4096, "memtable_bytes must be at least 4096."),
            (self.memtable_bytes <= 1 << 36, "memtable_bytes must be at most 64 GiB."),
            ((1..=64).contains(&self.max_sealed), "max_sealed must be 1 to 64."),
            ((64..=16 << 20).contains(&self.block_bytes), "block_bytes must be 64 to 16 MiB."),
            (self.table_bytes >= 1024, "table_bytes must be at least 1024."),
            (self.max_open_files >= 1, "max_open_files must be at least 1."),
            (
                (0.0..=100.0).contains(&self.bloom_bits_per_key),
                "bloom_bits_per_key must be 0 to 100.",
            ),
            ((1..=16).contains(&self.k_global), "k_global must be 1 to 16."),
            (positive(self.lambda), "lambda must be above 0."),
            (positive(self.scan_weight), "scan_weight must be above 0."),
            (self.wa_max.is_finite() && self.wa_max >= 1.0, "wa_max must be at least 1."),
            ((0.05..=100.0).contains(&self.alpha), "alpha must be 0.05 to 100."),
            (self.slot_target_bytes != Some(0), "slot_target_bytes must be above 0."),
            (soft >= 1 && hard > soft, "l0_hard must be above l0_soft, and that at least 1."),
            (half_life_ok, "half_life must be longer than zero."),
            ((0.0..=1.0).contains(&self.bandit_epsilon), "bandit_epsilon must be 0 to 1."),
            ((0.0..=100.0).contains(&self.bandit_ucb_c), "bandit_ucb_c must be 0 to 100."),
            (interval_ok, "a durability interval must be longer than zero."),
            (
                !matches!(self.background, Background::Threads(0) | Background::Threads(65..)),
                "background must be 1 to 64 threads, or Manual.",
            ),
            (longest <= nori_types::KEY_BYTES_MAX, "an initial guard is longer than a key may be."),
        ];
        let mut broken: Vec<&str> = rules.iter().filter(|r| !r.0).map(|r| r.1).collect();
        let memory = self.memory_rule();
        broken.extend(memory.as_deref());
        if broken.is_empty() { Ok(()) } else { Err(Error::invalid(broken.join(" "))) }
    }

    /// Flushes serving slots as they are, above which the oldest is merged away first.
    pub(crate) fn l0_soft_limit(&self) -> usize {
        self.l0_soft.unwrap_or(self.k_global.saturating_add(4))
    }

    /// The same, at which writers wait.
    pub(crate) fn l0_hard_limit(&self) -> usize {
        let least = self.l0_soft_limit().saturating_add(4);
        self.l0_hard.unwrap_or(self.k_global.saturating_mul(2).max(least))
    }

    /// What the scheduler goes by.
    pub(crate) fn policy(&self) -> Policy {
        Policy {
            mode: match self.compaction {
                CompactionMode::Atll => Mode::Atll,
                CompactionMode::Leveled => Mode::Leveled,
                CompactionMode::Tiered => Mode::Tiered,
            },
            memtable_bytes: self.memtable_bytes as u64,
            table_bytes: self.table_bytes,
            k_global: self.k_global,
            lambda: self.lambda,
            scan_weight: self.scan_weight,
            wa_max: self.wa_max,
            alpha: self.alpha,
            slot_target_bytes: self.slot_target_bytes,
            l0_soft: self.l0_soft_limit(),
            l0_hard: self.l0_hard_limit(),
            half_life: self.half_life,
            epsilon: self.bandit_epsilon,
            ucb_c: self.bandit_ucb_c,
            seed: self.seed,
            ..Policy::default()
        }
    }

    /// The free space that writes leave for flushes.
    pub(crate) fn reserve_bytes(&self) -> u64 {
        let memtables = (self.max_sealed as u64 + 1).saturating_mul(self.memtable_bytes as u64);
        self.disk_reserve_bytes.unwrap_or(memtables.saturating_add(1 << 20))
    }
}

#[cfg(test)]
mod tests;
