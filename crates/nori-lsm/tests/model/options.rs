//! The kinds of stores that programs run on.

use crate::slots::Slotted;
use nori_env::sync::Arc;
use nori_env::{ManualClock, MemFs, Rng};
use nori_lsm::{Background, CompactionMode, Compression, Config, Durability};
use std::time::Duration;

/// A kind of store: the options of its first opening. Later ones change some.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    /// Also the name of its test.
    pub(crate) name: &'static str,
    pub(crate) memtable_bytes: usize,
    pub(crate) max_sealed: usize,
    pub(crate) k: usize,
    /// Slots that "default" has from the start.
    pub(crate) slots: usize,
    pub(crate) block_bytes: usize,
    pub(crate) table_bytes: u64,
    pub(crate) cache_bytes: u64,
    pub(crate) open_files: usize,
    pub(crate) bloom: f64,
    pub(crate) compression: Compression,
    pub(crate) durability: Durability,
    /// 0: nobody works by itself.
    pub(crate) threads: usize,
    /// Programs that make slots grow, shrink, heat and cool; `None`: the others.
    pub(crate) slotted: Option<Slotted>,
}

/// What an opening allows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) k: usize,
    pub(crate) mode: CompactionMode,
}

pub(crate) const SMALL: Kind = Kind {
    name: "",
    memtable_bytes: 4 << 10,
    max_sealed: 2,
    k: 4,
    slots: 1,
    block_bytes: 256,
    table_bytes: 4 << 10,
    cache_bytes: 64 << 10,
    open_files: 1000,
    bloom: 10.0,
    compression: Compression::Lz4,
    durability: Durability::Synced,
    threads: 0,
    slotted: None,
};

/// The kinds that all programs run on; those with tiny slots are in `slots.rs`.
pub(crate) const KINDS: [Kind; 10] = [
    Kind {
        name: "everything_tiny",
        max_sealed: 1,
        k: 1,
        block_bytes: 64,
        table_bytes: 1 << 10,
        cache_bytes: 0,
        bloom: 0.0,
        compression: Compression::None,
        ..SMALL
    },
    Kind { name: "leveled", k: 1, slots: 4, durability: Durability::Buffered, ..SMALL },
    Kind {
        name: "two_runs_few_files",
        k: 2,
        slots: 16,
        open_files: 1,
        cache_bytes: 4 << 10,
        ..SMALL
    },
    Kind {
        name: "many_slots",
        memtable_bytes: 8 << 10,
        k: 3,
        slots: 256,
        cache_bytes: 0,
        compression: Compression::None,
        ..SMALL
    },
    Kind {
        name: "large_blocks",
        memtable_bytes: 32 << 10,
        k: 4,
        block_bytes: 4096,
        table_bytes: 64 << 10,
        cache_bytes: 1 << 20,
        ..SMALL
    },
    Kind {
        name: "tiered",
        max_sealed: 4,
        k: 16,
        slots: 2,
        block_bytes: 64,
        bloom: 2.5,
        durability: Durability::Interval(Duration::from_millis(30)),
        ..SMALL
    },
    Kind { name: "in_memory", memtable_bytes: 8 << 20, max_sealed: 1, slots: 4, ..SMALL },
    Kind {
        name: "in_memory_buffered_no_filters",
        memtable_bytes: 1 << 20,
        bloom: 0.0,
        slots: 64,
        durability: Durability::Buffered,
        ..SMALL
    },
    Kind { name: "threads_leveled", max_sealed: 1, k: 1, slots: 8, threads: 2, ..SMALL },
    Kind {
        name: "threads_tiered",
        memtable_bytes: 8 << 10,
        k: 3,
        open_files: 2,
        cache_bytes: 0,
        durability: Durability::Interval(Duration::from_millis(5)),
        threads: 2,
        ..SMALL
    },
];

impl Kind {
    /// The options of the first opening (`change` 0), or of a later one.
    pub(crate) fn config(&self, fs: &Arc<MemFs>, clock: &ManualClock, change: u64) -> Config {
        self.opening(fs, clock, change).0
    }

    /// What must hold in a store of that opening when nothing is due.
    pub(crate) fn limits(&self, change: u64) -> Limits {
        self.opening(&Arc::new(MemFs::new(0)), &ManualClock::default(), change).1
    }

    fn opening(&self, fs: &Arc<MemFs>, clock: &ManualClock, change: u64) -> (Config, Limits) {
        let background = match self.threads {
            0 => Background::Manual,
            n => Background::Threads(n),
        };
        let config = Config::default()
            .file_system(Arc::<MemFs>::clone(fs))
            .background(background)
            .memtable_bytes(self.memtable_bytes)
            .max_sealed(self.max_sealed)
            .k_global(self.k)
            .block_bytes(self.block_bytes)
            .table_bytes(self.table_bytes)
            .block_cache_bytes(self.cache_bytes)
            .max_open_files(self.open_files)
            .bloom_bits_per_key(self.bloom)
            .compression(self.compression)
            .durability(self.durability)
            .disk_reserve_bytes(Some(0))
            .stall_timeout(Duration::from_secs(120))
            .initial_guards(self.guards());
        let config = match self.threads {
            0 => config.clock(Arc::new(clock.clone())),
            _ => config,
        };
        let mut limits = Limits { k: self.k, mode: CompactionMode::Atll };
        let config = match &self.slotted {
            Some(slotted) => slotted.config(config, change, &mut limits),
            None => config,
        };
        match change {
            0 => (config, limits),
            _ => (changed(config, &mut limits, &mut Rng::new(change)), limits),
        }
    }

    /// Guards given by the options; each seed's keys fall between and upon them.
    pub(crate) fn guards(&self) -> Vec<Vec<u8>> {
        let (slots, ascii) = (self.slots as u64, [&b"a"[..], b"aaaa", b"k1", b"k2", b"shared/"]);
        let spread = (1..slots).map(|i| (i * 0x1_0000 / slots) as u16);
        let mut guards: Vec<Vec<u8>> = spread.map(|i| i.to_be_bytes().to_vec()).collect();
        for (guard, key) in guards.iter_mut().rev().zip(ascii).take(self.slots / 2) {
            *guard = key.to_vec();
        }
        guards
    }
}

/// Three options differ from the last time.
fn changed(mut config: Config, limits: &mut Limits, rng: &mut Rng) -> Config {
    for _ in 0..3 {
        config = match rng.below(10) {
            0 => config.memtable_bytes(*rng.pick(&[4 << 10, 9_999, 64 << 10])),
            1 => config.max_sealed(1 + rng.index(3)),
            2 => {
                limits.k = 1 + rng.index(6);
                config.k_global(limits.k)
            }
            3 => config.block_bytes(*rng.pick(&[64, 256, 4096])),
            4 => config.table_bytes(*rng.pick(&[1 << 10, 10_000, 1 << 20])),
            5 => config.block_cache_bytes(*rng.pick(&[0, 10_000, 1 << 20])),
            6 => config.max_open_files(*rng.pick(&[1, 3, 100])),
            7 => config.bloom_bits_per_key(*rng.pick(&[0.0, 1.0, 10.0, 20.0])),
            8 => config.compression(*rng.pick(&[Compression::None, Compression::Lz4])),
            _ => config.durability(*rng.pick(&[Durability::Synced, Durability::Buffered])),
        };
    }
    // Only a new store is cut by it.
    config.initial_guards(vec![b"not a guard".to_vec()])
}
